"""A voice for tests: it is quick, its sound tells which text was spoken, and it remembers what it was asked."""

from __future__ import annotations

import hashlib
import time

import numpy as np

from voicebot.audio.sound import TELEPHONE_RATE_HZ, Sound
from voicebot.voice.synthesizer import SynthesisFailed


class FakeSynthesizer:
    """A `Synthesizer` whose sound is noise of `ms_per_letter` for each letter, the same for the same text."""

    def __init__(
        self,
        *,
        name: str = "fake",
        rate_hz: int = TELEPHONE_RATE_HZ,
        ms_per_letter: int = 10,
        fails_on: str | None = None,
        takes_s: float = 0.0,
    ) -> None:
        self.name = name
        self.spoken: list[tuple[str, str]] = []
        """Every (text, language) in the order of the calls."""
        self.emphasised: list[str] = []
        """The texts that were to be emphasised."""
        self._rate_hz = rate_hz
        self._ms_per_letter = ms_per_letter
        self._fails_on = fails_on
        self._takes_s = takes_s

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        self.spoken.append((text, language))
        self.emphasised += [text] * emphasis
        time.sleep(self._takes_s)
        if any(character.isdigit() for character in text):
            raise AssertionError(f"A voice was given figures instead of words: {text}")
        if self._fails_on is not None and self._fails_on in text:
            raise SynthesisFailed("The fake voice was told to fail at this text.")
        seed = int.from_bytes(hashlib.sha256(f"{self.name}|{language}|{text}".encode()).digest()[:8])
        length = max(len(text), 1) * self._ms_per_letter * self._rate_hz // 1000
        samples = np.random.default_rng(seed).integers(-3000, 3000, length, dtype=np.int16)
        return Sound(samples, self._rate_hz)

    @property
    def texts(self) -> list[str]:
        """The texts alone, in the order of the calls."""
        return [text for text, _ in self.spoken]
