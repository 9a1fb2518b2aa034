from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.billing.identifier import Identifier
from voicebot.billing.store import Account, Invoice, Money, in_euro


def euro(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def levs(amount: str) -> Money:
    return Money(Decimal(amount), "BGN")


def invoice(outstanding: Money, due: date = date(2026, 12, 9), cut_off: date | None = None) -> Invoice:
    issued = due - timedelta(14)
    return Invoice(
        number="4000000001",
        period_start=issued - timedelta(33),
        period_end=issued - timedelta(3),
        energy_kwh=120,
        total=outstanding,
        outstanding=outstanding,
        issued=issued,
        due=due,
        cut_off=cut_off,
    )


def account(*unpaid: Invoice) -> Account:
    as_of = datetime(2026, 11, 22, 18, tzinfo=UTC)
    return Account(Identifier("1000001", "itn"), "household", unpaid, as_of)


def test_owed_is_the_sum_of_what_is_outstanding() -> None:
    assert account(invoice(euro("27.80")), invoice(euro("17.50"))).owed == euro("45.30")


def test_account_without_unpaid_invoices_owes_nothing() -> None:
    nothing = account()
    assert nothing.owed == euro("0.00")
    assert str(nothing.owed) == "0.00 EUR"
    assert nothing.nearest_due is None
    assert nothing.cut_off is None


def test_invoices_in_levs_are_owed_in_euro_each_rounded_by_itself() -> None:
    assert account(invoice(levs("1.00")), invoice(levs("1.00")), invoice(euro("0.01"))).owed == euro("1.03")


def test_earliest_dates_count() -> None:
    owing = account(
        invoice(euro("1.00"), date(2026, 12, 9), date(2026, 12, 19)),
        invoice(euro("1.00"), date(2026, 11, 9)),
        invoice(euro("1.00"), date(2026, 10, 9), date(2026, 12, 1)),
    )
    assert owing.nearest_due == date(2026, 10, 9)
    assert owing.cut_off == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("amount", "converted"),
    [
        ("1.95583", "1.00"),
        ("1.96", "1.00"),
        ("100.00", "51.13"),
        ("0.01", "0.01"),
        ("0.00", "0.00"),
        ("10000.00", "5112.92"),
        ("0.00977915", "0.01"),
        ("0.00977914", "0.00"),
    ],
)
def test_levs_become_euro_at_the_fixed_rate_rounded_half_up(amount: str, converted: str) -> None:
    assert in_euro(levs(amount)) == euro(converted)


@given(st.decimals("0", "1e9", places=2))
def test_conversion_is_within_half_a_cent(amount: Decimal) -> None:
    assert abs(in_euro(Money(amount, "BGN")).amount - amount / Decimal("1.95583")) <= Decimal("0.005")


def test_euro_stays_as_it_is() -> None:
    assert in_euro(euro("1256.01")) == euro("1256.01")


def test_currency_without_a_fixed_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="USD"):
        in_euro(Money(Decimal("1.00"), "USD"))


def test_money_is_written_with_two_decimal_places() -> None:
    assert f"{euro('12.5')}" == "12.50 EUR"
