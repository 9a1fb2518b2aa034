"""Demonstration bills: invented customers, the same for the same day and seed; real bills are left to importers."""

from __future__ import annotations

import contextlib
import os
import tempfile
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any, Literal

from sqlalchemy import URL, Connection, insert, inspect, text
from sqlalchemy.exc import DBAPIError

from voicebot.billing import connection, migrations
from voicebot.billing.audit import Audit, audit
from voicebot.billing.schema import (
    CUSTOMER_NUMBER,
    ITN,
    Base,
    Books,
    CustomerRow,
    IdentifierRow,
    InvoiceRow,
    MeteringPointRow,
    PaymentRow,
)
from voicebot.billing.store import StoreUnavailable
from voicebot.errors import VoicebotError

FRESH_DAYS = 7
"""For how many days the demonstration stays true: what is due "in the future" is due later than that."""

SEED = 2008
"""Where the invented customers come from."""

EURO_SINCE = date(2026, 1, 1)
"""Invoices issued before that day are in BGN."""

TERM_DAYS = 14
"""From the issue of an invoice to its due date."""

GRACE_DAYS = 10
"""From the due date to the day after which supply may be cut off."""

Kind = Literal["household", "business"]

_PRICES: Mapping[tuple[Kind, str], Decimal] = {
    ("household", "EUR"): Decimal("0.1450"),
    ("household", "BGN"): Decimal("0.2836"),
    ("business", "EUR"): Decimal("0.1780"),
    ("business", "BGN"): Decimal("0.3481"),
}
"""Invented prices of a kilowatt hour with everything in it."""

_USUAL_KWH: Mapping[Kind, tuple[int, int]] = {"household": (90, 650), "business": (700, 9000)}
_CODE_SYMBOLS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Those that nobody takes for another."""
_CHANNELS = ("office", "bank", "bank", "card", "easypay", "easypay")


class NotADemonstration(VoicebotError):
    """Demonstration bills were about to be written over something else."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What a group of customers has in common."""

    customers: int
    age_days: tuple[int, int]
    """How long ago the newest invoice was issued."""
    unpaid: tuple[int, int] = (0, 0)
    """How many of the newest invoices are unpaid."""
    partly: bool = False
    """Whether a part of the oldest of these was paid."""
    kind: Kind | None = None
    """None for both kinds, one business to four households."""
    kwh: tuple[int, int] | None = None
    """Monthly energy, when it is not the usual of the kind."""
    since: date | None = None
    """Whether invoices go back that far and not for the usual time."""
    unpaid_levs: int = 0
    """How many of the last invoices of 2025 are unpaid as well."""


_CASES = (
    _Case(90, age_days=(4, 28)),
    _Case(10, age_days=(4, 28), since=date(2004, 1, 1)),
    _Case(42, age_days=(1, 6), unpaid=(1, 1)),
    _Case(24, age_days=(16, 22), unpaid=(1, 1)),
    _Case(24, age_days=(26, 29), unpaid=(1, 3)),
    _Case(20, age_days=(1, 6), unpaid=(2, 6)),
    _Case(14, age_days=(3, 20), unpaid=(1, 2), partly=True),
    _Case(8, age_days=(4, 20), unpaid=(0, 1), since=date(2025, 6, 1), unpaid_levs=2),
    _Case(2, age_days=(1, 6), unpaid=(1, 1), kind="business", kwh=(62_000, 90_000)),
    _Case(2, age_days=(26, 29), unpaid=(3, 3), kind="business", kwh=(62_000, 90_000)),
)

_USUAL_MONTHS = 14
_RESERVED = 1000
"""Numbers up to this one behind a prefix are the fixed customers' or nobody's."""


