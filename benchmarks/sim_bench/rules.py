"""The rules that are compared, each as "this many failures among so many calls is too much".

Ours is asked of the core: `circuit.breach`, over `windows.ladder`. What the core decides for a number of calls is
looked up once and remembered, which is what makes days of ticks affordable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import compress, count
from math import ceil, exp, lgamma, log, log1p, sqrt
from operator import ge, sub
from typing import Protocol

from sim_bench.traffic import TICK_MS, Traffic
from tailslide_core.breach import breach
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.wilson import z_score
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

    def flags(self, traffic: Traffic, window: int, first: int, last: int) -> Iterator[bool]:
        """Say for each of the ticks `first` up to `last`, which is left out, whether this window trips."""
        calls, failures = traffic.calls, traffic.failures
        bad = map(sub, failures[first:last], failures[first - window : last - window])
        among = map(sub, calls[first:last], calls[first - window : last - window])
        return map(ge, bad, map(self.least.__getitem__, among))

    def first_trip(self, traffic: Traffic, first: int, last: int) -> int | None:
        """Return the first tick from `first` up to `last` at which a window trips."""
        for window in self.windows:
            found = next(compress(count(first), self.flags(traffic, window, first, last)), None)
            last = last if found is None else found
            if first >= last:
                return first
        return self._at(traffic, last)

    def _at(self, traffic: Traffic, tick: int) -> int | None:
        if tick >= len(traffic.calls):
            return None
        return tick if any(any(self.flags(traffic, window, tick, tick + 1)) for window in self.windows) else None


def wilson_ladder(settings: CircuitSettings, name: str = "ours") -> WindowRule:
    """Return the core's own judgement."""
    deviation = z_score(settings.confidence)
    threshold = settings.error_threshold / 100

    def trips(calls: int, failures: int) -> bool:
        return breach(settings, (WindowCounts(settings.window_ms, calls, failures),)) is not None

    def find(calls: int) -> int:
        if not trips(calls, calls):
            return calls + 1
        # The Wilson bound passes the threshold where the score test does; the core has the last word.
        guess = calls * threshold + deviation * sqrt(calls * threshold * (1 - threshold))
        failures = min(calls, int(guess) + 1)
        while trips(calls, failures - 1):
            failures -= 1
        while not trips(calls, failures):
            failures += 1
        return failures

    return WindowRule(name, _rungs(settings), Least(find), settings.error_threshold, settings.min_calls)


def exact_ladder(settings: CircuitSettings, name: str) -> WindowRule:
    """Return the same judgement by the exact bound (Clopper & Pearson 1934), which the core does not know.

    It is over the threshold when so many failures or more are less probable than 1 - confidence at the threshold.
    """
    risk = 1 - settings.confidence
    threshold = settings.error_threshold / 100
    deviation = z_score(settings.confidence)

    def find(calls: int) -> int:
        if calls < settings.min_calls or threshold**calls >= risk:
            return calls + 1
        guess = calls * threshold + deviation * sqrt(calls * threshold * (1 - threshold))
        failures = min(calls, int(guess) + 1)
        while at_least(failures - 1, calls, threshold) < risk:
            failures -= 1
        while at_least(failures, calls, threshold) >= risk:
            failures += 1
        return failures

    return WindowRule(name, _rungs(settings), Least(find), settings.error_threshold, settings.min_calls)


GUARD = 1e-8
"""With a look every 250 ms over a dozen windows that overlap, one or two false trips in a year."""


def guarded_ladder(settings: CircuitSettings, name: str) -> WindowRule:
    """Return the core's judgement, and that so many failures are next to impossible at half the threshold."""
    wilson = wilson_ladder(settings, name)
    half = settings.error_threshold / 200

    def find(calls: int) -> int:
        failures = wilson.least[calls]
        while failures <= calls and at_least(failures, calls, half) >= GUARD:
            failures += 1
        return failures

    return replace(wilson, least=Least(find))


def at_least(hits: int, calls: int, rate: float) -> float:
    """Return the probability of at least `hits` out of `calls` at a rate (between 0 and 1, both left out)."""
    if hits <= 0:
        return 1.0
    mass = exp(
        lgamma(calls + 1)
        - lgamma(hits + 1)
        - lgamma(calls - hits + 1)
        + hits * log(rate)
        + (calls - hits) * log1p(-rate)
    )
    total = mass
    while hits < calls and mass > total * 1e-12:
        mass *= (calls - hits) / (hits + 1) * rate / (1 - rate)
        hits += 1
        total += mass
    return total


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
