"""The catalogue of prompts: from a prompt and its values to phrases of words, ready for a voice.

The sentences are in `prompts/*.toml`, one file a language, with the same names and slots in each; how values are
spelled belongs to the language room.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Money
from voicebot.dialog.actions import Counted, Day, OneOf, Prompt, Slot
from voicebot.errors import VoicebotError
from voicebot.language import dates, money, numbers

SENTENCE_PAUSE_MS = 300
GROUP_PAUSE_MS = 250
"""Pause behind a group of a number that is read back."""
CLAUSE_PAUSE_MS = 60
"""Pause where a long sentence was cut to be rendered piece by piece."""

_GROUP_END, _CLAUSE_END, _VALUE = "\x1e", "|", "\x1a"
_CUT = re.compile(rf"(?<=[.!?])\s+|{_GROUP_END}\s*|\{_CLAUSE_END}\s*")


class CatalogueError(VoicebotError):
    """A catalogue of prompts that cannot be used."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that are rendered in one piece."""

    text: str
    pause_ms: int
    """Silence behind it."""


class Catalogue:
    """The prompts of one language."""

    def __init__(self, language: str, sentences: Mapping[str, str], conjunction: str) -> None:
        self.language = language
        """ISO 639 code, known to the language room."""
        self._sentences = sentences
        self._conjunction = conjunction

    @classmethod
    def load(cls, language_or_path: str) -> Catalogue:
        """The catalogue that comes with the bot for a language, or one of the operator's own in a TOML file.

        Raises:
            CatalogueError: no such file, not TOML, or a prompt that is missing or has other slots than it should.
        """
        shipped = {"bg": _read_shipped("bg"), "en": _read_shipped("en")}
        if language_or_path in shipped:
            return _parse(shipped[language_or_path], f"prompts/{language_or_path}.toml", None)
        try:
            text = Path(language_or_path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogueError(
                f"The catalogue {language_or_path} cannot be read ({error}): "
                f"name a language ({', '.join(shipped)}) or a TOML file."
            ) from None
        return _parse(text, language_or_path, _parse(shipped["bg"], "prompts/bg.toml", None))

    @property
    def names(self) -> frozenset[str]:
        """Names of all prompts."""
        return frozenset(self._sentences)

    def slots(self, name: str) -> frozenset[str]:
        """Names of the slots of a prompt."""
        return frozenset(field for _, field, _, _ in string.Formatter().parse(self._sentences[name]) if field)

    @property
    def fixed(self) -> list[Phrase]:
        """The phrases in which no value stands, to be rendered ahead."""
        pieces = [
            piece
            for name in sorted(self.names)
            for piece in _cut(self._fill(name, dict.fromkeys(self.slots(name), _VALUE)))
        ]
        return [piece for piece in dict.fromkeys(pieces) if _VALUE not in piece.text]

    def phrases(self, prompt: Prompt) -> tuple[Phrase, ...]:
        """What is to be spoken, piece by piece.

        Raises:
            KeyError: a prompt or a slot that the catalogue lacks, which is a mistake in the conversation.
        """
        return _cut(self._fill(prompt.name, {name: self._spell(value) for name, value in prompt.slots.items()}))

    def transcript(self, prompt: Prompt, *, reveal: bool) -> str:
        """The prompt as text for records; a customer's number is masked unless `reveal`."""
        slots = {
            name: value.masked if isinstance(value, Identifier) and not reveal else self._spell(value)
            for name, value in prompt.slots.items()
        }
        return self._fill(prompt.name, slots).replace(_GROUP_END, "").replace(_CLAUSE_END, "")

    def written(self, prompt: Prompt) -> str:
        """The prompt for the caller's own eyes: values in figures, a customer's number in clear."""
        slots = {name: self._write(value) for name, value in prompt.slots.items()}
        return self._fill(prompt.name, slots).replace(_CLAUSE_END, "")

    def _fill(self, name: str, slots: Mapping[str, str]) -> str:
        return self._sentences[name].format_map(slots)

    def _spell(self, value: Slot) -> str:
        match value:
            case Identifier():
                return f",{_GROUP_END} ".join(numbers.grouped(value.reveal(), language=self.language))
            case Money():
                return money.spell(value, self.language)
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
                return numbers.grouped_figures(value.reveal())
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


def _cut(text: str) -> tuple[Phrase, ...]:
    """A filled prompt as phrases."""
    marks = [match.group() for match in _CUT.finditer(text)]
    pieces = zip(_CUT.split(text), [*marks, " "], strict=True)
    return tuple(Phrase(piece.strip(), _pause_ms(mark)) for piece, mark in pieces if piece.strip())


def _pause_ms(mark: str) -> int:
    if mark.startswith(_GROUP_END):
        return GROUP_PAUSE_MS
    return CLAUSE_PAUSE_MS if mark.startswith(_CLAUSE_END) else SENTENCE_PAUSE_MS


def _read_shipped(language: str) -> str:
    return files(__package__).joinpath("prompts", f"{language}.toml").read_text(encoding="utf-8")


def _parse(text: str, name: str, pattern: Catalogue | None) -> Catalogue:
    """The catalogue in `text`; where `pattern` is given, it must have the same prompts with the same slots."""
    try:
        table = tomllib.loads(text)
        catalogue = Catalogue(str(table["language"]), dict(table["prompts"]), str(table["or"]))
        numbers.units(catalogue.language)
        for prompt in catalogue.names:
            catalogue.slots(prompt)
    except KeyError as error:
        raise CatalogueError(f"The catalogue {name} lacks {error}.") from None
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise CatalogueError(f"The catalogue {name} cannot be used: {error}.") from None
    if pattern is not None:
        for prompt in sorted(pattern.names):
            if prompt not in catalogue.names:
                raise CatalogueError(f"The catalogue {name} lacks the prompt {prompt!r}.")
            if catalogue.slots(prompt) != pattern.slots(prompt):
                expected = ", ".join(sorted(pattern.slots(prompt))) or "none"
                raise CatalogueError(f"The prompt {prompt!r} in {name} must have these slots: {expected}.")
    return catalogue
