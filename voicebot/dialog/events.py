"""What comes into the conversation besides what was heard: answering, the books, how a prompt ended, hanging up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Account
from voicebot.dialog.actions import Say
from voicebot.hearing.events import HearingEvent


@dataclass(frozen=True, slots=True)
class Answered:
    """The call was picked up."""

    hour: int | None = None
    """Hour of the day where the caller lives, 0 to 23, for the greeting; None for one that fits always."""
    staffed: bool = True
    """Whether there is somebody to whom a caller can be handed."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The books were read."""

    account: Account | None
    """None when no customer has the number."""
    today: date
    """The day on which the call is held, to tell what is overdue."""


@dataclass(frozen=True, slots=True)
class KnownNumbers:
    """Which of the numbers asked about the books have; none, too, when they could not say in time."""

    identifiers: frozenset[Identifier]


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """The books could not be read, or not for this caller."""

    too_many: bool = False
    """Whether he has asked for more bills than anybody needs."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A prompt that carries a mark was played to its end."""

    mark: str


@dataclass(frozen=True, slots=True)
class CutOff:
    """What was being said, or still to be said, was stopped by `Hush`."""

    say: Say
    begun: int
    """How many of its prompts had begun to sound."""

    @property
    def untold(self) -> Say:
        """What the caller has not heard to its end: the prompt that sounded, and those behind it."""
        return replace(self.say, prompts=self.say.prompts[max(0, self.begun - 1) :])


@dataclass(frozen=True, slots=True)
class TransferRefused:
    """Nobody took the call."""


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller is gone."""


DialogEvent = (
    HearingEvent | Answered | LookedUp | KnownNumbers | StoreFailed | Heard | CutOff | TransferRefused | CallerHungUp
)
