"""The tables of the billing store; reading them is left to `sql`, filling them to `importing` and the demonstration.

Changing a table asks for a migration in `migrations/versions/`; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    TypeDecorator,
    column,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CUSTOMER_NUMBER = "customer_number"
"""Scheme of the numbers that customers are kept by."""
ITN = "itn"
"""Scheme of the numbers that metering points are kept by."""


class AwareDateTime(TypeDecorator[datetime]):
    """A moment kept in UTC, aware also where the database forgets time zones, as SQLite does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; raises `ValueError` for a time without a zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment in the store needs a time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """Parent of the tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _refers_to(target: str) -> ForeignKey:
    """Checked when a transaction ends, so that the order in which it writes does not matter."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


class Books(Base):
    """What is true of the whole store: one row."""

    __tablename__ = "books"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    as_of: Mapped[datetime] = mapped_column(AwareDateTime)
    """The moment of the utility's books that the data show."""
    origin: Mapped[str] = mapped_column(String(20))
    """"demonstration" or "import"."""
    reference_date: Mapped[date | None]
    """The day that demonstration bills were made for."""


class CustomerRow(Base):
    """A customer. No name and no address: nothing here needs them."""

    __tablename__ = "customer"
    __table_args__ = (CheckConstraint("kind IN ('household', 'business')", name="known_kind"),)

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    code: Mapped[str] = mapped_column(String(6))
    """The authorisation code on the invoices. It guards nothing but the rows beside it, so it lies in clear."""


class MeteringPointRow(Base):
    """A place where energy is metered."""

    __tablename__ = "metering_point"

    itn: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_number: Mapped[str] = mapped_column(_refers_to("customer.number"), index=True)
    """Who is supplied there now; invoices name who was supplied then."""


class IdentifierRow(Base):
    """A number that a customer, or one of his metering points, is found by; schemes are data."""

    __tablename__ = "identifier"

    scheme: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_number: Mapped[str] = mapped_column(_refers_to("customer.number"), index=True)
    itn: Mapped[str | None] = mapped_column(_refers_to("metering_point.itn"), index=True)
    """The metering point, where the number is one's."""


class InvoiceRow(Base):
    """An invoice. Whether it is paid, partly paid or unpaid follows from what is outstanding.

    Whom it refers to is checked by publishing and by the audit, for all lines at once: a foreign key checks each row by
    itself and writes to the row that it refers to, which was a fifth of an import.
    All sums are hundredths of the currency: exact in every database.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("outstanding_cents BETWEEN 0 AND total_cents", name="outstanding_within_total"),
        CheckConstraint("cancelled IS NULL OR outstanding_cents = 0", name="nothing_owed_when_cancelled"),
        CheckConstraint(
            "day_cents + night_cents + other_cents + vat_cents + interest_cents = total_cents", name="lines_make_total"
        ),
        CheckConstraint("currency IN ('EUR', 'BGN')", name="known_currency"),
        CheckConstraint("period_start <= period_end AND issued <= due", name="dates_in_order"),
        Index("ix_invoice_customer_number", "customer_number"),
        Index(
            "ix_invoice_unpaid",
            "customer_number",
            sqlite_where=column("outstanding_cents") > 0,
            postgresql_where=column("outstanding_cents") > 0,
        ),
        Index(
            "ix_invoice_cancelled",
            "customer_number",
            sqlite_where=column("cancelled").is_not(None),
            postgresql_where=column("cancelled").is_not(None),
        ),
    )

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    customer_number: Mapped[str] = mapped_column(String(40))
    itn: Mapped[str] = mapped_column(String(40))
    period_start: Mapped[date]
    period_end: Mapped[date]
    day_kwh: Mapped[int]
    night_kwh: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    """As issued."""
    day_cents: Mapped[int] = mapped_column(BigInteger)
    """Energy by the day tariff, or by the only one."""
    night_cents: Mapped[int] = mapped_column(BigInteger)
    other_cents: Mapped[int] = mapped_column(BigInteger)
    """Network, excise and the like."""
    vat_cents: Mapped[int] = mapped_column(BigInteger)
    interest_cents: Mapped[int] = mapped_column(BigInteger)
    total_cents: Mapped[int] = mapped_column(BigInteger)
    outstanding_cents: Mapped[int] = mapped_column(BigInteger)
    """What is left of the total after payments and reversals; nothing of a cancelled invoice."""
    issued: Mapped[date]
    due: Mapped[date]
    cut_off: Mapped[date | None]
    cancelled: Mapped[date | None]


class PaymentRow(Base):
    """A payment, or one taken back, in the currency of the invoice that it settles.

    What it refers to is checked as an invoice's is. A customer's payments are found by his invoices.
    """

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("paid_cents > 0", name="something_paid"),
        CheckConstraint("currency IN ('EUR', 'BGN')", name="known_currency"),
        Index("ix_payment_invoice_number", "invoice_number"),
        Index(
            "ix_payment_on_account",
            "customer_number",
            sqlite_where=column("invoice_number").is_(None),
            postgresql_where=column("invoice_number").is_(None),
        ),
        Index(
            "ix_payment_reverses",
            "reverses",
            unique=True,
            sqlite_where=column("reverses").is_not(None),
            postgresql_where=column("reverses").is_not(None),
        ),
    )

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer_number: Mapped[str] = mapped_column(String(40))
    invoice_number: Mapped[str | None] = mapped_column(String(20))
    """None for a payment on account."""
    received: Mapped[date]
    currency: Mapped[str] = mapped_column(String(3))
    paid_cents: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(20))
    reverses: Mapped[str | None] = mapped_column(String(40))
    """The payment that is taken back by this row, whole."""


class ImportedFile(Base):
    """A file that was imported: it is not imported again."""

    __tablename__ = "imported_file"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the file."""
    kind: Mapped[str] = mapped_column(String(20))
    accepted: Mapped[int] = mapped_column(BigInteger)
    """How many of its lines are in the store."""
    published: Mapped[datetime] = mapped_column(AwareDateTime)


class RejectedLine(Base):
    """A line of an imported file that was not taken; the line itself stays in the file."""

    __tablename__ = "rejected_line"

    digest: Mapped[str] = mapped_column(ForeignKey("imported_file.digest"), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))


class StagedFile(Base):
    """How far a file of the running import has been read."""

    __tablename__ = "staged_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    """Its place in the command."""
    digest: Mapped[str] = mapped_column(String(64))
    offset: Mapped[int] = mapped_column(BigInteger)
    """Bytes read."""
    line: Mapped[int] = mapped_column(BigInteger)
    """Lines read."""
    records: Mapped[int] = mapped_column(BigInteger)
    """Lines read but for the header and blank ones."""


class StagedReject(Base):
    """A line that was not taken, before the import is published."""

    __tablename__ = "staged_reject"

    file_id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))


def _staged(row: type[Base], *without: str) -> Table:
    """Where lines of an import wait until all of them are published; of a kind with `row` and without constraints.

    `known` becomes true where the books have the number already.
    """
    live = row.metadata.tables[row.__tablename__]
    columns = [Column(c.name, c.type, nullable=c.nullable) for c in live.columns if c.name not in without]
    place = (Column("file_id", BigInteger, nullable=False), Column("line", BigInteger, nullable=False))
    known = Column("known", Boolean, nullable=False, server_default=false())
    return Table(f"staged_{live.name}", Base.metadata, *place, *columns, known)


STAGED: dict[type[Base], Table] = {
    row: _staged(row, "outstanding_cents")
    for row in (CustomerRow, MeteringPointRow, IdentifierRow, InvoiceRow, PaymentRow)
}
"""The staging table of each table that is imported."""
