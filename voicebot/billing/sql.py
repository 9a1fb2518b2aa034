"""`SqlStore`, the billing store in an SQL database; what fills the database is left to others."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, Row, Select, and_, case, false, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from voicebot.billing import connection, migrations
from voicebot.billing.identifier import Identifier
from voicebot.billing.schema import Books, CustomerRow, IdentifierRow, InvoiceRow, MeteringPointRow, PaymentRow
from voicebot.billing.store import Account, History, Invoice, InvoiceLine, Money, Payment, StoreUnavailable, in_euro

_VERSION = select(text("version_num")).select_from(text("alembic_version")).scalar_subquery()

EFFECT = case((PaymentRow.reverses.is_(None), PaymentRow.paid_cents), else_=-PaymentRow.paid_cents)
"""What a payment takes off a debt."""


class SqlStore:
    """A `BillingStore` that only ever reads. It connects when it is asked, so a store may be replaced meanwhile."""

    def __init__(self, store: str | Path, busy_timeout_s: float = connection.BUSY_TIMEOUT_S) -> None:
        """Name the store; nothing is opened yet.

        Args:
            store: SQLAlchemy URL, or the path of an SQLite file.
            busy_timeout_s: how long to wait for a program that locks an SQLite file.

        Raises:
            StoreUnavailable: the URL cannot be understood.
        """
        self.url = connection.store_url(store)
        """Where the bills are."""
        with connection.explained(self.url):
            url, arguments = connection.reading(self.url, busy_timeout_s)
            # Parameters are customers' numbers: they stay out of errors and logs.
            self._engine = create_async_engine(
                url,
                connect_args=arguments,
                hide_parameters=True,
                **(
                    {"poolclass": NullPool}
                    if url.get_backend_name() == "sqlite"
                    else {"pool_pre_ping": True, "isolation_level": "REPEATABLE READ"}
                ),
            )
        connection.read_in_one_snapshot(self._engine.sync_engine)

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None; raises `StoreUnavailable`."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            async with self._engine.connect() as books:
                owner = await self._owner(books, identifier)
                return await _account(books, identifier, owner) if owner else None

    async def history(self, identifier: Identifier, code: str) -> History | None:
        """All invoices and payments where the code is the customer's; raises `StoreUnavailable`."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            async with self._engine.connect() as books:
                owner = await self._owner(books, identifier)
                if owner is None or not hmac.compare_digest(owner.code.encode(), code.encode()):
                    return None
                newest_first = InvoiceRow.issued.desc(), InvoiceRow.number.desc()
                invoices = await books.execute(_invoices(owner).order_by(*newest_first))
                payments = await books.execute(_payments(owner))
                return History(
                    await _account(books, identifier, owner),
                    tuple(map(_invoice, invoices)),
                    tuple(map(_payment, payments)),
                )

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers are some customer's; raises `StoreUnavailable`."""
        connection.see_the_file(self.url)
        values: dict[str, list[str]] = defaultdict(list)
        for identifier in identifiers:
            values[identifier.scheme].append(identifier.reveal())
        wanted = [and_(IdentifierRow.scheme == name, IdentifierRow.value.in_(few)) for name, few in values.items()]
        with connection.explained(self.url):
            async with self._engine.connect() as books:
                await self._see_the_version(books)
                rows = await books.execute(
                    select(IdentifierRow.value, IdentifierRow.scheme).where(or_(false(), *wanted))
                )
                return frozenset(Identifier(value, scheme) for value, scheme in rows)

    async def check(self) -> None:
        """Return when the store can answer; raise `StoreUnavailable` when not."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            async with self._engine.connect() as books:
                await self._see_the_version(books)
                for table in (CustomerRow, IdentifierRow, MeteringPointRow, InvoiceRow, PaymentRow):
                    await books.execute(select(table.__table__).limit(1))

    async def close(self) -> None:
        """Give back connections."""
        await self._engine.dispose()

    async def _see_the_version(self, books: AsyncConnection) -> None:
        versions = await books.execute(select(_VERSION).select_from(Books))
        if versions.scalar_one_or_none() != migrations.HEAD:
            raise StoreUnavailable(connection.other_layout(self.url))

    async def _owner(self, books: AsyncConnection, identifier: Identifier) -> Row[Any] | None:
        """Whose number it is, with the state of the books; None where it is nobody's."""
        found = await books.execute(
            select(_VERSION.label("version"), Books.as_of, IdentifierRow.itn, *CustomerRow.__table__.c)
            .select_from(Books)
            .outerjoin(
                IdentifierRow,
                and_(IdentifierRow.scheme == identifier.scheme, IdentifierRow.value == identifier.reveal()),
            )
            .outerjoin(CustomerRow, CustomerRow.number == IdentifierRow.customer_number)
        )
        owner = found.one_or_none()
        if owner is None or owner.version != migrations.HEAD:
            raise StoreUnavailable(connection.other_layout(self.url))
        return owner if owner.number is not None else None


