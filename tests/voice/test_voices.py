import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from voicebot.voice import voices
from voicebot.voice.kokoro import KokoroVoice
from voicebot.voice.piper import PiperVoice
from voicebot.voice.synthesizer import VoiceUnavailable
from voicebot.voice.voices import DEFAULT_VOICE, FetchFailed, VoiceFile, default_voice, fetch, known_voices, open_voice

NAME = "bg_BG-dimitar-medium"
ONNX, CONFIG = f"{NAME}.onnx", f"{NAME}.onnx.json"
WEIGHTS = bytes(range(256)) * 1000
GOOD_CONFIG = json.dumps({"phoneme_id_map": {}}).encode()


class House:
    """A server on this machine with the files that a test puts into it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {ONNX: WEIGHTS, CONFIG: GOOD_CONFIG}
        self.cut_to: int | None = None
        self.asked: list[str] = []
        house = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                house.asked.append(name)
                if name not in house.files:
                    self.send_error(404)
                    return
                content = house.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: house.cut_to])

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House()
    small = VoiceFile(ONNX, len(WEIGHTS), hashlib.md5(WEIGHTS).hexdigest())
    table = {**known_voices(), NAME: replace(known_voices()[NAME], source=house.url, files=(small, VoiceFile(CONFIG)))}
    monkeypatch.setattr(voices, "known_voices", lambda: table)
    thread = threading.Thread(target=house.server.serve_forever, args=(0.01,))
    thread.start()
    yield house
    house.server.shutdown()
    house.server.server_close()
    thread.join()


def test_the_table_states_the_size_and_digest_of_the_public_bulgarian_voice() -> None:
    voice = known_voices()[NAME]
    assert voice.files[0] == VoiceFile(ONNX, 63_221_984, "fc1ce62a4f04f089e22b8c3a13bde28a")
    assert voice.files[1].name == CONFIG
    assert voice.source.startswith("https://huggingface.co/rhasspy/piper-voices/")
    assert all(known.licence and known.note for known in known_voices().values())


def test_a_voice_is_fetched_checked_and_can_be_opened(house: House, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    path = fetch(NAME, tmp_path / "voices", progress=lambda *step: told.append(step))
    assert path.read_bytes() == WEIGHTS
    assert sorted(entry.name for entry in path.parent.iterdir()) == [ONNX, CONFIG]
    assert told[-1] == (CONFIG, len(GOOD_CONFIG), len(GOOD_CONFIG))
    assert (ONNX, len(WEIGHTS), len(WEIGHTS)) in told
    assert isinstance(open_voice(NAME, folder=path.parent), PiperVoice)


def test_files_that_are_here_and_whole_are_not_asked_for_again(house: House, tmp_path: Path) -> None:
    fetch(NAME, tmp_path)
    fetch(NAME, tmp_path)
    assert house.asked == [ONNX, CONFIG]
    (tmp_path / ONNX).write_bytes(b"damaged")
    fetch(NAME, tmp_path)
    assert house.asked == [ONNX, CONFIG, ONNX]


def test_another_source_can_be_named(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {NAME: replace(voices.known_voices()[NAME], source="http://127.0.0.1:1/nowhere/")}
    monkeypatch.setattr(voices, "known_voices", lambda: table)
    assert fetch(NAME, tmp_path, source=house.url).is_file()


def wrong_digest(house: House) -> None:
    house.files[ONNX] = WEIGHTS[::-1]


def too_long(house: House) -> None:
    house.files[ONNX] = WEIGHTS + b"more"


def too_short(house: House) -> None:
    house.files[ONNX] = WEIGHTS[:-1]


def cut_short(house: House) -> None:
    house.cut_to = 70_000


def missing(house: House) -> None:
    del house.files[ONNX]


def no_config(house: House) -> None:
    house.files[CONFIG] = b"<html>Sign in</html>"


def huge_config(house: House) -> None:
    house.files[CONFIG] = b" " * ((1 << 20) + 1) + GOOD_CONFIG


@pytest.mark.parametrize(
    "harm, reason",
    [
        (wrong_digest, "not the file that was expected"),
        (too_long, "larger than"),
        (too_short, "not the file that was expected"),
        (cut_short, "cut short"),
        (missing, "HTTP status 404"),
        (no_config, "not the file that was expected"),
        (huge_config, "larger than"),
    ],
)
def test_what_is_not_the_voice_is_refused_and_leaves_nothing(
    house: House,
    tmp_path: Path,
    harm: Callable[[House], None],
    reason: str,
) -> None:
    harm(house)
    with pytest.raises(FetchFailed, match=reason) as caught:
        fetch(NAME, tmp_path)
    assert f"into {tmp_path}" in str(caught.value)
    left = {ONNX} if harm in (no_config, huge_config) else set()
    assert {entry.name for entry in tmp_path.iterdir()} == left


def test_without_network_the_sentence_says_which_files_to_copy_where(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(FetchFailed, match="does not answer") as caught:
        fetch(NAME, tmp_path, source=nobody)
    assert f"copy {ONNX} and {CONFIG} from https://huggingface.co/" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FetchFailed, match="timed out"):
        fetch(NAME, tmp_path, source=f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)


def test_a_folder_that_cannot_be_written_is_reported(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FetchFailed, match="not stored"):
        fetch(NAME, tmp_path / "file" / "voices")


@pytest.mark.parametrize("name", ["nobody", "kokoro:jm_kumo"])
def test_only_voices_with_files_can_be_fetched(name: str, tmp_path: Path) -> None:
    with pytest.raises(VoiceUnavailable, match=f"what can be fetched is {NAME}"):
        fetch(name, tmp_path)


def test_kokoro_is_opened_by_style_and_is_the_default() -> None:
    assert open_voice().name == KokoroVoice("jm_kumo").name
    assert open_voice("kokoro").name == KokoroVoice("jm_kumo").name
    assert open_voice("kokoro:jf_alpha", speed=0.9).name == KokoroVoice("jf_alpha", 0.9).name


def test_a_voice_of_our_own_is_the_default_once_it_lies_complete(tmp_path: Path) -> None:
    assert default_voice(tmp_path / "none") == default_voice(tmp_path) == DEFAULT_VOICE
    (tmp_path / "b.onnx").write_text("")
    assert default_voice(tmp_path) == DEFAULT_VOICE
    (tmp_path / "b.onnx.json").write_text("{}")
    assert default_voice(tmp_path) == str(tmp_path / "b.onnx")
    assert isinstance(open_voice(default_voice(tmp_path)), PiperVoice)


def test_a_piper_voice_is_opened_by_path_or_by_its_name_in_the_folder(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.onnx.json"):
        (tmp_path / name).write_text("{}")
    by_path = open_voice(str(tmp_path / "a.onnx"))
    assert by_path.name == open_voice("a", folder=tmp_path).name


def test_a_known_voice_that_was_not_fetched_says_the_command(tmp_path: Path) -> None:
    with pytest.raises(VoiceUnavailable, match=f"voicebot voices fetch {NAME}"):
        open_voice(NAME, folder=tmp_path)


def test_an_unknown_voice_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(VoiceUnavailable, match=f"no voice 'nobody'.*{NAME}"):
        open_voice("nobody", folder=tmp_path)
    with pytest.raises(VoiceUnavailable, match="is missing"):
        open_voice(str(tmp_path / "gone.onnx"))
