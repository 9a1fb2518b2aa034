import asyncio
import logging
import os
import shutil
import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from postgres import Cluster
from sqlalchemy import text

from tests.billing.conftest import change, query
from voicebot.billing import connection
from voicebot.billing.identifier import Identifier
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import BillingStore, Money, StoreUnavailable

FIRST = Identifier("1000001", "itn")


@pytest.fixture
def copied(demonstration: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(demonstration, tmp_path / "bills.sqlite"))


def overwrite_behind(path: Path, offset: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:offset] + b"\xff" * (len(content) - offset))


async def refusal(store: BillingStore) -> str:
    """The sentence with which all calls are refused."""
    with pytest.raises(StoreUnavailable) as found:
        await store.find(FIRST)
    with pytest.raises(StoreUnavailable) as told:
        await store.history(FIRST, "DEMO01")
    with pytest.raises(StoreUnavailable) as checked:
        await store.check()
    await store.close()
    assert str(found.value) == str(checked.value) == str(told.value)
    assert FIRST.reveal() not in str(found.value)
    return str(found.value)


async def test_account_is_found_by_each_of_its_numbers(books: str) -> None:
    store: BillingStore = SqlStore(books)
    await store.check()
    by_itn = await store.find(FIRST)
    by_customer_number = await store.find(Identifier("300000000001", "customer_number"))
    await store.close()
    assert by_itn is not None and by_customer_number is not None
    assert by_itn.unpaid == by_customer_number.unpaid
    assert by_itn.identifier is FIRST


async def test_account_is_read_in_full(books: str) -> None:
    account = await SqlStore(books).find(FIRST)
    assert account is not None
    assert account.kind == "household"
    assert [str(invoice.outstanding) for invoice in account.unpaid] == ["27.80 EUR", "17.50 EUR"]
    assert account.owed == Money(Decimal("45.30"), "EUR")
    invoice = account.unpaid[0]
    assert (invoice.due, invoice.cut_off) == (date(2026, 12, 3), date(2026, 12, 13))
    assert invoice.total == invoice.outstanding
    assert invoice.energy_kwh == 192
    assert invoice.status == "unpaid"
    assert sum(line.amount.amount for line in invoice.lines) == invoice.total.amount
    assert account.as_of == datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert account.as_of.utcoffset() == timedelta(0)


async def test_number_that_nobody_has_finds_nothing(books: str) -> None:
    store = SqlStore(books)
    assert await store.find(Identifier("9999999", "itn")) is None
    assert await store.find(Identifier("1000001", "customer_number")) is None


async def test_url_names_a_store_as_well_as_a_path(demonstration: Path) -> None:
    for name in (str(demonstration), f"sqlite:///{demonstration}", f"sqlite+aiosqlite:///{demonstration}"):
        assert await SqlStore(name).find(FIRST)


async def test_path_may_hold_any_signs(demonstration: Path, tmp_path: Path) -> None:
    path = tmp_path / "сметки за ток #1?mode=rw%20&.sqlite"
    shutil.copy(demonstration, path)
    assert await SqlStore(path).find(FIRST)


async def test_replaced_store_is_read_anew(copied: Path, demonstration: Path) -> None:
    store = SqlStore(copied)
    assert await store.find(FIRST)
    other = Path(shutil.copy(demonstration, copied.with_name("other")))
    change(other, "DELETE FROM identifier")
    os.replace(other, copied)
    assert await store.find(FIRST) is None


async def test_missing_store_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "bills.sqlite"
    assert await refusal(SqlStore(path)) == (
        f"The billing store {path} does not exist: make one with 'voicebot demo' or set store.url."
    )
    assert not path.exists()


def test_refusal_at_the_end_of_an_event_loop_leaves_no_thread_in_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[object] = []
    monkeypatch.setattr(threading, "excepthook", troubles.append)
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            asyncio.run(SqlStore(tmp_path / "bills.sqlite").check())
    assert troubles == []


async def test_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in await refusal(SqlStore(tmp_path))


async def test_locked_store_is_refused(copied: Path) -> None:
    writer = sqlite3.connect(copied, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    try:
        assert "is locked by another program" in await refusal(SqlStore(copied, busy_timeout_s=0))
    finally:
        writer.close()
    assert await SqlStore(copied).find(FIRST)


@pytest.mark.parametrize("content", [b"number,amount\n" * 100, b"\0" * 4096])
async def test_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bills.csv"
    path.write_bytes(content)
    assert "is not an SQLite database" in await refusal(SqlStore(path))


async def test_damaged_store_is_refused(copied: Path) -> None:
    overwrite_behind(copied, 4096)
    assert "is damaged" in await refusal(SqlStore(copied))


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE books",
        "ALTER TABLE invoice RENAME TO bill",
        "ALTER TABLE payment RENAME COLUMN reverses TO back",
        "UPDATE alembic_version SET version_num = '0'",
        "DROP TABLE alembic_version",
        "DELETE FROM books",
    ],
)
async def test_store_with_other_tables_is_refused(books: str, statement: str) -> None:
    change(books, statement)
    assert "has not the tables that this version reads" in await refusal(SqlStore(books))


