"""The port of speech synthesis, its errors, and the cut of a text into sentences; engines have their own modules."""

from __future__ import annotations

import re
from typing import Protocol

from voicebot.audio.sound import Sound
from voicebot.errors import VoicebotError

SENTENCE_PAUSE_MS = 280
"""Silence between two sentences that are spoken one after the other (ours, by ear)."""

EMPHASIS_TEMPO = 0.9
"""Tempo of an emphasised phrase, in parts of the voice's own (ours: slower is what a telephone carries of emphasis)."""

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


class SynthesisFailed(VoicebotError):
    """A text that a voice cannot speak."""


class VoiceUnavailable(VoicebotError):
    """A voice that is not installed, is broken, or is not known."""


class Synthesizer(Protocol):
    """A voice. Its calls block; run them in an executor. Safe to share by calls."""

    @property
    def name(self) -> str:
        """Name of the voice with everything that changes how it sounds; part of a cache key."""

    def synthesize(self, text: str, language: str = "bg", *, emphasis: bool = False) -> Sound:
        """Speak `text`, which holds words and punctuation only (numbers are already words).

        With `emphasis` it is spoken at `EMPHASIS_TEMPO`.

        Raises `SynthesisFailed` with a sentence that says why, and `VoiceUnavailable` when an engine that loads
        late finds its files missing or broken.
        """


def split_sentences(text: str) -> list[str]:
    """The sentences of `text`, each with its closing mark; the pieces that a voice speaks in one breath.

    A text for a voice is words, so a full stop is never an abbreviation or a decimal point.
    """
    return [piece for piece in _SENTENCE_END.split(" ".join(text.split())) if any(c.isalnum() for c in piece)]
