"""What a utility exports, line by line: CSV in two encodings, with two separators, in Bulgarian or ISO form.

Pure but for reading the head of a file. Every line stands alone, so that a bad one harms no other.
"""

from __future__ import annotations

import codecs
import csv
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from voicebot.billing.identifier import IdentifierSchemes
from voicebot.billing.schema import (
    CUSTOMER_NUMBER,
    ITN,
    Base,
    CustomerRow,
    IdentifierRow,
    InvoiceRow,
    MeteringPointRow,
    PaymentRow,
)
from voicebot.errors import VoicebotError

HEAD_BYTES = 1 << 20
"""How much of a file is looked at to tell its encoding."""
MOST_CENTS = 10**13
"""A sum above this is a mistake."""
MOST_KWH = 10**9
MOST_LINE_BYTES = 10_000
"""A line above this is no line of ours."""
YEARS = (1990, 2100)
"""Dates before and after these are mistakes."""


class UnreadableExport(VoicebotError):
    """A file that is no export of bills."""


class BadLine(ValueError):
    """A line that cannot be taken; `str()` is the reason, without the number of a customer."""


Rows = list[tuple[type[Base], tuple[Any, ...]]]
"""Rows for the staging tables: the table and its columns in order, but for file and line."""


@dataclass(frozen=True, slots=True)
class Export:
    """How to read one file."""

    kind: str
    """"customers", "metering_points", "invoices" or "payments"."""
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    """The program's names of the columns, in the order of the file."""
    offset: int
    """Bytes of the header line."""
    schemes: IdentifierSchemes

    def rows(self, raw: bytes) -> Rows:
        """The rows that a line makes; raises `BadLine`."""
        if len(raw) > MOST_LINE_BYTES:
            raise BadLine(f"it is longer than {MOST_LINE_BYTES} bytes")
        try:
            line = raw.decode(self.encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise BadLine(f"it is not {self.encoding}") from None
        fields = line.split(self.delimiter) if '"' not in line else _quoted(line, self.delimiter)
        if len(fields) != len(self.columns):
            raise BadLine(f"it has {len(fields)} columns in place of {len(self.columns)}")
        return _MAKERS[self.kind](dict(zip(self.columns, fields, strict=True)), self.schemes)


def open_export(path: Path, schemes: IdentifierSchemes, encoding: str | None = None) -> Export:
    """Look at the head of a file.

    Args:
        path: the file.
        schemes: a column may be named as any of them and holds further numbers of the customer or the point.
        encoding: "utf-8" or "windows-1251", told from the file where None.

    Raises:
        UnreadableExport: it cannot be read or is not of a known kind; the sentence says why.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise UnreadableExport(f"{path} cannot be read ({error.strerror}): give the path of a CSV file.") from None
    bom = codecs.BOM_UTF8 if head.startswith(codecs.BOM_UTF8) else b""
    encoding = encoding or _encoding(head)
    first, newline, _ = head.partition(b"\n")
    try:
        header = first.removeprefix(bom).decode(encoding).strip()
    except UnicodeDecodeError:
        raise UnreadableExport(f"The header of {path} is not {encoding}: name another with --encoding.") from None
    delimiter = ";" if header.count(";") > header.count(",") else ","
    names = [name.strip().strip('"').strip().lower() for name in header.split(delimiter)]
    kind, columns = _kind(path, names, schemes)
    return Export(kind, encoding, delimiter, columns, len(first) + len(newline), schemes)


def _encoding(head: bytes) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError as error:
        # A stray byte in a file of proper UTF-8 spoils one line, not the whole file.
        return "utf-8" if head[: error.start].count(b"\xd0") > 3 else "windows-1251"
    return "utf-8"


def _kind(path: Path, names: list[str], schemes: IdentifierSchemes) -> tuple[str, tuple[str, ...]]:
    """The kind whose required columns are all there, the one with the most of them, and the columns by our names."""
    numbers = {scheme.name for scheme in schemes.schemes}
    found = []
    for kind, (required, optional) in _COLUMNS.items():
        columns = tuple((required | optional).get(name, name) for name in names)
        if set(required.values()) <= set(columns):
            found.append((len(set(required.values())), kind, columns, set(required.values()) | set(optional.values())))
    if not found:
        raise UnreadableExport(
            f"{path} is of no known kind: its header has to name all columns of one, such as"
            f" {', '.join(dict.fromkeys(_COLUMNS['payments'][0].values()))}."
        )
    _, kind, columns, allowed = max(found)
    if kind in ("customers", "metering_points"):
        allowed |= numbers
    strange = [f'"{name}"' for name in columns if name not in allowed]
    if strange or len(set(columns)) < len(columns):
        what = f"the column {strange[0]}, which is unknown" if strange else "a column twice"
        raise UnreadableExport(f"The header of {path} has {what}: leave it out.")
    return kind, columns


def _quoted(line: str, delimiter: str) -> list[str]:
    try:
        [fields] = csv.reader([line], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        raise BadLine("its quotation marks do not fit") from None
    return fields


def _customer(of: dict[str, str], schemes: IdentifierSchemes) -> Rows:
    number = _identifier(of, CUSTOMER_NUMBER, schemes)
    code = of["authorisation_code"].strip().upper()
    if not _CODE.fullmatch(code):
        raise BadLine("authorisation_code is not 6 letters and digits")
    rows: Rows = [(CustomerRow, (number, _word(of, "kind"), code))]
    return rows + [(IdentifierRow, (*each, number, None)) for each in _further(of, schemes)]


def _metering_point(of: dict[str, str], schemes: IdentifierSchemes) -> Rows:
    itn, number = _identifier(of, ITN, schemes), _identifier(of, CUSTOMER_NUMBER, schemes)
    rows: Rows = [(MeteringPointRow, (itn, number))]
    return rows + [(IdentifierRow, (*each, number, itn)) for each in _further(of, schemes)]


def _invoice(of: dict[str, str], schemes: IdentifierSchemes) -> Rows:
    sums = [_cents(of.get(name, "") or "0", name) for name in ("day_amount", "night_amount", "other_amount")]
    sums += [_cents(of["vat"], "vat"), _cents(of.get("interest", "") or "0", "interest")]
    total = _cents(of["total"], "total")
    if sum(sums) != total:
        raise BadLine("its amounts do not make its total")
    start, end, issued, due = (_date(of[name], name) for name in ("period_start", "period_end", "issued", "due"))
    cut_off, cancelled = (_date(of[name], name) if of.get(name) else None for name in ("cut_off", "cancelled"))
    if start > end or issued > due or (cut_off is not None and due > cut_off):
        raise BadLine("its dates are out of order")
    return [
        (
            InvoiceRow,
            (
                _reference(of["invoice_number"], "invoice_number", 20),
                _identifier(of, CUSTOMER_NUMBER, schemes),
                _identifier(of, ITN, schemes),
                start,
                end,
                _kwh(of["day_kwh"], "day_kwh"),
                _kwh(of.get("night_kwh", "") or "0", "night_kwh"),
                _word(of, "currency"),
                *sums,
                total,
                issued,
                due,
                cut_off,
                cancelled,
            ),
        )
    ]


def _payment(of: dict[str, str], schemes: IdentifierSchemes) -> Rows:
    paid = _cents(of["amount"], "amount")
    if paid == 0:
        raise BadLine("nothing was paid")
    invoice, reverses = of.get("invoice_number", ""), of.get("reverses", "")
    return [
        (
            PaymentRow,
            (
                _reference(of["payment_number"], "payment_number", 40),
                _identifier(of, CUSTOMER_NUMBER, schemes),
                _reference(invoice, "invoice_number", 20) if invoice else None,
                _date(of["received"], "received"),
                _word(of, "currency"),
                paid,
                _word(of, "channel"),
                _reference(reverses, "reverses", 40) if reverses else None,
            ),
        )
    ]


_MAKERS: dict[str, Callable[[dict[str, str], IdentifierSchemes], Rows]] = {
    "customers": _customer,
    "metering_points": _metering_point,
    "invoices": _invoice,
    "payments": _payment,
}

_CODE = re.compile(r"[0-9A-Z]{6}")
_REFERENCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z/.-]*")
_AMOUNT = re.compile(r"(\d{1,15}|\d{1,3}(?:[ \u00a0\u202f]\d{3})+)(?:[.,](\d{1,2}))?", re.ASCII)
_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
_BULGARIAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: ?г\.?)?", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _identifier(of: dict[str, str], scheme: str, schemes: IdentifierSchemes) -> str:
    digits = of[scheme].strip()
    for each in schemes.schemes:
        if each.name == scheme and each.matches(digits):
            return digits
    raise BadLine(f"{scheme} does not follow its scheme")


def _further(of: dict[str, str], schemes: IdentifierSchemes) -> Iterable[tuple[str, str]]:
    """Numbers of other schemes that a line gives."""
    names = {scheme.name for scheme in schemes.schemes} - {CUSTOMER_NUMBER, ITN}
    return [(name, _identifier(of, name, schemes)) for name in names if of.get(name)]


def _reference(text: str, name: str, most: int) -> str:
    text = text.strip()
    if len(text) > most or not _REFERENCE.fullmatch(text):
        raise BadLine(f"{name} is not a number of at most {most} letters, digits and signs . / -")
    return text


@lru_cache(maxsize=50_000)
def _cents(text: str, name: str) -> int:
    found = _AMOUNT.fullmatch(text.strip())
    if not found:
        raise BadLine(f"{name} is not a sum such as 1234.56 or 1 234,56")
    whole = found[1] if found[1].isdigit() else "".join(filter(str.isdigit, found[1]))
    cents = 100 * int(whole) + int((found[2] or "").ljust(2, "0"))
    if cents > MOST_CENTS:
        raise BadLine(f"{name} is more than anybody pays")
    return cents


@lru_cache(maxsize=50_000)
def _kwh(text: str, name: str) -> int:
    found = _WHOLE.fullmatch(text.strip())
    if not found or int(found[0]) > MOST_KWH:
        raise BadLine(f"{name} is not a number of kilowatt hours up to {MOST_KWH}")
    return int(found[0])


@lru_cache(maxsize=50_000)
def _date(text: str, name: str) -> date:
    day = _parsed_date(text.strip())
    if day is None:
        raise BadLine(f"{name} is not a date such as 31.12.2025 or 2025-12-31, from {YEARS[0]} to {YEARS[1]}")
    return day


def _parsed_date(text: str) -> date | None:
    bulgarian = _BULGARIAN_DATE.fullmatch(text)
    try:
        if bulgarian:
            day = date(int(bulgarian[3]), int(bulgarian[2]), int(bulgarian[1]))
        elif _ISO_DATE.fullmatch(text):
            day = date.fromisoformat(text)
        else:
            return None
    except ValueError:
        return None
    return day if YEARS[0] <= day.year <= YEARS[1] else None


def _word(of: dict[str, str], name: str) -> str:
    known = _WORDS[name]
    word = known.get(of[name].strip().lower())
    if word is None:
        raise BadLine(f"{name} is none of {', '.join(dict.fromkeys(known.values()))}")
    return word


def _by_alias(table: dict[str, list[str]]) -> dict[str, str]:
    return {alias.lower(): name for name, aliases in table.items() for alias in (name, *aliases)}


_TABLE = tomllib.loads(resources.files("voicebot.billing").joinpath("columns.toml").read_text(encoding="utf-8"))
_COLUMNS = {
    kind: (_by_alias(_TABLE[kind]["required"]), _by_alias(_TABLE[kind].get("optional", {}))) for kind in _MAKERS
}
_WORDS = {name: _by_alias(words) for name, words in _TABLE["words"].items()}
