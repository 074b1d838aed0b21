"""What simulated sidecars count: calls at random times, one in a hundred a failure. Pure, seeded.

When it is written, and to where, is `sidecars`.
"""

import math
import random
from collections.abc import Sequence
from functools import lru_cache

from tailslide_core.naming import FlagId, Metric
from tailslide_core.outcomes import LATENCY_METRICS
from tailslide_core.ruleset import CircuitSettings, Ruleset

FAILURE_SHARE = 0.01
_LATENCY_SHARES = {
    LATENCY_METRICS[len(LATENCY_METRICS) // 2 - 1]: 0.2,
    LATENCY_METRICS[len(LATENCY_METRICS) // 2]: 0.6,
    LATENCY_METRICS[len(LATENCY_METRICS) // 2 + 1]: 0.2,
}
"""Of three neighbouring buckets, about as many as the latencies of a steady feature fill."""

Counts = dict[tuple[str, str], int]
"""Numbers of calls by (flag, metric), as the sidecar's writer takes them."""


def flag_of(index: int, apps: int) -> FlagId:
    """Return one of the flags. They are dealt out in turn, so that the first of them are spread over all apps."""
    return FlagId(f"app-{index % apps:03}", f"flag-{index // apps:04}")


def flags_by_app(first: int, end: int, apps: int) -> dict[str, list[str]]:
    """Return the keys of the flags from `first` to before `end`, by app."""
    found: dict[str, list[str]] = {}
    for index in range(first, end):
        flag_id = flag_of(index, apps)
        found.setdefault(flag_id.app, []).append(flag_id.flag)
    return found


def rulesets(flags: int, apps: int) -> list[Ruleset]:
    """Return the flags as Tower would publish them, with the default settings of a circuit."""
    circuit = CircuitSettings()
    return [
        Ruleset(one.app, one.flag, 1, active=True, rollout=100.0, salt=one.flag, circuit=circuit)
        for one in (flag_of(index, apps) for index in range(flags))
    ]


def counts_of(flags: Sequence[str], calls: float, rng: random.Random, *, latencies: bool) -> Counts:
    """Draw what one flush holds of these flags, `calls` being the mean for each; what is zero is not in it."""
    # The parts of a Poisson number, each call falling into one with its share, are Poisson numbers themselves.
    drawn = {metric: _poisson(calls * share, len(flags), rng) for metric, share in _shares(latencies=latencies).items()}
    return {
        (flag, metric): numbers[index]
        for index, flag in enumerate(flags)
        for metric, numbers in drawn.items()
        if numbers[index]
    }


def metrics(*, latencies: bool) -> tuple[str, ...]:
    """Return the metrics that are counted, with or without the buckets of latencies."""
    return tuple(_shares(latencies=latencies))


def _shares(*, latencies: bool) -> dict[str, float]:
    return {Metric.SUCCESS: 1 - FAILURE_SHARE, Metric.FAILURE: FAILURE_SHARE, **(_LATENCY_SHARES if latencies else {})}


def _poisson(mean: float, count: int, rng: random.Random) -> list[int]:
    weights = _cumulated_weights(mean)
    return rng.choices(range(len(weights)), cum_weights=weights, k=count)


@lru_cache(maxsize=64)
def _cumulated_weights(mean: float) -> tuple[float, ...]:
    """Return the Poisson distribution function of 0, 1, … as far as ten standard deviations above the mean."""
    total, found = 0.0, []
    for number in range(math.ceil(mean + 10 * math.sqrt(mean)) + 10):
        total += math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))
        found.append(total)
    return tuple(found)
