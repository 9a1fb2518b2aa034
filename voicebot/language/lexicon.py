"""The pronunciation lexicon: reads words and how they are said; what phones there are is `phones`' affair.

A lexicon file is UTF-8 text with one pronunciation a line: the word, a tab, its phones apart by spaces and, where
one way of saying it is rarer than the others, a tab and its weight (1 unless given). `#` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from voicebot.errors import VoicebotError
from voicebot.language.phones import SPEECH_PHONES


class LexiconError(VoicebotError):
    """A lexicon file that cannot be read; the sentence names file and line."""


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """One way to say a word."""

    phones: tuple[str, ...]
    """Names of phones, at least one."""
    weight: float = 1.0
    """How often it is said so, relative to the word's other pronunciations; above 0."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words with their pronunciations."""

    pronunciations: Mapping[str, tuple[Pronunciation, ...]] = field(repr=False)
    """For each word at least one pronunciation, in the order of the files."""

    def __contains__(self, word: object) -> bool:
        return word in self.pronunciations

    def __getitem__(self, word: str) -> tuple[Pronunciation, ...]:
        return self.pronunciations[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pronunciations)


def parse_line(line: str) -> tuple[str, Pronunciation] | None:
    """The word and the pronunciation on one line, or None when it holds neither.

    Raises:
        ValueError: the line has another form; the message says which part is wrong.
    """
    content = line.split("#", 1)[0].rstrip()
    if not content:
        return None
    columns = content.split("\t")
    if not 2 <= len(columns) <= 3:
        raise ValueError("expected a word, a tab, its phones, and perhaps a tab and a weight")
    word, phones = columns[0], tuple(columns[1].split())
    if not word or word != word.strip() or word != word.lower() or " " in word:
        raise ValueError(f'"{word}" is not one word in small letters')
    if not phones:
        raise ValueError(f'"{word}" has no phones')
    for phone in phones:
        if phone not in SPEECH_PHONES:
            raise ValueError(f'"{phone}" is no phone that a word can have')
    try:
        weight = float(columns[2]) if len(columns) == 3 else 1.0
    except ValueError:
        weight = 0.0
    if not 0.0 < weight <= 1.0:
        raise ValueError(f'the weight "{columns[2]}" is not a number above 0 and up to 1')
    return word, Pronunciation(phones, weight)


def load_lexicon(folder: Path) -> Lexicon:
    """The lexicon in the `*.tsv` files of `folder`, taken in the order of their names.

    Raises:
        LexiconError: the folder has none, or a file has a wrong line.
    """
    paths = sorted(folder.glob("*.tsv"))
    if not paths:
        raise LexiconError(f"{folder} holds no lexicon: put at least one .tsv file there.")
    pronunciations: dict[str, tuple[Pronunciation, ...]] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LexiconError(f"{path} cannot be read as UTF-8 text: {error}.") from error
        for number, line in enumerate(lines, start=1):
            try:
                entry = parse_line(line)
                if entry is None:
                    continue
                word, pronunciation = entry
                known = pronunciations.get(word, ())
                if any(pronunciation.phones == other.phones for other in known):
                    raise ValueError(f'"{word}" is given this pronunciation twice')
            except ValueError as error:
                raise LexiconError(f"{path}, line {number}: {error}.") from error
            pronunciations[word] = (*known, pronunciation)
    return Lexicon(pronunciations)


def write_lexicon(lexicon: Lexicon, words: Iterable[str], path: Path) -> None:
    """Write the pronunciations of `words`, all of which `lexicon` has, as a lexicon file."""
    lines = [
        "\t".join((word, " ".join(one.phones), *([str(one.weight)] if one.weight != 1.0 else [])))
        for word in sorted(words)
        for one in lexicon[word]
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
