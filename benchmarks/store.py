"""How quickly a large store in PostgreSQL answers, alone and during an import, and how quickly it imports.

Makes a PostgreSQL of its own, fills it, measures, and removes it:
    python benchmarks/store.py                       20,000 metering points, a minute
    python benchmarks/store.py --points 2000000      as large as a utility; some 25 GB in --folder
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from postgres import Cluster
from sqlalchemy import text
from sqlalchemy.schema import AddConstraint, DropConstraint, ForeignKeyConstraint

from voicebot.billing import connection, migrations
from voicebot.billing.audit import audit
from voicebot.billing.demonstration import months_before
from voicebot.billing.identifier import Identifier
from voicebot.billing.schema import InvoiceRow, PaymentRow
from voicebot.billing.sql import SqlStore

MONTHS = 24
NEWEST = date(2026, 11, 1)
OWING = 5
"""One customer in so many has not paid the newest invoice."""
SETTINGS = {
    "fsync": "on",
    "shared_buffers": "4GB",
    "maintenance_work_mem": "1GB",
    "work_mem": "64MB",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
}

CUSTOMERS = """
INSERT INTO customer SELECT 300000000000 + i, 'household', lpad(upper(to_hex(i)), 6, '0')
  FROM generate_series(1, {n}) i;
INSERT INTO metering_point SELECT 1000000 + i, 300000000000 + i FROM generate_series(1, {n}) i;
INSERT INTO identifier SELECT 'customer_number', number, number, NULL FROM customer;
INSERT INTO identifier SELECT 'itn', itn, customer_number, itn FROM metering_point;
INSERT INTO books VALUES (1, now(), 'import', NULL)
"""
INVOICES = """
INSERT INTO invoice (number, customer_number, itn, period_start, period_end, day_kwh, night_kwh, currency, day_cents,
  night_cents, other_cents, vat_cents, interest_cents, total_cents, outstanding_cents, issued, due, cut_off)
SELECT 4000000000 + {m}::bigint * {n} + i, 300000000000 + i, 1000000 + i, '{start}', '{end}', kwh, kwh / 2,
  '{currency}', kwh * 15, kwh * 4, kwh * 3, kwh * 5, 0, kwh * 27, CASE WHEN {owing} THEN kwh * 27 ELSE 0 END,
  '{issued}', date '{issued}' + 14, date '{issued}' + 24
FROM (SELECT i, (100 + (i::bigint * 7919) % 400)::integer AS kwh FROM generate_series(1, {n}) i) AS points
"""
PAYMENTS = """
INSERT INTO payment (number, customer_number, invoice_number, received, currency, paid_cents, channel)
SELECT 7000000000 + {m}::bigint * {n} + i, 300000000000 + i, 4000000000 + {m}::bigint * {n} + i,
  date '{issued}' + 9, '{currency}', (100 + (i::bigint * 7919) % 400) * 27, 'bank'
FROM generate_series(1, {n}) i WHERE NOT ({owing})
"""


def fill(url: str, points: int) -> None:
    """Bills of `points` customers, month by month as they would have come, without the cost of importing them."""
    tables = [InvoiceRow.__table__, PaymentRow.__table__]
    with connection.writing_engine(connection.store_url(url)).begin() as books:
        migrations.migrate(books)
        constraints = [c for t in tables for c in (t.primary_key, *t.foreign_key_constraints)]
        for constraint in sorted(constraints, key=lambda c: not isinstance(c, ForeignKeyConstraint)):
            books.execute(DropConstraint(constraint, cascade=True))
        for table in tables:
            for index in table.indexes:
                index.drop(books)
        for statement in CUSTOMERS.format(n=points).split(";"):
            books.execute(text(statement))
        for month in range(MONTHS):
            issued = months_before(NEWEST, MONTHS - 1 - month)
            of_month = {
                "n": points,
                "m": month,
                "issued": issued,
                "start": months_before(issued, 1),
                "end": issued,
                "currency": "EUR" if issued.year >= 2026 else "BGN",
                "owing": f"i % {OWING} = 0" if month == MONTHS - 1 else "false",
            }
            books.execute(text(INVOICES.format(**of_month)))
            books.execute(text(PAYMENTS.format(**of_month)))
            print(f"  {issued:%Y-%m} {time.strftime('%X')}", flush=True)
        for constraint in sorted(constraints, key=lambda c: isinstance(c, ForeignKeyConstraint)):
            books.execute(AddConstraint(constraint))
        for table in tables:
            for index in table.indexes:
                index.create(books)
    engine = connection.writing_engine(connection.store_url(url)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as books:
        books.execute(text("VACUUM ANALYZE"))
        books.execute(text("CHECKPOINT"))


def write_month(folder: Path, points: int, count: int, month: int) -> list[Path]:
    """A month's export of `count` customers: an invoice and a payment for each."""
    invoices, payments = folder / f"invoices-{month}.csv", folder / f"payments-{month}.csv"
    with invoices.open("w", encoding="utf-8") as bills, payments.open("w", encoding="utf-8") as paid:
        bills.write(
            "invoice_number;customer_number;itn;period_start;period_end;day_kwh;night_kwh;day_amount;night_amount;"
            "other_amount;vat;interest;total;currency;issued;due;cut_off\n"
        )
        paid.write("payment_number;customer_number;invoice_number;received;amount;currency;channel\n")
        for i in sorted(random.Random(month).sample(range(1, points + 1), count)):
            number = 5_000_000_000 + month * 10_000_000 + i
            customer, itn = 300_000_000_000 + i, 1_000_000 + i
            kwh = 100 + i * 7919 % 400
            day, night, other, vat, total = (f"{cents // 100},{cents % 100:02}" for cents in _cents(kwh))
            bills.write(
                f"{number};{customer};{itn};01.11.2026;30.11.2026;{kwh};{kwh // 2};{day};{night};{other};{vat};0,00;"
                f"{total};EUR;01.12.2026;15.12.2026;25.12.2026\n"
            )
            paid.write(f"{number};{customer};{number};09.12.2026;{total};EUR;bank\n")
    return [invoices, payments]


