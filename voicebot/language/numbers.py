"""Numbers as words: cardinals, ordinals, digits one by one, counted nouns; money and dates build on it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Literal

from babel import Locale
from unicode_rbnf import RbnfEngine

Gender = Literal["masculine", "feminine", "neuter"]

LARGEST = 999_999_999_999
"""The greatest number that is spelled."""

LARGEST_ORDINAL = 3999
"""The greatest number that has an ordinal: days and years need no more."""

_GENDERS: tuple[Gender, ...] = ("masculine", "feminine", "neuter")
_ONE_WORD = (*range(1, 21), *range(30, 100, 10), *range(100, 1000, 100))
"""Numbers below a thousand that are a single component, spoken as one word."""


@dataclass(frozen=True, slots=True)
class Noun:
    """Something that can be counted."""

    gender: Gender
    one: str
    """Its form after a number of CLDR's plural category "one"."""
    other: str
    """Its form after any other number; in Bulgarian the counting form."""


@dataclass(frozen=True, slots=True)
class Currency:
    """The two units of a currency."""

    major: Noun
    """The unit that an amount counts."""
    minor: Noun
    """Its hundredth part."""


@dataclass(frozen=True, slots=True)
class Units:
    """One language's part of `units.toml`."""

    alphabet: str
    """Its small letters."""
    nouns: Mapping[str, Noun]
    """What is counted, by key."""
    currencies: Mapping[str, Currency]
    """By ISO 4217 code."""
    patterns: Mapping[str, str]
    """How words are put together, as format strings with named fields."""


@cache
def units(language: str) -> Units:
    """The nouns, currencies and patterns of `language`; raises `ValueError` for one that has none."""
    languages = tomllib.loads(files(__package__).joinpath("units.toml").read_text(encoding="utf-8"))
    if language not in languages:
        raise ValueError(f"there are no units in the language {language!r}, only in {', '.join(languages)}")
    table = languages[language]
    return Units(
        alphabet=table["alphabet"],
        nouns={key: Noun(**noun) for key, noun in table["nouns"].items()},
        currencies={
            code: Currency(major=Noun(**currency["major"]), minor=Noun(**currency["minor"]))
            for code, currency in table["currencies"].items()
        },
        patterns=table["patterns"],
    )


def spell(n: int, language: str = "bg", gender: Gender = "neuter") -> str:
    """The cardinal `n` in words, in Bulgarian in the literary forms and agreeing with `gender`.

    Args:
        n: from -`LARGEST` to `LARGEST`.
        language: "bg" or "en".
        gender: of the noun that is counted; English has no use for it.

    Raises:
        ValueError: `n` is too large or there is no such language.
    """
    if abs(n) > LARGEST:
        raise ValueError(f"only numbers up to {LARGEST} are spelled")
    return _format(n, language, f"spellout-cardinal-{gender}-financial" if language == "bg" else "spellout-cardinal")


def ordinal(n: int, language: str = "bg", gender: Gender = "masculine") -> str:
    """The ordinal of `n`, 1 to `LARGEST_ORDINAL`, in words; raises `ValueError` outside of that."""
    if not 1 <= n <= LARGEST_ORDINAL:
        raise ValueError(f"only numbers from 1 to {LARGEST_ORDINAL} have an ordinal")
    if language != "bg":
        return _format(n, language, "spellout-ordinal")
    last = _last_component(n)
    return spell(n).removesuffix(spell(last)) + _ordinals()[last][_GENDERS.index(gender)]


def year(n: int, language: str = "bg") -> str:
    """The year `n` as it is said in a date: a feminine ordinal in Bulgarian, pairs of digits in English."""
    return ordinal(n, language, "feminine") if language == "bg" else _format(n, language, "spellout-numbering-year")


