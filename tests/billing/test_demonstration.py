import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.conftest import TODAY, change, query
from voicebot.billing import demonstration as demonstration_module
from voicebot.billing.demonstration import (
    FRESH_DAYS,
    NotADemonstration,
    create_demonstration,
    demonstration_is_stale,
    invent,
    months_before,
    refresh_demonstration,
)
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import Account, StoreUnavailable


async def account(store: Path, number: str) -> Account:
    found = await SqlStore(store).find(DEFAULT_SCHEMES.parse(number))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("customer_number", "itn", "kind", "sums"),
    [
        ("300000000001", "1000001", "household", ["27.80 EUR", "17.50 EUR"]),
        ("300000000002", "1000002", "household", []),
        ("300000000003", "1000003", "business", ["1256.01 EUR"]),
        ("300000000004", "1000004", "household", ["0.01 EUR"]),
    ],
)
async def test_fixed_customer_owes_what_is_expected(
    demonstration: Path, customer_number: str, itn: str, kind: str, sums: list[str]
) -> None:
    for number in (customer_number, itn):
        found = await account(demonstration, number)
        assert found.kind == kind
        assert [str(invoice.outstanding) for invoice in found.unpaid] == sums
        history = await SqlStore(demonstration).history(found.identifier, f"DEMO{number[-2:]}")
        assert history is not None and history.payments


async def test_fixed_sums_in_all(demonstration: Path) -> None:
    assert (await account(demonstration, "1000001")).owed.amount == Decimal("45.30")
    assert (await account(demonstration, "1000002")).owed.amount == Decimal("0.00")


async def test_fixed_due_dates_stay_in_the_future_while_the_demonstration_is_fresh(demonstration: Path) -> None:
    for number in ("1000001", "1000004"):
        for invoice in (await account(demonstration, number)).unpaid:
            assert invoice.due > TODAY + timedelta(FRESH_DAYS)


async def test_fixed_business_is_past_its_cut_off_date(demonstration: Path) -> None:
    cut_off = (await account(demonstration, "1000003")).cut_off
    assert cut_off is not None and cut_off < TODAY


KINDS_OF_CUSTOMERS = {
    "households": "SELECT number FROM customer WHERE kind = 'household'",
    "businesses": "SELECT number FROM customer WHERE kind = 'business'",
    "nothing unpaid": "SELECT number FROM customer WHERE number NOT IN ({unpaid})",
    "one unpaid": "{unpaid} GROUP BY customer_number HAVING COUNT(*) = 1",
    "many unpaid": "{unpaid} GROUP BY customer_number HAVING COUNT(*) > 3",
    "due in the future": "{unpaid} AND due > '{today}'",
    "overdue before cut-off": "{unpaid} AND due < '{today}' AND cut_off > '{today}'",
    "past cut-off": "{unpaid} AND cut_off < '{today}'",
    "over 10,000 euro": "{unpaid} AND currency = 'EUR' AND outstanding_cents > 1000000",
    "owing levs": "{unpaid} AND currency = 'BGN'",
    "partly paid": "{unpaid} AND outstanding_cents < total_cents",
    "payments taken back": "SELECT customer_number FROM payment WHERE reverses IS NOT NULL",
    "two tariffs": "SELECT customer_number FROM invoice WHERE night_kwh > 0",
    "paying since 2004": "SELECT customer_number FROM payment WHERE received < '2004-03-01'",
    "several metering points": "SELECT customer_number FROM identifier WHERE scheme = 'itn'"
    " GROUP BY customer_number HAVING COUNT(*) > 1",
}


@pytest.mark.parametrize("kind", KINDS_OF_CUSTOMERS)
def test_there_are_customers_of_every_kind(demonstration: Path, kind: str) -> None:
    unpaid = "SELECT customer_number FROM invoice WHERE outstanding_cents > 0"
    assert query(demonstration, KINDS_OF_CUSTOMERS[kind].format(unpaid=unpaid, today=TODAY.isoformat()))


def test_there_are_at_least_two_hundred_customers(demonstration: Path) -> None:
    assert query(demonstration, "SELECT COUNT(*) >= 200 FROM customer") == [(1,)]


def test_every_number_follows_its_scheme_and_neighbours_of_the_fixed_ones_are_free(demonstration: Path) -> None:
    numbers = query(demonstration, "SELECT scheme, value FROM identifier")
    for scheme, value in numbers:
        assert DEFAULT_SCHEMES.parse(str(value)).scheme == scheme
    values = {str(value) for _, value in numbers}
    assert not {str(n) for n in (*range(1_000_005, 1_001_000), *range(300_000_000_005, 300_000_001_000))} & values


def test_invoices_before_2026_are_in_levs_and_later_ones_in_euro(demonstration: Path) -> None:
    before = query(demonstration, "SELECT DISTINCT currency FROM invoice WHERE issued < '2026-01-01'")
    since = query(demonstration, "SELECT DISTINCT currency FROM invoice WHERE issued >= '2026-01-01'")
    assert (before, since) == ([("BGN",)], [("EUR",)])