def _cents(kwh: int) -> tuple[int, ...]:
    """Day, night, other, VAT and the total."""
    return kwh * 15, kwh * 4, kwh * 3, kwh * 5, kwh * 27


async def look_up(url: str, points: int, count: int, until: asyncio.subprocess.Process | None = None) -> list[float]:
    """Seconds of each look-up as a call makes it, one after another, `count` of them or until a process ends."""
    store, rng, times = SqlStore(url), random.Random(7), []
    for n in range(100 + count):
        i = rng.randint(1, points)
        number = (
            Identifier(str(1_000_000 + i), "itn") if n % 2 else Identifier(str(300_000_000_000 + i), "customer_number")
        )
        began = time.perf_counter()
        assert await store.find(number) is not None
        if n >= 100:  # connections are open by then
            times.append(time.perf_counter() - began)
        if until is not None:
            if until.returncode is not None:
                break
            await asyncio.sleep(0.01)
    await store.close()
    return times


def tell(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    p50, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    print(
        f"{what}: {len(times)} look-ups, p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {1000 * ordered[-1]:.0f} ms",
        flush=True,
    )


async def bring(url: str, files: list[Path], points: int, lookups: int) -> tuple[float, list[float]]:
    """Import in a process of its own; returns its seconds and those of look-ups meanwhile."""
    began = time.perf_counter()
    command = [Path(sys.executable).parent / "voicebot", "import", *files, "--store", url]
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.DEVNULL)
    times = await look_up(url, points, 1_000_000, process) if lookups else []
    if await process.wait() != 0:
        raise SystemExit("the import failed")
    return time.perf_counter() - began, times


def measure(url: str, chosen: argparse.Namespace) -> None:
    """Look-ups alone, an import alone, both together."""
    rows = chosen.rows or chosen.points
    tell("alone", asyncio.run(look_up(url, chosen.points, chosen.lookups)))
    with tempfile.TemporaryDirectory() as folder:
        files = write_month(Path(folder), chosen.points, rows // 2, chosen.month)
        took, _ = asyncio.run(bring(url, files, chosen.points, 0))
        print(f"import alone: {rows} rows in {took:.1f} s, {rows / took:.0f} rows/s", flush=True)
        files = write_month(Path(folder), chosen.points, rows // 2, chosen.month + 1)
        took, times = asyncio.run(bring(url, files, chosen.points, chosen.lookups))
        print(f"import with look-ups: {rows} rows in {took:.1f} s, {rows / took:.0f} rows/s", flush=True)
        tell("during the import", times)
    if chosen.check:
        began = time.perf_counter()
        faults = len(audit(url).faults)
        print(f"all balances added up in {time.perf_counter() - began:.0f} s: {faults} faults", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20_000, help="metering points, each with 24 invoices")
    parser.add_argument("--lookups", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=0, help="rows of each import; as many as points if left out")
    parser.add_argument("--folder", type=Path, help="where the database lies")
    parser.add_argument("--url", help="measure a store that --keep has left")
    parser.add_argument("--month", type=int, default=1, help="which imports; another for each run on a kept store")
    parser.add_argument("--keep", action="store_true", help="leave the server running, and say how it is reached")
    parser.add_argument("--check", action="store_true", help="add up all balances in the end, too")
    chosen = parser.parse_args()
    if chosen.url:
        measure(chosen.url, chosen)
        return
    began = time.perf_counter()
    cluster = Cluster(SETTINGS, chosen.folder, wal_segment_mb=16)
    try:
        url = cluster.create("bills")
        fill(url, chosen.points)
        size = sum(path.stat().st_size for path in (cluster.data / "base").rglob("*") if path.is_file())
        print(
            f"{chosen.points} metering points with {MONTHS} invoices each made in {time.perf_counter() - began:.0f} s,"
            f" {size / 1e9:.2f} GB",
            flush=True,
        )
        measure(url, chosen)
    finally:
        if chosen.keep:
            print(f"kept: --url '{cluster.url('bills')}'")
        else:
            cluster.remove()


if __name__ == "__main__":
    main()
