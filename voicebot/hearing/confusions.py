"""Which digits are taken for which: how far one number is from another to the ear, and which lie next to it.

Costs are negative natural logarithms of probabilities; the table is `confusions.toml`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from rapidfuzz.distance import Levenshtein

DIGITS = "0123456789"

_FAR = 3
"""Digits by which numbers differ that nobody takes for one another."""


@dataclass(frozen=True, slots=True)
class Confusions:
    """What each mistake of hearing costs."""

    pairs: Mapping[tuple[str, str], float]
    """For (said, heard) digits that sound alike."""
    other: float
    """Any other digit instead."""
    left_out: float
    """A digit that is not heard."""
    merged: float
    """A digit that is not heard behind its equal."""
    put_in: float
    """A digit that was not said."""
    doubled: float
    """A digit that was not said, behind its equal."""
    _alike: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        alike: dict[str, tuple[str, ...]] = {digit: () for digit in DIGITS}
        for said, heard in self.pairs:
            alike[heard] += (said,)
        object.__setattr__(self, "_alike", alike)

    def cost(self, said: str, heard: str) -> float:
        """What it costs to hear `said` as `heard`, by the cheapest alignment (Wagner and Fischer, 1974)."""
        row = [0.0]
        for place in range(len(heard)):
            row.append(row[-1] + self._put_in(heard, place))
        for i, digit in enumerate(said):
            lost = self.merged if i and said[i - 1] == digit else self.left_out
            above, row = row, [row[0] + lost]
            for j, other in enumerate(heard):
                row.append(
                    min(above[j + 1] + lost, row[j] + self._put_in(heard, j), above[j] + self._instead(digit, other))
                )
        return row[-1]

    def neighbours(self, heard: str) -> Iterator[tuple[str, float]]:
        """Numbers that are likely to be heard as `heard`, with their costs.

        One digit sounds like another, or two equals were merged, or one was doubled.
        """
        for place, digit in enumerate(heard):
            before, behind = heard[:place], heard[place + 1 :]
            for said in self._alike[digit]:
                yield before + said + behind, self.pairs[said, digit]
            if not before.endswith(digit):
                yield before + digit + digit + behind, self.merged
                if behind.startswith(digit):
                    yield before + behind, self.doubled

    def likeness(self, said: str, heard: str) -> float:
        """The probability that `said` is heard as `heard`; 0 when they are more than a few digits apart."""
        if Levenshtein.distance(said, heard, score_cutoff=_FAR) > _FAR:
            return 0.0
        return math.exp(-self.cost(said, heard))

    def _put_in(self, heard: str, place: int) -> float:
        return self.doubled if place and heard[place - 1] == heard[place] else self.put_in

    def _instead(self, said: str, heard: str) -> float:
        return 0.0 if said == heard else self.pairs.get((said, heard), self.other)


@cache
def load_confusions() -> Confusions:
    """The table that comes with the bot."""
    table = tomllib.loads(files(__package__).joinpath("confusions.toml").read_text(encoding="utf-8"))
    pairs = {}
    for first, second, share in table["pairs"]:
        pairs[first, second] = pairs[second, first] = -math.log(share)
    names = ("other", "left_out", "merged", "put_in", "doubled")
    return Confusions(pairs, *(-math.log(table[name]) for name in names))
