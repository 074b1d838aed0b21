"""When a feature is too bad: what the calls in a window say against its thresholds, and with how much certainty.

A verdict needs two things at once. The rate is above its threshold: the lower bound of Wilson's interval is, or every
single call was bad. And that is no accident of a healthy feature: at half the threshold so many bad calls would be next
to impossible. The first alone is too sure of itself at small rates, where it condemns a healthy feature several times a
day (`docs/decisions/0010`). What follows from a breach is `circuit`'s.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from tailslide_core.binomial import at_least
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.wilson import lower_bound, z_score
from tailslide_core.windows import WindowCounts


class TripRule(StrEnum):
    """Which threshold was breached."""

    ERROR_RATE = "error_rate"
    SLOW_CALL_RATE = "slow_call_rate"
    UNKNOWN = "unknown"
    """One that only a newer Tailslide knows; it is for people, and nothing depends on it."""


@dataclass(frozen=True, slots=True)
class TripReason:
    """Why a circuit opened: percentages 0 to 100, over `calls` calls of the last `window_ms` milliseconds.

    `lower_bound` is Wilson's. It is below `threshold` only where all calls were bad, which is enough by itself.
    """

    rule: TripRule
    observed: float
    lower_bound: float
    threshold: float
    calls: int
    window_ms: int


def breach(settings: CircuitSettings, counts: Iterable[WindowCounts]) -> TripReason | None:
    """Return the first breach, shortest window first, of those that have at least `min_calls` calls."""
    seen = -1
    for window in counts:
        if window.calls < settings.min_calls or window.calls == seen:
            continue
        seen = window.calls
        reason = _exceeds(TripRule.ERROR_RATE, window, window.failures, settings.error_threshold, settings)
        if reason is None and settings.slow_threshold is not None:
            reason = _exceeds(TripRule.SLOW_CALL_RATE, window, window.slow, settings.slow_threshold, settings)
        if reason is not None:
            return reason
    return None


def _exceeds(
    rule: TripRule, window: WindowCounts, hits: int, threshold: float, settings: CircuitSettings
) -> TripReason | None:
    hits = min(hits, window.calls)  # what was counted a moment before its calls is not more than all of them
    bound = _breaching_bound(hits, window.calls, threshold, settings.confidence)
    if bound is None:
        return None
    observed = 100 * hits / window.calls
    calls = min(window.calls, MAX_INTEGER)  # what is written has to be read
    return TripReason(rule, round(observed, 3), round(bound, 3), threshold, calls, window.window_ms)


def _breaching_bound(hits: int, calls: int, threshold: float, confidence: float) -> float | None:
    """Return Wilson's lower bound, as a percentage, where so many bad calls are a breach; None where they are none."""
    if hits * 100 <= threshold * calls:  # the bound is below the rate, so there is no need to compute it
        return None
    bound = 100 * lower_bound(hits, calls, confidence)
    if bound <= threshold and hits < calls:
        return None
    if at_least(hits, calls, threshold / 200) >= by_chance(confidence):
        return None
    return bound


@lru_cache(maxsize=65_536)
def opening_hits(calls: int, threshold: float, confidence: float) -> int | None:
    """Return the fewest bad ones of `calls` that are a breach of `threshold` (0 to 100); None where not even all are.

    `min_calls` is not looked at. More bad calls are always a breach, too: both bounds rise with them.
    """
    if calls <= 0 or _breaching_bound(calls, calls, threshold, confidence) is None:
        return None
    rate = threshold / 100
    # Wilson's bound is above the threshold where the score test rejects it: that has a closed form.
    expected, deviation = calls * rate, math.sqrt(calls * rate * (1 - rate))
    low, high = math.floor(expected), calls  # `low` is no breach, `high` is one
    guess, stride = math.floor(expected + z_score(confidence) * deviation), 1
    while low < guess < high:
        if _breaching_bound(guess, calls, threshold, confidence) is None:
            low, guess = guess, guess + stride
        else:
            high, guess = guess, guess - stride
        stride *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if _breaching_bound(middle, calls, threshold, confidence) is None:
            low = middle
        else:
            high = middle
    return high


def opening_rate(calls: int, threshold: float, settings: CircuitSettings) -> float | None:
    """Return the least rate of bad calls, 0 to 100, at which `calls` in one window would open the circuit.

    None where no rate would: there are fewer than `min_calls`, or too few to be sure. It is above `threshold`, the more
    so the fewer calls there are.
    """
    if calls < settings.min_calls:
        return None
    hits = opening_hits(calls, threshold, settings.confidence)
    return None if hits is None else 100 * hits / calls


@lru_cache(maxsize=1024)
def least_bad_calls(threshold: float, confidence: float) -> float:
    """Return the fewest bad calls, there being no others, that are a breach; infinite where no number is.

    Fewer are none among however many calls: each good one makes chance more of an explanation, not less.
    """
    if threshold >= FULL:
        return math.inf
    calls = 1
    while at_least(calls, calls, threshold / 200) >= by_chance(confidence):
        calls += 1
    return calls


def by_chance(confidence: float) -> float:
    """Return how improbable, 0 to 1, so many bad calls have to be at half the threshold: the risk, squared.

    1e-8 for a confidence of 0.9999. With a look every 250 ms over a dozen windows that overlap, that is a false trip or
    two in a year.
    """
    return (1 - confidence) ** 2