def create_demonstration(store: str | Path, today: date, seed: int = SEED) -> Audit:
    """Make demonstration bills that are true on `today`, in place of older ones, and add them up.

    An SQLite file is written under a temporary name in the same folder and then put in place.

    Args:
        store: SQLAlchemy URL, or the path of an SQLite file; missing folders are made.
        today: the day that "due in the future" and "overdue" refer to.
        seed: other seeds give other customers, save for the fixed ones.

    Raises:
        NotADemonstration: there is something at `store` that is no demonstration.
        StoreUnavailable: the store cannot be read or written.
    """
    url = connection.store_url(store)
    path = connection.sqlite_path(url)
    ledger = invent(today, seed)
    if path is None:
        with connection.explained(url), connection.writing_engine(url).begin() as target:
            _refuse_what_is_no_demonstration(target, url)
            Base.metadata.drop_all(target)
            target.execute(text("DROP TABLE IF EXISTS alembic_version"))
            _write(ledger, target)
        return audit(store)
    if path.exists():
        with connection.explained(url), connection.reading_engine(url).connect() as existing:
            _refuse_what_is_no_demonstration(existing, url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            new = Path(folder) / path.name
            with connection.explained(url), connection.writing_engine(connection.store_url(new)).begin() as target:
                _write(ledger, target)
            os.replace(new, path)
    except OSError as error:
        raise StoreUnavailable(
            f"Demonstration bills cannot be written to {path} ({error.strerror}): name another place with --store."
        ) from error
    return audit(store)


def demonstration_is_stale(store: str | Path, today: date) -> bool:
    """Whether `store` holds demonstration bills that are no longer true on `today`; never so for real bills.

    Raises `StoreUnavailable`, also when there is no store.
    """
    url = connection.store_url(store)
    with connection.explained(url), connection.reading_engine(url).connect() as existing:
        row = existing.execute(text("SELECT origin, reference_date FROM books")).one_or_none()
        version = migrations.version(existing)
    if row is None or row.origin != "demonstration":
        return False
    if version != migrations.HEAD or row.reference_date is None:
        return True
    return not 0 <= (today - date.fromisoformat(str(row.reference_date))).days <= FRESH_DAYS


def refresh_demonstration(store: str | Path, today: date) -> bool:
    """Make demonstration bills where there is no store or a stale demonstration; say whether they were made.

    Raises `StoreUnavailable` or `NotADemonstration`.
    """
    path = connection.sqlite_path(connection.store_url(store))
    missing = path is not None and not path.exists()
    if not missing and not demonstration_is_stale(store, today):
        return False
    create_demonstration(store, today)
    return True


@dataclass(slots=True)
class Ledger:
    """Rows to be written, by table; columns are those of `schema`."""

    books: dict[str, Any]
    customers: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    identifiers: list[dict[str, Any]] = field(default_factory=list)
    invoices: list[dict[str, Any]] = field(default_factory=list)
    payments: list[dict[str, Any]] = field(default_factory=list)

    def open_account(self, kind: Kind, code: str, customer_number: str, *itns: str) -> list[dict[str, Any]]:
        """Add a customer with metering points; returns these."""
        self.customers.append({"number": customer_number, "kind": kind, "code": code})
        points = [{"itn": itn, "customer_number": customer_number} for itn in itns]
        self.points += points
        numbers = [(CUSTOMER_NUMBER, customer_number, None), *((ITN, itn, itn) for itn in itns)]
        self.identifiers += [
            {"scheme": scheme, "value": value, "customer_number": customer_number, "itn": itn}
            for scheme, value, itn in numbers
        ]
        return points

    def issue(
        self,
        point: dict[str, Any],
        issued: date,
        energy_kwh: int,
        cents: int,
        currency: str,
        term_days: int = TERM_DAYS,
        night_percent: int = 0,
    ) -> dict[str, Any]:
        """Add an invoice for the month up to three days before its issue, all of it outstanding."""
        due = issued + timedelta(term_days)
        night_kwh = energy_kwh * night_percent // 100
        vat_cents, other_cents, energy_cents = cents // 6, cents // 5, cents - cents // 6 - cents // 5
        night_cents = energy_cents * night_percent // 140
        invoice = {
            "number": str(4_000_000_001 + len(self.invoices)),
            **point,
            "period_start": months_before(issued, 1) - timedelta(2),
            "period_end": issued - timedelta(3),
            "day_kwh": energy_kwh - night_kwh,
            "night_kwh": night_kwh,
            "currency": currency,
            "day_cents": energy_cents - night_cents,
            "night_cents": night_cents,
            "other_cents": other_cents,
            "vat_cents": vat_cents,
            "interest_cents": 0,
            "total_cents": cents,
            "outstanding_cents": cents,
            "issued": issued,
            "due": due,
            "cut_off": due + timedelta(GRACE_DAYS),
            "cancelled": None,
        }
        self.invoices.append(invoice)
        return invoice

    def pay(
        self, invoice: dict[str, Any], cents: int, received: date, channel: str, reverses: str | None = None
    ) -> str:
        """Add a payment of a part of an invoice or of all of it, or take one back; returns its number."""
        invoice["outstanding_cents"] -= -cents if reverses else cents
        number = str(7_000_000_001 + len(self.payments))
        self.payments.append(
            {
                "number": number,
                "customer_number": invoice["customer_number"],
                "received": received,
                "currency": invoice["currency"],
                "paid_cents": cents,
                "channel": channel,
                "invoice_number": invoice["number"],
                "reverses": reverses,
            }
        )
        return number


def invent(today: date, seed: int = SEED) -> Ledger:
    """The demonstration's books as they are brought over on the eve of `today`."""
    rng = Random(seed)
    yesterday = today - timedelta(1)
    ledger = Ledger(
        {
            "id": 1,
            "as_of": datetime.combine(yesterday, time(18), UTC),
            "origin": "demonstration",
            "reference_date": today,
        }
    )
    _open_fixed_accounts(ledger, today, rng)
    cases = [case for case in _CASES for _ in range(case.customers)]
    rng.shuffle(cases)
    customer_numbers = iter(rng.sample(range(300_000_000_000 + _RESERVED, 301_000_000_000), len(cases)))
    itns = iter(rng.sample(range(1_000_000 + _RESERVED, 10_000_000), 3 * len(cases)))
    for case in cases:
        kind: Kind = case.kind or ("business" if rng.random() < 0.2 else "household")
        metering_points = rng.choice((1, 1, 2, 3)) if kind == "business" else 1
        point, *others = ledger.open_account(
            kind,
            "".join(rng.choices(_CODE_SYMBOLS, k=6)),
            str(next(customer_numbers)),
            *(str(next(itns)) for _ in range(metering_points)),
        )
        newest = today - timedelta(rng.randint(*case.age_days))
        for other in others:
            for invoice in _bill_monthly(ledger, other, kind, newest, case.since, case.kwh, rng):
                _settle(ledger, invoice, yesterday, rng)
        invoices = _bill_monthly(ledger, point, kind, newest, case.since, case.kwh, rng)
        unpaid = _unpaid(invoices, rng.randint(*case.unpaid), case.unpaid_levs)
        for invoice in invoices:
            if invoice not in unpaid:
                _settle(ledger, invoice, yesterday, rng)
        if case.partly:
            part = unpaid[0]["total_cents"] * rng.randint(20, 80) // 100
            ledger.pay(unpaid[0], part, min(unpaid[0]["due"], yesterday), rng.choice(_CHANNELS))
    return ledger


def _open_fixed_accounts(ledger: Ledger, today: date, rng: Random) -> None:
    """The customers that tests and demonstrations count on."""

    def open_account(n: int, kind: Kind, unpaid_since: date, since: date | None = None) -> dict[str, Any]:
        [point] = ledger.open_account(kind, f"DEMO{n:02}", str(300_000_000_000 + n), str(1_000_000 + n))
        for invoice in _bill_monthly(ledger, point, kind, months_before(unpaid_since, 1), since, None, rng):
            _settle(ledger, invoice, today - timedelta(1), rng)
        return point

    first = today - timedelta(10)
    two_unpaid = open_account(1, "household", unpaid_since=first, since=date(2004, 1, 1))
    invoice = ledger.issue(two_unpaid, first, 192, 2780, "EUR", term_days=20)
    second = ledger.issue(two_unpaid, today - timedelta(4), 121, 1750, "EUR", term_days=20)
    second["period_start"] = invoice["period_end"] + timedelta(1)

    open_account(2, "household", unpaid_since=today)

    overdue = today - timedelta(40)
    ledger.issue(open_account(3, "business", unpaid_since=overdue), overdue, 7056, 125601, "EUR")

    recent = today - timedelta(4)
    ledger.issue(open_account(4, "household", unpaid_since=recent), recent, 0, 1, "EUR")


def _bill_monthly(
    ledger: Ledger,
    point: dict[str, Any],
    kind: Kind,
    newest: date,
    since: date | None,
    kwh: tuple[int, int] | None,
    rng: Random,
) -> list[dict[str, Any]]:
    """Issue an invoice for every month up to `newest`, oldest first."""
    months = _USUAL_MONTHS
    if since is not None:
        months = max(months, 12 * (newest.year - since.year) + newest.month - since.month + 1)
    usual = rng.randint(*(kwh or _USUAL_KWH[kind]))
    night_percent = rng.choice((0, 0, 30, 40))
    invoices = []
    for month in reversed(range(months)):
        issued = months_before(newest, month)
        currency = "EUR" if issued >= EURO_SINCE else "BGN"
        winter = abs(issued.month - 7) / 6
        energy_kwh = usual if kwh else round(usual * (0.7 + 0.6 * winter) * rng.uniform(0.85, 1.15))
        cents = int((energy_kwh * _PRICES[kind, currency] * 100).quantize(Decimal(1), ROUND_HALF_UP))
        invoices.append(ledger.issue(point, issued, energy_kwh, cents, currency, night_percent=night_percent))
    return invoices


def _unpaid(invoices: list[dict[str, Any]], newest: int, levs: int) -> list[dict[str, Any]]:
    """The unpaid ones of an account's invoices, oldest first."""
    in_levs = [invoice for invoice in invoices if invoice["currency"] == "BGN"]
    chosen = in_levs[len(in_levs) - levs :] + invoices[len(invoices) - newest :]
    return [invoice for invoice in invoices if invoice in chosen]


def _settle(ledger: Ledger, invoice: dict[str, Any], latest: date, rng: Random) -> None:
    """Pay what is outstanding, one time in ten in two parts, between the issue and `latest`."""
    days = min(TERM_DAYS + 4, (latest - invoice["issued"]).days)
    parts = [invoice["outstanding_cents"]]
    if rng.random() < 0.02 and days > 2:
        bounced = ledger.pay(invoice, parts[0], invoice["issued"] + timedelta(1), "card")
        ledger.pay(invoice, parts[0], invoice["issued"] + timedelta(2), "card", reverses=bounced)
    if rng.random() < 0.1 and parts[0] > 1:
        first = parts[0] // 2
        parts = [first, parts[0] - first]
    received = sorted(rng.randint(min(1, days), days) for _ in parts)
    for cents, day in zip(parts, received, strict=True):
        ledger.pay(invoice, cents, invoice["issued"] + timedelta(day), rng.choice(_CHANNELS))


def months_before(day: date, months: int) -> date:
    """The same day of the month, or the month's last day, `months` earlier."""
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _refuse_what_is_no_demonstration(existing: Connection, url: URL) -> None:
    tables = inspect(existing).get_table_names()
    if not tables:
        return
    origin = None
    if Books.__tablename__ in tables:
        with contextlib.suppress(DBAPIError):
            origin = existing.scalar(text("SELECT origin FROM books"))
    if origin != "demonstration":
        raise NotADemonstration(
            f"The store {connection.describe(url)} holds something else than demonstration bills, which are never"
            " written over it: remove it yourself or name another with --store."
        )


def _write(ledger: Ledger, target: Connection) -> None:
    migrations.migrate(target)
    target.execute(insert(Books), [ledger.books])
    target.execute(insert(CustomerRow), ledger.customers)
    target.execute(insert(MeteringPointRow), ledger.points)
    target.execute(insert(IdentifierRow), ledger.identifiers)
    target.execute(insert(InvoiceRow), ledger.invoices)
    target.execute(insert(PaymentRow), ledger.payments)
