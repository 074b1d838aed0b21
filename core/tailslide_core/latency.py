"""What a latency histogram says of its percentiles. Pure; how latencies are put into buckets is `outcomes`.

A histogram knows how many calls each bucket has, and not where in it they were. So a percentile is given with the
bounds of its bucket, between which it lies for certain; the value between them is an estimate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tailslide_core.outcomes import LATENCY_BOUNDS_MS


@dataclass(frozen=True, slots=True)
class Percentile:
    """A latency, in milliseconds: the estimate, and the bounds of its bucket.

    `to_ms` None: it is in the last bucket, which has no upper bound, and `ms` is the least that it can be.
    """

    ms: float
    from_ms: float
    to_ms: float | None


def percentile(counts: Sequence[int], percent: float) -> Percentile | None:
    """Return the latency that `percent` (0 to 100) of the calls took at most; None without calls.

    `counts` are numbers of calls by bucket, in the order of `LATENCY_METRICS`. Within a bucket, calls are taken to be
    spread evenly, as Prometheus' `histogram_quantile` does it.
    """
    total = sum(counts)
    if total <= 0:
        return None
    wanted = total * percent / 100
    below = 0
    for index, count in enumerate(counts):
        if count > 0 and below + count >= wanted:
            from_ms = float(LATENCY_BOUNDS_MS[index - 1]) if index else 0.0
            if index == len(LATENCY_BOUNDS_MS):
                return Percentile(from_ms, from_ms, None)
            to_ms = float(LATENCY_BOUNDS_MS[index])
            share = max(0.0, (wanted - below) / count)
            return Percentile(from_ms + (to_ms - from_ms) * share, from_ms, to_ms)
        below += count
    raise AssertionError("all of the calls are in some bucket")
