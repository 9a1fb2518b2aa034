"""Files of prompts: the catalogues that come with the bot, an operator's own, and what may be wrong with that."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from voicebot.dialog import ssml
from voicebot.errors import VoicebotError
from voicebot.language import numbers

LANGUAGES = ("bg", "en")
"""Languages of the catalogues that come with the bot."""

TYPES = ("digits", "money", "date", "time", "choice")
"""Types of slots besides the nouns that are counted."""

MOST_WORDS = 20
"""Words of a sentence, a slot counted as one, beyond which callers lose the thread."""

SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
"""A slot in a sentence: its name and, if given, its type."""

_SIGNS = " ,.:;!?-–"
"""What may stand in a sentence besides letters."""

Sentences = dict[str, Sequence[str]]
"""The variants of each prompt by its name."""


class CatalogueError(VoicebotError):
    """A catalogue of prompts that cannot be used."""

    def __init__(self, *mistakes: str) -> None:
        """Tell the first mistake and how many more there are; at least one."""
        more = len(mistakes) - 1
        super().__init__(mistakes[0] + (f" There are {more} more: `voicebot check` tells them all." if more else ""))
        self.mistakes = mistakes
        """Everything that is wrong, each as a sentence."""


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """The sentences of a file, or of one laid over those that come with the bot."""

    language: str
    conjunction: str
    prompts: Sentences
    keys_only: Sentences
    """What takes their place where nothing that is said is heard."""


def slots(variants: Sequence[str]) -> dict[str, str]:
    """The slots of a prompt that comes with the bot, and their types."""
    return {found[1]: found[2] for variant in variants for found in SLOT.finditer(variant)}


def read(language_or_path: str) -> CatalogueFile:
    """The sentences that come with the bot, or an operator's laid over them.

    Raises:
        CatalogueError: no such file, not TOML, or mistakes in it.
    """
    if language_or_path in LANGUAGES:
        return _shipped(language_or_path)
    path = language_or_path
    try:
        text = Path(path).read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(
            f"The catalogue {path} cannot be read ({error}): name a language ({', '.join(LANGUAGES)}) or a TOML file."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"The catalogue {path} is not TOML: {error}.") from None
    language = table.get("language", "bg")
    if language not in LANGUAGES:
        raise CatalogueError(f"The catalogue {path} has an unknown language: it may be {' or '.join(LANGUAGES)}.")
    shipped = _shipped(language)
    mistakes = [
        f"{path}, line {line}: {what}." if line else f"The catalogue {path}: {what}."
        for line, what in _Review(text, table, shipped).mistakes()
    ]
    if mistakes:
        raise CatalogueError(*mistakes)
    return CatalogueFile(
        language,
        table.get("or", shipped.conjunction),
        shipped.prompts | _sentences(table, "prompts"),
        shipped.keys_only | _sentences(table, "keys_only"),
    )


@cache
def _shipped(language: str) -> CatalogueFile:
    text = files(__package__).joinpath("prompts", f"{language}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return CatalogueFile(language, table["or"], _sentences(table, "prompts"), _sentences(table, "keys_only"))


def _sentences(table: Mapping[str, Any], section: str) -> Sentences:
    return {name: [said] if isinstance(said, str) else said for name, said in table.get(section, {}).items()}


@dataclass(frozen=True, slots=True)
class _Review:
    """A reading of an operator's file for mistakes, each with its line (0: unknown)."""

    text: str
    table: Mapping[str, Any]
    shipped: CatalogueFile

    def mistakes(self) -> Iterator[tuple[int, str]]:
        for key in self.table:
            if key not in ("language", "or", "prompts", "keys_only"):
                yield self._line(key), f'"{key}" is not known: there are language, or, [prompts] and [keys_only]'
        if not isinstance(self.table.get("or", ""), str):
            yield self._line("or"), '"or" must be a word in quotation marks'
        for section, pattern in (("prompts", self.shipped.prompts), ("keys_only", self.shipped.keys_only)):
            prompts = self.table.get(section, {})
            if not isinstance(prompts, dict):
                yield self._line(section), f'"{section}" must be a table, written [{section}]'
                continue
            for name, said in prompts.items():
                if name not in self.shipped.prompts:
                    yield self._line(name, section), f'there is no prompt "{name}": `voicebot prompts` shows all'
                else:
                    expected = pattern.get(name) or self.shipped.prompts[name]
                    yield from self._of_prompt(section, name, said, expected)

    def _of_prompt(self, section: str, name: str, said: object, pattern: Sequence[str]) -> Iterator[tuple[int, str]]:
        variants = [said] if isinstance(said, str) else said
        line = self._line(name, section)
        if not isinstance(variants, list) or not variants or not all(isinstance(s, str) and s for s in variants):
            yield line, f'the prompt "{name}" must be a sentence, or a list of sentences, in quotation marks'
            return
        if len(set(variants)) < min(2, len(pattern)):
            yield line, f'the prompt "{name}" may come several times in a row: give it two different sentences or more'
        for sentence in variants:
            line = self._line(name, section, sentence)
            for what in _mistakes_in(sentence, slots(pattern), self.shipped.language):
                yield line, f'in the prompt "{name}", {what}'

    def _line(self, key: str, section: str = "", sentence: str = "") -> int:
        """The line on which `sentence` stands at `key` or below, else that of `key`."""
        lines = list(enumerate(self.text.splitlines(), start=1))
        begin = next((n for n, line in lines if section and line.strip().startswith(f"[{section}]")), 1)
        begin = next((n for n, line in lines[begin - 1 :] if re.match(rf'\s*\[?\s*"?{re.escape(key)}\b', line)), 0)
        return next((n for n, line in lines[begin - 1 :] if sentence in line), begin) if begin else 0


def _mistakes_in(sentence: str, expected: Mapping[str, str], language: str) -> Iterator[str]:
    """What is wrong with one sentence, each as words that follow "in the prompt"."""
    try:
        spans = ssml.parse(sentence)
    except ValueError as error:
        yield str(error)
        return
    given = {found[1]: found[2] for found in SLOT.finditer(sentence)}
    for name, type_ in given.items():
        if name not in expected:
            yield f"there is no value {{{name}}}: it has {_listed(expected)}"
        elif type_ not in (None, expected[name]):
            yield f"{{{name}}} has the type {expected[name]}, not {type_}"
    for name in expected.keys() - given.keys():
        yield f"the value {{{name}:{expected[name]}}} is missing"
    text = SLOT.sub(" x ", "".join(" x " if span.digits else span.text for span in spans))
    if "{" in text or "}" in text:
        yield "a brace is open: a value is written {name} or {name:type}"
    alphabet = numbers.units(language).alphabet
    for word in SLOT.sub(" ", "".join(" " if span.digits else span.text for span in spans)).split():
        strange = "".join(sign for sign in word if sign.lower() not in alphabet and sign not in _SIGNS)
        if re.search(r"\d", strange):
            yield f'"{word}" has digits, which voices misread: use words or <say-as interpret-as="digits">'
        elif strange:
            kind = "letter" if strange[0].isalpha() else "sign"
            yield f'"{word}" cannot be said, because the {kind} "{strange[0]}" is none of the language "{language}"'
    if not text.rstrip().endswith((".", "!", "?")):
        yield "the last sentence has no full stop, question mark or exclamation mark"
    for part in re.split(r"(?<=[.!?])\s+", text):
        if len(part.split()) > MOST_WORDS:
            yield f"a sentence has {len(part.split())} words: callers can follow {MOST_WORDS} at most"


def _listed(expected: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}:{type_}}}" for name, type_ in sorted(expected.items())) or "none"
