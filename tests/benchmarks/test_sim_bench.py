"""The simulation of the circuit, held against scipy, against plain loops over the same calls, and against itself."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sim_bench import detection, false_trips
from sim_bench.detection import FIVE_IN_A_ROW, LAST_100, Case
from sim_bench.rules import CallRule, CountWindow, InARow, WindowRule, core_ladder, exact_ladder, fixed_ratio
from sim_bench.rules import wilson_ladder as wilson_alone
from sim_bench.settings import (
    DEFAULT,
    MINUTE_MS,
    SECOND_MS,
    Bound,
    steady_calls_to_trip,
    worst_false_trips,
)
from sim_bench.traffic import SPARSE, TICK_MS, Traffic, per_tick, poisson

from tailslide_core.breach import breach
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.wilson import lower_bound
from tailslide_core.windows import WindowCounts

# What is drawn


@given(st.floats(0, 30_000))
@settings(max_examples=25)
def test_counts_are_those_of_poisson(mean: float) -> None:
    counts = poisson(mean)
    values = np.arange(counts.first, counts.first + len(counts.mass))
    assert counts.mass == pytest.approx(stats.poisson.pmf(values, mean), rel=1e-7, abs=1e-20)
    assert [counts.up_to(int(value)) for value in values[::7]] == pytest.approx(
        stats.poisson.cdf(values[::7], mean), abs=1e-9
    )
    assert counts.up_to(counts.first - 1) == 0
    assert counts.up_to(counts.first + len(counts.mass) + 5) == pytest.approx(1)


@pytest.mark.parametrize("mean", [0.05, SPARSE * 0.99, SPARSE, 3.0, 40.0])
def test_ticks_are_drawn_from_it_scattered_or_one_by_one(mean: float) -> None:
    size = 100_000
    drawn = per_tick(mean, Random("ticks"), size)
    low, high = (int(stats.poisson.ppf(share, mean)) for share in (0.02, 0.98))
    bins = [*range(low, high + 1)]
    seen = [sum(value <= low for value in drawn), *(drawn.count(value) for value in bins[1:])]
    expected = [stats.poisson.cdf(low, mean), *stats.poisson.pmf(bins[1:], mean)]
    seen.append(len(drawn) - sum(seen))
    expected.append(1 - sum(expected))
    assert stats.chisquare(seen, [size * share for share in expected], sum_check=False).pvalue > 0.001
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.015
    assert abs(sum(drawn) - size * mean) < 4 * math.sqrt(size * mean)


def test_no_calls_are_drawn_where_there_are_none() -> None:
    assert per_tick(0, Random(1), 3) == [0, 0, 0]


def test_traffic_forgets_what_no_window_reaches() -> None:
    traffic = Traffic(Random(1))
    traffic.run(50, 100, 0.5)
    before = traffic.calls[-1] - traffic.calls[-11], traffic.failures[-1] - traffic.failures[-11]
    traffic.forget(10)
    assert len(traffic) == 10
    assert (traffic.calls[-1] - traffic.calls[0], traffic.failures[-1] - traffic.failures[0]) == before


# The rules, against a plain loop


def core_says(chosen: CircuitSettings, counts: Sequence[WindowCounts]) -> bool:
    return breach(chosen, counts) is not None


def wilson_says(chosen: CircuitSettings, counts: Sequence[WindowCounts]) -> bool:
    return any(
        window.calls >= chosen.min_calls
        and 100 * lower_bound(window.failures, window.calls, chosen.confidence) > chosen.error_threshold
        for window in counts
    )


def exact_says(chosen: CircuitSettings, counts: Sequence[WindowCounts]) -> bool:
    """Clopper and Pearson's bound, by way of the beta distribution."""
    return any(
        window.calls >= chosen.min_calls
        and window.failures > 0
        and 100 * stats.beta.ppf(1 - chosen.confidence, window.failures, window.calls - window.failures + 1)
        > chosen.error_threshold
        for window in counts
    )


def ratio_says(chosen: CircuitSettings, counts: Sequence[WindowCounts]) -> bool:
    return any(
        window.calls >= chosen.min_calls and window.failures * 100 >= chosen.error_threshold * window.calls
        for window in counts
    )


Says = Callable[[CircuitSettings, Sequence[WindowCounts]], bool]


