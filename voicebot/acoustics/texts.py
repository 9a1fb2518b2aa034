"""What synthetic voices say for training: draws texts from the grammars, the lists in texts.toml and a word list."""

from __future__ import annotations

import math
import random
import re
import tomllib
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from babel.dates import get_month_names

from voicebot.language import dates
from voicebot.language.dictation import IN_GROUPS, MANNERS, ways_to_say
from voicebot.language.numbers import spell
from voicebot.language.srgs import Grammar, WordAutomaton

_ORDINARY_WORD = re.compile("[а-я]{3,12}")

Shares = Mapping[str, float]
"""How much of the texts each kind makes up; `TextSource.draw` has the kinds."""

SHORT_FIRST: Shares = {
    "digits": 0.34,
    "spelled digits": 0.10,
    "framed digits": 0.06,
    "answer": 0.14,
    "phrase": 0.10,
    "word": 0.06,
    "number": 0.08,
    "everyday": 0.06,
    "date": 0.06,
}
"""The mixture for telephone answers: mostly digits and short answers, some of everything else."""

CONNECTED: Shares = {
    "string": 0.26,
    "dictated": 0.14,
    "digits": 0.08,
    "spelled digits": 0.06,
    "framed digits": 0.03,
    "answer": 0.14,
    "phrase": 0.10,
    "number": 0.04,
    "everyday": 0.05,
    "date": 0.10,
}
"""The mixture for voices that speak fluently: whole numbers above all, because neighbours change each other."""


@dataclass(frozen=True)
class TextSource:
    """Draws texts at random."""

    grammars: Sequence[Grammar]
    """Grammars whose phrases are drawn by their own probabilities."""
    vocabulary: Sequence[str]
    """Ordinary words of the language."""
    lists: Mapping[str, Any]
    """The lists of texts.toml."""

    def draw(self, rng: random.Random, shares: Shares = SHORT_FIRST) -> str:
        """One text: words in small letters, apart by spaces or by commas where the speaker pauses."""
        kind = rng.choices(list(shares), list(shares.values()))[0]
        match kind:
            case "digits":
                return " ".join(self._digits(rng, rng.choice((1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7))))
            case "string":
                words = self._digits(rng, rng.choice((6, 7, 7, 8, 10, 12)))
                if rng.random() < 0.25:
                    size = rng.choice((2, 3, 3, 4))
                    return ", ".join(" ".join(words[at : at + size]) for at in range(0, len(words), size))
                return " ".join(words)
            case "dictated":
                digits = "".join(rng.choices("0123456789", k=rng.choice((3, 4, 5, 6, 7, 7, 10, 12))))
                return ways_to_say(digits, rng, MANNERS[rng.choice(IN_GROUPS)])
            case "spelled digits":
                separator = rng.choice((", ", ", ", ". "))
                return separator.join(self._digits(rng, rng.choice((2, 3, 4, 5))))
            case "framed digits":
                digits = " ".join(self._digits(rng, rng.choice((2, 3, 4))))
                if rng.random() < 0.7:
                    return f"{rng.choice(self.lists['before'])} {digits}"
                return f"{digits} {rng.choice(self.lists['after'])}"
            case "answer":
                return str(rng.choice(self.lists["answers"]))
            case "phrase":
                return self._phrase(rng)
            case "word":
                return rng.choice(sorted(rng.choice(self.grammars).automaton.words))
            case "number":
                return self._number(rng)
            case "date":
                return self._date(rng)
            case "everyday":
                if rng.random() < 0.35 or not self.vocabulary:
                    return str(rng.choice(self.lists["everyday"]))
                return " ".join(rng.choices(self.vocabulary, k=rng.randint(1, 3)))
        raise ValueError(f"there are no texts of the kind {kind!r}")

    def _digits(self, rng: random.Random, count: int) -> list[str]:
        """Digit words; a digit repeats its neighbour more often than by chance, because repeats are easily merged."""
        words: list[str] = []
        for _ in range(count):
            repeat = words and rng.random() < 0.12
            words.append(words[-1] if repeat else rng.choice(rng.choice(self.lists["digits"])))
        return words

    def _phrase(self, rng: random.Random) -> str:
        """A phrase of a grammar without its digit strings, which have kinds of their own."""
        for _ in range(20):
            words = draw_phrase(rng.choice(self.grammars).automaton, rng)
            if 0 < len(words) <= 6:
                return " ".join(words)
        return str(rng.choice(self.lists["answers"]))

    def _number(self, rng: random.Random) -> str:
        chance = rng.random()
        if chance < 0.4:
            return " ".join(rng.choices(self.lists["colloquial"], k=rng.randint(1, 3)))
        if chance < 0.55:
            return str(rng.choice(self.lists["counting"]))
        gender = rng.choice(("neuter", "neuter", "masculine", "feminine"))
        return " ".join(spell(rng.randint(10, 999), "bg", gender) for _ in range(rng.randint(1, 2)))  # type: ignore[arg-type]

    def _date(self, rng: random.Random) -> str:
        """A day, a moment, or months one behind the other: half of them those that are taken for each other."""
        first, *others = (rng.choice(range(1, 13) if rng.random() < 0.5 else (3, 5, 6, 7)) for _ in range(3))
        year, chance = rng.randint(2026, 2029), rng.random()
        day = rng.randint(1, monthrange(year, first)[1])
        if chance < 0.55:
            return dates.spell(date(year, first, day), with_year=rng.random() < 0.4)
        if chance < 0.7:
            hour, minute = rng.randint(0, 23), rng.randint(0, 59)
            return dates.spell_moment(datetime(year, first, day, hour, minute, tzinfo=dates.LOCAL_TIME))
        names = get_month_names("wide", locale="bg")
        months = [names[month] for month in (first, *others)]
        return f"{rng.choice(self.lists['months before'])} {' '.join(months[: rng.randint(1, 3)])}"


def text_source(grammars: Sequence[Grammar], word_list: Path | None = None) -> TextSource:
    """A source of texts.

    Args:
        grammars: at least one.
        word_list: a file of ordinary words, one a line (Debian's wbulgarian has one); none to do without.
    """
    vocabulary: list[str] = []
    if word_list is not None:
        lines = word_list.read_text(encoding="utf-8").splitlines()
        vocabulary = [word for word in lines if _ORDINARY_WORD.fullmatch(word)]
    text = resources.files(__package__).joinpath("texts.toml").read_text(encoding="utf-8")
    return TextSource(grammars, vocabulary, tomllib.loads(text))


def draw_phrase(automaton: WordAutomaton, rng: random.Random, longest: int = 30) -> list[str]:
    """The words on one random way through an automaton, each arc taken with its probability; cut at `longest`."""
    state, words = 0, list[str]()
    while len(words) < longest:
        arcs = automaton.arcs[state]
        costs = [arc.cost for arc in arcs]
        if state in automaton.finals:
            costs.append(automaton.finals[state])
        if not costs:
            break
        chosen = rng.choices(range(len(costs)), [math.exp(-cost) for cost in costs])[0]
        if chosen == len(arcs):
            break
        if (word := arcs[chosen].word) is not None:
            words.append(word)
        state = arcs[chosen].target
    return words
