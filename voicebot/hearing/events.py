"""What was heard: the events that leave this room for the conversation. Times are ms of the call's media."""

from __future__ import annotations

from dataclasses import dataclass

from voicebot.hearing.recognizer import Reading


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """One key; the conversation gets the whole entry as `KeysEntered`."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class KeysEntered:
    """A finished entry on the keypad."""

    digits: str
    """The keys without the terminator."""

    def __repr__(self) -> str:
        """Masked: an entry is mostly a customer's number."""
        return f"KeysEntered({len(self.digits)} keys)"


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller says something that has a meaning while the bot is still speaking."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class PartialReading:
    """What the caller seems to be saying; the conversation waits for the turn's end."""

    reading: Reading
    """Its text is "" when what was shown before came to nothing."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller has finished saying something."""

    readings: tuple[Reading, ...]
    """Ways to read it, best first; the first has no text when nothing was understood."""
    began_ms: int
    """When speech began."""
    ended_ms: int
    """When speech ended; the decision that it had came later."""


@dataclass(frozen=True, slots=True)
class NoInput:
    """The caller neither spoke nor pressed a key in time."""


HearingEvent = KeyPressed | KeysEntered | BargeIn | PartialReading | TurnEnded | NoInput
