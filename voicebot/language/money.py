"""Sums of money as words and in figures; the words of each currency are in `units.toml`."""

from __future__ import annotations

from babel.numbers import format_decimal

from voicebot.billing.store import Money
from voicebot.language import numbers


def spell(money: Money, language: str = "bg") -> str:
    """`money` in words; whole sums go without the hundredths, and a sum below one has these alone.

    Raises:
        ValueError: a currency without words, a fraction of a hundredth, or a sum that is too large.
    """
    return " ".join(spell_parts(money, language))


def spell_parts(money: Money, language: str = "bg") -> list[str]:
    """The words of `spell`, parted where a speaker may pause: before "and thirty cents"."""
    units = numbers.units(language)
    if money.currency not in units.currencies:
        raise ValueError(f"there are no words for {money.currency} in units.toml")
    currency = units.currencies[money.currency]
    hundredths = int(money.amount * 100)
    if hundredths != money.amount * 100:
        raise ValueError("a sum of money has two decimal places")
    whole, part = divmod(abs(hundredths), 100)
    minor = numbers.count(part, currency.minor, language)
    if whole == 0 and part:
        parts = [minor]
    else:
        parts = [numbers.count(whole, currency.major, language)]
        parts += [units.patterns["hundredths"].format(minor=minor)] if part else []
    if hundredths < 0:
        parts[0] = units.patterns["negative"].format(money=parts[0])
    return parts


def in_figures(money: Money, language: str = "bg") -> str:
    """`money` as it is written: "45,30 евро"; raises `ValueError` for a currency without words."""
    units = numbers.units(language)
    if money.currency not in units.currencies:
        raise ValueError(f"there are no words for {money.currency} in units.toml")
    figures = format_decimal(money.amount, "#,##0.00", locale=language)
    return f"{figures} {units.currencies[money.currency].major.other}"
