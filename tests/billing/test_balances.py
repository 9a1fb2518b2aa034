"""Whatever a utility books: what the store says is owed is what a ledger kept by hand says."""

import tempfile
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.billing.test_importing import CUSTOMERS, INVOICES, PAYMENTS, POINTS, written
from voicebot.billing.audit import audit
from voicebot.billing.identifier import DEFAULT_SCHEMES
from voicebot.billing.importing import import_files
from voicebot.billing.sql import SqlStore
from voicebot.billing.store import Money, total_in_euro

DAYS = st.dates(date(2004, 1, 1), date(2032, 3, 1)) | st.sampled_from(
    [date(2004, 1, 1), date(2004, 2, 29), date(2028, 2, 29)]
)
CENTS = st.integers(1, 10**9) | st.just(1)
PART = st.integers(0, 100)
INVOICE = st.tuples(DAYS, CENTS, st.sampled_from(["EUR", "BGN"]), st.lists(st.tuples(PART, st.booleans()), max_size=4))


def amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


@settings(max_examples=25, deadline=None)
@given(st.lists(INVOICE, max_size=6), st.lists(CENTS, max_size=2), st.integers(1, 4))
@example([(date(2004, 2, 29), 1, "EUR", [])], [], 1)
@example([(date(2004, 2, 29), 1, "BGN", [(100, True)])], [1], 2)
async def test_balances_add_up(
    invoices: list[tuple[date, int, str, list[tuple[int, bool]]]], on_account: list[int], imports: int
) -> None:
    bills, lines, owed = [], [], []
    for n, (issued, cents, currency, parts) in enumerate(invoices):
        day, due = issued.isoformat(), (issued + timedelta(14)).isoformat()
        bills.append(
            f"F{n},300000000001,1000001,{day},{day},1,{amount(cents)},0,{amount(cents)},{currency},{day},{due}\n"
        )
        left = cents
        for m, (percent, bounced) in enumerate(parts):
            part = left * percent // 100
            if not part:
                continue
            lines.append(f"P{n}-{m},300000000001,F{n},{due},{amount(part)},{currency},bank,\n")
            if bounced:
                lines.append(f"R{n}-{m},300000000001,F{n},{due},{amount(part)},{currency},bank,P{n}-{m}\n")
            else:
                left -= part
        owed.append(Money(Decimal(left).scaleb(-2), currency))
    lines += [f"A{n},300000000001,,2026-02-01,{amount(cents)},EUR,card,\n" for n, cents in enumerate(on_account)]
    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name), Path(name) / "bills.sqlite"
        first = {"c": CUSTOMERS, "p": POINTS, "i": INVOICES + "".join(bills)}
        done = import_files(store, written(folder, **first), DEFAULT_SCHEMES)
        size = -(-len(lines) // imports) or 1
        for n in range(0, len(lines), size):
            part_of_them = {f"pay{n}": PAYMENTS + "".join(lines[n : n + size])}
            done += import_files(store, written(folder, **part_of_them), DEFAULT_SCHEMES)
        assert [file.rejected for file in done] == [0] * len(done)
        books = SqlStore(store)
        account = await books.find(DEFAULT_SCHEMES.parse("300000000001"))
        await books.close()
        assert account is not None
        assert account.owed == total_in_euro(owed)
        assert sorted(map(str, (i.outstanding for i in account.unpaid))) == sorted(str(m) for m in owed if m.amount)
        assert account.credit == Money(Decimal(sum(on_account)).scaleb(-2), "EUR")
        assert audit(store).faults == ()
