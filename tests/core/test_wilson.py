import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from tailslide_core.wilson import lower_bound, z_score


@pytest.mark.parametrize(
    ("confidence", "z"), [(0.5, 0.0), (0.9, 1.2816), (0.95, 1.6449), (0.975, 1.96), (0.99, 2.3263), (0.999, 3.0902)]
)
def test_the_quantile_is_one_sided(confidence: float, z: float) -> None:
    assert z_score(confidence) == pytest.approx(z, abs=5e-5)


@given(st.floats(0.5, 0.999999999))
def test_the_quantile_agrees_with_scipy(confidence: float) -> None:
    assert z_score(confidence) == pytest.approx(norm.ppf(confidence), rel=1e-9, abs=1e-12)


# R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
# method 3 (score without continuity correction): the lower ends of 95 % intervals, which are 97.5 % one-sided.
@pytest.mark.parametrize(
    ("hits", "calls", "bound"), [(81, 263, 0.2553), (15, 148, 0.0624), (0, 20, 0.0), (1, 29, 0.0061)]
)
def test_the_bound_has_its_published_values(hits: int, calls: int, bound: float) -> None:
    assert lower_bound(hits, calls, 0.975) == pytest.approx(bound, abs=5e-5)


@st.composite
def observations(draw: st.DrawFn) -> tuple[int, int]:
    calls = draw(st.integers(1, 100_000))
    return draw(st.integers(0, calls)), calls


@given(observations(), st.floats(0.55, 0.9999))
def test_the_bound_agrees_with_scipy(observed: tuple[int, int], confidence: float) -> None:
    hits, calls = observed
    two_sided = 2 * confidence - 1
    interval = binomtest(hits, calls).proportion_ci(confidence_level=two_sided, method="wilson")
    assert lower_bound(hits, calls, confidence) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)


@given(observations(), st.floats(0.5, 0.999999999))
def test_the_bound_is_a_share_and_never_above_the_rate(observed: tuple[int, int], confidence: float) -> None:
    hits, calls = observed
    assert 0 <= lower_bound(hits, calls, confidence) <= hits / calls + 1e-12


@given(observations(), st.floats(0.5, 0.99), st.floats(0, 0.009))
def test_more_confidence_claims_less(observed: tuple[int, int], confidence: float, more: float) -> None:
    hits, calls = observed
    assert lower_bound(hits, calls, confidence + more) <= lower_bound(hits, calls, confidence) + 1e-12


@given(st.integers(1, 50), st.integers(0, 50), st.integers(2, 50), st.floats(0.6, 0.999))
def test_more_calls_at_the_same_rate_claim_more(hits: int, successes: int, times: int, confidence: float) -> None:
    few = lower_bound(hits, hits + successes, confidence)
    assert lower_bound(hits * times, (hits + successes) * times, confidence) > few


@pytest.mark.parametrize(("hits", "calls"), [(0, 0), (0, 10), (-1, 10), (1, 0), (1, -3)])
def test_without_hits_or_calls_nothing_is_known(hits: int, calls: int) -> None:
    assert lower_bound(hits, calls, 0.95) == 0.0
