"""From which rate on a circuit opens at a number of calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.breach import breach, opening_hits, opening_rate
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.windows import WindowCounts


def opens(settings: CircuitSettings, calls: int, failures: int) -> bool:
    return breach(settings, [WindowCounts(10_000, calls, failures)]) is not None


@given(
    st.integers(1, 20_000),
    st.one_of(st.floats(0, 100), st.sampled_from([0.0, 1.0, 5.0, 50.0, 99.9, 100.0])),
    st.sampled_from([0.5, 0.9, 0.99, 0.9999, 0.999999]),
)
def test_so_many_bad_calls_open_it_and_one_less_does_not(calls: int, threshold: float, confidence: float) -> None:
    settings = CircuitSettings(error_threshold=threshold, confidence=confidence, min_calls=1)
    hits = opening_hits(calls, threshold, confidence)
    if hits is None:
        assert not opens(settings, calls, calls)
        return
    assert 0 < hits <= calls
    assert opens(settings, calls, hits)
    assert not opens(settings, calls, hits - 1)


@pytest.mark.parametrize(
    ("calls", "rate"), [(0, None), (9, None), (10, None), (14, 100.0), (100, 69.0), (1_000, 55.9), (100_000, 50.589)]
)
def test_the_fewer_calls_the_further_it_is_from_the_threshold(calls: int, rate: float | None) -> None:
    assert opening_rate(calls, 50.0, CircuitSettings()) == rate


def test_fewer_calls_than_are_asked_for_open_nothing() -> None:
    settings = CircuitSettings(min_calls=1_000)
    assert opening_rate(999, 50.0, settings) is None
    assert opening_rate(1_000, 50.0, settings) is not None


def test_a_threshold_of_all_calls_is_never_exceeded() -> None:
    assert opening_rate(10**6, 100.0, CircuitSettings()) is None
