from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.language.spoken import CASES
from voicebot.billing.store import Money
from voicebot.language import dates, money, numbers


def spoken(kind: str, value: str) -> str:
    match kind.split():
        case ["masculine" | "feminine" | "neuter" as gender]:
            return numbers.spell(int(value), gender=gender)
        case ["ordinal", "masculine" | "feminine" | "neuter" as gender]:
            return numbers.ordinal(int(value), gender=gender)
        case ["year"]:
            return numbers.year(int(value))
        case ["EUR" | "BGN"]:
            return money.spell(Money(Decimal(value), kind))
        case ["day"]:
            return dates.spell(date.fromisoformat(f"2024-{value}"), with_year=False)
        case ["date"]:
            return dates.spell(date.fromisoformat(value))
        case ["moment"]:
            return dates.spell_moment(datetime.fromisoformat(value).replace(tzinfo=dates.LOCAL_TIME))
        case ["digits", *sizes]:
            return ", ".join(numbers.grouped(value, {len(value): [*map(int, sizes)]} if sizes else None))
        case _:
            return numbers.counted(int(value), kind)


@pytest.mark.parametrize("kind", sorted({kind for kind, _, _ in CASES}))
def test_values_are_said_as_bulgarian_says_them(kind: str) -> None:
    expected = {value: words for kind_, value, words in CASES if kind_ == kind}
    assert {value: spoken(kind, value) for value in expected} == expected


def test_the_table_has_no_case_twice_and_each_value_of_a_kind_its_own_words() -> None:
    assert len({case[:2] for case in CASES}) == len(CASES) >= 500
    assert all(not any(sign.isdigit() for sign in words) for _, _, words in CASES)
