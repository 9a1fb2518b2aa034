"""Accounts and bills as JSON: what the API serves and what `RestStore` reads."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Account, History, Invoice, InvoiceLine, InvoiceStatus, Money, Payment

Amount = Annotated[str, StringConstraints(pattern=r"^-?\d{1,15}\.\d\d$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class MoneyMessage(_Message):
    """A sum."""

    amount: Amount = Field(examples=["45.30"])
    currency: Literal["EUR", "BGN"]

    @classmethod
    def of(cls, money: Money) -> MoneyMessage:
        """From a sum."""
        return cls(amount=f"{money.amount:.2f}", currency="EUR" if money.currency == "EUR" else "BGN")

    def money(self) -> Money:
        """As a sum."""
        return Money(Decimal(self.amount), self.currency)


class LineMessage(_Message):
    """A line of an invoice."""

    name: str = Field(examples=["day"])
    amount: MoneyMessage
    energy_kwh: int | None = None


class InvoiceMessage(_Message):
    """An invoice; `status` follows from the rest."""

    number: str
    status: InvoiceStatus
    period_start: date
    period_end: date
    energy_kwh: int
    lines: tuple[LineMessage, ...] = ()
    total: MoneyMessage
    outstanding: MoneyMessage
    issued: date
    due: date
    cut_off: date | None = None
    cancelled: date | None = None

    @classmethod
    def of(cls, invoice: Invoice) -> InvoiceMessage:
        """From an invoice."""
        return cls(
            number=invoice.number,
            status=invoice.status,
            period_start=invoice.period_start,
            period_end=invoice.period_end,
            energy_kwh=invoice.energy_kwh,
            lines=tuple(
                LineMessage(name=line.name, amount=MoneyMessage.of(line.amount), energy_kwh=line.energy_kwh)
                for line in invoice.lines
            ),
            total=MoneyMessage.of(invoice.total),
            outstanding=MoneyMessage.of(invoice.outstanding),
            issued=invoice.issued,
            due=invoice.due,
            cut_off=invoice.cut_off,
            cancelled=invoice.cancelled,
        )

    def invoice(self) -> Invoice:
        """As an invoice."""
        return Invoice(
            self.number,
            self.period_start,
            self.period_end,
            self.energy_kwh,
            self.total.money(),
            self.outstanding.money(),
            self.issued,
            self.due,
            self.cut_off,
            self.cancelled,
            tuple(InvoiceLine(line.name, line.amount.money(), line.energy_kwh) for line in self.lines),
        )


class PaymentMessage(_Message):
    """A payment, or one taken back."""

    number: str
    received: date
    paid: MoneyMessage
    channel: str
    invoice_number: str | None = None
    reverses: str | None = None

    @classmethod
    def of(cls, payment: Payment) -> PaymentMessage:
        """From a payment."""
        return cls(
            number=payment.number,
            received=payment.received,
            paid=MoneyMessage.of(payment.paid),
            channel=payment.channel,
            invoice_number=payment.invoice_number,
            reverses=payment.reverses,
        )

    def payment(self) -> Payment:
        """As a payment."""
        return Payment(self.received, self.paid.money(), self.channel, self.invoice_number, self.number, self.reverses)


class BalanceMessage(_Message):
    """What is owed under a number. `identifier` is masked."""

    identifier: str = Field(examples=["••••••••••01"])
    scheme: str
    kind: str
    owed: MoneyMessage
    nearest_due: date | None = None
    cut_off: date | None = None
    credit: MoneyMessage
    as_of: AwareDatetime
    unpaid: tuple[InvoiceMessage, ...]

    @classmethod
    def of(cls, account: Account) -> BalanceMessage:
        """From an account."""
        return cls(
            identifier=account.identifier.masked,
            scheme=account.identifier.scheme,
            kind=account.kind,
            owed=MoneyMessage.of(account.owed),
            nearest_due=account.nearest_due,
            cut_off=account.cut_off,
            credit=MoneyMessage.of(account.credit),
            as_of=account.as_of,
            unpaid=tuple(map(InvoiceMessage.of, account.unpaid)),
        )

    def account(self, identifier: Identifier) -> Account:
        """As an account of the number that was asked for."""
        unpaid = tuple(invoice.invoice() for invoice in self.unpaid)
        return Account(identifier, self.kind, unpaid, datetime.fromisoformat(str(self.as_of)), self.credit.money())


class HistoryMessage(_Message):
    """All bills of a number, newest first."""

    balance: BalanceMessage
    invoices: tuple[InvoiceMessage, ...]
    payments: tuple[PaymentMessage, ...]

    @classmethod
    def of(cls, history: History, year: int | None = None) -> HistoryMessage:
        """From a history, of one year where one is given."""
        return cls(
            balance=BalanceMessage.of(history.account),
            invoices=tuple(InvoiceMessage.of(i) for i in history.invoices if year in (None, i.issued.year)),
            payments=tuple(PaymentMessage.of(p) for p in history.payments if year in (None, p.received.year)),
        )

    def history(self, identifier: Identifier) -> History:
        """As a history."""
        return History(
            self.balance.account(identifier),
            tuple(invoice.invoice() for invoice in self.invoices),
            tuple(payment.payment() for payment in self.payments),
        )


class KnownMessage(_Message):
    """Which of some numbers are customers'."""

    known: tuple[str, ...]
