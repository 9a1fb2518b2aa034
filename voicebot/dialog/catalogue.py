"""The catalogue of prompts: from a prompt and its values to phrases of words, ready for a voice.

The sentences are in `prompts/*.toml`, one file a language, with the same names and slots in each; how values are
spelled belongs to the language room. An operator's own file names only the prompts that differ.

A sentence is text with a small part of SSML (`ssml.py`) and slots in braces, `{total:money}`. A slot's type is
`digits` (a customer's number), `money`, `date`, `time`, `choice` (numbers of which one is meant) or the key of a noun
in `units.toml`, of which so many are counted. A prompt that may come several times has a list of sentences: each turn
in a row that says it takes the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.dialog import ssml
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.dialog.catalogue_file import SLOT, TYPES, Sentences, read, slots
from voicebot.language import dates, money, numbers

SENTENCE_PAUSE_MS = 300
GROUP_PAUSE_MS = 250
"""Pause behind a group of a number that is read back."""

_GROUP_END, _PART_END, _VALUE = "\x1e", "\x1f", "\x1a"
_CUT = re.compile(rf"(?<=[.!?])\s+|[{_GROUP_END}{_PART_END}]\s*")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that are rendered in one piece."""

    text: str
    pause_ms: int
    """Silence behind it."""
    emphasis: bool = False
    """Whether it is what matters; it is spoken more slowly."""


_Sentence = tuple[ssml.Span, ...]


