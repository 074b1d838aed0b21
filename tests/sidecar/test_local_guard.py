"""When a guard strikes and when it lets go, as rules for whatever may happen to calls."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.outcomes import CallEnd
from tailslide_core.ruleset import LocalGuard
from tailslide_sidecar.local_guard import Guard, has_failed_to_connect

settings_strategy = st.builds(LocalGuard, st.integers(1, 12), st.integers(100, 600_000))
times = st.floats(0, 1e9)


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("end", CallEnd)
def test_what_is_of_the_connection(end: CallEnd, connected: bool) -> None:
    always, without_one = {CallEnd.REFUSED, CallEnd.BROKEN}, {CallEnd.TIMED_OUT}
    assert has_failed_to_connect(end, connected) == (end in always or (end in without_one and not connected))


@given(settings_strategy, st.lists(st.booleans(), max_size=60))
def test_it_strikes_with_the_failure_that_completes_the_row_and_never_again(
    settings: LocalGuard, failures: list[bool]
) -> None:
    guard, strikes = Guard(settings), []
    for number, failed in enumerate(failures):
        if not failed:
            guard.connected()
        elif guard.failed(float(number)):
            strikes.append(number)

    # Another way to say the same: the first row that is long enough, from its own beginning.
    expected: list[int] = []
    begin = 0
    for failed, row in groupby(failures):
        length = len(list(row))
        if failed and length >= settings.consecutive_failures and not expected:
            expected.append(begin + settings.consecutive_failures - 1)
        begin += length
    assert strikes == expected
    assert guard.struck_at_s == (float(expected[0]) if expected else None)


@given(settings_strategy, times, st.lists(st.floats(0, 1_200_000), max_size=20), st.lists(st.booleans(), max_size=20))
def test_it_holds_for_its_time_and_no_longer(
    settings: LocalGuard, struck_at_s: float, later_ms: list[float], ends: list[bool]
) -> None:
    guard = Guard(settings)
    for _ in range(settings.consecutive_failures):
        guard.failed(struck_at_s)
    for failed in ends:  # calls that were under way
        if failed:
            guard.failed(struck_at_s)
        else:
            guard.connected()
    assert guard.remaining_ms(struck_at_s) == settings.max_ms
    for ms in later_ms:
        now_s = struck_at_s + ms / 1000
        elapsed_ms = (now_s - struck_at_s) * 1000
        assert guard.is_over(now_s) == (elapsed_ms >= settings.max_ms)
        assert guard.remaining_ms(now_s) + guard.held_for_ms(now_s) == settings.max_ms
        assert 0 <= guard.remaining_ms(now_s) <= settings.max_ms


def test_before_it_strikes_nothing_is_held_and_nothing_is_over() -> None:
    guard = Guard(LocalGuard(2, 100))
    guard.failed(1.0)
    assert (guard.remaining_ms(9.0), guard.held_for_ms(9.0), guard.is_over(9.0)) == (0, 0, False)
