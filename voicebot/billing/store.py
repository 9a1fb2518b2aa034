"""The port of the billing store: what a customer owes, as the utility's books have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Protocol

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


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment received."""

    received: date
    paid: Money
    channel: str
    """"office", "bank", "card" or "easypay"."""
    invoice_number: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """What the books say of one customer number or metering point. No name, no address."""

    identifier: Identifier
    kind: str
    """"household" or "business"."""
    unpaid: tuple[Invoice, ...]
    """Invoices with something outstanding, nearest due date first."""
    payments: tuple[Payment, ...]
    """Payments received, newest first."""
    as_of: datetime
    """When the utility's books were last brought over (aware)."""

    @property
    def owed(self) -> Money:
        """Sum of what is outstanding, in euro (invoices in BGN at the fixed rate, rounded half up)."""
        return Money(sum((in_euro(i.outstanding).amount for i in self.unpaid), Decimal("0.00")), "EUR")

    @property
    def nearest_due(self) -> date | None:
        """The earliest due date of an unpaid invoice."""
        return min((invoice.due for invoice in self.unpaid), default=None)

    @property
    def cut_off(self) -> date | None:
        """The earliest date after which supply may be cut off."""
        return min((invoice.cut_off for invoice in self.unpaid if invoice.cut_off), default=None)


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


class BillingStore(Protocol):
    """Where bills are read. Each call raises `StoreUnavailable` when the books cannot be read."""

    async def find(self, identifier: Identifier) -> Account | None:
        """The account with this number, or None when no customer has it."""

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        """Which of these few numbers (at most some dozens) are some customer's."""

    async def check(self) -> None:
        """Return when the store can answer; raise `StoreUnavailable` when not."""

    async def close(self) -> None:
        """Give back connections."""
