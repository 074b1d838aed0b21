"""Times of RFC 3339, held against Python's own calendar."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.times import civil_from_days, days_from_civil, days_in_month, parse_time

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))  # noqa: DTZ001 # the offset is put beside it


def written(moment: datetime, minutes: int) -> str:
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{moment.isoformat()}{sign}{minutes // 60:02}:{minutes % 60:02}"


@given(moments, offsets, moments, offsets)
def test_times_order_as_the_moments_do(one: datetime, at_one: int, other: datetime, at_other: int) -> None:
    first = one.replace(tzinfo=timezone(timedelta(minutes=at_one)))
    second = other.replace(tzinfo=timezone(timedelta(minutes=at_other)))
    left, right = parse_time(written(one, at_one)), parse_time(written(other, at_other))
    assert left is not None
    assert right is not None
    assert (left < right, left == right) == (first < second, first == second)


@given(moments, offsets, offsets)
def test_a_moment_is_the_same_at_every_offset(moment: datetime, minutes: int, others: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(timezone(timedelta(minutes=others)))
    assert parse_time(written(moment, minutes)) == parse_time(written(there.replace(tzinfo=None), others))


@given(st.dates())
def test_days_are_those_of_the_calendar(date: object) -> None:
    assert isinstance(date, type(datetime(2000, 1, 1, tzinfo=UTC).date()))
    begin = days_from_civil(1, 1, 1)
    assert days_from_civil(date.year, date.month, date.day) - begin == date.toordinal() - 1
    assert 1 <= date.day <= days_in_month(date.year, date.month)


@given(st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
def test_only_days_of_the_calendar_are_times(year: int, month: int, day: int) -> None:
    try:
        # Year 0 is a leap year as 400 is; Python begins with 1.
        datetime(year or 400, month, day, tzinfo=UTC)
        exists = True
    except ValueError:
        exists = False
    assert (parse_time(f"{year:04}-{month:02}-{day:02}T00:00:00Z") is not None) is exists


SAME = [
    [
        "1985-04-12T23:20:50.52Z",
        "1985-04-12t23:20:50.5200z",
        "1985-04-12T23:20:50.52+00:00",
        "1985-04-13T00:20:50.52+01:00",
    ],
    ["1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z", "1996-12-20T00:39:57.000-00:00"],
    ["1990-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00", "1991-01-01T08:59:60+09:00", "1991-01-01T00:00:00Z"],
    ["1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"],
]


@pytest.mark.parametrize("texts", SAME)
def test_times_that_are_the_same(texts: list[str]) -> None:
    assert len({parse_time(text) for text in texts}) == 1
    assert parse_time(texts[0]) is not None


ASCENDING = [
    "0000-01-01T00:00:00+23:59",
    "0000-02-29T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "2016-12-31T23:59:59.999999999999999999999999Z",
    "2016-12-31T23:59:60Z",
    "2016-12-31T23:59:60.5Z",
    "2017-01-01T00:00:00.50000000000000000000000001Z",
    "2017-01-01T00:00:00.6Z",
    "2026-11-28T12:00:00.1Z",
    "2026-11-28T12:00:00.11Z",
    "2026-11-28T12:00:00.2Z",
    "9999-12-31T23:59:59-23:59",
]


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(ASCENDING)))
def test_times_are_exact_to_any_digit(earlier: str, later: str) -> None:
    assert Condition("at", Operator.BEFORE, (later,)).holds({"at": earlier}, None, NO_SEGMENTS)
    assert Condition("at", Operator.AFTER, (earlier,)).holds({"at": later}, None, NO_SEGMENTS)
    for operator in (Operator.BEFORE, Operator.AFTER):
        assert not Condition("at", operator, (later,)).holds({"at": later}, None, NO_SEGMENTS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-28",
        "2026-11-28T12:00:00",
        "2026-11-28 12:00:00Z",
        "2026-11-28T12:00Z",
        "2026-11-28T12:00:00.Z",
        "2026-11-28T24:00:00Z",
        "2026-11-28T12:60:00Z",
        "2026-11-28T12:00:61Z",
        "2026-11-28T12:00:60Z",
        "2026-11-28T23:59:60Z",
        "2016-12-31T23:59:60+01:00",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "2026-11-28T12:00:00+24:00",
        "2026-11-28T12:00:00+01:60",
        "2026-11-28T12:00:00+0100",
        "2026-11-28T12:00:00+1:00",
        "2026-11-28T12:00:00\u22121:00",
        "12026-11-28T12:00:00Z",
        "+2026-11-28T12:00:00Z",
        "2026-11-28T12:00:00Z\n",
        "\u0662026-11-28T12:00:00Z",
        "20261128T120000Z",
        "1795363190",
    ],
)
def test_what_is_no_time_is_refused_and_neither_before_nor_after(text: str) -> None:
    assert parse_time(text) is None
    for operator in (Operator.BEFORE, Operator.AFTER):
        with pytest.raises(ContractError, match=r"^values: expected exactly one value for \w+, a time of RFC 3339"):
            Condition("at", operator, (text,))
        for negate in (False, True):
            condition = Condition("at", operator, ("2000-01-01T00:00:00Z",), negate)
            assert not condition.holds({"at": text}, None, NO_SEGMENTS)


@given(st.dates())
def test_days_lead_back_to_their_date(date: datetime) -> None:
    assert civil_from_days(days_from_civil(date.year, date.month, date.day)) == (date.year, date.month, date.day)
