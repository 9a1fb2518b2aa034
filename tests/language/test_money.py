from decimal import Decimal

import pytest

from voicebot.billing.store import Money
from voicebot.language import money

SUMS = [
    ("45.30", "EUR", "четиридесет и пет евро и тридесет цента"),
    ("0.01", "EUR", "един цент"),
    ("0.02", "EUR", "два цента"),
    ("0.00", "EUR", "нула евро"),
    ("1.00", "EUR", "едно евро"),
    ("1", "EUR", "едно евро"),
    ("2.00", "EUR", "две евро"),
    ("1.01", "EUR", "едно евро и един цент"),
    ("21.21", "EUR", "двадесет и едно евро и двадесет и един цента"),
    ("22.22", "EUR", "двадесет и две евро и двадесет и два цента"),
    ("100.10", "EUR", "сто евро и десет цента"),
    ("1200.00", "EUR", "хиляда и двеста евро"),
    ("1256.01", "EUR", "хиляда двеста петдесет и шест евро и един цент"),
    ("12480.99", "EUR", "дванадесет хиляди четиристотин и осемдесет евро и деветдесет и девет цента"),
    ("1.20", "BGN", "един лев и двадесет стотинки"),
    ("2.01", "BGN", "два лева и една стотинка"),
    ("0.02", "BGN", "две стотинки"),
    ("-0.05", "EUR", "минус пет цента"),
    ("-12.00", "EUR", "минус дванадесет евро"),
]


@pytest.mark.parametrize(("amount", "currency", "words"), SUMS)
def test_sum_is_said_in_words(amount: str, currency: str, words: str) -> None:
    assert money.spell(Money(Decimal(amount), currency)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [("45.30", "forty-five euros and thirty cents"), ("1.01", "one euro and one cent"), ("0.00", "zero euros")],
)
def test_sum_is_said_in_english(amount: str, words: str) -> None:
    assert money.spell(Money(Decimal(amount), "EUR"), "en") == words


def test_fraction_of_a_cent_is_refused() -> None:
    with pytest.raises(ValueError, match="two decimal places"):
        money.spell(Money(Decimal("1.005"), "EUR"))


def test_currency_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no words for USD"):
        money.spell(Money(Decimal("1.00"), "USD"))
