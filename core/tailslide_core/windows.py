"""How far to look back: the windows over which a circuit is judged, and the calls in each.

A window that holds ten healthy seconds hides a dead feature for seconds; a short one never gathers enough calls of a
quiet feature. So the calls are counted over a ladder of windows that end now: `window_ms` and its halves down to
250 ms, `long_window_ms` and its halves down to `window_ms`. Whatever the traffic, some rung holds enough calls and
little of the past. `docs/decisions/0003` has the measurements.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

SHORTEST_WINDOW_MS = 250


@dataclass(frozen=True, slots=True)
class Sample:
    """Calls that ended at about `at_ms` (Unix time by the clock of the time series server)."""

    at_ms: int
    calls: int
    failures: int
    slow: int


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Calls over the last `window_ms` milliseconds; failures and slow calls are among `calls`."""

    window_ms: int
    calls: int = 0
    failures: int = 0
    slow: int = 0


@lru_cache(maxsize=1024)
def ladder(window_ms: int, long_window_ms: int) -> tuple[int, ...]:
    """Return the lengths of the windows to look at, in milliseconds, ascending, without repeats."""
    rungs = {window_ms, long_window_ms}
    half = window_ms // 2
    while half >= SHORTEST_WINDOW_MS:
        rungs.add(half)
        half //= 2
    half = long_window_ms // 2
    while half > window_ms:
        rungs.add(half)
        half //= 2
    return tuple(sorted(rungs))


def tally(samples: Iterable[Sample], rungs: Sequence[int], now_ms: int, since_ms: int) -> tuple[WindowCounts, ...]:
    """Count calls in each window of `rungs` (ascending) that ends at `now_ms`; only what came after `since_ms` counts.

    `samples` come newest first. Windows reaching back beyond `since_ms` hold the same calls; the shortest of these is
    the last one returned.
    """
    counts: list[WindowCounts] = []
    calls = failures = slow = 0
    remaining = iter(samples)
    sample = next(remaining, None)
    for window_ms in rungs:
        start_ms = max(now_ms - window_ms, since_ms)
        while sample is not None and sample.at_ms > start_ms:
            calls += sample.calls
            failures += sample.failures
            slow += sample.slow
            sample = next(remaining, None)
        counts.append(WindowCounts(window_ms, calls, failures, slow))
        if now_ms - window_ms <= since_ms:
            break
    return tuple(counts)
