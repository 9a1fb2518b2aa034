"""How callers dictate a number: draws one of the many ways to say its digits; the words are in `dictation.toml`.

What the words mean is the business of the grammar `identifier`, which has every way that is drawn here.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Manner:
    """A caller's habits, as probabilities from 0 to 1."""

    hundreds: float = 0.0
    """That three digits, where they can be, are said as one number ("321": "three hundred and twenty-one")."""
    tens: float = 0.0
    """That two digits, where they can be, are said as one number."""
    repeats: float = 0.0
    """That equal digits in a row are counted ("00": "double zero", "two zeros")."""
    conjunction: float = 0.95
    """That "and" stands before the last part of such a number."""
    filler: float = 0.02
    """That the caller hesitates aloud before a digit or group."""
    correction: float = 0.0
    """That one digit or group is said wrongly, taken back and said rightly."""
    restart: float = 0.0
    """That everything is taken back once, and the number begun anew."""


MANNERS: Mapping[str, Manner] = {
    "digits": Manner(),
    "repeats": Manner(repeats=0.7),
    "pairs": Manner(tens=0.9),
    "hundreds": Manner(hundreds=0.9, tens=0.5),
    "mixed": Manner(hundreds=0.2, tens=0.3, repeats=0.4),
    "hesitant": Manner(tens=0.1, repeats=0.2, filler=0.3),
    "corrected": Manner(tens=0.2, repeats=0.1, correction=1.0),
    "restarted": Manner(tens=0.1, repeats=0.1, restart=1.0),
}
"""Manners of dictation by name."""

IN_GROUPS = tuple(name for name in MANNERS if name not in ("digits", "restarted"))
"""Manners other than digit by digit."""

USUAL: Mapping[str, float] = {
    "digits": 0.50,
    "repeats": 0.10,
    "pairs": 0.10,
    "hundreds": 0.08,
    "mixed": 0.08,
    "hesitant": 0.07,
    "corrected": 0.05,
    "restarted": 0.02,
}
"""How usual each manner is; an estimate, not a count."""


def ways_to_say(digits: str, rng: random.Random, manner: Manner | None = None) -> str:
    """One of the ways to say `digits`: words in small letters, apart by single spaces.

    Args:
        digits: at least one, nothing else.
        rng: what chance is drawn from; the same state gives the same words.
        manner: the caller's habits; one of `MANNERS` by how usual it is, when None.

    Raises:
        ValueError: `digits` is empty or holds other signs.
    """
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError("only digits can be dictated")  # silent about the text: it may be a customer's
    if manner is None:
        manner = MANNERS[rng.choices(list(USUAL), list(USUAL.values()))[0]]
    parts = list(_parts(digits, rng, manner))
    said = [_say(part, rng, manner) for part in parts]
    if rng.random() < manner.correction:
        place = rng.randrange(len(parts))
        wrong = _say(_slip(parts[place], rng), rng, manner)
        said[place] = f"{wrong} {rng.choice(_words()['corrections'])} {said[place]}"
    if rng.random() < manner.restart:
        begun = said[: rng.randint(1, len(said))]
        said = [*begun, rng.choice(_words()["restarts"]), *said]
    return " ".join(said)


@dataclass(frozen=True, slots=True)
class _Part:
    """Digits that are said together."""

    digits: str
    counted: bool = False
    """Whether they are equal and said by their count."""


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("dictation.toml").read_text(encoding="utf-8"))


def _parts(digits: str, rng: random.Random, manner: Manner) -> Iterator[_Part]:
    """The digits in the parts in which they are said."""
    rest = digits
    while rest:
        run = len(rest) - len(rest.lstrip(rest[0]))
        begins_number = rest[0] != "0"
        if run > 1 and rng.random() < manner.repeats:
            part = _Part(rest[: rng.randint(2, min(run, 9 if rest[0] == "0" else 4))], counted=True)
        elif begins_number and len(rest) >= 3 and rng.random() < manner.hundreds:
            part = _Part(rest[:3])
        elif begins_number and len(rest) >= 2 and rng.random() < manner.tens:
            part = _Part(rest[:2])
        else:
            part = _Part(rest[:1])
        yield part
        rest = rest[len(part.digits) :]


def _slip(part: _Part, rng: random.Random) -> _Part:
    """Another part of the same kind and length."""
    kept = "" if part.counted else part.digits[:-1]
    other = rng.choice([digit for digit in "0123456789" if digit != part.digits[-1]])
    return _Part(kept + other * (len(part.digits) - len(kept)), part.counted)


def _say(part: _Part, rng: random.Random, manner: Manner) -> str:
    words = _counted(part.digits, rng) if part.counted else _number(part.digits, rng, manner)
    return f"{rng.choice(_words()['fillers'])} {words}" if rng.random() < manner.filler else words


def _counted(digits: str, rng: random.Random) -> str:
    """Equal digits by their count."""
    table, count, digit = _words(), str(len(digits)), int(digits[0])
    before = table["times"].get(count)
    if before and rng.random() < 0.5:
        return f"{rng.choice(before)} {rng.choice(table['digits'][digit])}"
    return f"{table['counts'][count]} {table['plurals'][digit]}"


def _number(digits: str, rng: random.Random, manner: Manner) -> str:
    """Up to three digits as one number, of which only a single one may be zero at its beginning."""
    table = _words()
    if len(digits) == 1:
        return str(rng.choice(table["digits"][int(digits)]))
    hundreds, tens, ones = (int(digit) for digit in digits.rjust(3, "0"))
    components = [rng.choice(table["hundreds"][hundreds - 1])] if hundreds else []
    if tens == 1:
        components.append(rng.choice(table["teens"][ones]))
    else:
        if tens:
            components.append(rng.choice(table["tens"][tens - 2]))
        if ones:
            components.append(rng.choice(table["digits"][ones]))
    if len(components) > 1 and rng.random() < manner.conjunction:
        components.insert(-1, table["and"])
    return " ".join(components)
