from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.billing.conftest import change, query
from voicebot.billing import connection
from voicebot.billing.audit import audit
from voicebot.billing.identifier import Identifier
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import Money, StoreUnavailable


def test_demonstration_has_no_faults(demonstration: Path) -> None:
    assert audit(demonstration).faults == ()


async def test_what_accounts_owe_makes_the_total(demonstration: Path) -> None:
    numbers = query(demonstration, "SELECT number FROM customer")
    store = SqlStore(demonstration)
    accounts = [await store.find(Identifier(str(number), "customer_number")) for (number,) in numbers]
    await store.close()
    found = [account for account in accounts if account is not None]
    sums = audit(demonstration)
    assert sums.outstanding == Money(sum((account.owed.amount for account in found), Decimal(0)), "EUR")
    assert sums.accounts == len(found) == len(numbers)
    assert sums.indebted == sum(bool(account.unpaid) for account in found)
    assert sums.unpaid == sum(len(account.unpaid) for account in found)


SOME_PAYMENT = "(SELECT MIN(number) FROM payment WHERE reverses IS NULL AND invoice_number IS NOT NULL)"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE invoice SET outstanding_cents = 2779 WHERE outstanding_cents = 2780", "do not make its total"),
        ("UPDATE payment SET paid_cents = paid_cents + 1 WHERE number = " + SOME_PAYMENT, "do not make its total"),
        (
            "UPDATE payment SET customer_number = '300000000002' WHERE number = " + SOME_PAYMENT,
            "its invoice is another customer's",
        ),
        ("UPDATE payment SET currency = 'EUR' WHERE number = " + SOME_PAYMENT, "its invoice is in another currency"),
        (
            "UPDATE payment SET paid_cents = paid_cents - 1 WHERE reverses IS NOT NULL",
            "takes back a payment that is not its like",
        ),
        ("UPDATE invoice SET cut_off = issued WHERE outstanding_cents = 2780", "dates are out of order"),
        ("UPDATE invoice SET itn = '1999999' WHERE outstanding_cents = 2780", "its metering point does not exist"),
        ("UPDATE invoice SET customer_number = '9' WHERE outstanding_cents = 2780", "its customer does not exist"),
        ("UPDATE payment SET customer_number = '9' WHERE number = " + SOME_PAYMENT, "its customer does not exist"),
        ("UPDATE payment SET invoice_number = '9' WHERE number = " + SOME_PAYMENT, "its invoice does not exist"),
        ("DELETE FROM identifier WHERE customer_number = '300000000002'", "1 customers have no number"),
        (
            "UPDATE identifier SET customer_number = '300000000002' WHERE value = '1000001'",
            "1 numbers of metering points lead to another customer",
        ),
    ],
)
def test_fault_is_told_without_naming_a_customer(books: str, statement: str, fault: str) -> None:
    change(books, statement)
    faults = " ".join(audit(books).faults)
    assert fault in faults
    assert "30000000000" not in faults and "1000001" not in faults


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoice SET outstanding_cents = -1 WHERE outstanding_cents = 2780",
        "UPDATE invoice SET outstanding_cents = total_cents + 1 WHERE outstanding_cents = 2780",
        "UPDATE invoice SET vat_cents = vat_cents + 1 WHERE outstanding_cents = 2780",
        "UPDATE invoice SET cancelled = due WHERE outstanding_cents = 2780",
        "UPDATE payment SET paid_cents = 0",
        "UPDATE payment SET currency = 'USD'",
        "UPDATE payment SET reverses = '7000000001'",
        "DELETE FROM customer",
    ],
)
def test_database_itself_refuses_what_cannot_be(books: str, statement: str) -> None:
    with (
        pytest.raises(IntegrityError),
        connection.writing_engine(connection.store_url(books)).begin() as target,
    ):
        target.execute(text(statement))


def test_missing_and_foreign_stores_are_refused(books: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not exist"):
        audit(tmp_path / "none.sqlite")
    change(books, "UPDATE alembic_version SET version_num = '0'")
    with pytest.raises(StoreUnavailable, match="has not the tables"):
        audit(books)
