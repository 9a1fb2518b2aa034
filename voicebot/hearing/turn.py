"""When a caller has finished speaking: timers chosen by how complete the answer is."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.hearing.expectation import Completeness


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """Silence after speech ends the turn: soon once the answer is complete, late while it is not.

    The two timers are VoiceXML's `completetimeout` and `incompletetimeout` (VoiceXML 2.0, section 6.3.2); an answer
    that is complete but could go on (7 digits of a number of 12) waits for a time between them. What sounds like a
    command may be the beginning of other talk, so it waits longer than a yes or the longest number.
    """

    final_ms: int = 300
    """Silence that ends an answer with which other talk seldom begins: a yes, a no, the longest number."""
    complete_ms: int = 450
    """Silence that ends any other complete answer."""
    extendable_ms: int = 1200
    """Silence that ends an answer that is complete and could go on."""
    incomplete_ms: int = 2000
    """Silence that ends anything else; people pause this long while they read a number from paper."""
    word_ms: int = 250
    """How long the last word of a complete answer must have been there: it is told by its first sound, and noise may
    cover the rest."""
    stalled: int = 4
    """How many times as long may pass without a new word while noise is taken for speech."""
    longest_ms: int = 30_000
    """Speech without a pause longer than this (a radio, other people) ends the turn all the same."""

    def silence_ms(self, completeness: Completeness) -> int:
        """How long a silence ends a turn that has come so far."""
        match completeness:
            case Completeness.FINAL:
                return self.final_ms
            case Completeness.COMPLETE:
                return self.complete_ms
            case Completeness.EXTENDABLE:
                return self.extendable_ms
            case Completeness.INCOMPLETE:
                return self.incomplete_ms

    def has_ended(
        self, *, completeness: Completeness, began_ms: int, last_voiced_ms: int, last_word_ms: int, now_ms: int
    ) -> bool:
        """Whether the turn is over at `now_ms`."""
        silence_ms = self.silence_ms(completeness)
        word_ms = 0 if completeness is Completeness.INCOMPLETE else self.word_ms
        return (
            (now_ms - last_voiced_ms >= silence_ms and now_ms - last_word_ms >= word_ms)
            or now_ms - last_word_ms >= self.stalled * silence_ms
            or now_ms - began_ms >= self.longest_ms
        )
