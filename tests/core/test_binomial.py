"""The binomial tail, held against scipy's."""

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
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


def exactly(hits: int, calls: int, rate: float) -> float:
    """Add up all terms without rounding."""
    p = Fraction(rate)
    return float(sum(math.comb(calls, k) * p**k * (1 - p) ** (calls - k) for k in range(hits, calls + 1)))


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0.0001, 0.5))
@example(calls=390, share=0.8731, rate=0.125)
def test_above_twice_the_mean_it_is_scipys(calls: int, share: float, rate: float) -> None:
    hits = min(calls, round(calls * (2 * rate + share * (1 - 2 * rate))) + 1)
    expected = float(binom.sf(hits - 1, calls, rate))
    # Below 1e-268 scipy itself is wrong in the second digit; see the next test.
    assert at_least(hits, calls, rate) == pytest.approx(expected, rel=1e-4, abs=1e-250)


@pytest.mark.parametrize(
    ("hits", "calls", "rate"),
    [
        (353, 390, 0.125),  # 1.083e-269, of which scipy makes 1.068e-269
        (525, 554, 0.25),
        (361, 392, 0.1319229670491331),
        (486, 1756, 0.71875),  # the upper tail's first term is no normal float, and the tail is 1
        (487, 1756, 0.71875),
        (151, 616, 0.9),
        (1, 200, 0.9),
        (300, 600, 0.5),
        (301, 600, 0.5),
    ],
)
def test_it_is_exact_to_ten_digits(hits: int, calls: int, rate: float) -> None:
    assert at_least(hits, calls, rate) == pytest.approx(exactly(hits, calls, rate), rel=1e-10, abs=0)


@given(st.integers(1, 2_000), st.integers(0, 2_000), st.floats(0.0001, 0.9))
@example(calls=1756, hits=486, rate=0.71875)
@example(calls=616, hits=151, rate=0.9)
@example(calls=1920, hits=1079, rate=0.9)
def test_one_more_hit_is_never_more_likely(calls: int, hits: int, rate: float) -> None:
    assert at_least(hits + 1, calls, rate) <= at_least(hits, calls, rate) * (1 + 1e-9)
