"""How far to look back: the windows over which a circuit is judged, and the calls in each.

A window that holds ten healthy seconds hides a dead feature for seconds; a short one never gathers enough calls of a
quiet feature. So the calls are counted over a ladder of windows that end now: `window_ms` and its halves down to
250 ms, `long_window_ms` and its halves down to `window_ms`. Whatever the traffic, some rung holds enough calls and
little of the past. `docs/decisions/0003` has the measurements. Counting is Aerobat's.
"""

from functools import lru_cache
from typing import NamedTuple

SHORTEST_WINDOW_MS = 250


class WindowCounts(NamedTuple):
    """Calls over the last `window_ms` milliseconds; failures and slow calls are among `calls`.

    A tuple: a dozen are made for each look at a busy flag.
    """

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
