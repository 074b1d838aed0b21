"""Percentiles of a latency histogram."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.latency import Percentile, percentile
from tailslide_core.outcomes import LATENCY_BOUNDS_MS, LATENCY_METRICS, latency_metric


def histogram(*latencies_ms: float) -> list[int]:
    metrics = [latency_metric(each) for each in latencies_ms]
    return [metrics.count(metric) for metric in LATENCY_METRICS]


def test_a_percentile_is_interpolated_between_the_bounds_of_its_bucket() -> None:
    counts = histogram(*[15] * 50, *[150] * 50)
    assert percentile(counts, 50) == Percentile(20, 10, 20)
    assert percentile(counts, 75) == Percentile(150, 100, 200)
    assert percentile(counts, 100) == Percentile(200, 100, 200)


def test_the_first_bucket_begins_at_zero() -> None:
    assert percentile(histogram(0.5, 0.5), 50) == Percentile(0.5, 0, 1)


def test_what_took_longer_than_the_last_bound_has_no_upper_one() -> None:
    assert percentile(histogram(5, 90_000), 99) == Percentile(60_000, 60_000, None)


def test_no_calls_have_no_percentile() -> None:
    assert percentile(histogram(), 50) is None


@given(
    st.lists(st.floats(0.01, 100_000), min_size=1, max_size=50),
    st.floats(0, 100),
)
def test_the_true_percentile_is_between_the_bounds(latencies: list[float], percent: float) -> None:
    found = percentile(histogram(*latencies), percent)
    assert found is not None
    ordered = sorted(latencies)
    rank = next(index for index in range(len(ordered)) if index + 1 >= len(ordered) * percent / 100)
    assert found.from_ms <= ordered[rank]
    assert ordered[rank] <= (found.to_ms if found.to_ms is not None else float("inf"))
    assert found.from_ms <= found.ms
    assert found.ms <= (found.to_ms if found.to_ms is not None else LATENCY_BOUNDS_MS[-1])


@pytest.mark.parametrize("low", [1.0, 50.0, 90.0])
def test_percentiles_rise(low: float) -> None:
    counts = histogram(1, 7, 7, 30, 300, 301, 4_000, 70_000)
    first, second = percentile(counts, low), percentile(counts, low + 9)
    assert first is not None
    assert second is not None
    assert first.ms <= second.ms
