from decimal import Decimal

import pytest

from voicebot.billing.store import Money
from voicebot.language import money


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


def test_a_sum_is_parted_where_a_speaker_may_pause() -> None:
    assert money.spell_parts(Money(Decimal("-45.30"), "EUR")) == ["минус четиридесет и пет евро", "и тридесет цента"]
    assert money.spell_parts(Money(Decimal("0.30"), "EUR")) == ["тридесет цента"]