async def test_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bills.sqlite"
    path.touch()
    assert "has not the tables" in await refusal(SqlStore(path))


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite+aiosqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("carrier-pigeon://loft", "cannot be understood"),
        ("://", "cannot be understood"),
        ("postgresql://bills:secret@localhost:port/x", "cannot be understood"),
    ],
)
def test_url_that_cannot_be_used_is_refused_at_once(url: str, sentence: str) -> None:
    with pytest.raises(StoreUnavailable, match=sentence) as refused:
        SqlStore(url)
    assert "secret" not in str(refused.value)


async def test_number_stays_out_of_errors_and_logs(books: str, caplog: pytest.LogCaptureFixture) -> None:
    change(books, "DROP TABLE identifier")
    with caplog.at_level(logging.DEBUG), pytest.raises(StoreUnavailable) as refused:
        await SqlStore(books).find(FIRST)
    assert FIRST.reveal() not in f"{refused.value!r} {refused.value.__cause__} {caplog.text}"


async def test_partly_paid_invoice_tells_total_and_rest(books: str) -> None:
    change(books, "UPDATE invoice SET outstanding_cents = 80 WHERE outstanding_cents = 2780")
    account = await SqlStore(books).find(FIRST)
    assert account is not None
    assert (str(account.unpaid[0].total), str(account.unpaid[0].outstanding)) == ("27.80 EUR", "0.80 EUR")
    assert account.owed == Money(Decimal("18.30"), "EUR")


async def test_sums_are_exact_to_the_cent(books: str) -> None:
    huge = 9_007_199_254_740_993  # the first integer that a float cannot hold
    change(
        books,
        f"UPDATE invoice SET total_cents = {huge}, outstanding_cents = {huge}, day_cents = {huge}, other_cents = 0,"
        " vat_cents = 0 WHERE outstanding_cents = 2780",
    )
    account = await SqlStore(books).find(FIRST)
    assert account is not None
    assert account.unpaid[0].outstanding.amount == Decimal("90071992547409.93")


@pytest.mark.postgres
async def test_connection_that_was_cut_is_replaced(cluster: Cluster) -> None:
    url = cluster.create("cut", "demonstration")
    store = SqlStore(url)
    assert await store.find(FIRST)
    with connection.writing_engine(connection.store_url(url)).connect() as other:
        readers = "FROM pg_stat_activity WHERE datname = 'cut' AND pid <> pg_backend_pid()"
        assert other.scalar(text(f"SELECT pg_terminate_backend(pid) {readers}")) is True
    assert await store.find(FIRST) and await store.history(FIRST, "DEMO01")
    await store.close()


async def test_the_known_ones_among_some_numbers_are_told(books: str) -> None:
    store: BillingStore = SqlStore(books)
    strange = Identifier("1999999", "itn"), Identifier("1000001", "customer_number")
    customer = Identifier("300000000001", "customer_number")
    assert await store.known([FIRST, customer, *strange]) == {FIRST, customer}
    assert await store.known([]) == frozenset()
    await store.close()


async def test_history_takes_the_code_of_the_invoices(books: str) -> None:
    store: BillingStore = SqlStore(books)
    found = await store.history(FIRST, "DEMO01")
    assert found is not None and found.account == await store.find(FIRST)
    issued = [invoice.issued for invoice in found.invoices]
    received = [payment.received for payment in found.payments]
    assert issued == sorted(issued, reverse=True) and received == sorted(received, reverse=True)
    assert received[-1].year == 2004
    for number, code in (("1000001", "DEMO02"), ("1000001", ""), ("1999999", "DEMO01")):
        assert await store.history(Identifier(number, "itn"), code) is None
    await store.close()


async def test_metering_point_is_told_without_its_neighbours(books: str) -> None:
    store = SqlStore(books)
    two = "SELECT customer_number FROM metering_point GROUP BY customer_number HAVING COUNT(*) = 2"
    [number, code], *_ = query(books, f"SELECT number, code FROM customer WHERE number IN ({two}) ORDER BY number")
    points = query(books, f"SELECT itn FROM metering_point WHERE customer_number = '{number}'")
    whole = await store.history(Identifier(str(number), "customer_number"), str(code))
    parts = [await store.history(Identifier(str(itn), "itn"), str(code)) for (itn,) in points]
    assert whole is not None
    for kind in ("invoices", "payments"):
        of_points = [row for part in parts for row in getattr(part, kind)]
        assert all(getattr(part, kind) for part in parts)
        assert sorted(row.number for row in of_points) == sorted(row.number for row in getattr(whole, kind))
    await store.close()


async def test_credit_is_what_settles_no_invoice(books: str) -> None:
    change(
        books,
        "INSERT INTO payment (number, customer_number, received, currency, paid_cents, channel) VALUES"
        " ('a', '300000000001', '2026-11-01', 'EUR', 500, 'bank'),"
        " ('b', '300000000001', '2004-02-29', 'BGN', 196, 'bank')",
        "INSERT INTO payment (number, customer_number, received, currency, paid_cents, channel, reverses) VALUES"
        " ('c', '300000000001', '2026-11-02', 'EUR', 500, 'bank', 'a')",
    )
    store = SqlStore(books)
    account = await store.find(FIRST)
    assert account is not None and str(account.credit) == "1.00 EUR" and str(account.owed) == "45.30 EUR"
    await store.close()
