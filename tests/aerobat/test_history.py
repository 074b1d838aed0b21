"""Running totals, held against a plain count."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_aerobat.history import (
    FINE_MS,
    GATHER_AT_LEAST,
    SECONDS,
    TENS,
    THIN_OUT_ABOVE,
    History,
    Limits,
    Samples,
    edge_ms,
)
from tailslide_core.windows import WindowCounts, ladder

NOW_MS = 1_795_363_190_300
REACH_MS = 1_800_000
RUNGS = ladder(10_000, REACH_MS)


class Sample(NamedTuple):
    """One row of `Samples`."""

    at_ms: int
    calls: int
    failures: int = 0
    slow: int = 0


def columns(samples: Sequence[Sample]) -> Samples:
    return Samples._make([*zip(*samples, strict=True), 0]) if samples else Samples()


def history_of(*samples: Sample) -> History:
    return History(columns(samples))


def plain(samples: Sequence[Sample], rungs: Sequence[int], now_ms: int, since_ms: int) -> list[WindowCounts]:
    counts = []
    for window_ms in rungs:
        seen = [s for s in samples if s.at_ms > since_ms and s.at_ms > now_ms - window_ms]
        counts.append(
            WindowCounts(
                window_ms, sum(s.calls for s in seen), sum(s.failures for s in seen), sum(s.slow for s in seen)
            )
        )
    return counts


def bad_calls(samples: Sequence[Sample]) -> int:
    return sum(sample.failures + sample.slow for sample in samples)


@st.composite
def ascending(draw: st.DrawFn, oldest_ms: int = REACH_MS, step_ms: int = 1) -> list[Sample]:
    """Samples up to now, not older than `oldest_ms`."""
    ages = draw(st.sets(st.integers(0, oldest_ms // step_ms), max_size=40))
    numbers = st.integers(0, 9)
    return [Sample(NOW_MS - age * step_ms, draw(numbers), draw(numbers), draw(numbers)) for age in sorted(ages)[::-1]]


rungs = st.lists(st.integers(1, 6_000), min_size=1, max_size=6, unique=True).map(sorted)


@given(ascending(5_000), rungs, st.integers(-6_000, 6_000))
def test_each_window_holds_what_a_plain_count_finds(samples: list[Sample], rungs: list[int], since: int) -> None:
    counts = History(columns(samples)).over(rungs, NOW_MS, NOW_MS + since)
    expected = plain(samples, rungs, NOW_MS, NOW_MS + since)
    assert list(counts) == expected[: len(counts)]
    # What was left out would only say the same again.
    for window in expected[len(counts) :]:
        assert window == counts[-1]._replace(window_ms=window.window_ms)


def test_a_call_at_the_very_moment_the_state_began_does_not_count() -> None:
    history = history_of(Sample(1000, 10, 10, 10), Sample(1001, 1, 0, 0))
    assert history.over([250, 500], now_ms=1100, since_ms=1000) == (WindowCounts(250, 1, 0, 0),)


def test_a_window_ends_now_and_leaves_out_its_far_end() -> None:
    history = history_of(Sample(750, 4, 0, 3), Sample(751, 2, 1, 0), Sample(1000, 1, 0, 0))
    assert history.over([250, 500], now_ms=1000, since_ms=0) == (
        WindowCounts(250, 3, 1, 0),
        WindowCounts(500, 7, 1, 3),
    )


def test_windows_that_reach_beyond_the_beginning_are_given_once() -> None:
    assert len(History().over([250, 500, 1000, 2000], now_ms=10_600, since_ms=10_000)) == 3
    assert len(History().over([250, 500, 1000, 2000], now_ms=10_500, since_ms=10_000)) == 2


def test_a_clock_that_went_backwards_counts_nothing_and_breaks_nothing() -> None:
    assert history_of(Sample(900, 5, 5, 0)).over([250, 500], now_ms=950, since_ms=10_000) == (WindowCounts(250),)


def test_without_samples_each_window_is_empty_and_all_is_spotless() -> None:
    history = History()
    assert history.over([250, 500], now_ms=10_000, since_ms=0) == (WindowCounts(250), WindowCounts(500))
    assert (history.is_spotless, len(history)) == (True, 0)


@given(ascending(5_000), ascending(5_000), st.integers(0, 6_000))
def test_samples_are_replaced_from_a_time_on(before: list[Sample], after: list[Sample], from_age_ms: int) -> None:
    from_ms = NOW_MS - from_age_ms
    after = [sample for sample in after if sample.at_ms >= from_ms]
    history = History(columns(before))
    worse = history.replace(from_ms, columns(after))
    left = [sample for sample in before if sample.at_ms < from_ms] + after
    assert history.over(RUNGS, NOW_MS, 0) == tuple(plain(left, RUNGS, NOW_MS, 0))
    assert len(history) == len(left)
    assert worse == (bad_calls(left) > bad_calls(before))


@given(ascending(), st.lists(st.integers(1, 100), min_size=1, unique=True).map(sorted))
def test_thinned_out_it_counts_the_same_in_windows_that_begin_with_a_ten(
    samples: list[Sample], tens: list[int]
) -> None:
    now_ms = NOW_MS // TENS.bucket_ms * TENS.bucket_ms + TENS.bucket_ms - 1
    rungs = [ten * TENS.bucket_ms for ten in tens]
    history = History(columns(samples))
    history.thin_out(now_ms, REACH_MS)
    expected = [window for window in plain(samples, rungs, now_ms, 0) if window.window_ms < REACH_MS]
    assert list(history.over(rungs, now_ms, 0))[: len(expected)] == expected


@given(ascending(2 * REACH_MS), st.integers(1, 3 * REACH_MS), st.integers(-REACH_MS, REACH_MS))
def test_thinned_out_it_never_counts_more(samples: list[Sample], window_ms: int, since: int) -> None:
    thin = History(columns(samples))
    thin.thin_out(NOW_MS, REACH_MS)
    (raw,) = History(columns(samples)).over((window_ms,), NOW_MS, NOW_MS + since)
    (coarse,) = thin.over((window_ms,), NOW_MS, NOW_MS + since)
    assert all(few <= many for few, many in zip(coarse[1:], raw[1:], strict=True))


percents = st.sampled_from([0.0, 5.0, 50.0, 100.0])


@given(ascending(5_000), rungs, st.integers(-6_000, 6_000), percents, percents, st.integers(1, 30), st.integers(1, 30))
def test_it_is_known_without_counting_all_windows_where_none_can_exceed(
    samples: list[Sample], rungs: list[int], since: int, failed: float, slow: float, failures: int, slows: int
) -> None:
    history = history_of(*samples)
    limits = Limits(failures, failed, slows, slow)
    exceeding = [
        window
        for window in history.over(rungs, NOW_MS, NOW_MS + since)
        if (window.failures >= failures and window.failures * 100 > failed * window.calls)
        or (window.slow >= slows and window.slow * 100 > slow * window.calls)
    ]
    assert history.may_exceed(limits, rungs, NOW_MS, NOW_MS + since) >= bool(exceeding)


def test_few_bad_calls_and_small_shares_are_not_counted() -> None:
    history = history_of(Sample(NOW_MS - 500, 100, 20, 0))
    assert history.may_exceed(Limits(14, 10.0), RUNGS, NOW_MS, 0)
    assert not history.may_exceed(Limits(21, 10.0), RUNGS, NOW_MS, 0)
    assert not history.may_exceed(Limits(14, 50.0), RUNGS, NOW_MS, 0)
    assert not history.may_exceed(Limits(14, 10.0), RUNGS, NOW_MS, NOW_MS - 400)


def test_half_an_hour_of_a_busy_flag_stays_small_and_right() -> None:
    history = History()
    samples: list[Sample] = []
    for at_ms in range(NOW_MS - 2 * REACH_MS, NOW_MS, FINE_MS):
        samples.append(Sample(at_ms, 2, 1, 0))
        assert history.replace(at_ms, columns(samples[-1:]))
        if history.is_full:
            history.thin_out(at_ms, REACH_MS)
            assert len(history) < THIN_OUT_ABOVE - 100
    for counted, plainly in zip(history.over(RUNGS, NOW_MS, 0), plain(samples, RUNGS, NOW_MS, 0), strict=True):
        assert 0.9 * plainly.calls <= counted.calls <= plainly.calls
    assert not history.is_spotless


@pytest.mark.parametrize("reach_ms", [1_800_000, 3_600_000])
def test_a_busy_flag_is_thinned_out_now_and_then(reach_ms: int) -> None:
    history = History()
    thinned_out = 0
    for now_ms in range(NOW_MS, NOW_MS + reach_ms + 60_000, 250):
        from_ms = (now_ms - 250) // FINE_MS * FINE_MS
        times = range(from_ms, now_ms + 1, FINE_MS)
        history.replace(from_ms, Samples(times, *((1,) * len(times),) * 3))
        if history.is_full:
            history.thin_out(now_ms, reach_ms)
            thinned_out += now_ms >= NOW_MS + reach_ms
    assert thinned_out <= 60_000 / FINE_MS / GATHER_AT_LEAST + 2
    assert len(history) < 1_000


def test_what_is_older_than_the_reach_is_forgotten_and_stains_nothing() -> None:
    history = history_of(Sample(NOW_MS - REACH_MS - 20_000, 5, 5, 0), Sample(NOW_MS - 1_000, 3, 0, 0))
    stains = [history.is_spotless]
    history.thin_out(NOW_MS, REACH_MS)
    stains.append(history.is_spotless)
    assert stains == [False, True]
    assert history.over((REACH_MS,), NOW_MS, 0) == (WindowCounts(REACH_MS, 3, 0, 0),)
    assert history.last_ms == NOW_MS - 1_000


def test_the_edges_split_no_bucket() -> None:
    for now_ms in range(NOW_MS, NOW_MS + 20_000, 777):
        for grain in (SECONDS, TENS):
            edge = edge_ms(grain, now_ms)
            assert edge % grain.bucket_ms == 0
            assert grain.from_age_ms <= now_ms - edge < grain.from_age_ms + grain.bucket_ms


def test_the_largest_counts_for_years_stay_within_their_type() -> None:
    history = History()
    for number in range(3_000):
        at_ms = NOW_MS + number * 100
        history.replace(at_ms, Samples([at_ms], [2**53], [2**53], [2**53]))
        if history.is_full:
            history.thin_out(at_ms, 20_000)
    (counts,) = history.over((10_000,), NOW_MS + 299_900, 0)
    assert counts == WindowCounts(10_000, 100 * 2**53, 100 * 2**53, 100 * 2**53)
