from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebot.language import dates, numbers


def test_year_can_be_left_out() -> None:
    assert dates.spell(date(2026, 12, 9), with_year=False) == "девети декември"
    assert dates.spell(date(2026, 12, 9), "en", with_year=False) == "the ninth of December"


def test_date_is_said_in_english() -> None:
    assert dates.spell(date(2026, 12, 9), "en") == "the ninth of December twenty twenty-six"


@given(st.dates(date(1, 1, 1), date(3999, 12, 31)))
def test_every_date_has_words_and_no_digits(day: date) -> None:
    for language in ("bg", "en"):
        assert not any(sign.isdigit() for sign in dates.spell(day, language))


def test_moment_is_told_in_the_time_of_sofia() -> None:
    assert dates.spell_moment(datetime(2026, 11, 23, 6, 0, tzinfo=UTC)) == "двадесет и трети ноември, осем часа"
    assert dates.spell_moment(datetime(2026, 7, 1, 22, 0, tzinfo=UTC)) == "втори юли, един часа"


def test_year_of_a_moment_is_told_when_asked_for() -> None:
    moment = datetime(2026, 11, 23, 8, 1, tzinfo=dates.LOCAL_TIME)
    year = numbers.year(2026)
    assert (
        dates.spell_moment(moment, with_year=True) == f"двадесет и трети ноември {year} година, осем часа и една минута"
    )


def test_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        dates.spell_moment(datetime(2026, 11, 23, 8, 0))


def test_moment_is_told_in_english() -> None:
    moments = [datetime(2026, 3, 1, 1, minute, tzinfo=dates.LOCAL_TIME) for minute in (0, 1)]
    told = [dates.spell_moment(moment, "en") for moment in moments]
    assert told == ["the first of March, one o'clock", "the first of March, one minute past one o'clock"]