def fixed(chosen: CircuitSettings, _: str) -> WindowRule:
    return fixed_ratio(chosen.error_threshold, chosen.min_calls, chosen.window_ms)


@pytest.mark.parametrize(
    ("make", "says"),
    [(core_ladder, core_says), (wilson_alone, wilson_says), (exact_ladder, exact_says), (fixed, ratio_says)],
    ids=["ours", "Wilson", "exact", "ratio"],
)
@given(
    ticks=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40),
    threshold=st.sampled_from([5.0, 10.0, 50.0, 80.0]),
    confidence=st.sampled_from([0.9, 0.99, 0.9999]),
    min_calls=st.integers(1, 20),
    window_ticks=st.integers(1, 8),
)
@settings(max_examples=60)
def test_a_rule_trips_where_a_plain_loop_over_the_same_calls_does(
    make: Callable[[CircuitSettings, str], WindowRule],
    says: Says,
    ticks: list[tuple[int, int]],
    threshold: float,
    confidence: float,
    min_calls: int,
    window_ticks: int,
) -> None:
    chosen = CircuitSettings(
        error_threshold=threshold,
        confidence=confidence,
        min_calls=min_calls,
        window_ms=window_ticks * TICK_MS,
        long_window_ms=4 * window_ticks * TICK_MS,
    )
    rule = make(chosen, "tried")
    healthy = [(2, 0)] * rule.windows[-1]
    traffic = Traffic(Random(1))
    traffic.add([good for good, _ in healthy + ticks], [bad for _, bad in healthy + ticks])

    def trips_at(tick: int) -> bool:
        seen = [(healthy + ticks)[tick - window : tick] for window in rule.windows]
        counts = [
            WindowCounts(window * TICK_MS, sum(map(sum, among)), sum(bad for _, bad in among))
            for window, among in zip(rule.windows, seen, strict=True)
        ]
        return says(chosen, counts)

    first, last = len(healthy) + 1, len(traffic) + 1
    expected = next((tick for tick in range(first, last) if trips_at(tick)), None)
    assert rule.first_trip(traffic, first, last) == expected
    # Looked at in two parts, as the simulation does.
    middle = (first + last) // 2
    early = rule.first_trip(traffic, first, middle)
    assert (rule.first_trip(traffic, middle, last) if early is None else early) == expected


@given(st.integers(0, 3_000_000), st.sampled_from([1.0, 5.0, 10.0, 50.0, 80.0, 99.0]))
def test_the_fewest_failures_that_trip_are_the_fewest_by_the_core(calls: int, threshold: float) -> None:
    chosen = CircuitSettings(error_threshold=threshold)
    least = core_ladder(chosen, "ours").least[calls]
    assert least > calls or core_says(chosen, [WindowCounts(10_000, calls, least)])
    assert not core_says(chosen, [WindowCounts(10_000, calls, min(calls, least - 1))])


@pytest.mark.parametrize(("threshold", "failures"), [(5.0, 7), (10.0, 8), (50.0, 14), (80.0, 21)])
def test_below_so_many_failures_nothing_trips(threshold: float, failures: int) -> None:
    assert core_ladder(CircuitSettings(error_threshold=threshold), "ours").fewest_failures == failures


@given(st.lists(st.booleans(), max_size=60) | st.lists(st.sampled_from([True, True, True, False]), max_size=300))
def test_rules_that_count_calls_see_what_a_plain_loop_sees(failed: list[bool]) -> None:
    def first(rule: CallRule) -> int | None:
        return next((number for number, failure in enumerate(failed, 1) if rule.call(failure)), None)

    in_a_row = (number for number in range(5, len(failed) + 1) if all(failed[number - 5 : number]))
    assert first(InARow()) == next(in_a_row, None)
    in_last = (number for number in range(1, len(failed) + 1) if sum(failed[max(0, number - 100) : number]) >= 50)
    assert first(CountWindow(50)) == next(in_last, None)


# False trips


