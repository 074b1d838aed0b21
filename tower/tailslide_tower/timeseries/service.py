"""Graphs for people: which series a question takes, on which buckets, and what is said where they cannot be read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tailslide_core.errors import ContractError
from tailslide_core.naming import RESOLUTIONS, FlagId, Metric, resolutions_of
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.http import ApiError
from tailslide_tower.timeseries import flag_graph
from tailslide_tower.timeseries.grid import RANGES, Grid, Source, Span, least_resolution_ms, source_of
from tailslide_tower.timeseries.models import MAX_VALUES, GraphQuery
from tailslide_tower.timeseries.series import Column, GraphSeries, Reading, SeriesUnavailableError, Wanted

RETRY_AFTER_S = 2
EVALUATION_COPIES = resolutions_of(Metric.VARIANT_PREFIX)
EVALUATIONS_LEAST_MS = 10_000
"""Evaluations are written every ten seconds, so finer buckets would be empty but for every tenth."""
_SPARK_METRICS = (Metric.SUCCESS, Metric.FAILURE)

Json = dict[str, Any]


def unavailable(error: SeriesUnavailableError) -> ApiError:
    """Return what is answered where the series cannot be read."""
    return ApiError(
        503,
        "GRAPHS_UNAVAILABLE",
        f"graphs are not available: {error}",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


@dataclass(frozen=True, slots=True)
class Sparks:
    """Calls of many flags on one grid. `now_ms` is the time by the clock of Redis."""

    reading: Reading
    now_ms: int

    def counts(self, flag_id: FlagId) -> tuple[bool, Column, Column]:
        """Return whether calls of a flag are counted at all, its calls and its failures by bucket."""
        success, failure = (self.reading.column(flag_id, metric) for metric in _SPARK_METRICS)
        if failure is None:
            return success is not None, success or [None] * self.reading.grid.points, [None] * self.reading.grid.points
        if success is None:
            return True, failure, failure
        calls = [
            None if good is None and bad is None else (good or 0) + (bad or 0)
            for good, bad in zip(success, failure, strict=True)
        ]
        return True, calls, failure


class GraphService:
    """Reads graphs; raises `ContractError` on what is asked in vain, and `SeriesUnavailableError`."""

    def __init__(self, series: GraphSeries) -> None:
        self.series = series

    async def graph(self, ruleset: Ruleset, query: GraphQuery) -> Json:
        """Return all that is known of one flag's calls and evaluations, as the API shows it."""
        now_ms = await self.series.now_ms()
        grid = _span_of(query, now_ms).grid()
        source = _source(grid, now_ms)
        flag_id = ruleset.flag_id
        calls = await self.series.read(flag_graph.outcome_series(flag_id), grid, source)
        wide = Grid.over(grid.start_ms, grid.end_ms, _evaluations_ms(grid, now_ms))
        given = await self.series.read(
            flag_graph.evaluation_series(ruleset), wide, source_of(wide, EVALUATION_COPIES, now_ms)
        )
        feature, circuit = flag_graph.feature_calls(calls, flag_id), ruleset.circuit
        nowhere: flag_graph.Rates = [None] * grid.points
        return {
            "app": flag_id.app,
            "flag": flag_id.flag,
            "points": points_json(calls, now_ms),
            "feature": asdict(feature),
            "fallback": asdict(flag_graph.fallback_calls(calls, flag_id)),
            "latency": {name: asdict(each) for name, each in flag_graph.latencies(calls, flag_id).items()},
            "evaluations": {
                "points": points_json(given, now_ms),
                "variants": flag_graph.evaluations(given, flag_id, Metric.VARIANT_PREFIX),
                "rules": flag_graph.evaluations(given, flag_id, Metric.RULE_PREFIX),
            },
            "thresholds": {
                "error_rate": None if circuit is None else circuit.error_threshold,
                "slow_rate": None if circuit is None else circuit.slow_threshold,
                "min_calls": None if circuit is None else circuit.min_calls,
                "opens_at_error_rate": nowhere if circuit is None else flag_graph.opening_rates(feature.calls, circuit),
            },
        }

    async def sparks(self, flags: Sequence[FlagId], range_name: str, resolution_ms: int | None) -> Sparks:
        """Return the calls and failures of many flags over a range that ends now."""
        now_ms = await self.series.now_ms()
        if resolution_ms is None:
            resolution_ms = _SPARK_MS[range_name]
        grid = Span.of_range(range_name, now_ms, resolution_ms).grid()
        if grid.points * len(flags) > MAX_VALUES:
            most = max(1, MAX_VALUES // len(flags))
            raise ContractError(
                "resolution_ms",
                f"expected at least {-(-RANGES[range_name][0] // most)} for {len(flags)} flags, since one answer has "
                f"at most {MAX_VALUES} points; got {resolution_ms}",
            )
        return await self.read_sparks(flags, grid, now_ms)

    async def read_sparks(self, flags: Sequence[FlagId], grid: Grid, now_ms: int) -> Sparks:
        """Return the calls and failures of many flags on a grid."""
        wanted = [Wanted(flag_id, metric) for flag_id in flags for metric in _SPARK_METRICS]
        return Sparks(await self.series.read(wanted, grid, _source(grid, now_ms)), now_ms)


_SPARK_MS = {"1m": 1_000, "5m": 10_000, "1h": 60_000, "24h": 1_200_000, "7d": 7_200_000, "30d": 43_200_000}
"""Widths of buckets of a small graph: a few dozen points."""
assert _SPARK_MS.keys() == RANGES.keys(), "each range has a width"


def _span_of(query: GraphQuery, now_ms: int) -> Span:
    if query.from_ms is None:
        if query.to_ms is not None:
            raise ContractError("from_ms", "expected a time, since to_ms is set; or a range")
        return Span.of_range(query.range or "1h", now_ms, query.resolution_ms)
    if query.range is not None:
        raise ContractError("range", "expected either a range or from_ms, got both")
    to_ms = now_ms if query.to_ms is None else query.to_ms
    if to_ms <= query.from_ms:
        raise ContractError(
            "from_ms" if query.to_ms is None else "to_ms",
            f"expected from_ms before to_ms, got {query.from_ms} and {to_ms}",
        )
    return Span(query.from_ms, to_ms, query.resolution_ms)


def _source(grid: Grid, now_ms: int) -> Source:
    least_ms = least_resolution_ms(grid.start_ms + grid.bucket_ms, RESOLUTIONS, now_ms)
    if grid.bucket_ms % least_ms:
        raise ContractError(
            "resolution_ms",
            f"expected a multiple of {least_ms}, the finest that is kept of that time; got {grid.bucket_ms}",
        )
    return source_of(grid, RESOLUTIONS, now_ms)


def _evaluations_ms(grid: Grid, now_ms: int) -> int:
    """Return the width of buckets of evaluations: the graph's own where it can be, else the next that is kept."""
    least_ms = least_resolution_ms(grid.start_ms, EVALUATION_COPIES, now_ms)
    least_ms = max(least_ms, EVALUATIONS_LEAST_MS)
    return -(-grid.bucket_ms // least_ms) * least_ms


def points_json(reading: Reading, now_ms: int) -> Json:
    """Return the buckets of a reading as the API shows them."""
    grid = reading.grid
    return {
        "from_ms": grid.start_ms,
        "to_ms": grid.end_ms,
        "resolution_ms": grid.bucket_ms,
        "points": grid.points,
        "now_ms": now_ms,
        "source": reading.source.label,
    }


def sparks_json(sparks: Sparks, flags: Sequence[FlagId]) -> Json:
    """Return the graphs of many flags as the API shows them.

    In the bucket that is not complete yet, calls a second are over the time that has passed of it.
    """
    grid = sparks.reading.grid
    seconds = [grid.bucket_ms / 1000] * grid.points
    place = (sparks.now_ms - grid.start_ms) // grid.bucket_ms
    if 0 <= place < grid.points:
        passed_ms = sparks.now_ms - (grid.start_ms + place * grid.bucket_ms)
        seconds[place] = max(passed_ms, min(1_000, grid.bucket_ms)) / 1000
    shown: Json = {}
    for flag_id in flags:
        counted, calls, failures = sparks.counts(flag_id)
        shown[str(flag_id)] = {
            "counted": counted,
            "calls": calls,
            "calls_per_s": [
                None if each is None else round(each / length, 3) for each, length in zip(calls, seconds, strict=True)
            ],
            "error_rate": flag_graph.rates(failures, calls),
        }
    return {"points": points_json(sparks.reading, sparks.now_ms), "flags": shown}
