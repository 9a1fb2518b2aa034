"""Calls and recordings that become scenarios: no customer's number survives."""

import asyncio
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from tests.fakes.recognizer import command, number
from tests.fakes.sound import speechlike
from tests.fakes.store import FakeStore, account, invoice
from tests.scenarios.conftest import FIXTURES, hold, on
from tests.test_call import services
from voicebot.dialog.catalogue import Catalogue
from voicebot.errors import VoicebotError
from voicebot.legs.wav import WavLeg
from voicebot.scenarios.command import Wanted, find_jobs
from voicebot.scenarios.reading import read_cases
from voicebot.scenarios.recorded import SpokenNumber, cases_of_recordings, record
from voicebot.settings import Settings
from voicebot.switchboard import Switchboard

REAL = "301234567894"
"""A customer's number that is no demonstration."""
VOICE = "kokoro:jf_gongitsune"


def kept_call(folder: Path, leg: WavLeg, *readings: object) -> Path:
    """A call of a customer whose number is `REAL`, as the bot keeps it."""
    shared = services(*readings, command("end"), store=FakeStore(account(REAL, invoice("27.80"))))  # type: ignore[arg-type]
    asyncio.run(Switchboard(shared, 1, folder).hold(leg))
    (kept,) = folder.iterdir()
    return kept


def text_of(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.suffix in (".json", ".yaml"))


def test_no_call_is_kept_unless_the_settings_name_a_folder(tmp_path: Path) -> None:
    assert Settings().recordings.folder is None
    asyncio.run(Switchboard(services(), 1).hold(WavLeg(hang_up_after_ms=500)))
    assert not any(tmp_path.iterdir())


def test_a_kept_call_names_no_number_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    kept = kept_call(tmp_path / "calls", WavLeg(keys=f"{REAL}#"))
    assert REAL not in text_of(kept) and {file.name for file in kept.iterdir()} == {"call.json", "caller.wav"}
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept.iterdir())


def test_a_keyed_number_becomes_one_of_the_demonstration_that_is_told_the_same(
    tmp_path: Path, chosen: Settings
) -> None:
    kept = kept_call(tmp_path / "calls", WavLeg([speechlike(700)], keys=f"{REAL}#"))
    file = record(kept, tmp_path / "out", chosen, None, VOICE)
    assert REAL not in text_of(tmp_path / "out")
    (case,) = read_cases([file], Catalogue.load("bg"))
    keyed, *_ = case.scenario.turns
    assert keyed.keys == "300000000004#" and {"keyed_back", "owed_one", "menu"} <= set(keyed.says)


def test_a_spoken_number_is_refused_replaced_or_kept(tmp_path: Path, chosen: Settings) -> None:
    kept = kept_call(tmp_path / "calls", WavLeg([speechlike(3000), speechlike(700)]), number(REAL), command("yes"))
    with pytest.raises(SpokenNumber, match=r"Turn 1 of .* says a customer's number, .*--spoken-numbers"):
        record(kept, tmp_path / "refused", chosen, None, VOICE)
    assert not (tmp_path / "refused").exists()
    for spoken, sounds in (("replace", {"turn-2.wav"}), ("keep", {"turn-1.wav", "turn-2.wav"})):
        file = record(kept, tmp_path / spoken, chosen, spoken, VOICE)  # type: ignore[arg-type]
        assert sounds <= {path.name for path in file.parent.iterdir()} and REAL not in text_of(file.parent)
        said = yaml.safe_load(file.read_text(encoding="utf-8"))["scenarios"][0]["turns"][0]
        assert said["spoken_number"] == ("kept" if spoken == "keep" else "replaced")


def common_voice(folder: Path, *rows: tuple[str, str]) -> Path:
    """A data set in the layout of Common Voice."""
    (folder / "clips").mkdir(parents=True)
    for source, _ in rows:
        shutil.copy(FIXTURES / source, folder / "clips" / source)
    lines = ["client_id\tpath\tsentence", *(f"speaker\t{source}\t{text}" for source, text in rows)]
    (folder / "validated.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_a_folder_in_the_layout_of_common_voice_becomes_scenarios_that_pass(tmp_path: Path, chosen: Settings) -> None:
    rows = (("number-7-1000001.wav", "едно нула нула нула нула нула едно"), ("end.wav", "край"), ("no.wav", "не"))
    file = record(common_voice(tmp_path / "cv", *rows), tmp_path / "out", chosen, None, VOICE)
    cases = read_cases([file], Catalogue.load("bg"))
    assert [case.scenario.turns[-1].understood.digits for case in cases] == ["1000001", "", ""]  # type: ignore[union-attr]
    assert [result.failures for result in hold(on("wav", *cases), chosen)] == [[], [], []]


def test_a_recording_that_says_somebodys_number_is_not_taken_over_unasked(tmp_path: Path, chosen: Settings) -> None:
    text = "три нула нула нула нула нула нула нула нула нула нула седем"
    source = common_voice(tmp_path / "cv", ("number-12-wrong-300000000007.wav", text))
    with pytest.raises(SpokenNumber):
        record(source, tmp_path / "out", chosen, None, VOICE)
    file = record(source, tmp_path / "out", chosen, "replace", VOICE)
    assert "300000000007" not in text_of(file.parent) and "седем" not in text_of(file.parent)
    assert not list(file.parent.glob("*.wav"))


def test_a_table_tells_what_must_be_understood(chosen: Settings) -> None:
    cases = cases_of_recordings(FIXTURES / "evaluation.csv", chosen)
    assert cases and all(case.scenario.turns[-1].understood for case in cases)


def test_what_cannot_be_recorded_is_told_in_a_sentence(tmp_path: Path, chosen: Settings) -> None:
    bad = common_voice(tmp_path / "bad", ("not-a-wav.wav", "да"))
    (tmp_path / "untold").mkdir()
    shutil.copy(FIXTURES / "yes.wav", tmp_path / "untold")
    for source, voice, sentence in (
        (bad, VOICE, "not-a-wav.wav"),
        (tmp_path / "untold", VOICE, "is no call that was kept and has no index.tsv: .*tells where a number is said"),
        (FIXTURES / "evaluation.csv", "kokoro:nobody", "nobody"),
    ):
        with pytest.raises(VoicebotError, match=sentence):
            record(source, tmp_path / "out", chosen, "replace", voice)
    assert not (tmp_path / "out").exists()


def test_a_recording_and_a_table_of_recordings_can_be_named_in_place_of_their_folder(chosen: Settings) -> None:
    wanted = Wanted(["wav"])
    (job,) = find_jobs(chosen, [FIXTURES / "yes.wav"], wanted)
    assert job.case.scenario.turns[-1].say == "yes.wav"
    assert len(find_jobs(chosen, [FIXTURES / "evaluation.csv"], wanted)) > 1
