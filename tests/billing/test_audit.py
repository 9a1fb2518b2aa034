import shutil
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from voicebot.billing.audit import audit
from voicebot.billing.identifier import Identifier
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import Money, StoreUnavailable


def changed(demonstration: Path, folder: Path, statement: str) -> Path:
    path = Path(shutil.copy(demonstration, folder / "bills.sqlite"))
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()
    return path


def test_demonstration_has_no_faults(demonstration: Path) -> None:
    assert audit(demonstration).faults == ()


async def test_what_accounts_owe_makes_the_total(demonstration: Path) -> None:
    with sqlite3.connect(demonstration) as database:
        numbers = database.execute("SELECT value FROM identifier WHERE scheme = 'customer_number'").fetchall()
    database.close()
    store = SqlStore(demonstration)
    accounts = [await store.find(Identifier(number, "customer_number")) for (number,) in numbers]
    await store.close()
    found = [account for account in accounts if account is not None]
    sums = audit(demonstration)
    assert sums.outstanding == Money(sum((account.owed.amount for account in found), Decimal(0)), "EUR")
    assert sums.accounts == len(found) == len(numbers)
    assert sums.indebted == sum(bool(account.unpaid) for account in found)
    assert sums.unpaid == sum(len(account.unpaid) for account in found)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE invoice SET outstanding_cents = 2779 WHERE outstanding_cents = 2780", "do not make its total"),
        ("DELETE FROM payment WHERE id = 1", "do not make its total"),
        ("UPDATE payment SET account_id = 2 WHERE id = 1", "another account paid it"),
        ("UPDATE payment SET currency = 'EUR' WHERE id = 1", "another currency"),
        ("UPDATE payment SET invoice_number = '1' WHERE id = 1", "does not exist"),
        ("UPDATE invoice SET cut_off = issued WHERE outstanding_cents = 2780", "dates are out of order"),
        ("DELETE FROM identifier WHERE account_id = 1", "1 accounts have no number"),
    ],
)
def test_fault_is_told_without_naming_a_customer(
    demonstration: Path, tmp_path: Path, statement: str, fault: str
) -> None:
    faults = " ".join(audit(changed(demonstration, tmp_path, statement)).faults)
    assert fault in faults
    assert "1000001" not in faults.replace("4000000", "")


def test_missing_and_foreign_stores_are_refused(demonstration: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        audit(tmp_path / "none.sqlite")
    with pytest.raises(StoreUnavailable, match="has not the tables"):
        audit(changed(demonstration, tmp_path, "UPDATE books SET schema_version = 0"))
