from datetime import datetime
from pathlib import Path

import pytest

from voicebot.billing.identifier import Identifier
from voicebot.dialog.actions import Prompt
from voicebot.settings import InvalidSettings, Voice, load
from voicebot.voice.voices import default_voice


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in os.environ:
        if name.startswith("VOICEBOT_"):
            monkeypatch.delenv(name)


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "voicebot.toml"
    file.write_text('[web]\nlisten = "127.0.0.1:1"\nmax_upload_bytes = 5\n[[identifiers]]\nname = "x"\nlength = 10\n')
    monkeypatch.setenv("VOICEBOT_WEB__LISTEN", "127.0.0.1:2")
    settings = load(file)
    assert settings.web.listen == "127.0.0.1:2" and settings.web.max_upload_bytes == 5
    assert settings.schemes.lengths == {10}


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text('[store]\nurl = "sqlite:///here.sqlite"\n')
    monkeypatch.setenv("VOICEBOT_CONFIG", str(tmp_path / "a.toml"))
    assert load().store.url == "sqlite:///here.sqlite"


def test_without_a_file_the_defaults_hold() -> None:
    settings = load()
    assert (settings.web.listen, settings.sip.listen) == ("127.0.0.1:8080", "127.0.0.1:5060")
    assert settings.schemes.lengths == {7, 12}


def test_a_voice_of_our_own_is_taken_unless_another_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("a.onnx", "a.onnx.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(default_voice, "__defaults__", (tmp_path,))
    assert Voice().name == str(tmp_path / "a.onnx")
    assert Voice(name="espeak").name == "espeak"


@pytest.mark.parametrize(
    "text, reason",
    [
        ('[web]\nlisten = "8080"', "web.listen cannot be used: it must be HOST:PORT"),
        ('[web]\nlisten = "localhost:99999"', "web.listen"),
        ('[web]\nlissten = "127.0.0.1:1"', "web.lissten"),
        ("[timers]\ncomplete_ms = 0", "timers.complete_ms"),
        ('[[identifiers]]\nname = "x"\nlength = 99', "identifiers.0.length"),
        ('[[identifiers]]\nname = "x"\nlength = 7\ngroups = [3, 3]', "groups of 3, 3 digits do not make 7"),
        ("web = 3", "web"),
        ("[web", "cannot be read"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "voicebot.toml"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match=reason):
        load(file)


def test_prompts_follow_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "voicebot.toml"
    file.write_text(
        '[dialog]\ncatalogue = "en"\n[recognition]\nspeech = false\n'
        '[[identifiers]]\nname = "x"\nlength = 5\ngroups = [1, 4]\n'
    )
    catalogue = load(file).catalogue
    asked = catalogue.written(Prompt("ask_again"))
    assert asked == "Please enter your number and finish with hash."
    assert catalogue.written(Prompt("keyed_back", {"number": Identifier("12345", "x")})) == "You entered: 1 2345."


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="does not exist"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["VOICEBOT_WEBB__LISTEN", "VOICEBOT_LISTEN"])
def test_a_variable_that_is_no_setting_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(InvalidSettings, match=name):
        load()


def test_a_table_in_the_environment_must_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEBOT_WEB", "{")
    with pytest.raises(InvalidSettings, match="JSON"):
        load()


@pytest.mark.parametrize(
    "text, reason",
    [
        ('allowed_origins = ["www.example.org"]', "an origin without a path"),
        ('allowed_origins = ["https://www.example.org/bills"]', "an origin without a path"),
        ('token_secret = "short"', "32 characters or more"),
        ('ice_servers = [{ urls = ["http://turn.example.org"] }]', "webrtc.ice_servers.0.urls.0"),
        ("ice_servers = [{ urls = [] }]", "webrtc.ice_servers.0.urls"),
    ],
)
def test_settings_of_browser_calls_that_cannot_be_are_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "voicebot.toml"
    file.write_text(f"[webrtc]\n{text}\n")
    with pytest.raises(InvalidSettings, match=reason):
        load(file)


@pytest.mark.parametrize(
    ("now", "there"),
    [
        ("2026-11-23T08:00", True),
        ("2026-11-23T07:59", False),
        ("2026-11-23T18:00", False),
        ("2026-11-22T12:00", False),
        ("2026-11-21T23:00", True),
        ("2026-11-22T01:59", True),
        ("2026-11-22T02:00", False),
        ("2026-11-23T01:00", False),
    ],
)
def test_operators_are_there_in_their_hours(now: str, there: bool, tmp_path: Path) -> None:
    file = tmp_path / "voicebot.toml"
    hours = '[[dialog.operator_hours]]\nopens = "08:00"\ncloses = "18:00"\n'
    night = '[[dialog.operator_hours]]\ndays = ["sat"]\nopens = "22:00"\ncloses = "02:00"\n'
    file.write_text(f'[dialog]\noperator = "sip:operators@example.org"\n{hours}{night}')
    assert load(file).operator_at(datetime.fromisoformat(now)) == ("sip:operators@example.org" if there else "")


def test_without_hours_operators_are_there_day_and_night() -> None:
    assert load().operator_at(datetime(2026, 11, 22, 3)) == "operator"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('listen = "5060"', "sip.listen cannot be used: it must be HOST:PORT"),
        ('transports = ["tls"]', "tls needs sip.certificate"),
        ('certificate = "/nowhere.pem"', "there is no certificate"),
        ("rtp_ports = [20000, 10000]", "rtp_ports must be two ports"),
        ('allow = ["trunk.example.org"]', "sip.allow"),
        ('codecs = ["GSM"]', "sip.codecs"),
        ('[[sip.accounts]]\nuser = "a b"\ndomain = "example.org"', "sip.accounts.0.user"),
    ],
)
def test_settings_of_the_telephone_that_cannot_be_are_named(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "voicebot.toml").write_text(f"[sip]\n{text}\n")
    with pytest.raises(InvalidSettings, match=reason):
        load(tmp_path / "voicebot.toml")


def test_an_account_hides_its_password(tmp_path: Path) -> None:
    account = '[[sip.accounts]]\nuser = "bot"\ndomain = "example.org"\npassword = "letmein-74"\n'
    (tmp_path / "voicebot.toml").write_text(account)
    assert "letmein-74" not in repr(load(tmp_path / "voicebot.toml"))
