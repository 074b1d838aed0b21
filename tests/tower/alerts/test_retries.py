"""When deliveries are tried again."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.alerts.retries import RetryPolicy, read_retry_after

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
POLICY = RetryPolicy()


def attempts(chance: float, retry_after: timedelta | None = None) -> list[timedelta]:
    """Return when each attempt is made, the first one at once."""
    now, until, made = NOW, NOW + POLICY.lasting, [timedelta(0)]
    while (following := POLICY.next_at(len(made), now, until, chance, retry_after)) is not None:
        now = following
        made.append(now - NOW)
    return made


def test_pauses_grow_to_an_hour_and_end_after_a_day() -> None:
    made = attempts(0.5)
    pauses = [int((later - earlier).total_seconds()) for earlier, later in pairwise(made)]
    assert pauses[:10] == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560]
    assert set(pauses[10:-1]) == {3600}
    assert made[10] < timedelta(hours=1.5)
    assert made[-1] == timedelta(days=1)


@given(st.floats(0, 1))
def test_the_last_attempt_is_at_the_end_of_the_day_whatever_the_jitter(chance: float) -> None:
    made = attempts(chance)
    assert made[-1] == timedelta(days=1)
    assert made == sorted(made)
    assert 25 < len(made) < 50


@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 200_000))
def test_the_receiver_is_never_asked_sooner_than_it_wanted(attempt: int, chance: float, wanted_s: int) -> None:
    wanted = timedelta(seconds=wanted_s)
    until = NOW + POLICY.lasting
    following = POLICY.next_at(attempt, NOW, until, chance, wanted)
    assert following is not None
    assert following >= min(until, NOW + wanted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta(0)),
        ("999999999", timedelta(days=1)),
        ("Sat, 28 Nov 2026 03:05:00 GMT", timedelta(minutes=5)),
        ("Sat, 28 Nov 2026 02:00:00 GMT", timedelta(0)),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("9" * 5000, None),
        (f"Sat, 28 Nov {'9' * 20} 03:05:00 GMT", None),
        (f"Sat, {'9' * 20} Nov 2026 03:05:00 GMT", None),
        (f"Sat, 28 Nov 2026 {'9' * 20}:05:00 GMT", None),
        (f"Sat, 28 Nov 2026 03:05:00 +{'9' * 20}", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wanted: timedelta | None) -> None:
    assert read_retry_after(value, NOW) == wanted
