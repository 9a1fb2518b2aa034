from pathlib import Path

import pytest

from voicebot.settings import InvalidSettings, load


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


@pytest.mark.parametrize(
    "text, reason",
    [
        ('[web]\nlisten = "8080"', "web.listen cannot be used: it must be HOST:PORT"),
        ('[web]\nlisten = "localhost:99999"', "web.listen"),
        ('[web]\nlissten = "127.0.0.1:1"', "web.lissten"),
        ("[timers]\ncomplete_ms = 0", "timers.complete_ms"),
        ('[[identifiers]]\nname = "x"\nlength = 99', "identifiers.0.length"),
        ("web = 3", "web"),
        ("[web", "cannot be read"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "voicebot.toml"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match=reason):
        load(file)


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
