"""The buckets of graphs, and which copy of the series they are read from."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.naming import RAW_RETENTION_MS, RESOLUTIONS
from tailslide_tower.timeseries.grid import (
    MAX_POINTS,
    RANGES,
    RAW,
    RAW_PIECE_MS,
    Grid,
    Span,
    least_resolution_ms,
    pieces,
    source_of,
)

NOW = 1_795_363_190_302
DAY_MS = 86_400_000


@pytest.mark.parametrize("name", RANGES)
def test_a_range_ends_with_the_bucket_of_now(name: str) -> None:
    grid = Span.of_range(name, NOW).grid()
    length_ms, bucket_ms = RANGES[name]
    assert grid.bucket_ms == bucket_ms
    assert grid.points == length_ms // bucket_ms <= MAX_POINTS
    assert grid.start_ms % bucket_ms == 0
    assert grid.times()[-1] <= NOW < grid.end_ms


@given(st.integers(0, 2**50), st.integers(1, 30 * DAY_MS), st.integers(250, DAY_MS))
def test_buckets_are_aligned_and_hold_the_whole_span(from_ms: int, length_ms: int, bucket_ms: int) -> None:
    grid = Grid.over(from_ms, from_ms + length_ms, bucket_ms)
    assert grid.start_ms % bucket_ms == 0
    assert grid.start_ms <= from_ms < grid.start_ms + bucket_ms
    assert grid.end_ms - bucket_ms < from_ms + length_ms <= grid.end_ms


def test_the_width_of_buckets_is_chosen_by_the_length_of_the_span() -> None:
    widths = [Span(NOW - length_ms, NOW).grid().bucket_ms for length_ms in (60_000, 3_600_000, DAY_MS, 30 * DAY_MS)]
    assert widths == [1_000, 10_000, 60_000, 3_600_000]


@pytest.mark.parametrize(
    ("span", "field", "problem"),
    [
        (Span(NOW, NOW), "to_ms", "expected a time after from_ms"),
        (Span(NOW - 3_600_000, NOW, 1_000), "resolution_ms", "expected at least 2400 for a range of 3600000 ms"),
        (Span(0, NOW), "from_ms", "expected a range of at most 1500 days"),
    ],
)
def test_spans_that_are_empty_or_have_too_many_points_are_refused(span: Span, field: str, problem: str) -> None:
    with pytest.raises(ContractError, match=re.escape(problem)) as refused:
        span.grid()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("length_ms", "bucket_ms", "label"),
    [
        (60_000, 1_000, "raw"),
        (3_600_000, 2_500, "raw"),
        (3_600_000, 10_000, "10s"),
        (3_600_000, 30_000, "10s"),
        (3_600_000, 60_000, "1m"),
        (DAY_MS, 60_000, "1m"),
        (DAY_MS, 250_000, "10s"),
        (30 * DAY_MS, 3_600_000, "1m"),
    ],
)
def test_the_coarsest_copy_that_fits_is_read(length_ms: int, bucket_ms: int, label: str) -> None:
    grid = Span(NOW - length_ms, NOW, bucket_ms).grid()
    assert source_of(grid, RESOLUTIONS, NOW).label == label


def test_what_is_kept_of_a_time_bounds_the_resolution() -> None:
    assert least_resolution_ms(NOW - RAW_RETENTION_MS, RESOLUTIONS, NOW) == 1
    assert least_resolution_ms(NOW - DAY_MS, RESOLUTIONS, NOW) == 10_000
    assert least_resolution_ms(NOW - 2 * DAY_MS, RESOLUTIONS, NOW) == 60_000
    assert least_resolution_ms(NOW - 90 * DAY_MS, RESOLUTIONS, NOW) == 60_000
    assert least_resolution_ms(NOW - 2 * RAW_RETENTION_MS, RESOLUTIONS[1:], NOW) == 60_000


@given(st.integers(0, 2**50), st.integers(1, MAX_POINTS), st.sampled_from([250, 700, 1_000, 9_999, 10_000, 600_000]))
def test_the_pieces_of_a_raw_reading_make_up_the_grid_and_split_no_bucket(
    start_ms: int, points: int, bucket_ms: int
) -> None:
    grid = Grid(start_ms // bucket_ms * bucket_ms, bucket_ms, points)
    spans = list(pieces(grid, RAW))
    assert spans[0][0] == grid.start_ms
    assert spans[-1][1] == grid.end_ms - 1
    assert all(last + 1 == first for (_, last), (first, _) in pairwise(spans))
    assert all(first % bucket_ms == 0 for first, _ in spans)
    assert all(last - first < max(RAW_PIECE_MS, bucket_ms) for first, last in spans)
