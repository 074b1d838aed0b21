from hypothesis import given
from hypothesis import strategies as st

from tailslide_embedded.restarts import MOST_RESTARTS, WITHIN_S, Restarts


def test_pauses_double_and_then_it_is_given_up() -> None:
    restarts = Restarts()
    assert [restarts.next_pause(float(now)) for now in range(6)] == [1, 2, 4, 8, 16, None]
    assert restarts.next_pause(6.0) is None


def test_a_process_that_did_well_for_long_begins_anew() -> None:
    restarts = Restarts()
    assert [restarts.next_pause(now) for now in (0.0, 1.0, 2.0)] == [1, 2, 4]
    assert restarts.next_pause(2.0 + WITHIN_S) == 1


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_there_are_never_more_restarts_within_the_time_than_allowed(between: list[float]) -> None:
    restarts, now, granted = Restarts(), 0.0, list[float]()
    for seconds in between:
        now += seconds
        if restarts.next_pause(now) is not None:
            granted.append(now)
    for index, first in enumerate(granted):
        assert sum(first <= one < first + WITHIN_S for one in granted[index:]) <= MOST_RESTARTS
