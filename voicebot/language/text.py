"""Free text to words: figures that a voice cannot be trusted with (numbers, sums, dates) are spelled out.

Prompts need none of this, their slots are values; it serves text that people type.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import cache

from voicebot.billing.store import Money
from voicebot.language import dates, money, numbers

_CURRENCIES = {"евро": "EUR", "eur": "EUR", "euro": "EUR", "€": "EUR", "лв": "BGN", "лева": "BGN", "bgn": "BGN"}
_DATE = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b(?:\s*г\.)?")
_MONEY = re.compile(r"(\d{1,9})(?:[.,](\d{1,2}))?\s*(евро|eur|euro|€|лева|лв\.?|bgn)(?!\w)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(?:\s*(kwh|квтч)\b|\s+([^\W\d]+(?: [^\W\d]+)?))?", re.IGNORECASE)
_LONGEST_CARDINAL = 6
"""Digits of the longest figure that is said as one number; longer ones are said digit by digit in groups."""


def spell_figures(text: str, language: str = "bg") -> str:
    """`text` with every figure in words: dates as d.m.yyyy, sums with their currency, other numbers.

    A number agrees with the noun behind it where `units.toml` has that. A figure of more than six digits, or with a
    leading zero, is read digit by digit in groups.
    """
    text = _DATE.sub(lambda found: _date(found, language), text)
    text = _MONEY.sub(lambda found: _money(found, language), text)
    return _NUMBER.sub(lambda found: _number(found, language), text)


def _date(found: re.Match[str], language: str) -> str:
    day, month, year = map(int, found.groups())
    try:
        return dates.spell(date(year, month, day), language)
    except ValueError:
        return found[0]


def _money(found: re.Match[str], language: str) -> str:
    whole, part, currency = found.groups()
    amount = Decimal(f"{whole}.{(part or '').ljust(2, '0')}")
    return money.spell(Money(amount, _CURRENCIES[currency.lower().rstrip(".")]), language)


def _number(found: re.Match[str], language: str) -> str:
    digits, energy, words = found.groups()
    if len(digits) > _LONGEST_CARDINAL or (digits[0] == "0" and len(digits) > 1):
        return ", ".join(numbers.grouped(digits, language=language)) + found[0].removeprefix(digits)
    if energy:
        return numbers.counted(int(digits), "kilowatt_hour", language)
    genders = _genders(language)
    both = (words or "").lower()
    gender = genders.get(both) or genders.get(both.partition(" ")[0], "neuter")
    return numbers.spell(int(digits), language, gender) + found[0].removeprefix(digits)


@cache
def _genders(language: str) -> dict[str, numbers.Gender]:
    """The forms of nouns behind a number, and with which gender that agrees."""
    return {form: noun.gender for noun in numbers.units(language).nouns.values() for form in (noun.one, noun.other)}
