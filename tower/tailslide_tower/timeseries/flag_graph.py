"""The graph of one flag, made of what was read. Pure.

All lists have one entry for each bucket. None stands for a bucket in which nothing was counted: there were no calls, or
their counts have not been written; the series do not tell these apart. Where calls were counted, a metric of which
there is no sample was zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailslide_core.breach import opening_rate
from tailslide_core.latency import percentile
from tailslide_core.naming import FlagId, Metric
from tailslide_core.outcomes import LATENCY_METRICS
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_tower.timeseries.series import Column, Reading, Wanted

Rates = list[float | None]
"""Percentages, 0 to 100."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0}
_FEATURE = (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW)
_FALLBACK = (Metric.FALLBACK_SUCCESS, Metric.FALLBACK_FAILURE, Metric.FALLBACK_SLOW)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls to the feature or to the fallback. `counted`: whether there are series, so that one was counted."""

    counted: bool
    calls: Column
    successes: Column
    failures: Column
    slow: Column
    error_rate: Rates
    slow_rate: Rates


@dataclass(frozen=True, slots=True)
class Latency:
    """One percentile in milliseconds: the estimate, and the bounds between which it lies for certain.

    Of the last bucket of the histogram, which has no upper bound, `to_ms` is None and `ms` is its lower bound.
    """

    ms: list[float | None]
    from_ms: list[float | None]
    to_ms: list[float | None]


def outcome_series(flag_id: FlagId) -> list[Wanted]:
    """Return the series that hold a flag's calls and latencies."""
    return [Wanted(flag_id, metric) for metric in (*_FEATURE, *_FALLBACK, *LATENCY_METRICS)]


def evaluation_series(ruleset: Ruleset) -> list[Wanted]:
    """Return the series that hold how often a flag gave each of its variants, and how often each rule decided."""
    variants = (f"{Metric.VARIANT_PREFIX}{variant.key}" for variant in ruleset.variants)
    rules = (f"{Metric.RULE_PREFIX}{ruleset.rule_name(index)}" for index in range(len(ruleset.rules)))
    return [Wanted(ruleset.flag_id, metric) for metric in (*variants, *rules)]


def feature_calls(reading: Reading, flag_id: FlagId) -> Calls:
    """Return the calls to the feature."""
    return _calls(reading, flag_id, *_FEATURE)


def fallback_calls(reading: Reading, flag_id: FlagId) -> Calls:
    """Return the calls to the fallback."""
    return _calls(reading, flag_id, *_FALLBACK)


def _calls(reading: Reading, flag_id: FlagId, success: str, failure: str, slow: str) -> Calls:
    found = [reading.column(flag_id, metric) for metric in (success, failure, slow)]
    nothing: Column = [None] * reading.grid.points
    successes, failures, slows = (nothing if column is None else column for column in found)
    calls = [_sum(good, bad) for good, bad in zip(successes, failures, strict=True)]
    return Calls(
        counted=any(column is not None for column in found),
        calls=calls,
        successes=_where_counted(successes, calls),
        failures=_where_counted(failures, calls),
        slow=_where_counted(slows, calls),
        error_rate=rates(failures, calls),
        slow_rate=rates(slows, calls),
    )


def _sum(good: int | None, bad: int | None) -> int | None:
    return None if good is None and bad is None else (good or 0) + (bad or 0)


def _where_counted(column: Column, calls: Column) -> Column:
    """Return a metric with 0 where there were calls and none of them was one of its."""
    return [None if whole is None else part or 0 for part, whole in zip(column, calls, strict=True)]


def rates(parts: Sequence[int | None], calls: Sequence[int | None]) -> Rates:
    """Return which percentage of the calls each part is; None where there were no calls.

    At most 100: what was written a moment before its calls is not more than all of them.
    """
    return [
        None if not whole else 0.0 if not part else round(100 * min(part, whole) / whole, 3)
        for part, whole in zip(parts, calls, strict=True)
    ]


def latencies(reading: Reading, flag_id: FlagId) -> Mapping[str, Latency]:
    """Return the percentiles of the feature's latency, by their names."""
    columns = [reading.column(flag_id, metric) for metric in LATENCY_METRICS]
    there = [(index, column) for index, column in enumerate(columns) if column is not None]
    graphs = {name: Latency([], [], []) for name in PERCENTILES}
    for bucket in range(reading.grid.points):
        counts = [0] * len(LATENCY_METRICS)
        for index, column in there:
            counts[index] = column[bucket] or 0
        for name, percent in PERCENTILES.items():
            found, graph = percentile(counts, percent), graphs[name]
            graph.ms.append(None if found is None else round(found.ms, 3))
            graph.from_ms.append(None if found is None else found.from_ms)
            graph.to_ms.append(None if found is None else found.to_ms)
    return graphs


def evaluations(reading: Reading, flag_id: FlagId, prefix: str) -> dict[str, Column]:
    """Return how often each variant was given, or each rule decided, by name; only those that were counted."""
    return {
        wanted.metric.removeprefix(prefix): column
        for wanted, column in reading.columns.items()
        if wanted.flag_id == flag_id and wanted.metric.startswith(prefix)
    }


def opening_rates(calls: Sequence[int | None], settings: CircuitSettings) -> Rates:
    """Return from which error rate on so many calls would open the circuit; None where no rate would."""
    return [_rounded(None if not each else opening_rate(each, settings.error_threshold, settings)) for each in calls]


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 3)