@given(st.sampled_from([0.3, 2.0, 11.0, 60.0]), st.sampled_from([5.0, 50.0, 80.0]), st.sampled_from([0.4, 0.8, 1.0]))
@settings(max_examples=20)
def test_the_chance_that_a_window_breaches_is_the_sum_over_all_its_counts(
    calls_per_s: float, threshold: float, times: float
) -> None:
    rule = DEFAULT.rule(threshold, Bound.OURS)
    rate, window = threshold * times / 100, 8
    found = false_trips.breach_of(rule, window, calls_per_s, rate)
    mean = calls_per_s * window * TICK_MS / 1000
    most = int(mean + 12 * math.sqrt(mean) + 40)
    failed, succeeded = (stats.poisson.pmf(range(most), share * mean) for share in (rate, 1 - rate))
    expected = sum(
        failed[bad] * succeeded[good]
        for bad in range(most)
        for good in range(most)
        if good + bad >= rule.min_calls and rule.least[good + bad] <= bad
    )
    if found is None:
        assert expected < 2 * false_trips.OF_NO_ACCOUNT
    else:
        assert found.probability == pytest.approx(expected, rel=1e-6)


def test_windows_that_breach_are_drawn_as_often_as_they_come() -> None:
    """Each pair of successes and failures, against the product of the two distributions, where it is a breach."""
    rule, window, volume, rate = DEFAULT.rule(10.0, Bound.OURS), 8, 10.0, 0.1
    found = false_trips.breach_of(rule, window, volume, rate)
    assert found is not None
    mean = volume * window * TICK_MS / 1000
    expected = {
        (good, bad): stats.poisson.pmf(good, mean * (1 - rate)) * stats.poisson.pmf(bad, mean * rate)
        for good in range(80)
        for bad in range(80)
        if good + bad >= rule.min_calls and rule.least[good + bad] <= bad
    }
    random, size = Random("draws"), 4_000
    drawn = Counter(found.draw(random) for _ in range(size))
    assert drawn.keys() <= expected.keys()
    total = sum(expected.values())
    common = [pair for pair, probability in expected.items() if probability / total * size > 10]
    assert len(common) > 20
    seen = [drawn[pair] for pair in common]
    shares = [expected[pair] / total * size for pair in common]
    rest = stats.chisquare([*seen, size - sum(seen)], [*shares, size - sum(shares)], sum_check=False)
    assert rest.pvalue > 0.001


def test_what_is_weighed_is_what_is_counted() -> None:
    """Estimate without waiting, and counting on plain traffic, each with its 95 % interval."""
    rule = wilson_alone(CircuitSettings(error_threshold=5.0, window_ms=1_000, long_window_ms=2_000), "tried")
    estimate = false_trips.of_windows(rule, 40.0, 0.03, Random("weighed"), 1_500)
    assert estimate is not None
    counted = false_trips.direct(rule, 40.0, 0.03, Random("counted"), 1)
    assert counted.per_day > 100
    assert estimate.low < counted.high
    assert counted.low < estimate.high
    assert estimate.per_day < estimate.bound
    assert (estimate.high - estimate.low) / estimate.per_day < 0.2


def test_trips_that_are_common_are_not_weighed() -> None:
    rule = wilson_alone(CircuitSettings(error_threshold=5.0, confidence=0.9, long_window_ms=10_000), "nervous")
    assert false_trips.of_windows(rule, 10.0, 0.05, Random(1), 20) is None
    assert false_trips.of_windows(rule, 10.0, 0.0, Random(1), 20) == false_trips.NEVER


def test_counting_says_how_little_no_trip_says() -> None:
    assert false_trips.counted(0, 2.0).high == pytest.approx(1.5)
    hundred = false_trips.counted(100, 2.0)
    assert (hundred.low, hundred.per_day, hundred.high) == pytest.approx((40.2, 50, 59.8))


@given(st.floats(0.02, 0.98))
def test_failures_in_a_row_come_as_often_as_their_chain_says(rate: float) -> None:
    """Expected calls until five in a row, as the solution of the linear equations of the chain."""
    equations = np.eye(5)
    for run in range(5):
        equations[run, 0] -= 1 - rate
        if run < 4:
            equations[run, run + 1] -= rate
    expected = np.linalg.solve(equations, np.ones(5))[0]
    assert 1 / false_trips.in_a_row(rate) == pytest.approx(expected, rel=1e-6)


def test_failures_in_a_row_at_the_ends() -> None:
    assert false_trips.in_a_row(0.0) == 0
    assert false_trips.in_a_row(1.0) == 1