async def _account(books: AsyncConnection, identifier: Identifier, owner: Row[Any]) -> Account:
    unpaid = await books.execute(
        _invoices(owner).where(InvoiceRow.outstanding_cents > 0).order_by(InvoiceRow.due, InvoiceRow.number)
    )
    credits = await books.execute(_credit(owner))
    return Account(
        identifier=identifier,
        kind=owner.kind,
        unpaid=tuple(map(_invoice, unpaid)),
        as_of=owner.as_of,
        credit=Money(sum((in_euro(money(int(c), currency)).amount for c, currency in credits), Decimal("0.00")), "EUR"),
    )


def _invoices(owner: Row[Any]) -> Select[Any]:
    """The customer's invoices; only those of one metering point where he is asked for by it."""
    of_point = InvoiceRow.itn == owner.itn if owner.itn else true()
    return select(*InvoiceRow.__table__.c).where(InvoiceRow.customer_number == owner.number, of_point)


def _payments(owner: Row[Any]) -> Select[Any]:
    of_point = InvoiceRow.itn == owner.itn if owner.itn else true()
    return (
        select(*PaymentRow.__table__.c)
        .outerjoin(InvoiceRow, InvoiceRow.number == PaymentRow.invoice_number)
        .where(PaymentRow.customer_number == owner.number, of_point)
        .order_by(PaymentRow.received.desc(), PaymentRow.number.desc())
    )


def _credit(owner: Row[Any]) -> Select[Any]:
    """What settles no invoice, by currency: paid on account, or for an invoice that was cancelled."""
    sums = select(func.sum(EFFECT), PaymentRow.currency).group_by(PaymentRow.currency)
    on_account = sums.where(PaymentRow.customer_number == owner.number, PaymentRow.invoice_number.is_(None))
    for_cancelled = sums.join(InvoiceRow, InvoiceRow.number == PaymentRow.invoice_number).where(
        InvoiceRow.customer_number == owner.number, InvoiceRow.cancelled.is_not(None)
    )
    return on_account.union_all(for_cancelled)  # type: ignore[return-value]


def money(cents: int, currency: str) -> Money:
    """The sum that a row keeps in hundredths."""
    return Money(Decimal(cents).scaleb(-2), currency)


def _invoice(row: Row[Any]) -> Invoice:
    def line(name: str, cents: int, energy_kwh: int | None = None) -> InvoiceLine:
        return InvoiceLine(name, money(cents, row.currency), energy_kwh)

    return Invoice(
        number=row.number,
        period_start=row.period_start,
        period_end=row.period_end,
        energy_kwh=row.day_kwh + row.night_kwh,
        total=money(row.total_cents, row.currency),
        outstanding=money(row.outstanding_cents, row.currency),
        issued=row.issued,
        due=row.due,
        cut_off=row.cut_off,
        cancelled=row.cancelled,
        lines=(
            line("day", row.day_cents, row.day_kwh),
            line("night", row.night_cents, row.night_kwh),
            line("other", row.other_cents),
            line("vat", row.vat_cents),
            line("interest", row.interest_cents),
        ),
    )


def _payment(row: Row[Any]) -> Payment:
    return Payment(
        received=row.received,
        paid=money(row.paid_cents, row.currency),
        channel=row.channel,
        invoice_number=row.invoice_number,
        number=row.number,
        reverses=row.reverses,
    )
