import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.windows import SHORTEST_WINDOW_MS, ladder


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
