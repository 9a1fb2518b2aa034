"""`SqlStore`, the billing store in an SQL database; what fills the database is left to others."""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    NullPool,
    Row,
    Select,
    and_,
    bindparam,
    case,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import aliased

from voicebot.billing import connection, migrations
from voicebot.billing.identifier import Identifier
from voicebot.billing.schema import Books, CustomerRow, IdentifierRow, InvoiceRow, MeteringPointRow, PaymentRow
from voicebot.billing.store import (
    Account,
    History,
    Invoice,
    InvoiceLine,
    Money,
    Payment,
    StoreUnavailable,
    total_in_euro,
)

T = TypeVar("T")

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
            sqlite = url.get_backend_name() == "sqlite"
            # Parameters are customers' numbers: they stay out of errors and logs.
            self._engine = create_async_engine(
                url,
                connect_args=arguments,
                hide_parameters=True,
                **({"poolclass": NullPool} if sqlite else {"isolation_level": "REPEATABLE READ"}),
            )
        connection.read_in_one_snapshot(self._engine.sync_engine)
        # A statement alone sees one state; without a transaction it takes one round trip.
        self._single = self._engine if sqlite else self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None; raises `StoreUnavailable`."""
        return _account(identifier, await self._read(self._single, lambda books: self._balance(books, identifier)))

    async def history(self, identifier: Identifier, code: str) -> History | None:
        """All invoices and payments where the code is the customer's; raises `StoreUnavailable`."""

        async def read(books: AsyncConnection) -> History | None:
            balance = await self._balance(books, identifier)
            account, [owner, *_] = _account(identifier, balance), balance
            if account is None or not hmac.compare_digest(owner.code.encode(), code.encode()):
                return None
            newest_first = InvoiceRow.issued.desc(), InvoiceRow.number.desc()
            invoices = await books.execute(_invoices(owner).order_by(*newest_first))
            payments = await books.execute(_payments(owner))
            return History(account, tuple(map(_invoice, invoices)), tuple(map(_payment, payments)))

        return await self._read(self._engine, read)

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers are some customer's; raises `StoreUnavailable`."""
        values: dict[str, list[str]] = defaultdict(list)
        for identifier in identifiers:
            values[identifier.scheme].append(identifier.reveal())
        wanted = [and_(IdentifierRow.scheme == name, IdentifierRow.value.in_(few)) for name, few in values.items()]

        async def read(books: AsyncConnection) -> frozenset[Identifier]:
            await self._see_the_version(books)
            rows = await books.execute(select(IdentifierRow.value, IdentifierRow.scheme).where(or_(false(), *wanted)))
            return frozenset(Identifier(value, scheme) for value, scheme in rows)

        return await self._read(self._engine, read)

    async def check(self) -> None:
        """Return when the store can answer; raise `StoreUnavailable` when not."""

        async def read(books: AsyncConnection) -> None:
            await self._see_the_version(books)
            for table in (CustomerRow, IdentifierRow, MeteringPointRow, InvoiceRow, PaymentRow):
                await books.execute(select(table.__table__).limit(1))

        await self._read(self._engine, read)

    async def close(self) -> None:
        """Give back connections."""
        await self._engine.dispose()

    async def _read(self, engine: AsyncEngine, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `read` makes of the books. Where the connection was cut since its last use, it reads by a new one."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            try:
                async with engine.connect() as books:
                    return await read(books)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            async with engine.connect() as books:
                return await read(books)

    async def _see_the_version(self, books: AsyncConnection) -> None:
        versions = await books.execute(select(_VERSION).select_from(Books))
        if versions.scalar_one_or_none() != migrations.HEAD:
            raise StoreUnavailable(connection.other_layout(self.url))

    async def _balance(self, books: AsyncConnection, identifier: Identifier) -> Sequence[Row[Any]]:
        """A row for each unpaid invoice, at least one; in each whose number it is, None where it is nobody's."""
        found = await books.execute(_BALANCE, {"scheme": identifier.scheme, "value": identifier.reveal()})
        rows = found.all()
        if not rows or rows[0].version != migrations.HEAD:
            raise StoreUnavailable(connection.other_layout(self.url))
        return rows


def _account(identifier: Identifier, balance: Sequence[Row[Any]]) -> Account | None:
    owner = balance[0]
    if owner.customer is None:
        return None
    credits = money(int(owner.credit_euro), "EUR"), money(int(owner.credit_levs), "BGN")
    return Account(
        identifier=identifier,
        kind=owner.kind,
        unpaid=tuple(_invoice(row) for row in balance if row.number is not None),
        as_of=owner.as_of,
        credit=total_in_euro(credits),
    )


def _invoices(owner: Row[Any]) -> Select[Any]:
    """The customer's invoices; only those of one metering point where he is asked for by it."""
    of_point = InvoiceRow.itn == owner.point if owner.point else true()
    return select(*InvoiceRow.__table__.c).where(InvoiceRow.customer_number == owner.customer, of_point)


def _payments(owner: Row[Any]) -> Select[Any]:
    """His payments; only those for invoices of one metering point where he is asked for by it."""
    payments = select(*PaymentRow.__table__.c)
    of_invoices = payments.where(PaymentRow.invoice_number.in_(_invoices(owner).with_only_columns(InvoiceRow.number)))
    on_account = payments.where(
        PaymentRow.customer_number == owner.customer, PaymentRow.invoice_number.is_(None), literal(not owner.point)
    )
    everything = of_invoices.union_all(on_account)
    columns = everything.selected_columns
    return everything.order_by(columns.received.desc(), columns.number.desc())  # type: ignore[return-value]


def _credit(currency: str) -> ColumnElement[int]:
    """What settles no invoice: paid on account, or for an invoice that was cancelled."""
    invoice = aliased(InvoiceRow)
    paid = select(func.coalesce(func.sum(EFFECT), 0)).where(PaymentRow.currency == currency)
    on_account = paid.where(
        PaymentRow.customer_number == CustomerRow.number, PaymentRow.invoice_number.is_(None)
    ).correlate(CustomerRow)
    for_cancelled = (
        paid.join(invoice, invoice.number == PaymentRow.invoice_number)
        .where(invoice.customer_number == CustomerRow.number, invoice.cancelled.is_not(None))
        .correlate(CustomerRow)
    )
    return on_account.scalar_subquery() + for_cancelled.scalar_subquery()


_BALANCE = (
    select(
        _VERSION.label("version"),
        Books.as_of,
        CustomerRow.number.label("customer"),
        CustomerRow.kind,
        CustomerRow.code,
        IdentifierRow.itn.label("point"),
        _credit("EUR").label("credit_euro"),
        _credit("BGN").label("credit_levs"),
        *InvoiceRow.__table__.c,
    )
    .select_from(Books)
    .outerjoin(
        IdentifierRow, and_(IdentifierRow.scheme == bindparam("scheme"), IdentifierRow.value == bindparam("value"))
    )
    .outerjoin(CustomerRow, CustomerRow.number == IdentifierRow.customer_number)
    .outerjoin(
        InvoiceRow,
        and_(
            InvoiceRow.customer_number == CustomerRow.number,
            or_(IdentifierRow.itn.is_(None), InvoiceRow.itn == IdentifierRow.itn),
            # Not a parameter, so that the index of unpaid invoices serves whatever is asked.
            InvoiceRow.outstanding_cents > literal_column("0"),
        ),
    )
    .order_by(InvoiceRow.due, InvoiceRow.number)
)
"""All that a caller is told, in one round trip."""


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
