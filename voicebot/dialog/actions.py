"""What the conversation asks the conductor to do."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.hearing.expectation import Expectation


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of things, named by the noun's key in the language's units."""

    count: int
    noun: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Numbers of which one is meant: "seven or twelve"."""

    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Day:
    """A date; near ones are said without the year, as people do."""

    day: date
    with_year: bool = False


Slot = Counted | OneOf | Day | Money | Identifier | datetime
"""A value in a prompt; its type says how it is spoken."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A sentence of the catalogue with the values of its slots."""

    name: str
    slots: Mapping[str, Slot] = field(default_factory=dict)
    repetition: int = 0
    """In how many turns before this one, without a break, it was said."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say these prompts, one behind the other, after what is being said."""

    prompts: tuple[Prompt, ...]
    mark: str | None = None
    """What `Heard` is to carry when the last word was played."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Stop what is being said and drop what was to be said."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen for answers; it takes the place of what was expected before."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class LookUp:
    """Read the account of this number from the books."""

    identifier: Identifier


@dataclass(frozen=True, slots=True)
class TellKnown:
    """Ask the books which of these numbers they have; the caller hears nothing of it."""

    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True)
class Foresee:
    """This number will probably be confirmed: get the answer ready, but say nothing of it."""

    identifier: Identifier


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to a person once everything was said."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call once everything was said."""


class Outcome(enum.StrEnum):
    """How a call ended, for its record."""

    INFORMED = "informed"
    """The caller heard what is owed."""
    TRANSFERRED = "transferred"
    """The caller was handed to a person."""
    ABANDONED = "abandoned"
    """The caller hung up before that."""
    ENDED = "ended"
    """The caller asked to end the call before that, or nothing more could be done."""


Action = Say | Hush | Listen | LookUp | TellKnown | Foresee | Transfer | HangUp