class Catalogue:
    """The prompts of one language."""

    def __init__(
        self,
        language: str,
        sentences: Sentences,
        conjunction: str,
        grouping: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        """A catalogue of sentences that are known to be right; `load` reads and checks them.

        Args:
            language: ISO 639 code, known to the language room.
            sentences: the variants of each prompt by its name.
            conjunction: "or".
            grouping: for a number of digits the sizes of the groups in which it is read back.
        """
        self.language = language
        """ISO 639 code."""
        self._sentences = {name: tuple(map(ssml.parse, variants)) for name, variants in sentences.items()}
        self._slots = {name: slots(variants) for name, variants in sentences.items()}
        self._conjunction = conjunction
        self._grouping = grouping

    @classmethod
    def load(
        cls, language_or_path: str, *, keys_only: bool = False, grouping: Mapping[int, Sequence[int]] | None = None
    ) -> Catalogue:
        """The catalogue that comes with the bot for a language, or with an operator's own TOML file laid over it.

        Args:
            language_or_path: "bg", "en" or the path of a file.
            keys_only: whether the prompts are to speak of keys alone, because nothing that is said is heard.
            grouping: for a number of digits the sizes of the groups in which it is read back.

        Raises:
            CatalogueError: no such file, not TOML, or mistakes in its prompts.
        """
        file = read(language_or_path)
        return cls(file.language, file.prompts | (file.keys_only if keys_only else {}), file.conjunction, grouping)

    @property
    def names(self) -> frozenset[str]:
        """Names of all prompts."""
        return frozenset(self._sentences)

    def slots(self, name: str) -> Mapping[str, str]:
        """The slots of a prompt and their types."""
        return self._slots[name]

    def variants(self, name: str) -> int:
        """How many sentences a prompt has to choose from."""
        return len(self._sentences[name])

    @property
    def fixed(self) -> list[Phrase]:
        """The phrases in which no value stands, to be rendered ahead, in the order of the catalogue's file."""
        return self._without_values({})

    @property
    def values(self) -> list[Phrase]:
        """The phrases of a single value that are worth rendering ahead: a closed set, what callers hear most first.

        Counts up to 12; cents; whole euros up to 200, then round hundreds and thousands up to 10,000; the days of a
        year; all groups of two and three digits.
        """
        found = [phrase for type_, words in self._closed_set() for phrase in self._without_values({type_: words})]
        fixed = set(self.fixed)
        return [phrase for phrase in dict.fromkeys(found) if phrase not in fixed]

    def phrases(self, prompt: Prompt) -> tuple[Phrase, ...]:
        """What is to be spoken, piece by piece.

        Raises:
            KeyError: a prompt or a slot that the catalogue lacks, which is a mistake in the conversation.
        """
        return self._cut(self._variant(prompt), {name: self._spell(value) for name, value in prompt.slots.items()})

    def transcript(self, prompt: Prompt, *, reveal: bool) -> str:
        """The prompt as text for records; a customer's number is masked unless `reveal`."""
        slots = {
            name: value.masked if isinstance(value, Identifier) and not reveal else self._spell(value)
            for name, value in prompt.slots.items()
        }
        return _filled(_text(self._variant(prompt)), slots).translate({ord(_GROUP_END): None, ord(_PART_END): None})

    def written(self, prompt: Prompt) -> str:
        """The prompt for the caller's own eyes: values in figures, a customer's number in clear."""
        slots = {name: self._write(value) for name, value in prompt.slots.items()}
        return _filled(_text(self._variant(prompt)), slots).replace("..", ".")  # an abbreviation ends the sentence

    def _variant(self, prompt: Prompt) -> _Sentence:
        variants = self._sentences[prompt.name]
        return variants[prompt.repetition % len(variants)]

    def _cut(self, sentence: _Sentence, slots: Mapping[str, str]) -> tuple[Phrase, ...]:
        """A sentence as phrases; what is no word of its own, such as a full stop, goes with the phrase before."""
        phrases: list[Phrase] = []
        for span in sentence:
            if span.break_ms is not None:
                phrases[-1:] = [replace(phrase, pause_ms=span.break_ms) for phrase in phrases[-1:]]
                continue
            text = self._grouped(span.text) if span.digits else _filled(span.text, slots)
            marks = [match.group() for match in _CUT.finditer(text)]
            for piece, mark in zip(_CUT.split(text), [*marks, ""], strict=True):
                if any(sign.isalnum() or sign == _VALUE for sign in piece):
                    phrases.append(Phrase(piece.strip(), _pause_ms(piece, mark), span.emphasis))
                elif phrases and piece.strip():
                    joined = phrases[-1].text + piece.strip()
                    phrases[-1] = replace(phrases[-1], text=joined, pause_ms=_pause_ms(piece, mark))
        return tuple(phrases)

    def _without_values(self, words: Mapping[str, Sequence[str]]) -> list[Phrase]:
        """The phrases of all prompts that hold no other value than `words`, given by the type of slot."""
        found: dict[Phrase, None] = {}
        for name in self._sentences:
            types = self._slots[name]
            if words and not words.keys() & set(types.values()):
                continue
            for sentence in self._sentences[name]:
                for i in range(max(map(len, words.values()), default=1)):
                    filled = {slot: words[type_][i] if type_ in words else _VALUE for slot, type_ in types.items()}
                    found |= dict.fromkeys(self._cut(sentence, filled))
        return [phrase for phrase in found if _VALUE not in phrase.text]

    def _closed_set(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Types of slots and the words of their values."""
        for noun in sorted({type_ for types in self._slots.values() for type_ in types.values()} - {*TYPES}):
            yield noun, [self._spell(Counted(n, noun)) for n in range(1, 13)]
        cents = [Decimal(n) / 100 for n in range(100)]
        euros = [Decimal(n) for n in (*range(1, 201), *range(300, 1000, 100), *range(1000, 11000, 1000))]
        sums = (*cents, *(1 + part for part in cents), *euros, *(whole + Decimal("0.01") for whole in euros))
        yield "money", [self._spell(Money(amount, "EUR")) for amount in sums]
        yield "date", [self._spell(Day(date(2024, 1, 1) + timedelta(days))) for days in range(366)]
        groups = [f"{n:0{size}}" for size in (2, 3) for n in range(10**size)]
        yield "digits", [_joined_groups([" ".join(numbers.digits(group, self.language))] * 2) for group in groups]

    def _grouped(self, digits: str) -> str:
        return _joined_groups(numbers.grouped(digits, self._grouping, self.language))

    def _spell(self, value: Slot) -> str:
        match value:
            case Identifier():
                return self._grouped(value.reveal())
            case Money():
                return f"{_PART_END} ".join(money.spell_parts(value, self.language))
            case Counted():
                return numbers.counted(value.count, value.noun, self.language)
            case OneOf():
                words = [numbers.spell(n, self.language) for n in value.numbers]
                return f" {self._conjunction} ".join(words)
            case datetime():
                return dates.spell_moment(value, self.language)
            case Day():
                return dates.spell(value.day, self.language, value.with_year)

    def _write(self, value: Slot) -> str:
        match value:
            case Identifier():
                return numbers.grouped_figures(value.reveal(), self._grouping)
            case Money():
                return money.in_figures(value, self.language)
            case Counted():
                return numbers.counted_in_figures(value.count, value.noun, self.language)
            case OneOf():
                return f" {self._conjunction} ".join(map(str, value.numbers))
            case datetime():
                return dates.moment_in_figures(value, self.language)
            case Day():
                return dates.in_figures(value.day, self.language, value.with_year)


def _joined_groups(groups: Sequence[str]) -> str:
    return f",{_GROUP_END} ".join(groups)


def _filled(text: str, slots: Mapping[str, str]) -> str:
    return SLOT.sub(lambda found: slots[found[1]], text)


def _text(sentence: _Sentence) -> str:
    return "".join(span.text for span in sentence)


def _pause_ms(piece: str, mark: str) -> int:
    if mark.startswith(_GROUP_END):
        return GROUP_PAUSE_MS
    if mark.startswith(_PART_END):
        return ssml.WEAK_BREAK_MS
    return SENTENCE_PAUSE_MS if piece.rstrip().endswith((".", "!", "?")) else 0
