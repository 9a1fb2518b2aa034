"""`SqlStore`, the billing store in an SQL database; what fills the database is left to others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from sqlalchemy import NullPool, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from voicebot.billing import connection
from voicebot.billing.identifier import Identifier
from voicebot.billing.schema import SCHEMA_VERSION, AccountRow, Books, IdentifierRow, InvoiceRow, PaymentRow
from voicebot.billing.store import Account, Invoice, Money, Payment, StoreUnavailable


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
                **({"poolclass": NullPool} if url.get_backend_name() == "sqlite" else {"pool_pre_ping": True}),
            )
        connection.read_in_one_snapshot(self._engine.sync_engine)

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None; raises `StoreUnavailable`."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            async with AsyncSession(self._engine) as session:
                books = await self._books(session)
                account = await session.scalar(
                    select(AccountRow)
                    .join(IdentifierRow, IdentifierRow.account_id == AccountRow.id)
                    .where(IdentifierRow.scheme == identifier.scheme, IdentifierRow.value == identifier.reveal())
                )
                if account is None:
                    return None
                unpaid = await session.scalars(
                    select(InvoiceRow)
                    .where(InvoiceRow.account_id == account.id, InvoiceRow.outstanding_cents > 0)
                    .order_by(InvoiceRow.due, InvoiceRow.number)
                )
                payments = await session.scalars(
                    select(PaymentRow)
                    .where(PaymentRow.account_id == account.id)
                    .order_by(PaymentRow.received.desc(), PaymentRow.id.desc())
                )
                return Account(
                    identifier=identifier,
                    kind=account.kind,
                    unpaid=tuple(map(_invoice, unpaid)),
                    payments=tuple(map(_payment, payments)),
                    as_of=books.as_of,
                )

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers are some customer's; raises `StoreUnavailable`."""
        connection.see_the_file(self.url)
        values: dict[str, list[str]] = defaultdict(list)
        for identifier in identifiers:
            values[identifier.scheme].append(identifier.reveal())
        wanted = [and_(IdentifierRow.scheme == name, IdentifierRow.value.in_(few)) for name, few in values.items()]
        with connection.explained(self.url):
            async with AsyncSession(self._engine) as session:
                await self._books(session)
                rows = await session.scalars(select(IdentifierRow).where(or_(false(), *wanted)))
                return frozenset(Identifier(row.value, row.scheme) for row in rows)

    async def check(self) -> None:
        """Return when the store can answer; raise `StoreUnavailable` when not."""
        connection.see_the_file(self.url)
        with connection.explained(self.url):
            async with AsyncSession(self._engine) as session:
                await self._books(session)
                for table in (AccountRow, IdentifierRow, InvoiceRow, PaymentRow):
                    await session.execute(select(table).limit(1))

    async def close(self) -> None:
        """Give back connections."""
        await self._engine.dispose()

    async def _books(self, session: AsyncSession) -> Books:
        books = await session.get(Books, 1)
        if books is None or books.schema_version != SCHEMA_VERSION:
            raise StoreUnavailable(connection.other_layout(self.url))
        return books


def money(cents: int, currency: str) -> Money:
    """The sum that a row keeps in hundredths."""
    return Money(Decimal(cents).scaleb(-2), currency)


def _invoice(row: InvoiceRow) -> Invoice:
    return Invoice(
        number=row.number,
        period_start=row.period_start,
        period_end=row.period_end,
        energy_kwh=row.energy_kwh,
        total=money(row.total_cents, row.currency),
        outstanding=money(row.outstanding_cents, row.currency),
        issued=row.issued,
        due=row.due,
        cut_off=row.cut_off,
    )


def _payment(row: PaymentRow) -> Payment:
    return Payment(
        received=row.received,
        paid=money(row.paid_cents, row.currency),
        channel=row.channel,
        invoice_number=row.invoice_number,
    )
