"""What people ask of graphs, and what they get. The answers are described here for OpenAPI and for readers."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, Field

from tailslide_runtime.settings import Closed
from tailslide_tower.requests import RequestBody
from tailslide_tower.timeseries.grid import COARSEST_MS, FINEST_MS, RANGES

MAX_FLAGS = 500
"""Flags of one question about many."""
MAX_VALUES = 100_000
"""Points of all flags together."""
_LATEST_MS = 2**53

RangeName = Literal["1m", "5m", "1h", "24h", "7d", "30d"]
assert set(get_args(RangeName)) == set(RANGES), "the names are there twice since OpenAPI takes literals only"
Moment = Annotated[int, Field(ge=0, le=_LATEST_MS)]
ResolutionMs = Annotated[int, Field(ge=FINEST_MS, le=COARSEST_MS)]
FlagName = Annotated[str, Field(max_length=200, examples=["shop.new-checkout"])]
"""`<app>.<flag>`."""

Count = int | None
Rate = float | None


class Points(BaseModel):
    """The buckets of a graph: `points` of `resolution_ms`, the first of which begins at `from_ms`.

    `now_ms` is the time by the clock of Redis; the bucket that holds it is not complete. `source` says what the graph
    is made of: `raw` samples, or sums of `10s` or `1m`.
    """

    from_ms: int
    to_ms: int
    resolution_ms: int
    points: int
    now_ms: int
    source: str


class CallsOut(BaseModel):
    """Calls, one entry a bucket; null where nothing was counted. Rates are percentages.

    `counted` is false where no sidecar has ever counted a call, as far as is kept.
    """

    counted: bool
    calls: list[Count]
    successes: list[Count]
    failures: list[Count]
    slow: list[Count]
    error_rate: list[Rate]
    slow_rate: list[Rate]


class LatencyOut(BaseModel):
    """A percentile in milliseconds: an estimate, and the bounds between which it lies for certain.

    `to_ms` null beside a number in `ms`: longer than that, nobody knows how much.
    """

    ms: list[Rate]
    from_ms: list[Rate]
    to_ms: list[Rate]


class EvaluationsOut(BaseModel):
    """How often each variant was given, and each rule decided, by name. Never finer than ten seconds.

    Those of the flag as it is now that were ever counted; of rules without a name, the place.
    """

    points: Points
    variants: dict[str, list[Count]]
    rules: dict[str, list[Count]]


class ThresholdsOut(BaseModel):
    """What would open the circuit, in percent; null where the flag has no circuit or does not judge slow calls.

    `opens_at_error_rate` is, for each bucket, the least error rate that would open it at that bucket's number of calls,
    null where no rate would.
    """

    error_rate: Rate
    slow_rate: Rate
    min_calls: int | None
    opens_at_error_rate: list[Rate]


class MarkOut(BaseModel):
    """What has happened to a flag or its circuit: an entry of the log, for a mark in the graph.

    `state` and `percentage` are those of the circuit afterwards, where the entry is about it.
    """

    id: int
    at: str
    kind: Literal["flag", "circuit"]
    action: str
    actor: str
    sentence: str
    state: str | None
    percentage: Rate


class GraphOut(BaseModel):
    """The graph of one flag. `marks` are at most 500, newest first; `marks_omitted` says that there are more."""

    app: str
    flag: str
    points: Points
    feature: CallsOut
    fallback: CallsOut
    latency: dict[Literal["p50", "p90", "p99"], LatencyOut]
    evaluations: EvaluationsOut
    thresholds: ThresholdsOut
    marks: list[MarkOut]
    marks_omitted: bool


class FlagSparkOut(BaseModel):
    """Calls and error rate of one of many flags, one entry a bucket; null where nothing was counted."""

    counted: bool
    calls: list[Count]
    calls_per_s: list[Rate]
    error_rate: list[Rate]


class SparksOut(BaseModel):
    """Graphs of many flags, by `<app>.<flag>`, on the same buckets."""

    points: Points
    flags: dict[str, FlagSparkOut]


class GraphQuery(Closed):
    """What time a graph shows: a `range` that ends now, or from `from_ms` to before `to_ms`; without either, `1h`.

    Times are Unix milliseconds; `to_ms` is now where it is missing. Without `resolution_ms` it is chosen by the length.
    """

    range: RangeName | None = None
    from_ms: Moment | None = None
    to_ms: Moment | None = None
    resolution_ms: ResolutionMs | None = None


class SparksQuery(Closed):
    """Which flags, as `<app>.<flag>` with commas between, and what time."""

    flags: Annotated[str, Field(min_length=1, max_length=6_000, examples=["shop.new-checkout,shop.search"])]
    range: RangeName = "1h"
    resolution_ms: ResolutionMs | None = None


class SparksAsked(RequestBody):
    """Which flags, as `<app>.<flag>`, and what time."""

    flags: Annotated[list[FlagName], Field(min_length=1, max_length=MAX_FLAGS)]
    range: RangeName = "1h"
    resolution_ms: ResolutionMs | None = None
