"""The port of the billing store: what a customer owes, as the utility's books have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, Protocol

from voicebot.billing.identifier import Identifier
from voicebot.errors import VoicebotError


class StoreUnavailable(VoicebotError):
    """The store is missing, locked, or does not answer."""


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in one currency."""

    amount: Decimal
    """Two decimal places."""
    currency: str
    """ISO 4217: "EUR", or "BGN" on invoices from before 2026."""

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


NOTHING = Money(Decimal("0.00"), "EUR")

InvoiceStatus = Literal["unpaid", "partly paid", "paid", "cancelled"]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of an invoice."""

    name: str
    """"day", "night", "other", "vat" or "interest"."""
    amount: Money
    energy_kwh: int | None = None
    """For the lines of a tariff."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """One invoice; `outstanding` is what is left of `total` to be paid."""

    number: str
    period_start: date
    period_end: date
    energy_kwh: int
    total: Money
    outstanding: Money
    issued: date
    due: date
    """Last day on which it can be paid without interest."""
    cut_off: date | None
    """Day after which supply may be cut off while it is unpaid."""
    cancelled: date | None = None
    """When the utility took it back; then nothing of it is outstanding."""
    lines: tuple[InvoiceLine, ...] = ()
    """What makes the total."""

    @property
    def status(self) -> InvoiceStatus:
        """How far it is paid."""
        if self.cancelled:
            return "cancelled"
        if not self.outstanding.amount:
            return "paid"
        return "unpaid" if self.outstanding == self.total else "partly paid"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment received, or one taken back."""

    received: date
    paid: Money
    channel: str
    """"office", "bank", "card" or "easypay"."""
    invoice_number: str | None
    """None for a payment on account."""
    number: str = ""
    """The number of its receipt."""
    reverses: str | None = None
    """The receipt of the payment that this takes back, whole."""

    @property
    def effect(self) -> Money:
        """What it takes off the debt: less than nothing where it takes a payment back."""
        return Money(-self.paid.amount, self.paid.currency) if self.reverses else self.paid


@dataclass(frozen=True, slots=True)
class Account:
    """What the books say of one customer number or metering point. No name, no address."""

    identifier: Identifier
    kind: str
    """"household" or "business"."""
    unpaid: tuple[Invoice, ...]
    """Invoices with something outstanding, nearest due date first."""
    as_of: datetime
    """The moment of the utility's books that this is true of (aware)."""
    credit: Money = NOTHING
    """What the customer has paid that settles no invoice, in euro."""

    @property
    def owed(self) -> Money:
        """Sum of what is outstanding, in euro (invoices in BGN at the fixed rate, rounded half up)."""
        return total_in_euro(invoice.outstanding for invoice in self.unpaid)

    @property
    def nearest_due(self) -> date | None:
        """The earliest due date of an unpaid invoice."""
        return min((invoice.due for invoice in self.unpaid), default=None)

    @property
    def cut_off(self) -> date | None:
        """The earliest date after which supply may be cut off."""
        return min((invoice.cut_off for invoice in self.unpaid if invoice.cut_off), default=None)


@dataclass(frozen=True, slots=True)
class History:
    """All that the books hold of an account."""

    account: Account
    invoices: tuple[Invoice, ...] = field(default=(), repr=False)
    """Newest first."""
    payments: tuple[Payment, ...] = field(default=(), repr=False)
    """Newest first."""


LEVS_PER_EURO = Decimal("1.95583")
"""The fixed rate since 1 January 2026 (Council Regulation (EU) 2025/1409)."""


def in_euro(money: Money) -> Money:
    """`money` in euro, to the cent, rounded half up as Bulgaria's euro act asks.

    Raises `ValueError` for a currency other than EUR and BGN.
    """
    if money.currency == "EUR":
        return money
    if money.currency != "BGN":
        raise ValueError(f"no fixed rate for {money.currency}")
    return Money((money.amount / LEVS_PER_EURO).quantize(Decimal("0.01"), ROUND_HALF_UP), "EUR")


def total_in_euro(sums: Iterable[Money]) -> Money:
    """The sum in euro, each converted and rounded by itself."""
    return Money(sum((in_euro(each).amount for each in sums), NOTHING.amount), "EUR")


class BillingStore(Protocol):
    """Where bills are read. Each call raises `StoreUnavailable` when the books cannot be read."""

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None when no customer has it."""

    async def history(self, identifier: Identifier, code: str) -> History | None:
        """All invoices and payments; None alike for a number that nobody has and a code that is not its."""

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers (at most some dozens) are some customer's."""

    async def check(self) -> None:
        """Return when the store can answer; raise `StoreUnavailable` when not."""

    async def close(self) -> None:
        """Give back connections."""
