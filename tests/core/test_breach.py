"""When calls are a breach, example by example; the rule for all settings and counts is in `test_circuit_rules.py`."""

import math
from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import binom

from tailslide_core.breach import TripRule, breach, by_chance, least_bad_calls
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.wilson import lower_bound
from tailslide_core.windows import WindowCounts

SETTINGS = CircuitSettings(confidence=0.999)
DEFAULTS = CircuitSettings()


def window(calls: int, failures: int = 0, slow: int = 0, window_ms: int = 10_000) -> WindowCounts:
    return WindowCounts(window_ms, calls, failures, slow)


@pytest.mark.parametrize(
    ("changes", "counts", "rule"),
    [
        # Too few calls say nothing, however bad.
        ({}, [], None),
        ({}, [window(0)], None),
        ({}, [window(9, 9)], None),
        # At 99.9 % confidence, ten of ten speak for at least 51.15 %.
        ({}, [window(10, 10)], TripRule.ERROR_RATE),
        ({"error_threshold": 51.2}, [window(40, 39)], TripRule.ERROR_RATE),
        ({"error_threshold": 92.0}, [window(40, 39)], None),
        # Where all have failed, chance alone is asked: at 20 %, four in a row are one in 625, five one in 3,125.
        ({"error_threshold": 40.0, "confidence": 0.97, "min_calls": 1}, [window(4, 4)], None),
        ({"error_threshold": 40.0, "confidence": 0.97, "min_calls": 1}, [window(5, 5)], TripRule.ERROR_RATE),
        ({"error_threshold": 99.0, "confidence": 0.9999}, [window(26, 26)], None),
        ({"error_threshold": 99.0, "confidence": 0.9999}, [window(27, 27)], TripRule.ERROR_RATE),
        ({"error_threshold": 99.0, "confidence": 0.9999}, [window(28, 27)], None),
        # At small rates the bound alone is too sure of itself: four of a hundred where 2 % are allowed.
        ({"error_threshold": 1.0}, [window(100, 6)], None),
        ({"error_threshold": 1.0}, [window(100, 7)], TripRule.ERROR_RATE),
        # The bound must exceed the threshold, not the rate alone.
        ({}, [window(100, 55)], None),
        ({}, [window(100, 75)], TripRule.ERROR_RATE),
        ({}, [window(10_000, 5_200)], TripRule.ERROR_RATE),
        ({"confidence": 0.5}, [window(100, 51)], TripRule.ERROR_RATE),
        ({"confidence": 0.5}, [window(100, 50)], None),
        # The ends of the range.
        ({"error_threshold": 100.0}, [window(1_000_000, 1_000_000)], None),
        ({"error_threshold": 0.0}, [window(1_000_000, 1)], TripRule.ERROR_RATE),
        ({"error_threshold": 0.0}, [window(1_000_000, 0)], None),
        # Slow calls count only where they are asked for; errors come first.
        ({}, [window(100, 0, 100)], None),
        ({"slow_call_ms": 500, "slow_threshold": 80.0}, [window(100, 0, 100)], TripRule.SLOW_CALL_RATE),
        ({"slow_call_ms": 500, "slow_threshold": 80.0}, [window(100, 0, 80)], None),
        ({"slow_call_ms": 500, "slow_threshold": 80.0}, [window(100, 100, 100)], TripRule.ERROR_RATE),
        # Failures that were counted a moment before their calls never make more than 100 %.
        ({}, [window(100, 250)], TripRule.ERROR_RATE),
        ({"error_threshold": 100.0}, [window(100, 250)], None),
    ],
)
def test_a_breach_is_a_bound_over_its_threshold(
    changes: dict[str, Any], counts: list[WindowCounts], rule: TripRule | None
) -> None:
    found = breach(replace(SETTINGS, **changes), counts)
    assert (None if found is None else found.rule) is rule


def test_a_dead_feature_with_a_call_a_minute_trips_over_the_long_window() -> None:
    counts = [window(1, 1, window_ms=10_000), window(5, 5, window_ms=300_000), window(15, 15, window_ms=900_000)]
    found = breach(SETTINGS, counts)
    assert found is not None
    assert (found.window_ms, found.calls, found.observed) == (900_000, 15, 100.0)


def test_the_shortest_window_that_breaches_gives_the_reason() -> None:
    counts = [window(5, 5, window_ms=250), window(40, 40, window_ms=500), window(90, 80, window_ms=1_000)]
    found = breach(SETTINGS, counts)
    assert found is not None
    assert (found.window_ms, found.calls) == (500, 40)


def test_healthy_hours_do_not_hide_a_second_of_failures() -> None:
    found = breach(SETTINGS, [window(50, 50, window_ms=250), window(100_000, 50, window_ms=600_000)])
    assert found is not None
    assert found.window_ms == 250


def test_a_reason_is_rounded_and_never_over_one_hundred() -> None:
    found = breach(SETTINGS, [window(30, 90)])
    assert found is not None
    assert found.observed == 100.0
    assert found.lower_bound == round(found.lower_bound, 3)


@pytest.mark.parametrize(("threshold", "calls"), [(5.0, 10), (10.0, 10), (50.0, 14), (80.0, 21), (99.0, 27)])
def test_a_dead_feature_trips_after_a_few_calls_whatever_the_threshold(threshold: float, calls: int) -> None:
    settings = replace(DEFAULTS, error_threshold=threshold)
    assert breach(settings, [window(calls - 1, calls - 1)]) is None
    found = breach(settings, [window(calls, calls)])
    assert found is not None
    assert (found.observed, found.calls) == (100.0, calls)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 5.0, 50.0, 80.0, 99.9])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9999])
def test_fewer_bad_calls_than_the_least_are_no_breach_among_however_many(threshold: float, confidence: float) -> None:
    settings = replace(DEFAULTS, error_threshold=threshold, confidence=confidence, min_calls=1)
    least = int(least_bad_calls(threshold, confidence))
    assert breach(settings, [window(least, least)]) is not None
    for calls in (least - 1, least, least + 1, 2 * least, 1_000):
        assert breach(settings, [window(calls, least - 1)]) is None


def test_no_number_of_bad_calls_is_a_breach_of_a_hundred_percent() -> None:
    assert least_bad_calls(100.0, 0.9999) == math.inf


def test_half_the_threshold_is_next_to_never_a_breach() -> None:
    """Chance has to be below the risk, squared, for every number of calls; Wilson's bound alone is far above it."""
    settings = replace(DEFAULTS, error_threshold=5.0)
    wilson_alone = 0.0
    for calls in range(10, 400):
        least = next(hits for hits in range(calls + 2) if hits > calls or breach(settings, [window(calls, hits)]))
        assert binom.sf(least - 1, calls, 0.025) < by_chance(settings.confidence)
        sure = next(hits for hits in range(calls + 1) if 100 * lower_bound(hits, calls, settings.confidence) > 5)
        wilson_alone = max(wilson_alone, float(binom.sf(sure - 1, calls, 0.025)))
    assert wilson_alone > 1_000 * by_chance(settings.confidence)
