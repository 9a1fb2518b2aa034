"""Sets of recordings: reads the table that says what is said in each file, and the sounds; it hears nothing itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from voicebot.audio.sound import Sound
from voicebot.audio.wav import read_wav
from voicebot.errors import VoicebotError

INDEXES = ("index.tsv", "index.csv", "validated.tsv", "test.tsv")
"""Names that a folder's table may have, the first that is there is read; the last two are Common Voice's."""

CLIPS = "clips"
"""Folder of the sounds beside a table of Common Voice."""

_NAMES: Mapping[str, Sequence[str]] = {
    "text": ("text", "sentence"),
    "voice": ("voice", "speaker", "client_id"),
}
"""Columns that go by several names."""

_DIGIT_SEPARATORS = str.maketrans("", "", " -,.")


class SetError(VoicebotError):
    """A set of recordings that cannot be used."""


class NoTable(SetError):
    """A folder in which no table tells what is said."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One utterance of a set."""

    path: Path
    text: str | None = field(default=None, repr=False)
    """What is said, in words; "" when nothing is, None when the table does not tell."""
    digits: str | None = field(default=None, repr=False)
    """The digits that are said, or the digits and letters of a code; "" when none are, None when the table has no such
    column."""
    intent: str | None = None
    """The intent that is expressed; None when the table does not tell."""
    grammar: str | None = None
    """The question that it answers; None for the run's own."""
    voice: str = ""
    line: str = ""
    """What it was sent over, such as a codec; "" when not known."""
    snr: str = ""
    """The ratio of speech to noise as the table writes it."""
    kind: str = ""
    """human or synthetic."""


def read_set(path: Path) -> list[Recording]:
    """The recordings of a folder or a table.

    The table is TSV or CSV (with commas or semicolons), its first line names the columns: `path` (from the table's
    folder, or from `clips` beside it) and `text` or `digits`, or both; if it has them, `intent`, `grammar`, `voice`,
    `line`, `snr` and `kind`. A data set of Common Voice has the right columns as it is.

    Raises:
        SetError: there is no table, it lacks a column or a row, it names digits that are none or a missing file.
    """
    table = _table(path)
    try:
        content = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SetError(f"{table} cannot be read as text in UTF-8: {error}.") from None
    header = content.partition("\n")[0]
    delimiter = "\t" if "\t" in header else ";" if ";" in header else ","
    rows = csv.DictReader(
        io.StringIO(content, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL,
    )
    columns = rows.fieldnames or ()
    if "path" not in columns:
        raise SetError(f'{table} lacks the column "path": name in it the sound of each row.')
    if not {"text", "sentence", "digits"} & set(columns):
        raise SetError(f'{table} lacks the columns "text" and "digits": say in one of them what is said in each file.')
    recordings = [_recording(row, table, rows.line_num) for row in rows]
    if not recordings:
        raise SetError(f"{table} is empty: it names no recording.")
    return recordings


def _table(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise SetError(f"{path} does not exist: give a folder of recordings or a table of them.")
    for name in INDEXES:
        if (path / name).is_file():
            return path / name
    raise NoTable(f"{path} has no index.tsv: write one with the columns path, text and digits.")


def _recording(row: Mapping[str | None, str | None], table: Path, line: int) -> Recording:
    def cell(column: str) -> str | None:
        for name in _NAMES.get(column, (column,)):
            if row.get(name) is not None:
                return (row[name] or "").strip()
        return None

    name = cell("path")
    if not name:
        raise SetError(f"{table}, line {line}: the path is missing.")
    places = (table.parent / name, table.parent / CLIPS / name)
    sound = next((place for place in places if place.is_file()), None)
    if sound is None:
        raise SetError(f"{table}, line {line}: there is no file {places[0]}.")
    digits, grammar = cell("digits"), cell("grammar")
    if digits is not None:
        digits = digits.translate(_DIGIT_SEPARATORS)
        fits = str.isalnum if grammar == "code" else str.isdecimal
        if digits and not (digits.isascii() and fits(digits)):
            raise SetError(f'{table}, line {line}: the column "digits" holds something else than digits.')
    return Recording(
        sound,
        cell("text"),
        digits,
        cell("intent"),
        grammar or None,
        cell("voice") or "",
        cell("line") or "",
        cell("snr") or "",
        cell("kind") or "",
    )


def read_sound(path: Path) -> Sound:
    """A WAV file, or one of another form that libsndfile reads (FLAC, Ogg, Opus, MP3), its channels mixed to one.

    Raises:
        UnreadableWav: a WAV that is damaged or empty.
        SetError: another file that is no sound, or an empty one.
    """
    if path.suffix.lower() == ".wav":
        return read_wav(path)
    try:
        floats, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError):
        raise SetError(f"{path} cannot be read as sound: convert it to WAV.") from None
    if not len(floats):
        raise SetError(f"{path} holds no sound: record it again.")
    return Sound.from_float(np.nan_to_num(floats.mean(axis=1)), rate_hz)
