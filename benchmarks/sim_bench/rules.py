"""The rules that are compared, each as "this many failures among so many calls is too much".

Ours is asked of the core: `breach.breach`, over `windows.ladder`. What it decides for a number of calls is looked up
once and remembered, which is what makes days of ticks affordable. The two bounds that the core does not go by alone are
computed here.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, count, repeat
from math import ceil, sqrt
from operator import ge, sub
from typing import Protocol

from sim_bench.traffic import TICK_MS, Traffic
from tailslide_core.binomial import at_least
from tailslide_core.breach import breach
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.wilson import lower_bound, z_score
from tailslide_core.windows import WindowCounts, ladder


class Least(dict[int, int]):
    """Calls in a window → the fewest failures among them that trip; more than the calls where nothing can."""

    def __init__(self, find: Callable[[int], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, calls: int) -> int:
        self[calls] = found = self._find(calls)
        return found


@dataclass(frozen=True)
class WindowRule:
    """A rule that looks at windows that end now, once a tick."""

    name: str
    windows: tuple[int, ...]
    """In ticks, ascending."""
    least: Least
    threshold: float
    """Percent: the rate of failures that a window has to reach at the least."""
    min_calls: int

    @cached_property
    def fewest_failures(self) -> int:
        """Failures below which no window trips, whatever its calls: each call that succeeds speaks against a trip."""
        return next(number for number in count(1) if self.least[max(number, self.min_calls)] <= number)

    def flags(self, traffic: Traffic, window: int, first: int, last: int) -> Iterator[bool]:
        """Say for each of the ticks `first` up to `last`, which is left out, whether this window trips."""
        calls, failures = traffic.calls, traffic.failures
        bad = list(map(sub, failures[first:last], failures[first - window : last - window]))
        if max(bad, default=0) < self.fewest_failures:
            return repeat(False, len(bad))
        among = map(sub, calls[first:last], calls[first - window : last - window])
        return map(ge, bad, map(self.least.__getitem__, among))

    def first_trip(self, traffic: Traffic, first: int, last: int) -> int | None:
        """Return the first tick from `first` up to `last`, which is left out, at which a window trips."""
        found = None
        for window in self.windows:
            at = next(compress(count(first), self.flags(traffic, window, first, last)), None)
            if at is not None:
                found = last = at
            if first >= last:
                break
        return found


def core_ladder(settings: CircuitSettings, name: str) -> WindowRule:
    """Return the core's own judgement."""

    def trips(calls: int, failures: int) -> bool:
        return breach(settings, (WindowCounts(settings.window_ms, calls, failures),)) is not None

    return _ladder(settings, name, trips)


def wilson_ladder(settings: CircuitSettings, name: str) -> WindowRule:
    """Return the judgement by Wilson's bound alone: that it is over the threshold."""
    threshold = settings.error_threshold / 100

    def trips(calls: int, failures: int) -> bool:
        return failures > threshold * calls and lower_bound(failures, calls, settings.confidence) > threshold

    return _ladder(settings, name, trips)


def exact_ladder(settings: CircuitSettings, name: str) -> WindowRule:
    """Return the judgement by the exact bound alone (Clopper & Pearson 1934).

    It is over the threshold when so many failures or more are less probable than 1 - confidence at the threshold.
    """
    risk = 1 - settings.confidence
    threshold = settings.error_threshold / 100

    def trips(calls: int, failures: int) -> bool:
        return failures > threshold * calls and at_least(failures, calls, threshold) < risk

    return _ladder(settings, name, trips)


def _ladder(settings: CircuitSettings, name: str, trips: Callable[[int, int], bool]) -> WindowRule:
    """Return a rule over the core's windows; where `trips` of calls and failures is true, more failures trip too."""
    threshold = settings.error_threshold / 100
    deviation = z_score(settings.confidence) * sqrt(threshold * (1 - threshold))

    def find(calls: int) -> int:
        if calls < settings.min_calls:
            return calls + 1
        # Wilson's bound passes the threshold about here; widened until it begins to trip in between.
        low = min(calls, int(calls * threshold + deviation * sqrt(calls)))
        high, reach = low + 1, 1
        while low >= 0 and trips(calls, low):
            low, high, reach = low - reach, low, 2 * reach
        while high <= calls and not trips(calls, high):
            low, high, reach = high, high + reach, 2 * reach
        between = range(max(low, -1) + 1, min(high, calls + 1))
        return between.start + bisect_left(between, True, key=lambda failures: trips(calls, failures))

    return WindowRule(name, _rungs(settings), Least(find), settings.error_threshold, settings.min_calls)


def _rungs(settings: CircuitSettings) -> tuple[int, ...]:
    rungs = ladder(settings.window_ms, settings.long_window_ms)
    return tuple(sorted({max(1, round(rung / TICK_MS)) for rung in rungs}))


def fixed_ratio(threshold: float, min_calls: int = 20, window_ms: int = 10_000) -> WindowRule:
    """Return the rule of a fixed rate with a minimum volume: at least `threshold` % of at least `min_calls`."""

    def find(calls: int) -> int:
        return calls + 1 if calls < min_calls else max(1, ceil(calls * threshold / 100))

    return WindowRule("fixed ratio", (round(window_ms / TICK_MS),), Least(find), threshold, min_calls)


IN_A_ROW = 5
LAST_CALLS = 100


class CallRule(Protocol):
    """A rule that looks at each call."""

    def call(self, failed: bool) -> bool:
        """Take a call, and say whether the rule trips now."""
        ...


@dataclass
class InARow:
    """So many failures in a row; Envoy's `consecutive_5xx` of one host counts the same, both with 5 by default."""

    run: int = 0

    def call(self, failed: bool) -> bool:
        self.run = self.run + 1 if failed else 0
        return self.run >= IN_A_ROW


class CountWindow:
    """resilience4j's COUNT_BASED window: the last 100 calls, none judged before there are 100."""

    def __init__(self, threshold: float) -> None:
        self._least = ceil(threshold * LAST_CALLS / 100)
        self._ring = bytearray(LAST_CALLS)  # full of healthy calls
        self._failures = self._at = 0

    def call(self, failed: bool) -> bool:
        self._failures += failed - self._ring[self._at]
        self._ring[self._at] = failed
        self._at = (self._at + 1) % LAST_CALLS
        return self._failures >= self._least
