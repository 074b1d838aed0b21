import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.windows import SHORTEST_WINDOW_MS, Sample, WindowCounts, ladder, tally


@pytest.mark.parametrize(
    ("window_ms", "long_window_ms", "rungs"),
    [
        (10_000, 600_000, (312, 625, 1250, 2500, 5000, 10_000, 18_750, 37_500, 75_000, 150_000, 300_000, 600_000)),
        (1000, 1000, (250, 500, 1000)),
        (250, 250, (250,)),
        (499, 500, (499, 500)),
        (500, 1000, (250, 500, 1000)),
        (250, 1001, (250, 500, 1001)),
    ],
)
def test_the_ladder_halves_both_windows(window_ms: int, long_window_ms: int, rungs: tuple[int, ...]) -> None:
    assert ladder(window_ms, long_window_ms) == rungs


@given(st.integers(250, 86_400_000), st.integers(0, 86_400_000))
def test_the_ladder_ascends_from_the_shortest_window_with_rungs_close_together(window_ms: int, longer: int) -> None:
    rungs = ladder(window_ms, window_ms + longer)
    assert SHORTEST_WINDOW_MS <= rungs[0] < 2 * SHORTEST_WINDOW_MS
    assert {window_ms, window_ms + longer} <= set(rungs)
    assert rungs[-1] == window_ms + longer
    # One more than double, where halving has rounded down.
    assert all(lower < upper <= 2 * lower + 1 for lower, upper in itertools.pairwise(rungs))


def brute_force(samples: Sequence[Sample], rungs: Sequence[int], now_ms: int, since_ms: int) -> list[WindowCounts]:
    counts = []
    for window_ms in rungs:
        seen = [s for s in samples if s.at_ms > since_ms and s.at_ms > now_ms - window_ms]
        counts.append(
            WindowCounts(
                window_ms, sum(s.calls for s in seen), sum(s.failures for s in seen), sum(s.slow for s in seen)
            )
        )
    return counts


_samples = st.builds(Sample, st.integers(0, 5000), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))


@given(
    st.lists(_samples, max_size=30),
    st.lists(st.integers(250, 6000), min_size=1, max_size=6, unique=True).map(sorted),
    st.integers(0, 6000),
    st.integers(0, 6000),
)
def test_each_window_holds_what_a_plain_count_finds(
    samples: list[Sample], rungs: list[int], now_ms: int, since_ms: int
) -> None:
    newest_first = sorted(samples, key=lambda sample: -sample.at_ms)
    counts = tally(newest_first, rungs, now_ms, since_ms)
    expected = brute_force(samples, rungs, now_ms, since_ms)
    assert list(counts) == expected[: len(counts)]
    # What was left out would only say the same again.
    for window in expected[len(counts) :]:
        assert window == replace(counts[-1], window_ms=window.window_ms)


def test_a_call_at_the_very_moment_the_state_began_does_not_count() -> None:
    samples = [Sample(1001, 1, 0, 0), Sample(1000, 10, 10, 10)]
    assert tally(samples, [250, 500], now_ms=1100, since_ms=1000) == (WindowCounts(250, 1, 0, 0),)


def test_a_window_ends_now_and_leaves_out_its_far_end() -> None:
    samples = [Sample(1000, 1, 0, 0), Sample(751, 2, 1, 0), Sample(750, 4, 0, 3)]
    assert tally(samples, [250, 500], now_ms=1000, since_ms=0) == (
        WindowCounts(250, 3, 1, 0),
        WindowCounts(500, 7, 1, 3),
    )


def test_windows_that_reach_beyond_the_beginning_are_given_once() -> None:
    assert len(tally([], [250, 500, 1000, 2000], now_ms=10_600, since_ms=10_000)) == 3
    assert len(tally([], [250, 500, 1000, 2000], now_ms=10_500, since_ms=10_000)) == 2


def test_a_clock_that_went_backwards_counts_nothing_and_breaks_nothing() -> None:
    assert tally([Sample(900, 5, 5, 0)], [250, 500], now_ms=950, since_ms=10_000) == (WindowCounts(250),)


def test_without_samples_each_window_is_empty() -> None:
    assert tally([], [250, 500], now_ms=10_000, since_ms=0) == (WindowCounts(250), WindowCounts(500))