def test_sums_are_kept_as_integers(demonstration: Path) -> None:
    assert query(demonstration, "SELECT DISTINCT typeof(total_cents), typeof(outstanding_cents) FROM invoice") == [
        ("integer", "integer")
    ]
    assert query(demonstration, "SELECT DISTINCT typeof(paid_cents) FROM payment") == [("integer",)]


@settings(max_examples=5, deadline=None)
@given(st.dates(date(2025, 1, 1), date(2035, 12, 31)), st.integers(0, 2**32))
def test_demonstration_of_any_day_is_of_that_day(today: date, seed: int) -> None:
    ledger = invent(today, seed)
    assert ledger.books["as_of"] < datetime(today.year, today.month, today.day, tzinfo=UTC)
    assert all(invoice["issued"] < today for invoice in ledger.invoices)
    assert all(payment["received"] < today for payment in ledger.payments)
    assert all(0 <= invoice["outstanding_cents"] <= invoice["total_cents"] for invoice in ledger.invoices)
    fixed = [
        i["outstanding_cents"]
        for i in ledger.invoices
        if i["customer_number"] <= "300000000004" and i["outstanding_cents"]
    ]
    assert fixed == [2780, 1750, 125601, 1]


def test_same_day_and_seed_give_the_same_bills() -> None:
    assert invent(TODAY) == invent(TODAY)
    assert invent(TODAY) != invent(TODAY, seed=1)


def test_folders_are_made_and_nothing_else_is_left_in_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "bills.sqlite"
    assert create_demonstration(f"sqlite+aiosqlite:///{path}", TODAY).accounts >= 200
    assert os.listdir(path.parent) == ["bills.sqlite"]


def test_older_demonstration_is_replaced(demonstration: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(demonstration, tmp_path))
    create_demonstration(path, TODAY + timedelta(100))
    assert query(path, "SELECT reference_date FROM books") == [((TODAY + timedelta(100)).isoformat(),)]


def real_bills(path: Path, demonstration: Path) -> None:
    shutil.copy(demonstration, path)
    change(path, "UPDATE books SET origin = 'import', reference_date = NULL")


def foreign_database(path: Path, demonstration: Path) -> None:
    change(path, "CREATE TABLE books (title TEXT)")


@pytest.mark.parametrize("make", [real_bills, foreign_database])
def test_anything_but_a_demonstration_is_left_alone(
    demonstration: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "bills.sqlite"
    make(path, demonstration)
    before = path.read_bytes()
    with pytest.raises(NotADemonstration, match="never written over it"):
        create_demonstration(path, TODAY)
    assert path.read_bytes() == before


def test_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bills.csv"
    path.write_text("number,amount\n" * 100)
    with pytest.raises(StoreUnavailable, match="is not an SQLite database"):
        create_demonstration(path, TODAY)
    assert path.read_text() == "number,amount\n" * 100


def test_failure_leaves_the_old_demonstration_and_no_litter(
    demonstration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(demonstration, tmp_path / "bills.sqlite"))
    before = path.read_bytes()

    def disk_is_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demonstration_module, "_write", disk_is_full)
    with pytest.raises(StoreUnavailable):
        create_demonstration(path, TODAY + timedelta(1))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["bills.sqlite"]


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"cannot be written to .*: name another place with --store"):
        create_demonstration(tmp_path / "file" / "bills.sqlite", TODAY)


@pytest.mark.parametrize(("days", "stale"), [(-1, True), (0, False), (FRESH_DAYS, False), (FRESH_DAYS + 1, True)])
def test_demonstration_grows_stale(demonstration: Path, days: int, stale: bool) -> None:
    assert demonstration_is_stale(demonstration, TODAY + timedelta(days)) is stale


def test_demonstration_of_another_version_is_stale(demonstration: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(demonstration, tmp_path))
    change(path, "UPDATE alembic_version SET version_num = '0'")
    assert demonstration_is_stale(path, TODAY)


def test_refreshing_makes_what_is_missing_or_stale_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "bills.sqlite"
    later = TODAY + timedelta(FRESH_DAYS + 1)
    assert [refresh_demonstration(path, day) for day in (TODAY, TODAY, later, later)] == [True, False, True, False]


def test_real_bills_are_never_refreshed(demonstration: Path, tmp_path: Path) -> None:
    path = tmp_path / "bills.sqlite"
    real_bills(path, demonstration)
    assert not demonstration_is_stale(path, TODAY + timedelta(365))
    assert not refresh_demonstration(path, TODAY + timedelta(365))


def test_staleness_of_a_missing_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        demonstration_is_stale(tmp_path / "none.sqlite", TODAY)


@pytest.mark.parametrize(
    ("day", "months", "earlier"),
    [
        (date(2026, 1, 31), 1, date(2025, 12, 31)),
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2028, 3, 30), 1, date(2028, 2, 29)),
        (date(2026, 11, 23), 12, date(2025, 11, 23)),
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
    ],
)
def test_months_before_keeps_the_day_where_the_month_has_it(day: date, months: int, earlier: date) -> None:
    assert months_before(day, months) == earlier
