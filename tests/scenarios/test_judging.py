"""Scenarios that are broken on purpose, the command, and calls by telephone and from a browser."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from tests.scenarios.conftest import CASES, FIXTURES, hold, on, read
from voicebot.cli import app
from voicebot.scenarios.recorded import cases_of_recordings
from voicebot.scenarios.results import as_values, trials
from voicebot.settings import Settings

BIN = Path(sys.executable).parent / "voicebot"
NUMBER = "300000000002"


def test_a_broken_scenario_fails_with_a_message_that_names_the_turn(chosen: Settings, tmp_path: Path) -> None:
    (case,) = read(
        tmp_path,
        "scenarios:",
        "  - name: Broken",
        "    turns:",
        f"      - {{keys: {NUMBER}#, says: [keyed_back, owed_many], understood: {{digits: 300000000003}}}}",
        "      - {keys: 9, says: [goodbye], never: [дочуване]}",
        "      - {silence: true}",
        "    outcome: abandoned",
        "    disclosed: []",
    )
    (result,) = hold(on("wav", case), chosen)
    told = {(failure.turn, failure.what.split(",")[0]) for failure in result.failures}
    assert told == {
        (1, 'the prompt "owed_many" was to be said'),
        (1, f'the digits "{NUMBER}" were heard and not "300000000003"'),
        (2, '"дочуване" was not to be said'),
        (3, "its moment never came: the call was over after turn 2"),
        (None, 'the call ended as "informed" and not as "abandoned"'),
        (None, f"the bill of {NUMBER} was told"),
    }
    hidden = json.dumps(as_values(result, reveal=False), ensure_ascii=False)
    assert NUMBER not in hidden and "три нула нула" not in hidden and "••••••••••02" in hidden
    assert NUMBER in json.dumps(as_values(result, reveal=True))


def test_the_command_writes_report_json_and_junit_and_tells_by_its_status(env: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        "scenarios:\n"
        "  - {name: Good, turns: [{hang_up: true, interrupts_after_ms: 500}], outcome: abandoned}\n"
        "  - {name: Bad 300000000002, turns: [{hang_up: true, interrupts_after_ms: 500, says: [owed_one]}]}\n"
    )
    report, run, junit = tmp_path / "report.html", tmp_path / "run.json", tmp_path / "junit.xml"
    arguments = ["test", path, "--report", report, "--json", run, "--junit", junit]
    done = subprocess.run([BIN, *arguments], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "FAILED Bad" in done.stdout and "Turn 1: the prompt" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 of 2 calls passed")
    assert "1 of 2 calls failed" in report.read_text() and NUMBER not in report.read_text() + run.read_text()
    good, bad = ElementTree.parse(junit).getroot().findall("testcase")
    assert good.find("failure") is None and bad.find("failure") is not None


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--leg", "pigeon"], 2, "pigeon is none of wav, sip, webrtc"),
        (["--line", "telegraph"], 2, "telegraph is none of"),
        (["nowhere.yaml"], 1, "nowhere.yaml does not exist"),
        (["--only", "nothing is called so"], 1, "There is no call to hold"),
        (["--compare", __file__], 1, "cannot be read as an earlier run"),
        (["--report", str(FIXTURES)], 1, "it is a folder; name a file in it"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    arguments: list[str], status: int, sentence: str, env: dict[str, str]
) -> None:
    done = CliRunner().invoke(app, ["test", *arguments], env=env)
    told = done.output if status == 2 else str(done.exception)
    assert done.exit_code == status and sentence in " ".join(told.replace("│", " ").split())


def test_a_voice_that_is_not_there_is_told_and_nobody_stands_in(env: dict[str, str]) -> None:
    arguments = ["test", str(FIXTURES / "yes.wav"), "--no-report"]
    done = CliRunner().invoke(app, arguments, env=env | {"VOICEBOT_VOICE__NAME": "kokoro:nobody"})
    assert done.exit_code == 1 and "no style 'nobody'" in str(done.exception)


def test_tones_in_a_sound_do_not_count_as_heard_speech(chosen: Settings) -> None:
    (case,) = [case for case in CASES if case.name == "Keys come as tones in the sound"]
    (result,) = hold(on("wav", case), chosen)
    assert result.passed and not list(trials([result]))


def test_a_sound_that_is_none_is_told_once(chosen: Settings) -> None:
    (result,) = hold(on("wav", *cases_of_recordings(FIXTURES / "not-a-wav.wav", chosen)), chosen)
    (failure,) = result.failures
    assert failure.what.startswith("the call broke off") and "is not a WAV file: convert it" in failure.what


def test_a_folder_of_recordings_without_a_table_becomes_calls(chosen: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.wav").write_bytes((FIXTURES / "number-12-300000000002.wav").read_bytes())
    (result,) = hold(on("wav", *cases_of_recordings(tmp_path, chosen)), chosen)
    turns = as_values(result, reveal=True)["turns"]
    assert result.passed and NUMBER in [turn.get("digits") for turn in turns]


def test_calls_go_by_telephone_and_from_a_browser_as_from_recordings(chosen: Settings) -> None:
    if not shutil.which("baresip"):
        pytest.skip("baresip is missing: install it as root with sh deploy/test-packages.sh")
    wanted = (
        "The number is said into the question",
        "A keyed number is repeated, and its bill told at once [number 1000002",
    )
    cases = [case for case in CASES if case.name.startswith(wanted)]
    results = hold([*on("sip", *cases), *on("webrtc", *cases)], chosen)
    assert len(results) == 4
    for result in results:
        assert not [f.what for f in result.failures], result.held.job.leg
        assert result.held.bot_sound.duration_ms > 5000
