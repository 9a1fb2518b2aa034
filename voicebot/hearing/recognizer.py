"""The port of speech recognition: what a recogniser is asked for and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicebot.audio.level import SlowGain
from voicebot.audio.sound import TELEPHONE_RATE_HZ, Samples, Sound
from voicebot.errors import VoicebotError


class RecognitionError(VoicebotError):
    """Speech cannot be recognised: something is wrong with the recogniser, its model or what is asked of it."""


class UnknownGrammar(RecognitionError):
    """A grammar was asked for that the recogniser does not have."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an utterance, with what it means in the grammar that was asked for."""

    text: str
    """The words, apart by single spaces; "" when nothing was understood."""
    confidence: float
    """0 to 1."""
    digits: str = ""
    """The digits that the words spell, "" when there are none."""
    intent: str | None = None
    """What was asked for ("yes", "no", "operator", …) when the words are a phrase of the grammar."""
    ordinal: int | None = None
    """Which of a list was chosen, from 1, or -1 for the last."""
    month: int | None = None
    """Which month was named: 1 to 12, 0 for the present, -1 for the one before it."""
    guessed: bool = False
    """Whether a partial reading is a first guess: enough to stop a prompt, not enough to take the caller as done."""

    def __repr__(self) -> str:
        """Masked: the words of a reading may be a customer's number."""
        return (
            f"Reading({len(self.text.split())} words, {len(self.digits)} digits, {self.intent}, {self.confidence:.2f})"
        )


class RecognizerStream(Protocol):
    """One utterance on its way through a recogniser. Its calls block; run them in an executor."""

    def accept(self, samples: Samples) -> None:
        """Hear more of the utterance: int16 mono at 8 kHz, any length."""

    def partial(self) -> Reading:
        """The best reading of what was heard so far."""

    def finish(self) -> list[Reading]:
        """The readings of the whole utterance, best first, at least one; the stream is spent."""


class Recognizer(Protocol):
    """A speech recogniser that knows the grammars of the conversation by name. Safe to share by calls."""

    def stream(self, grammar: str) -> RecognizerStream:
        """Begin an utterance; raises `UnknownGrammar` for a name that no grammar has."""


def recognize(recognizer: Recognizer, sound: Sound, grammar: str) -> list[Reading]:
    """The readings of one utterance given as a whole, at any rate, best first; a quiet one is raised as in a call."""
    stream, gain = recognizer.stream(grammar), SlowGain()
    for frame in sound.resampled(TELEPHONE_RATE_HZ).frames():
        stream.accept(gain.accept(frame))
    return stream.finish()
