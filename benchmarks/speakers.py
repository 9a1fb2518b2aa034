"""Speakers of the test and development sets: Kokoro's held-out styles, and Festival with Czech voices.

A speaker says a Bulgarian text and has a name. None of them may be heard by training; the development styles serve to
choose costs and confidences, the test speakers nothing but figures.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from voicebot.acoustics.synthesis import DEVELOPMENT_STYLES, TEST_STYLES
from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav
from voicebot.errors import VoicebotError
from voicebot.voice.kokoro import MAX_TOKENS, KokoroVoice

__all__ = ["CZECH_VOICES", "DEVELOPMENT_STYLES", "TEST_STYLES", "FestivalSpeaker", "KokoroSpeaker", "Speaker"]

CZECH_VOICES = ("czech_dita", "czech_machac", "czech_krb", "czech_ph")
"""Festival's Czech voices, each made of the recorded diphones of one person: a woman, a man, a child and a man."""

PACKAGES = "festival festival-czech festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph"
"""The Debian packages of Festival's Czech voices."""


class SpeakerError(VoicebotError):
    """A speaker that cannot speak: something is not installed, or the text is beyond the voice."""


class Speaker(Protocol):
    """One voice of one engine."""

    name: str
    """The voice, as the sets name it."""
    engine: str
    """What makes it speak."""

    def can_say(self, text: str) -> bool:
        """Whether the voice has the sounds of `text`."""

    def say(self, text: str, speed: float) -> Sound:
        """`text` at the voice's own rate; commas are pauses, `speed` 1 is the voice's own tempo."""


@dataclass(frozen=True)
class KokoroSpeaker:
    """A style of the npm package kokoro-js (Apache-2.0), whose vectors fit the voice that the bot speaks with."""

    name: str
    folder: Path
    """Where the package is unpacked; its styles are `voices/NAME.bin`, float32, shape (510, 256)."""
    engine: str = "kokoro"

    def can_say(self, text: str) -> bool:
        return True

    def say(self, text: str, speed: float) -> Sound:
        path = self.folder / "voices" / f"{self.name}.bin"
        if not path.is_file():
            raise SpeakerError(
                f"{path} is missing: get the package by 'npm pack kokoro-js@1.2.1', unpack it and give its folder "
                "as --styles."
            )
        style = np.fromfile(path, "<f4").reshape(MAX_TOKENS, -1)
        return KokoroVoice(style, speed, threads=1).synthesize(text)


_LETTERS = {
    "дж": "dž", "дз": "dz", "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "ž", "з": "z", "и": "i",
    "й": "j", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "ch", "ц": "c", "ч": "č", "ш": "š", "щ": "št", "ю": "ju", "я": "ja", " ": " ", ",": ",",
}  # fmt: skip
"""Bulgarian letters in Czech spelling; schwa is a sound that Czech lacks."""

_HARD = re.compile("([дтн])и")


def czech_spelling(text: str) -> str | None:
    """How a Czech would write what a Bulgarian says, or None when `text` has a sound that Czech lacks.

    Before "i" a Czech softens d, t and n, but not before "y", which sounds the same.
    """
    spelled = _HARD.sub(r"\1ы", text.lower())
    letters = {**_LETTERS, "ы": "y"}
    parts = re.findall("дж|дз|.", spelled)
    return "".join(letters[part] for part in parts) if all(part in letters for part in parts) else None


@dataclass(frozen=True)
class FestivalSpeaker:
    """A Czech diphone voice of Festival, which reads Bulgarian in Czech spelling."""

    name: str
    engine: str = "festival"

    def can_say(self, text: str) -> bool:
        return czech_spelling(text) is not None

    def say(self, text: str, speed: float) -> Sound:
        spelled = czech_spelling(text)
        if spelled is None:
            raise SpeakerError(f'A Czech voice cannot say "{text}".')
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "said.wav"
            _festival(self.name).run(
                f"(Parameter.set 'Duration_Stretch {1 / speed:.3f}) "
                f'(utt.save.wave (utt.synth (Utterance Text "{spelled}")) "{wav}" \'riff)'
            )
            return read_wav(wav)


class _Festival:
    """A running Festival that has loaded a voice, which takes it far longer than to say something."""

    def __init__(self, voice: str) -> None:
        self._voice = voice
        try:
            self._process = subprocess.Popen(
                ["festival", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="iso-8859-2"
            )
        except OSError as error:
            raise SpeakerError(f"Festival is missing: apt install {PACKAGES}.") from error
        self.run(f"(voice_{voice})")

    def run(self, script: str) -> None:
        """Run a script and wait for its end. Raises `SpeakerError`."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(f'{script}\n(format t "done\\n") (fflush nil)\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        if self._process.stdout.readline().strip() != "done":
            raise SpeakerError(f"Festival's voice {self._voice} does not speak: apt install {PACKAGES}.")


@cache
def _festival(voice: str) -> _Festival:
    return _Festival(voice)
