"""A billing store of a few accounts in memory."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Account, History, Invoice, Money, StoreUnavailable

TODAY = date(2026, 11, 23)
CODE = "A1B2C3"
AS_OF = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def invoice(amount: str, due_in_days: int = 16, cut_off_in_days: int = 26, number: str = "1") -> Invoice:
    total = Money(Decimal(amount), "EUR")
    issued = TODAY + timedelta(days=due_in_days - 14)
    return Invoice(
        number=number,
        period_start=issued - timedelta(days=31),
        period_end=issued - timedelta(days=1),
        energy_kwh=120,
        total=total,
        outstanding=total,
        issued=issued,
        due=TODAY + timedelta(days=due_in_days),
        cut_off=TODAY + timedelta(days=cut_off_in_days),
    )


def account(digits: str, *invoices: Invoice) -> Account:
    scheme = "itn" if len(digits) == 7 else "customer_number"
    return Account(Identifier(digits, scheme), "household", invoices, AS_OF)


class FakeStore:
    def __init__(self, *accounts: Account, failing: bool = False) -> None:
        self.accounts = {a.identifier: a for a in accounts}
        self.failing = failing
        self.asked: list[Identifier] = []

    async def find(self, identifier: Identifier) -> Account | None:
        self.asked.append(identifier)
        await self.check()
        return self.accounts.get(identifier)

    async def history(self, identifier: Identifier, code: str) -> History | None:
        account = await self.find(identifier)
        return History(account, account.unpaid) if account is not None and code == CODE else None

    async def known(self, identifiers: Sequence[Identifier]) -> frozenset[Identifier]:
        await self.check()
        return frozenset(identifier for identifier in identifiers if identifier in self.accounts)

    async def check(self) -> None:
        if self.failing:
            raise StoreUnavailable("The billing store is gone: start it again.")

    async def close(self) -> None:
        pass
