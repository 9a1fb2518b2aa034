"""The commands as users run them: real recogniser, real voice, real store, in a process of their own."""

import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from voicebot.audio.wav import read_wav
from voicebot.settings import load

FIXTURES = Path(__file__).parent / "fixtures"
BIN = Path(sys.executable).parent / "voicebot"


@pytest.fixture(scope="session")
def quick(env: dict[str, str]) -> dict[str, str]:
    """Where it does not matter how the bot sounds: a voice that needs a tenth of the time."""
    return env | {"VOICEBOT_VOICE__NAME": "espeak"}


def run(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=300)


def call(*arguments: object, env: dict[str, str]) -> dict:
    done = run("call", *arguments, "--json", "--reveal", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def bot_words(record: dict) -> str:
    return " ".join(turn["bot"] for turn in record["turns"] if "bot" in turn)


def words_heard(record: dict) -> list[str]:
    return [t["caller"]["digits"] or t["caller"]["text"] for t in record["turns"] if "caller" in t]


@pytest.mark.parametrize("number, file", [("300000000001", "number-12-300000000001"), ("1000001", "number-7-1000001")])
def test_a_spoken_number_is_understood_and_the_right_bill_told(number: str, file: str, env: dict[str, str]) -> None:
    record = call(FIXTURES / f"{file}.wav", FIXTURES / "yes.wav", env=env)
    assert record["outcome"] == "informed" and record["identifier"] == number
    assert "две неплатени фактури на обща стойност четиридесет и пет евро и тридесет цента" in bot_words(record)
    due = json.loads(run("bill", number, "--json", env=env).stdout)["nearest_due"]
    assert due_words(due) in bot_words(record)


def due_words(iso: str) -> str:
    from datetime import date

    from voicebot.language import dates

    return dates.spell(date.fromisoformat(iso), with_year=False)


def test_the_reply_holds_the_words_of_the_bot(env: dict[str, str], tmp_path: Path) -> None:
    """The bot's own recogniser finds the number that was read back in what the caller heard."""
    from voicebot.audio.sound import Sound
    from voicebot.hearing.recognizer import recognize
    from voicebot.hearing.vosk_recognizer import VoskRecognizer
    from voicebot.settings import Recognition

    reply = tmp_path / "reply.wav"
    record = call("--keys", "300000000001#", "--reply", reply, env=env)
    read_back = next(turn for turn in record["turns"] if "Въведохте" in turn.get("bot", ""))
    heard = read_wav(reply)
    spoken = Sound(heard.samples[8 * read_back["began_ms"] : 8 * read_back["ended_ms"]], heard.rate_hz)
    readings = recognize(VoskRecognizer(Recognition().model), spoken, "identifier")
    # The words in front of the number are in no grammar and may be taken for digits.
    assert readings[0].digits.endswith("300000000001")


def test_keys_typed_ahead_and_in_band_lead_to_the_bill(env: dict[str, str]) -> None:
    for arguments in (("--keys", "300000000003#"), (FIXTURES / "dtmf-300000000001.wav",)):
        record = call(*arguments, env=env)
        assert record["outcome"] == "informed"
        assert words_heard(record)[0] == record["identifier"]


def test_each_of_the_fixed_customers_hears_his_own_bill(quick: dict[str, str]) -> None:
    bills = {
        "300000000002": "нямате неплатени фактури",
        "300000000003": "хиляда двеста петдесет и шест евро и един цент",
        "1000004": "Имате една неплатена фактура на стойност един цент",
    }
    for number, words in bills.items():
        assert words in bot_words(call("--keys", f"{number}#", env=quick)), number


def test_a_business_past_its_cut_off_date_is_told_so(quick: dict[str, str]) -> None:
    assert "Крайната дата" in bot_words(call("--keys", "300000000003#", env=quick))


def test_a_wrong_read_back_is_corrected(quick: dict[str, str]) -> None:
    record = call(
        *(FIXTURES / f"{name}.wav" for name in ("number-12-wrong-300000000007", "no")),
        *(FIXTURES / f"{name}.wav" for name in ("number-12-right-300000000001", "yes")),
        env=quick,
    )
    assert record["outcome"] == "informed" and record["identifier"] == "300000000001"


def test_an_unknown_number_is_told_to_be_unknown(quick: dict[str, str]) -> None:
    record = call(FIXTURES / "number-12-unknown-300999999999.wav", FIXTURES / "yes.wav", env=quick)
    assert "Няма клиент с този номер." in bot_words(record) and record["outcome"] == "transferred"


def test_a_person_can_be_asked_for(quick: dict[str, str]) -> None:
    assert call(FIXTURES / "operator.wav", env=quick)["outcome"] == "transferred"


def test_silence_and_music_end_with_a_person_and_with_no_number(quick: dict[str, str]) -> None:
    for name in ("silence", "music"):
        record = call(*[FIXTURES / f"{name}.wav"] * 3, env=quick)
        assert record["outcome"] == "transferred" and record["identifier"] is None


def test_a_hang_up_in_the_middle_of_a_prompt_is_a_call_abandoned(quick: dict[str, str]) -> None:
    record = call("--hang-up-after", 1500, env=quick)
    assert record["outcome"] == "abandoned"


def test_without_reveal_the_number_is_in_nothing_that_is_printed(quick: dict[str, str]) -> None:
    done = run("call", "--keys", "300000000001#", "--json", env=quick)
    assert json.loads(done.stdout)["identifier"] == "••••••••••01"
    assert "300000000001" not in done.stdout + done.stderr and "три нула нула" not in done.stdout


def test_recordings_are_recognised_one_object_a_line_in_order(env: dict[str, str]) -> None:
    names = ["number-7-1000001", "number-12-300000000001"]
    done = run("recognize", *(FIXTURES / f"{name}.wav" for name in names), "--json", env=env)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["digits"] for line in lines] == ["1000001", "300000000001"]
    assert all(set(line) == {"file", "text", "digits", "confidence", "alternatives"} for line in lines)


