"""Where counts are read from: a port, RedisTimeSeries behind it, and a twin in memory for tests.

Reads only; series are made and written by sidecars. When a flag is judged is not decided here.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tailslide_aerobat.counts import COARSE_MS, FINE_MS, Reading, fine_from
from tailslide_core.errors import ContractError
from tailslide_core.naming import JUDGED_METRICS, FlagId, Metric, check_key
from tailslide_core.windows import Sample

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0

Points = Iterable[tuple[FlagId, str, int, int]]
"""(flag, metric, start of the bucket in Unix milliseconds, sum)."""


class TimeSeriesError(Exception):
    """The counts cannot be read; the text says why."""


class TimeSeries(Protocol):
    """Counts of outcomes, of all flags at once."""

    async def read_new(self, from_ms: int) -> Reading:
        """Read samples of 100 ms from `from_ms` on; raise `TimeSeriesError`."""

    async def read_whole(self, reach_ms: int) -> Reading:
        """Read everything of the last `reach_ms`, older samples by the second; raise `TimeSeriesError`."""


class RedisTimeSeries:
    """RedisTimeSeries. Fails closed: every error is a `TimeSeriesError`, and the reader keeps what it has decided.

    It does not retry; the next tick does. `close` it at the end.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            protocol=3,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    async def read_new(self, from_ms: int) -> Reading:
        """Read samples of 100 ms from `from_ms` on, in one round trip."""
        now, recent = await self._ask(("TIME",), _range(from_ms, "+", FINE_MS))
        return Reading(_milliseconds(now), from_ms, _samples(_points(recent)))

    async def read_whole(self, reach_ms: int) -> Reading:
        """Read everything of the last `reach_ms`: the time first, since the ranges follow from it."""
        (now,) = await self._ask(("TIME",))
        now_ms = _milliseconds(now)
        edge_ms = fine_from(now_ms)
        first_ms = min(max(0, now_ms - reach_ms) // COARSE_MS * COARSE_MS, edge_ms)
        older, recent = await self._ask(_range(first_ms, edge_ms - 1, COARSE_MS), _range(edge_ms, "+", FINE_MS))
        return Reading(now_ms, edge_ms, _samples(_points(recent)), _samples(_points(older)))

    async def _ask(self, *commands: tuple[str | int, ...]) -> list[object]:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[object] = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise TimeSeriesError(str(error) or type(error).__name__) from error
        return answers

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()


def _range(from_ms: int, to: int | str, bucket_ms: int) -> tuple[str | int, ...]:
    """Return the query for the raw series of all flags; `resolution=` leaves out their coarser copies."""
    metrics = f"metric=({','.join(JUDGED_METRICS)})"
    labels = ("SELECTED_LABELS", "app", "flag", "metric")
    return ("TS.MRANGE", from_ms, to, *labels, "AGGREGATION", "sum", bucket_ms, "FILTER", metrics, "resolution=")


def _milliseconds(time: object) -> int:
    assert isinstance(time, tuple | list)
    seconds, microseconds = time
    return int(seconds) * 1000 + int(microseconds) // 1000


def _points(answer: object) -> Points:
    """Read the answer to TS.MRANGE: a map in RESP3, a list in RESP2, which the URL may ask for."""
    if isinstance(answer, dict):
        series = [(dict(row[0]), row[-1]) for row in answer.values()]
    else:
        assert isinstance(answer, list)
        series = [(dict(row[1]), row[-1]) for row in answer]
    for labels, points in series:
        try:
            flag_id = FlagId(check_key("app", _text(labels.get(b"app"))), check_key("flag", _text(labels.get(b"flag"))))
        except ContractError:
            continue  # somebody else's series, in a Redis that is shared
        metric = _text(labels.get(b"metric"))
        for at_ms, value in points:
            yield flag_id, metric, int(at_ms), round(float(value))


def _text(label: object) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else ""


def _samples(points: Points) -> dict[FlagId, list[Sample]]:
    """Put the metrics of a flag together, bucket by bucket."""
    sums: dict[FlagId, dict[int, dict[str, int]]] = {}
    for flag_id, metric, at_ms, value in points:
        bucket = sums.setdefault(flag_id, {}).setdefault(at_ms, {})
        bucket[metric] = bucket.get(metric, 0) + value
    return {flag_id: [_sample(at_ms, buckets[at_ms]) for at_ms in sorted(buckets)] for flag_id, buckets in sums.items()}


def _sample(at_ms: int, sums: Mapping[str, int]) -> Sample:
    failures = sums.get(Metric.FAILURE, 0)
    return Sample(at_ms, sums.get(Metric.SUCCESS, 0) + failures, failures, sums.get(Metric.SLOW, 0))


class InMemoryTimeSeries:
    """The twin: its clock is `now_ms`, its points are added by hand, and it fails while `error` is set."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.error: str | None = None
        self.asked: list[int | None] = []
        """What each reading was from; None for a whole one."""
        self._added: list[tuple[FlagId, str, int, int]] = []

    def add(self, flag_id: FlagId, *, at_ms: int, success: int = 0, failure: int = 0, slow: int = 0) -> None:
        """Count calls of a flag at a time."""
        for metric, value in zip(JUDGED_METRICS, (success, failure, slow), strict=True):
            if value:
                self._added.append((flag_id, metric, at_ms, value))

    async def read_new(self, from_ms: int) -> Reading:
        """Read as Redis would."""
        self._ask(from_ms)
        return Reading(self.now_ms, from_ms, self._between(from_ms, None, FINE_MS))

    async def read_whole(self, reach_ms: int) -> Reading:
        """Read as Redis would."""
        self._ask(None)
        edge_ms = fine_from(self.now_ms)
        first_ms = (self.now_ms - reach_ms) // COARSE_MS * COARSE_MS
        fine = self._between(edge_ms, None, FINE_MS)
        return Reading(self.now_ms, edge_ms, fine, self._between(first_ms, edge_ms, COARSE_MS))

    def _ask(self, from_ms: int | None) -> None:
        if self.error is not None:
            raise TimeSeriesError(self.error)
        self.asked.append(from_ms)

    def _between(self, from_ms: int, before_ms: int | None, bucket_ms: int) -> dict[FlagId, list[Sample]]:
        return _samples(
            (flag_id, metric, at_ms // bucket_ms * bucket_ms, value)
            for flag_id, metric, at_ms, value in self._added
            if from_ms <= at_ms and (before_ms is None or at_ms < before_ms)
        )