@pytest.mark.parametrize(("threshold", "rate", "calls"), [(50.0, 0.4, 150_000), (10.0, 0.08, 20_000)])
def test_the_count_window_trips_as_often_as_in_a_plain_loop(threshold: float, rate: float, calls: int) -> None:
    """Once weighed, since it is rare, once counted."""
    estimate = false_trips.of_count_window(threshold, rate, Random("estimate"), 400)
    random = Random("plain loop")
    window, trips = CountWindow(threshold), 0
    for _ in range(calls):
        if window.call(random.random() < rate):
            trips += 1
            window = CountWindow(threshold)
            for _ in range(99):
                window.call(random.random() < rate)
    counted = false_trips.counted(trips, calls)
    assert trips > 50
    assert estimate.low < counted.high
    assert counted.low < estimate.high


# Time to trip


def test_a_dead_feature_is_found_by_counting_calls() -> None:
    found = detection.of_all(Case(50.0, 50.0, 1.0), [DEFAULT.rule(50.0, Bound.OURS)], 20, 60)
    assert set(found[FIVE_IN_A_ROW].calls) == {5}
    assert set(found[LAST_100].calls) == {50}
    assert 14 <= min(found[Bound.OURS].calls) <= max(found[Bound.OURS].calls) < 60
    assert all(each.share == 1 for each in found.values())
    assert all(times[0] > 0 and list(times) == sorted(times) for times in (each.seconds for each in found.values()))


def test_quantiles_are_of_all_runs_those_that_did_not_trip_among_them() -> None:
    found = detection.Found(tuple(map(float, range(1, 8))), tuple(range(1, 8)), 10)
    assert found.share == 0.7
    assert (found.after_s(50), found.after_s(70), found.after_s(71)) == (5.0, 7.0, None)
    assert found.after_calls(1) == 1


def test_no_trip_later_than_the_horizon() -> None:
    found = detection.of_all(Case(1.0, 50.0, 0.5), [DEFAULT.rule(50.0, Bound.OURS), fixed_ratio(50.0)], 20, 20)
    assert all(each.runs == 20 and max(each.seconds, default=0) <= 20 for each in found.values())


def test_the_same_seed_draws_the_same_and_another_case_another() -> None:
    rules = [DEFAULT.rule(10.0, Bound.OURS), fixed_ratio(10.0)]
    once, again, other = (detection.of_all(Case(volume, 10.0, 0.2), rules, 5, 120) for volume in (30.0, 30.0, 31.0))
    assert once == again
    assert once != other


# The aims


@pytest.mark.parametrize("threshold", [5.0, 10.0, 50.0, 80.0])
@pytest.mark.parametrize("gap_ms", [SECOND_MS, MINUTE_MS])
def test_calls_as_regular_as_a_clock_trip_when_a_plain_replay_does(threshold: float, gap_ms: int) -> None:
    rule = DEFAULT.rule(threshold, Bound.OURS)
    said = steady_calls_to_trip(rule, gap_ms)
    gap, before = gap_ms // TICK_MS, rule.windows[-1]
    failing = [int(tick % gap == 0) for tick in range(60 * gap)]
    healthy = [int(tick % gap == 0) for tick in range(-before, 0)]
    traffic = Traffic(Random(1))
    traffic.add([*healthy, *(0 for _ in failing)], [*(0 for _ in healthy), *failing])
    tick = rule.first_trip(traffic, before + 1, len(traffic) + 1)
    assert tick is not None
    assert said is not None
    # Where a window is no multiple of the gap it may hold one call more than its length.
    assert (traffic.failures[tick] == said) if gap_ms == SECOND_MS else (said - 1 <= traffic.failures[tick] <= said)


def test_too_few_calls_in_the_longest_window_never_trip() -> None:
    assert steady_calls_to_trip(replace(DEFAULT, long_window_ms=600_000).rule(50.0, "short"), MINUTE_MS) is None


@pytest.mark.parametrize("threshold", [5.0, 50.0, 80.0])
def test_half_the_threshold_hardly_ever_trips(threshold: float) -> None:
    ours, volume = worst_false_trips(DEFAULT.rule(threshold, Bound.OURS), threshold, 10)
    assert ours < 1
    assert 0.1 < volume < 10_000


def test_by_wilson_alone_half_of_a_low_threshold_trips_every_day() -> None:
    rule = replace(DEFAULT, bound=Bound.WILSON).rule(5.0, "alone")
    trips = false_trips.of_windows(rule, 30.0, 0.025, Random("alone"), 20)
    assert trips is None or trips.per_day > 10