def test_a_set_of_recordings_is_evaluated(env: dict[str, str], tmp_path: Path) -> None:
    done = run("evaluate", FIXTURES / "evaluation.csv", "--json", tmp_path / "figures.json", env=env)
    assert done.returncode == 0 and "numbers right" in done.stdout and "real-time factor" in done.stdout.lower()
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["strings"]["hits"] == figures["strings"]["count"] == 2
    assert figures["intents"]["hits"] == 1 and figures["false_numbers"]["count"] == 2
    assert 0 < figures["real_time_factor"] < 1 and figures["peak_memory_mb"] > 20


@pytest.mark.parametrize("name", ["16k-16bit-stereo", "44k1-24bit", "48k-float", "8k-8bit", "8k-mulaw"])
def test_any_rate_and_width_is_recognised(name: str, env: dict[str, str]) -> None:
    done = run("recognize", "--grammar", "confirm", FIXTURES / f"format-{name}.wav", "--json", env=env)
    assert json.loads(done.stdout)["text"] == "да"


def test_a_text_with_figures_is_spoken(env: dict[str, str], tmp_path: Path) -> None:
    assert run("say", "Дължите 2 евро.", "--output", tmp_path / "a.wav", env=env).returncode == 0
    assert read_wav(tmp_path / "a.wav").duration_ms > 500


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("call", FIXTURES / "not-a-wav.wav"), "not a WAV"),
        (("call", FIXTURES / "empty.wav"), "is empty"),
        (("call", FIXTURES / "cut-off.wav"), "cut off"),
        (("call", FIXTURES / "no-samples.wav"), "holds no sound"),
        (("call", "nowhere.wav"), "does not exist"),
        (("call", "--store", "/nowhere/x.sqlite"), "does not exist"),
        (("call", "--reply", "/nowhere/x.wav", "--hang-up-after", "100"), "cannot be written"),
        (("recognize", FIXTURES / "cut-off.wav"), "cut off"),
        (("recognize", FIXTURES / "yes.wav", "--grammar", "nonsense"), "nonsense"),
        (("evaluate", "nowhere"), "does not exist"),
        (("evaluate", FIXTURES), "has no index.tsv"),
        (("evaluate", FIXTURES / "fixtures.tsv"), 'lacks the column "path"'),
        (("evaluate", FIXTURES / "evaluation.csv", "--json", "/nowhere/x.json"), "cannot be written"),
        (("evaluate", FIXTURES / "evaluation.csv", "--model", "/nowhere"), "no recognition model"),
        (("evaluate", FIXTURES / "evaluation.csv", "--grammar", "nonsense"), "nonsense"),
        (("evaluate", FIXTURES / "unreadable.csv"), "cut off"),
        (("bill", "12345"), "5 digits"),
        (("bill", "30000000000x"), "other signs"),
        (("bill", "300000000999"), "No customer has the number"),
        (("bill", "1000001", "--store", __file__), "database"),
        (("bill", "1000001", "--code", "WRONG1"), "has another code"),
        (("import", "nowhere.csv"), "cannot be read"),
        (("import", FIXTURES / "fixtures.tsv"), "no known kind"),
        (("store", "check", "--store", "/nowhere/x.sqlite"), "does not exist"),
        (("say", "Да", "--output", "/nowhere/x.wav"), "cannot be written"),
        (("say", "Да", "--output", "x.wav", "--voice", "nobody"), "nobody"),
        (("say", "Да", "--output", "x.wav", "--voice", "bg_BG-dimitar-medium"), "voices fetch"),
        (("serve", "--config", "/nowhere.toml"), "does not exist"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_one(
    arguments: tuple[object, ...], reason: str, env: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [BIN, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.returncode == 1 and done.stdout == ""
    assert reason in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [("call", "--keys", "x"), ("say", "Да"), ("say", "…", "--output", "x.wav"), ("nothing",)]
)
def test_wrong_usage_has_status_two(arguments: tuple[str, ...], env: dict[str, str]) -> None:
    done = run(*arguments, env=env)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_bills_are_imported_added_up_and_shown(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "клиенти.csv").write_bytes(
        "Клиентски номер;Вид;Оторизационен код\n300000000001;битов;A1B2C3\n".encode("windows-1251")
    )
    (tmp_path / "points.csv").write_text("itn,customer_number\n1000001,300000000001\nbad\n")
    elsewhere = env | {"VOICEBOT_STORE__URL": str(tmp_path / "new.sqlite")}
    done = run("import", tmp_path / "клиенти.csv", tmp_path / "points.csv", env=elsewhere)
    assert done.returncode == 1 and "1 lines were rejected" in done.stderr and "1 customers imported" in done.stdout
    assert (tmp_path / "points.csv.rejects.csv").read_text().splitlines()[1] == "3,it has 1 columns in place of 2,bad"
    assert run("store", "check", env=elsewhere).returncode == 0
    assert run("store", "migrate", env=elsewhere).returncode == 0
    shown = json.loads(run("bill", "1000001", "--code", "a1b2c3", "--json", env=elsewhere).stdout)
    assert shown["owed"] == {"amount": "0.00", "currency": "EUR"} and shown["invoices"] == shown["payments"] == []
    assert "300000000001" not in json.dumps(shown)


def test_an_api_key_is_printed_with_the_settings_that_know_it(env: dict[str, str], tmp_path: Path) -> None:
    printed = run("api-key", "partner", "--scope", "balance", env=env).stdout
    (tmp_path / "voicebot.toml").write_text(printed)
    assert load(tmp_path / "voicebot.toml").api_keys[0].name == "partner"
    assert run("api-key", "partner", "--scope", "all", env=env).returncode == 2


@pytest.mark.parametrize("setting, what", [("RECOGNITION__MODEL", "recognition"), ("VOICE__NAME", "voice")])
def test_check_says_what_is_missing_and_a_call_does_not_begin(setting: str, what: str, env: dict[str, str]) -> None:
    broken = env | {f"VOICEBOT_{setting}": "/nowhere/at-all.onnx", "VOICEBOT_VOICE__FALLBACKS": "[]"}
    done = run("check", env=broken)
    assert done.returncode == 1 and f"missing  {what}" in done.stdout and "/nowhere/at-all" in done.stdout
    done = run("call", "--hang-up-after", "100", env=broken)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1


def test_check_tells_each_mistake_in_an_operators_prompts(tmp_path: Path, env: dict[str, str]) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('[prompts]\ngoodbye = "Довиждане"\ncall_later = "Звънете на 112."\n')
    done = run("check", env=env | {"VOICEBOT_DIALOG__CATALOGUE": str(mine), "VOICEBOT_RECOGNITION__SPEECH": "false"})
    told = [line for line in done.stdout.splitlines() if line.startswith("mistake  prompts: ")]
    assert done.returncode == 1 and [f"{mine}, line {n}" in line for n, line in enumerate(told, 2)] == [True, True]
    assert "recognition: switched off" in done.stdout


def test_prompts_are_shown_as_the_document_has_them(env: dict[str, str]) -> None:
    assert run("prompts", env=env).stdout in Path(__file__).parents[1].joinpath("docs", "prompts.md").read_text()


def test_values_are_rendered_ahead_with_an_estimate_and_an_interrupted_run_goes_on(
    env: dict[str, str], tmp_path: Path
) -> None:
    command = [BIN, "voices", "warm", "--values", "--voice", "espeak"]
    to_go = []
    for _ in range(2):
        own = env | {"VOICEBOT_VOICE__CACHE": str(tmp_path)}
        # What runs in the background of a shell is started deaf to SIGINT.
        listen = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(command, env=own, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
            assert process.stderr is not None
            estimate = next(line for line in process.stderr if "values to go" in line)
            process.send_signal(signal.SIGINT)
            assert process.stderr.read().endswith("Interrupted: the same command goes on from here.\n")
        assert process.returncode == 1 and re.search(r"about \d+ min and \d+ MB", estimate)
        to_go.append(int(estimate.split()[0]))
    assert to_go[1] <= to_go[0] - 20


def test_check_finds_everything(env: dict[str, str]) -> None:
    done = run("check", env=env)
    assert done.returncode == 0 and done.stdout.count("ok  ") == 4
