"""The tables of the billing store; reading them is left to `sql`, filling them to importers and the demonstration."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, ForeignKey, Index, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 1
"""Changes whenever a table does."""


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


class Books(Base):
    """What is true of the whole store: one row."""

    __tablename__ = "books"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    schema_version: Mapped[int]
    as_of: Mapped[datetime] = mapped_column(AwareDateTime)
    """When the utility's books were last brought over."""
    origin: Mapped[str] = mapped_column(String(20))
    """"demonstration" or "import"."""
    reference_date: Mapped[date | None]
    """The day that demonstration bills were made for."""


class AccountRow(Base):
    """A customer. No name, no address."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))


class IdentifierRow(Base):
    """A number that an account is found by; schemes are data, an account may have several numbers of one."""

    __tablename__ = "identifier"

    scheme: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)


class InvoiceRow(Base):
    """An invoice. Whether it is paid, partly paid or unpaid follows from what is outstanding."""

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("outstanding_cents BETWEEN 0 AND total_cents", name="outstanding_within_total"),
        CheckConstraint("currency IN ('EUR', 'BGN')", name="known_currency"),
        Index("invoice_by_account", "account_id", "outstanding_cents"),
    )

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    period_start: Mapped[date]
    period_end: Mapped[date]
    energy_kwh: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    total_cents: Mapped[int] = mapped_column(BigInteger)
    """Hundredths of the currency, as all sums in the store: exact in every database."""
    outstanding_cents: Mapped[int] = mapped_column(BigInteger)
    issued: Mapped[date]
    due: Mapped[date]
    cut_off: Mapped[date | None]


class PaymentRow(Base):
    """A payment, booked in the currency of the invoice that it settles."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("paid_cents > 0", name="something_paid"),
        CheckConstraint("currency IN ('EUR', 'BGN')", name="known_currency"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    received: Mapped[date]
    currency: Mapped[str] = mapped_column(String(3))
    paid_cents: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(20))
    invoice_number: Mapped[str | None] = mapped_column(ForeignKey("invoice.number"))
