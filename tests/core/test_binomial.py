"""The binomial tail, held against scipy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tailslide_core.binomial import at_least


def test_small_numbers_by_hand() -> None:
    assert at_least(1, 1, 0.25) == pytest.approx(0.25)
    assert at_least(2, 2, 0.25) == pytest.approx(0.0625)
    assert at_least(1, 2, 0.25) == pytest.approx(1 - 0.75**2)
    assert at_least(3, 4, 0.5) == pytest.approx(5 / 16)


def test_the_ends() -> None:
    assert at_least(0, 0, 0.5) == 1
    assert at_least(0, 10, 0.0) == 1
    assert at_least(1, 10, 0.0) == 0
    assert at_least(11, 10, 0.9) == 0


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0.0001, 0.5))
def test_above_twice_the_mean_it_is_scipys(calls: int, share: float, rate: float) -> None:
    hits = min(calls, round(calls * (2 * rate + share * (1 - 2 * rate))) + 1)
    expected = float(binom.sf(hits - 1, calls, rate))
    assert at_least(hits, calls, rate) == pytest.approx(expected, rel=1e-4, abs=1e-280)


@given(st.integers(1, 2_000), st.integers(0, 2_000), st.floats(0.0001, 0.9))
def test_one_more_hit_is_never_more_likely(calls: int, hits: int, rate: float) -> None:
    assert at_least(hits + 1, calls, rate) <= at_least(hits, calls, rate) * (1 + 1e-9)
