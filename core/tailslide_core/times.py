"""Times as RFC 3339 writes them, compared exactly. Without the clock and the calendar of the platform."""

import re
from typing import NamedTuple

Time = tuple[int, str]
"""Seconds since 0000-03-01T00:00:00Z, and the digits of the fraction without zeros at the end, which sort as texts."""

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]++))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAY_S = 86_400


def parse_time(text: str) -> Time | None:
    """Return a key that sorts as times do, or None when `text` is not a time as RFC 3339 §5.6 writes it.

    A leap second (§5.7: second 60, at the end of a month in UTC) is the same as the second after it.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    if not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month) or hour > 23 or minute > 59 or second > 60:
        return None
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    if offset_hours > 23 or offset_minutes > 59:
        return None
    offset_s = (offset_hours * 60 + offset_minutes) * (-60 if match[8] == "-" else 60)
    seconds = days_from_civil(year, month, day) * _DAY_S + (hour * 60 + minute) * 60 + second - offset_s
    if second == 60 and seconds not in _ends_of_months(year, month):
        return None
    return (seconds, (match[7] or "").rstrip("0"))


def _ends_of_months(year: int, month: int) -> tuple[int, int]:
    """Return when a month begins and when it ends, in UTC; a local time in it is within a day of one of the two."""
    begins = days_from_civil(year, month, 1)
    return (begins * _DAY_S, (begins + days_in_month(year, month)) * _DAY_S)


def days_in_month(year: int, month: int) -> int:
    """Return how many days a month (1 to 12) of the Gregorian calendar has."""
    return 29 if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else _DAYS[month - 1]


def days_from_civil(year: int, month: int, day: int) -> int:
    """Return the days from 0000-03-01 to a day of the Gregorian calendar, extended to the year 0.

    Years begin in March here, so that the leap day is the last one.
    """
    if month <= 2:
        year -= 1
    month_from_march = (month + 9) % 12
    # 153 days in each five months from March on: 31, 30, 31, 30, 31, twice, and what is left of the third five.
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * month_from_march + 2) // 5 + day - 1


class Date(NamedTuple):
    """A day of the Gregorian calendar."""

    year: int
    month: int
    day: int


def civil_from_days(days: int) -> Date:
    """Return the day that is so many days after 0000-03-01: the inverse of `days_from_civil`, for years from 0 on."""
    era, of_era = divmod(days, 146_097)
    # 1,460 days in, the fourth year's leap day; the 36,524th and the last day of 400 years likewise.
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * of_year + 2) // 153
    day = of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return Date(era * 400 + year_of_era + (month <= 2), month, day)


def time_of(value: object) -> Time | None:
    """Return the time that a text is; None for anything else."""
    return parse_time(value) if isinstance(value, str) else None
