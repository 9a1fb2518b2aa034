"""Whether a store's books add up, and what they come to; mending them is left to whoever filled the store."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from sqlalchemy import Connection, func, or_, select

from voicebot.billing import connection
from voicebot.billing.schema import SCHEMA_VERSION, AccountRow, Books, IdentifierRow, InvoiceRow, PaymentRow
from voicebot.billing.sql import money
from voicebot.billing.store import Money, StoreUnavailable, in_euro


@dataclass(frozen=True, slots=True)
class Audit:
    """The sums of a store."""

    accounts: int
    """How many customers there are."""
    indebted: int
    """How many of them have an unpaid invoice."""
    unpaid: int
    """How many invoices have something outstanding."""
    outstanding: Money
    """What is outstanding in all, in euro, each invoice in BGN converted and rounded by itself."""
    faults: tuple[str, ...]
    """A sentence for each thing that does not add up; none names a customer."""


def audit(store: str | Path) -> Audit:
    """Add up a store, named as for `SqlStore`; raises `StoreUnavailable`."""
    url = connection.store_url(store)
    with connection.explained(url), connection.reading_engine(url).connect() as books:
        if books.scalar(select(Books.schema_version)) != SCHEMA_VERSION:
            raise StoreUnavailable(connection.other_layout(url))
        unpaid = books.execute(
            select(InvoiceRow.account_id, InvoiceRow.outstanding_cents, InvoiceRow.currency).where(
                InvoiceRow.outstanding_cents > 0
            )
        ).all()
        sums = [in_euro(money(cents, currency)).amount for _, cents, currency in unpaid]
        return Audit(
            accounts=books.scalar(select(func.count()).select_from(AccountRow)) or 0,
            indebted=len({account_id for account_id, _, _ in unpaid}),
            unpaid=len(unpaid),
            outstanding=Money(sum(sums, Decimal("0.00")), "EUR"),
            faults=tuple(_faults(books)),
        )


def _faults(books: Connection) -> list[str]:
    """What does not add up, found by the database itself."""
    paid = func.coalesce(func.sum(PaymentRow.paid_cents), 0)
    of_one_invoice = (
        select(InvoiceRow.number)
        .outerjoin(PaymentRow, PaymentRow.invoice_number == InvoiceRow.number)
        .group_by(InvoiceRow.number, InvoiceRow.total_cents, InvoiceRow.outstanding_cents)
        .having(paid + InvoiceRow.outstanding_cents != InvoiceRow.total_cents)
    )
    payments = select(PaymentRow.invoice_number).where(PaymentRow.invoice_number.is_not(None))
    with_invoice = payments.outerjoin(InvoiceRow, InvoiceRow.number == PaymentRow.invoice_number)
    last_date = func.coalesce(InvoiceRow.cut_off, InvoiceRow.due)
    dates = (InvoiceRow.period_start, InvoiceRow.period_end, InvoiceRow.issued, InvoiceRow.due, last_date)
    checks = {
        "what was paid and what is outstanding do not make its total": of_one_invoice,
        "another account paid it": with_invoice.where(PaymentRow.account_id != InvoiceRow.account_id),
        "it was paid in another currency": with_invoice.where(PaymentRow.currency != InvoiceRow.currency),
        "it was paid and does not exist": with_invoice.where(InvoiceRow.number.is_(None)),
        "its dates are out of order": select(InvoiceRow.number).where(
            or_(*(earlier > later for earlier, later in pairwise(dates)))
        ),
    }
    faults = [
        f"Invoice {number}: {fault}."
        for fault, query in checks.items()
        for number in sorted(set(books.scalars(query)), key=str)
    ]
    unreachable = books.scalar(
        select(func.count()).select_from(AccountRow).where(AccountRow.id.not_in(select(IdentifierRow.account_id)))
    )
    if unreachable:
        faults.append(f"{unreachable} accounts have no number that they could be found by.")
    return faults
