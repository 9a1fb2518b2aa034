"""Utterances of a set before their sounds exist, and the tables that name them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from voicebot.audio.sound import Sound


@dataclass(frozen=True)
class Row:
    """What the index says of one utterance."""

    text: str = ""
    """The words that are said, "" where nothing is."""
    digits: str = ""
    """The digits that must be heard, "" for none."""
    intent: str = ""
    """The intent that must be heard, "" for none."""
    grammar: str = "identifier"
    """The question that it answers."""
    voice: str = ""
    engine: str = ""
    """What made it: kokoro, festival, or the collection that a recording comes from."""
    language: str = "bg"
    kind: str = "synthetic"
    """human or synthetic."""
    manner: str = ""
    """How it is said: natural, groups, phrase, word, number, single, joined, or the kind of a noise."""


@dataclass(frozen=True)
class Item:
    """One utterance of a set."""

    row: Row
    key: str
    """All that shapes the sound."""
    make: Callable[[], Sound]

    @property
    def path(self) -> str:
        """Where the sound lies in the folder of the set."""
        return f"{self.row.voice or self.row.engine}/{hashlib.sha256(self.key.encode()).hexdigest()[:12]}.wav"


COLUMNS = ("path", *(field.name for field in fields(Row)))
"""The columns of an index."""


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table with tabs."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a table with tabs; it appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, columns, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
