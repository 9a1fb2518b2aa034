"""Whether a store's books add up, and what they come to; mending them is left to whoever filled the store."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased

from voicebot.billing import connection, migrations
from voicebot.billing.schema import CustomerRow, IdentifierRow, InvoiceRow, MeteringPointRow, PaymentRow
from voicebot.billing.sql import EFFECT, money
from voicebot.billing.store import Money, StoreUnavailable, in_euro

MOST_FAULTS = 100
"""How many faults of one sort are told."""


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
    """A sentence for each thing that does not add up, at most `MOST_FAULTS` of a sort; none names a customer."""


def audit(store: str | Path) -> Audit:
    """Add up a store, named as for `SqlStore`; raises `StoreUnavailable`."""
    url = connection.store_url(store)
    with connection.explained(url), connection.reading_engine(url).connect() as books:
        if migrations.version(books) != migrations.HEAD:
            raise StoreUnavailable(connection.other_layout(url))
        owing = InvoiceRow.outstanding_cents > 0
        # Equal sums are converted together: there are far fewer of them than invoices.
        sums = books.execute(
            select(InvoiceRow.outstanding_cents, InvoiceRow.currency, func.count())
            .where(owing)
            .group_by(InvoiceRow.outstanding_cents, InvoiceRow.currency)
        ).all()
        total = sum(
            (in_euro(money(cents, currency)).amount * count for cents, currency, count in sums), Decimal("0.00")
        )
        return Audit(
            accounts=books.scalar(select(func.count()).select_from(CustomerRow)) or 0,
            indebted=books.scalar(select(func.count(InvoiceRow.customer_number.distinct())).where(owing)) or 0,
            unpaid=sum(count for *_, count in sums),
            outstanding=Money(total, "EUR"),
            faults=tuple(_faults(books)),
        )


def _faults(books: Connection) -> list[str]:
    """What does not add up, found by the database itself."""
    faults = [
        f"{thing} {number}: {fault}."
        for thing, fault, query in (*_of_invoices(), *_of_payments())
        for number in books.scalars(query.limit(MOST_FAULTS))
    ]
    unreachable = books.scalar(
        select(func.count())
        .select_from(CustomerRow)
        .where(~select(IdentifierRow.value).where(IdentifierRow.customer_number == CustomerRow.number).exists())
    )
    if unreachable:
        faults.append(f"{unreachable} customers have no number that they could be found by.")
    strayed = books.scalar(
        select(func.count())
        .select_from(IdentifierRow)
        .join(MeteringPointRow, MeteringPointRow.itn == IdentifierRow.itn)
        .where(MeteringPointRow.customer_number != IdentifierRow.customer_number)
    )
    if strayed:
        faults.append(f"{strayed} numbers of metering points lead to another customer than the point's.")
    return faults


def _of_invoices() -> list[tuple[str, str, Select[str]]]:
    paid = func.coalesce(func.sum(EFFECT), 0)
    left = case((InvoiceRow.cancelled.is_(None), InvoiceRow.total_cents - paid), else_=0)
    lines = (
        InvoiceRow.day_cents
        + InvoiceRow.night_cents
        + InvoiceRow.other_cents
        + InvoiceRow.vat_cents
        + InvoiceRow.interest_cents
    )
    numbers = select(InvoiceRow.number).order_by(InvoiceRow.number)
    dates_are_out_of_order = or_(
        InvoiceRow.period_start > InvoiceRow.period_end,
        InvoiceRow.issued > InvoiceRow.due,
        InvoiceRow.due > InvoiceRow.cut_off,
    )
    return [
        (
            "Invoice",
            "what was paid and what is outstanding do not make its total",
            numbers.outerjoin(PaymentRow, PaymentRow.invoice_number == InvoiceRow.number)
            .group_by(InvoiceRow.number)
            .having(or_(left != InvoiceRow.outstanding_cents, ~paid.between(0, InvoiceRow.total_cents))),
        ),
        ("Invoice", "its lines do not make its total", numbers.where(lines != InvoiceRow.total_cents)),
        ("Invoice", "its dates are out of order", numbers.where(dates_are_out_of_order)),
        (
            "Invoice",
            "its customer does not exist",
            numbers.where(~exists().where(CustomerRow.number == InvoiceRow.customer_number)),
        ),
        (
            "Invoice",
            "its metering point does not exist",
            numbers.where(~exists().where(MeteringPointRow.itn == InvoiceRow.itn)),
        ),
    ]


def _of_payments() -> list[tuple[str, str, Select[str]]]:
    original = aliased(PaymentRow)
    numbers = select(PaymentRow.number).order_by(PaymentRow.number)
    with_invoice = numbers.outerjoin(InvoiceRow, InvoiceRow.number == PaymentRow.invoice_number)
    same = and_(
        original.reverses.is_(None),
        original.paid_cents == PaymentRow.paid_cents,
        original.currency == PaymentRow.currency,
        original.customer_number == PaymentRow.customer_number,
        original.invoice_number.is_not_distinct_from(PaymentRow.invoice_number),
    )
    takes_back = numbers.outerjoin(original, original.number == PaymentRow.reverses)
    return [
        (
            "Payment",
            "its invoice is another customer's",
            with_invoice.where(PaymentRow.customer_number != InvoiceRow.customer_number),
        ),
        (
            "Payment",
            "its invoice is in another currency",
            with_invoice.where(PaymentRow.currency != InvoiceRow.currency),
        ),
        (
            "Payment",
            "its invoice does not exist",
            with_invoice.where(PaymentRow.invoice_number.is_not(None), InvoiceRow.number.is_(None)),
        ),
        (
            "Payment",
            "its customer does not exist",
            numbers.where(~exists().where(CustomerRow.number == PaymentRow.customer_number)),
        ),
        (
            "Payment",
            "it takes back a payment that is not its like",
            takes_back.where(PaymentRow.reverses.is_not(None), or_(original.number.is_(None), ~same)),
        ),
    ]
