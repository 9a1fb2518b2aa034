import stat
from pathlib import Path

import pytest

from voicebot.audio.sound import Sound
from voicebot.audio.wav import write_wav
from voicebot.voice.espeak import EspeakVoice
from voicebot.voice.synthesizer import SynthesisFailed, VoiceUnavailable


def program(folder: Path, script: str) -> str:
    """An espeak-ng of our own: it takes the text from stdin and writes a WAV to stdout."""
    path = folder / "espeak-ng"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_missing_program_is_reported_with_what_to_install() -> None:
    with pytest.raises(VoiceUnavailable, match="apt install espeak-ng"):
        EspeakVoice("no-such-espeak")


def test_the_text_goes_in_by_stdin_and_never_into_the_list_of_processes(tmp_path: Path) -> None:
    write_wav(tmp_path / "out.wav", Sound.from_float(Sound.silence(200, 22050).samples + 0.1, 22050))
    voice = EspeakVoice(program(tmp_path, f'echo "$@" > {tmp_path}/args; cat > {tmp_path}/in; cat {tmp_path}/out.wav'))
    sound = voice.synthesize("пет, шест")
    assert sound.rate_hz == 22050
    assert (tmp_path / "in").read_text(encoding="utf-8") == "пет, шест"
    assert (tmp_path / "args").read_text() == "-v bg --stdin --stdout\n"
    voice.synthesize("пет", emphasis=True)
    assert (tmp_path / "args").read_text() == "-v bg --stdin --stdout -s 158\n"


@pytest.mark.parametrize("script", ["exit 1", "cat >/dev/null", "cat >/dev/null; echo no sound"])
def test_a_program_that_fails_is_reported(tmp_path: Path, script: str) -> None:
    with pytest.raises(SynthesisFailed, match="gave no sound"):
        EspeakVoice(program(tmp_path, script)).synthesize("пет")


def test_text_without_words_and_unknown_languages_are_refused(tmp_path: Path) -> None:
    voice = EspeakVoice(program(tmp_path, "exit 1"))
    with pytest.raises(SynthesisFailed, match="nothing to say"):
        voice.synthesize("...")
    with pytest.raises(SynthesisFailed, match="'tlh'"):
        voice.synthesize("nuqneH", "tlh")
