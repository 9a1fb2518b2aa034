"""What may be said or keyed next, as the conversation tells it to the ears."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from voicebot.hearing.recognizer import Reading


class Completeness(enum.Enum):
    """How far an answer has come."""

    INCOMPLETE = enum.auto()
    """It is not an answer yet."""
    EXTENDABLE = enum.auto()
    """It is an answer, and with more it could be another."""
    COMPLETE = enum.auto()
    """It is an answer, and more would spoil it."""
    FINAL = enum.auto()
    """It is complete, and other talk seldom begins with it."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One question's answers."""

    grammar: str
    """Name of the grammar that the recogniser uses."""
    spoken: Callable[[Reading], Completeness]
    """How complete a partial reading is; it chooses the end-of-turn timer."""
    keyed: Callable[[str], Completeness]
    """How complete the keys so far are; a complete entry needs no terminator."""
    understood: Callable[[Reading], bool]
    """Whether a whole reading is sure enough to be an answer while the bot is still speaking."""
    hotword: bool = False
    """Whether only a whole answer stops a prompt, not its beginning (VoiceXML 2.0, section 4.1.5.1, `bargeintype`)."""
