"""Dates and moments as words and in figures; the order of the words is in `units.toml`, the rest comes from CLDR."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, get_month_names

from voicebot.language import numbers

LOCAL_TIME = ZoneInfo("Europe/Sofia")
"""The time zone in which callers are told the time."""


def spell(day: date, language: str = "bg", with_year: bool = True) -> str:
    """`day` in words: its ordinal, the month and, if asked for, the year (1 to 3999)."""
    pattern = numbers.units(language).patterns["date_with_year" if with_year else "date"]
    return pattern.format(
        day=numbers.ordinal(day.day, language, "masculine"),
        month=get_month_names("wide", locale=language)[day.month],
        year=numbers.year(day.year, language) if with_year else "",
    )


def spell_moment(moment: datetime, language: str = "bg", with_year: bool = False) -> str:
    """`moment`, an aware time, in words: the date and the time of day on the 24-hour clock of Sofia.

    Minutes are left out on the hour. Raises `ValueError` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    local = moment.astimezone(LOCAL_TIME)
    pattern = numbers.units(language).patterns["moment_with_minutes" if local.minute else "moment"]
    return pattern.format(
        date=spell(local.date(), language, with_year),
        hour=numbers.counted(local.hour, "oclock", language),
        minute=numbers.counted(local.minute, "minute", language),
    )


def in_figures(day: date, language: str = "bg", with_year: bool = True) -> str:
    """`day` as it is written: "9 декември" or "9 декември 2026 г."."""
    if with_year:
        return format_date(day, "long", locale=language)
    return format_skeleton("MMMMd", datetime(day.year, day.month, day.day), locale=language)


def moment_in_figures(moment: datetime, language: str = "bg") -> str:
    """`moment`, an aware time, as it is written: the date and the time of day in Sofia, "23 ноември, 6:00"."""
    local = moment.astimezone(LOCAL_TIME)
    return f"{in_figures(local.date(), language, with_year=False)}, {local.hour}:{local.minute:02}"
