"""What a utility would export of a store: the same bills in any of the forms that importing takes."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tests.billing.conftest import queries, query

TABLES = {
    "customers": "SELECT number AS customer_number, kind, code AS authorisation_code FROM customer ORDER BY number",
    "metering_points": "SELECT itn, customer_number FROM metering_point ORDER BY itn",
    "invoices": "SELECT number AS invoice_number, customer_number, itn, period_start, period_end, day_kwh, night_kwh,"
    " day_cents, night_cents, other_cents, vat_cents, interest_cents, total_cents, currency, issued, due, cut_off,"
    " cancelled FROM invoice ORDER BY number",
    "payments": "SELECT number AS payment_number, customer_number, invoice_number, received,"
    " paid_cents AS amount_cents, currency, channel, reverses FROM payment ORDER BY number",
}
NAMES = {
    "day_cents": "day_amount",
    "night_cents": "night_amount",
    "other_cents": "other_amount",
    "vat_cents": "vat",
    "interest_cents": "interest",
    "total_cents": "total",
    "amount_cents": "amount",
}
DATES = {"period_start", "period_end", "issued", "due", "cut_off", "cancelled", "received"}


def iso(name: str, value: Any) -> str:
    if value is None:
        return ""
    return f"{value // 100}.{value % 100:02}" if name.endswith("_cents") else str(value)


def bulgarian(name: str, value: Any) -> str:
    if value is not None and name in DATES:
        return date.fromisoformat(str(value)).strftime("%d.%m.%Y")
    if value is not None and name.endswith("_cents"):
        return f"{value // 100:,}".replace(",", " ") + f",{value % 100:02}"
    return {"household": "битов", "business": "стопански", "office": "каса", "BGN": "лв."}.get(value, iso(name, value))


def export(
    store: str | Path,
    folder: Path,
    *,
    form: Callable[[str, Any], str] = iso,
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> list[Path]:
    """Write one file for each kind; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, statement in TABLES.items():
        names = [part.split(" AS ")[-1].strip() for part in statement[7 : statement.index(" FROM ")].split(",")]
        paths.append(folder / f"{kind}.csv")
        with paths[-1].open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(NAMES.get(name, name) for name in names)
            writer.writerows([form(n, v) for n, v in zip(names, row, strict=True)] for row in query(store, statement))
    return paths


def content(store: str | Path) -> dict[str, list[tuple[object, ...]]]:
    """All bills of a store, in an order of their own."""
    tables = ("customer", "metering_point", "identifier", "invoice", "payment")
    rows = queries(store, *(f"SELECT * FROM {table}" for table in tables))
    return {table: sorted(map(_plain, found)) for table, found in zip(tables, rows, strict=True)}


def _plain(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(str(value) for value in row)
