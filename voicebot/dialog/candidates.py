"""Which number the caller means, from everything heard of it so far and, where that is unsure, from what there is.

Pure. Numbers are weighed by Bayes' rule. Each time the number was asked for, the readings give a probability to what
was heard; the doubt that they leave goes to numbers that sound alike (`voicebot.hearing.confusions`) and, hardly any
of it, to all others. Hearings of one number are taken to be independent, and every number as likely as another before
the caller spoke.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from voicebot.billing.identifier import Identifier, IdentifierSchemes
from voicebot.hearing.confusions import load_confusions
from voicebot.hearing.recognizer import Reading

MOST_ASKED = 50
"""Most numbers that the books are asked about at a time."""

_EXISTING_SHARE = 0.97
"""How many callers say a number that the books have."""
_COINCIDENCE = 0.03
"""How often two wrong hearings of a number that are alike are wrong in the same way."""
_UNLIKE = 1e-6
"""The part of a hearing's doubt that falls on any one number which sounds nothing like it."""
_LEAST_DOUBT = 1e-3
"""No hearing is surer than this leaves it."""
_READINGS = 5
"""Readings of a hearing, best first, that numbers are compared with."""

Hearing = Sequence[Reading]
"""The readings of one answer."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number that may be meant."""

    identifier: Identifier
    probability: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was heard of one number, to be weighed."""

    schemes: IdentifierSchemes
    hearings: Sequence[Hearing]
    """The answers in which digits were heard, in their order, at least one."""
    rejected: Collection[Identifier] = frozenset()
    """Numbers that the caller said are wrong."""

    @property
    def heard(self) -> list[Candidate]:
        """The numbers that were heard, likeliest first."""
        return self._weighed(self._numbers_heard, {})

    @property
    def to_ask_for(self) -> list[Identifier]:
        """Numbers to ask the books about: those that were heard, and those that sound most like them."""
        likeness: dict[str, float] = defaultdict(float)
        confusions = load_confusions()
        for reading in self.hearings[-1][:_READINGS]:
            for digits, cost in confusions.neighbours(reading.digits):
                likeness[digits] = max(likeness[digits], reading.confidence - cost / 1000)
        alike = self._possible(sorted(likeness, key=lambda digits: (-likeness[digits], digits)))
        return list(dict.fromkeys([*self._numbers_heard, *alike]))[:MOST_ASKED]

    def told_apart(self, asked: Collection[Identifier], known: Collection[Identifier]) -> list[Candidate]:
        """The numbers that were heard, and those that the books know of `asked`, likeliest first.

        That the books know a number says the more, the fewer they know of all that were asked for; where every
        seventh number is somebody's, it says little. That they know none says nothing: a caller whose number they
        lack is to hear so once it was confirmed, like everybody.
        """
        if not known:
            return self.heard
        density = (len(known) + 1) / (len(asked) + 2)
        factors = {
            number: _EXISTING_SHARE / density if number in known else (1 - _EXISTING_SHARE) / (1 - density)
            for number in asked
        }
        alike = [number for number in asked if number in known]
        return self._weighed(list(dict.fromkeys([*self._numbers_heard, *alike])), factors)

    @property
    def _numbers_heard(self) -> list[Identifier]:
        return self._possible(reading.digits for hearing in reversed(self.hearings) for reading in hearing)

    def _possible(self, numbers: Iterable[str]) -> list[Identifier]:
        found = (self.schemes.match(digits) for digits in numbers)
        return list(dict.fromkeys(number for number in found if number is not None and number not in self.rejected))

    def _weighed(self, numbers: Sequence[Identifier], factors: Mapping[Identifier, float]) -> list[Candidate]:
        """`numbers` with their probabilities, each times its factor; the rest is for numbers not among them."""
        weights = {number: factors.get(number, 1.0) for number in numbers}
        rest = 1.0
        for place, hearing in enumerate(self.hearings):
            said = {reading.digits: reading.confidence for reading in hearing if self.schemes.match(reading.digits)}
            doubt = max(1.0 - sum(said.values()), _LEAST_DOUBT)
            rest *= doubt
            if place:
                before = self.hearings[place - 1]
                rest *= _UNLIKE + _COINCIDENCE * max(_likeness(r.digits, before, equal=1.0) for r in hearing[:1])
            for number in numbers:
                digits = number.reveal()
                weights[number] *= said.get(digits, 0.0) + doubt * (_UNLIKE + _likeness(digits, hearing, equal=0.0))
        total = rest + sum(weights.values())
        found = [Candidate(number, weight / total) for number, weight in weights.items()]
        return sorted(found, key=lambda candidate: -candidate.probability)


def _likeness(digits: str, hearing: Hearing, *, equal: float) -> float:
    """How likely `digits` is heard as the readings of `hearing`, on their average; `equal` for its own reading."""
    confusions = load_confusions()
    readings = [reading for reading in hearing[:_READINGS] if reading.digits and reading.confidence]
    total = sum(reading.confidence for reading in readings)
    shares = (
        reading.confidence * (equal if reading.digits == digits else confusions.likeness(digits, reading.digits))
        for reading in readings
    )
    return sum(shares) / total if total else 0.0