def digits(text: str, language: str = "bg") -> list[str]:
    """The word of each digit in `text`; raises `ValueError` when something else stands in it."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("only digits can be spelled digit by digit")  # silent about the text: it may be a customer's
    return [spell(int(digit), language) for digit in text]


def grouped(text: str, sizes: Mapping[int, Sequence[int]] | None = None, language: str = "bg") -> list[str]:
    """The digits in `text` for reading back: each group a string of digit words.

    Args:
        text: digits only.
        sizes: for a number of digits the sizes of its groups. A length that is not in it goes by threes, with a
            rest of two or four in pairs: 12 as 3-3-3-3, 10 as 3-3-2-2, 7 as 3-2-2.
        language: "bg" or "en".

    Raises:
        ValueError: other signs than digits, or sizes that do not add up to their length.
    """
    words = digits(text, language)
    return [" ".join(group) for group in _cut(words, _sizes(len(words), sizes))]


def grouped_figures(text: str, sizes: Mapping[int, Sequence[int]] | None = None) -> str:
    """The digits in `text` as they are written for reading, in the same groups: "300 000 000 001"."""
    return " ".join("".join(group) for group in _cut(text, _sizes(len(text), sizes)))


def _cut(items: Sequence[str], sizes: Sequence[int]) -> list[Sequence[str]]:
    ends = accumulate(sizes)
    return [items[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def counted(n: int, noun: str, language: str = "bg") -> str:
    """`n` and the noun of that key in `units.toml`, in agreement; raises `ValueError` for an unknown key."""
    nouns = units(language).nouns
    if noun not in nouns:
        raise ValueError(f"there is no noun {noun!r} in units.toml, only {', '.join(nouns)}")
    return count(n, nouns[noun], language)


def count(n: int, noun: Noun, language: str = "bg") -> str:
    """`n` and `noun` in agreement."""
    return f"{spell(n, language, noun.gender)} {_form(n, noun, language)}"


def counted_in_figures(n: int, noun: str, language: str = "bg") -> str:
    """`n` in figures and the noun of that key in `units.toml`, in agreement: "2 неплатени фактури"."""
    return f"{n} {_form(n, units(language).nouns[noun], language)}"


def _form(n: int, noun: Noun, language: str) -> str:
    return noun.one if Locale(language).plural_form(abs(n)) == "one" else noun.other


def _sizes(length: int, sizes: Mapping[int, Sequence[int]] | None) -> Sequence[int]:
    groups = (sizes or {}).get(length) or _by_threes(length)
    if sum(groups) != length:
        raise ValueError(f"groups of {', '.join(map(str, groups))} do not make {length} digits")
    return groups


def _by_threes(length: int) -> list[int]:
    if length in (2, 4):
        return [2] * (length // 2)
    return [3, *_by_threes(length - 3)] if length > 3 else [length] * bool(length)


def _last_component(n: int) -> int:
    """The part of `n`, 1 to 3999, that is spoken last: 6 of 2026, 10 of 2010, 2000 of 2000."""
    below_hundred = n % 100
    if below_hundred in _ONE_WORD:
        return below_hundred
    return below_hundred % 10 or n % 1000 or n


@cache
def _ordinals() -> dict[int, tuple[str, str, str]]:
    table = tomllib.loads(files(__package__).joinpath("ordinals.toml").read_text(encoding="utf-8"))
    return {int(number): (words[0], words[1], words[2]) for number, words in table.items()}


def _format(n: int, language: str, ruleset: str) -> str:
    return str(_engine(language).format_number(n, ruleset_names=[ruleset]).text)


@cache
def _engine(language: str) -> RbnfEngine:
    engine = RbnfEngine.for_language(language)
    if language == "bg":
        _join_the_last_component(engine)
    return engine


def _join_the_last_component(engine: RbnfEngine) -> None:
    """Mend CLDR's Bulgarian: "and" stands before the last component of a number, whichever that is.

    Each "-and" ruleset says a remainder, with the conjunction below ten and without it from ten on. It has to have the
    conjunction whenever the remainder is a single component, as in "one thousand and two hundred".
    """
    for gender in _GENDERS:
        ruleset = engine.rulesets[f"spellout-cardinal-{gender}-financial-and"]
        joined, plain = ruleset.numeric_rules[0], ruleset.numeric_rules[10]
        components = [scale * n for scale in (1, 1000, 1_000_000) for n in _ONE_WORD]
        for n in components:
            ruleset.numeric_rules[n + 1] = replace(plain, value=n + 1)
        for n in components:
            ruleset.numeric_rules[n] = replace(joined, value=n)
        ruleset.update()
