"""Writing outcomes into RedisTimeSeries: the port, the adapter for Redis, and its twin in memory.

When and what to write is `flusher`; reading is Aerobat's and Tower's. The adapter never waits longer than its
timeouts and turns every failure of Redis into `SeriesUnavailableError`, which says what is still to be written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tailslide_core.naming import RAW_RETENTION_MS, RESOLUTIONS, FlagId, series_key, series_labels
from tailslide_sidecar.outcome_buffer import Counts

log = structlog.get_logger()

TIMEOUT_S = 1.0
# RedisTimeSeries has no error codes, only these texts.
_CONNECTING = "Timeout connecting"  # of redis-py, which has one error for this and for an answer that is late
# TS.MADD says the same of a key that is missing and of one that is something else.
_NO_SERIES = ("the key does not exist", "is not a tsdb key", "wrongtype")
_ALREADY_THERE = ("key already exists", "already has a src rule", "already exists", "already has a destination rule")


class SeriesUnavailableError(Exception):
    """Redis could not be reached or would not write; `unwritten` are the counts to write later."""

    def __init__(self, problem: str, unwritten: Counts) -> None:
        super().__init__(problem)
        self.unwritten = unwritten


class Series(Protocol):
    """The time series of one app."""

    async def now_ms(self) -> int:
        """Return the server's Unix time in milliseconds; raise `SeriesUnavailableError` when it does not answer."""

    async def add(self, counts: Mapping[tuple[str, str], int], at_ms: int | None) -> None:
        """Add counts by (flag, metric) at a time of the server's clock, None being the moment of writing.

        Raises `SeriesUnavailableError`.
        """

    async def close(self) -> None:
        """Let go of the connection."""


class RedisSeries:
    """The series in a Redis with RedisTimeSeries.

    Fails open: raises `SeriesUnavailableError` and expects the counts again. A command that was sent and not answered
    within the timeout is taken as carried out, since a Redis that hangs reads it once it goes on; one whose
    connection broke is taken as lost. Of the two kinds of error, this gives the smaller.
    """

    def __init__(self, url: str, app: str) -> None:
        self._app = app
        self._taken: set[str] = set()
        self._redis: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            max_connections=1,
            protocol=2,
        )

    async def now_ms(self) -> int:
        """Ask for the server's time."""
        try:
            seconds, microseconds = await self._redis.time()
        except (RedisError, OSError) as error:
            raise SeriesUnavailableError(_text(error), {}) from error
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def add(self, counts: Mapping[tuple[str, str], int], at_ms: int | None) -> None:
        """Write all in one command; make the series that are missing and write those again."""
        if not counts:
            return
        missing = await self._add(dict(counts), at_ms)
        if not missing:
            return
        try:
            await self._create(list(missing))
        except (RedisError, OSError) as error:
            raise SeriesUnavailableError(_text(error), missing) from error
        for flag, metric in await self._add(missing, at_ms):
            self._complain_of(series_key(FlagId(self._app, flag), metric))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.aclose()

    async def _add(self, counts: Counts, at_ms: int | None) -> Counts:
        """Write with one TS.MADD; return the counts whose series does not exist."""
        stamp = "*" if at_ms is None else at_ms
        command: list[str | int] = ["TS.MADD"]
        for (flag, metric), count in counts.items():
            command += (series_key(FlagId(self._app, flag), metric), stamp, count)
        try:
            results = await self._redis.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here
        except RedisTimeoutError as error:
            sent = _CONNECTING not in str(error)
            raise SeriesUnavailableError(_text(error), {} if sent else counts) from error
        except (RedisError, OSError) as error:
            raise SeriesUnavailableError(_text(error), counts) from error
        missing: Counts = {}
        refused: Counts = {}
        why = ""
        for (key, count), result in zip(counts.items(), results, strict=True):
            if not isinstance(result, Exception):
                continue
            if _says(result, *_NO_SERIES):
                missing[key] = count
            else:
                refused[key], why = count, str(result)
        if refused:
            raise SeriesUnavailableError(f"Redis refused to write: {why}", refused | missing)
        return missing

    def _complain_of(self, key: str) -> None:
        """Say once that a key is in the way: what would be counted there is lost, as waiting would not help."""
        if key not in self._taken:
            self._taken.add(key)
            log.warning("a key that is no time series is in the way, so nothing is counted there", key=key)

    async def _create(self, keys: Sequence[tuple[str, str]]) -> None:
        """Make series with their coarser copies, in one transaction, so that none is ever there without them."""
        pipeline = self._redis.pipeline(transaction=True)
        for flag, metric in keys:
            flag_id = FlagId(self._app, flag)
            raw = series_key(flag_id, metric)
            labels = [part for pair in series_labels(flag_id, metric).items() for part in pair]
            pipeline.execute_command(
                "TS.CREATE", raw, "RETENTION", RAW_RETENTION_MS, "DUPLICATE_POLICY", "SUM", "LABELS", *labels
            )
            for resolution in RESOLUTIONS:
                coarse = f"{raw}:{resolution.label}"
                pipeline.execute_command(
                    "TS.CREATE", coarse, "RETENTION", resolution.retention_ms, "DUPLICATE_POLICY", "SUM",
                    "LABELS", *labels, "resolution", resolution.label,
                )  # fmt: skip # one line of a Redis command is easier to read than twelve
                pipeline.execute_command("TS.CREATERULE", raw, coarse, "AGGREGATION", "sum", resolution.bucket_ms)
        for result in await pipeline.execute(raise_on_error=False):
            # Another sidecar may have been quicker with any of these, or something else have the name.
            if isinstance(result, Exception) and not _says(result, *_ALREADY_THERE, *_NO_SERIES):
                raise result


def _says(error: Exception, *texts: str) -> bool:
    return any(text in str(error).lower() for text in texts)


def _text(error: Exception) -> str:
    if isinstance(error, RedisTimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, ResponseError | RedisConnectionError | OSError):
        return str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"


@dataclass(slots=True)
class MemorySeries:
    """The twin in memory: sums by (flag, metric) and time; `available` False makes every call fail."""

    clock_ms: int = 0
    available: bool = True
    samples: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    commands: int = 0

    async def now_ms(self) -> int:
        """Return `clock_ms`."""
        if not self.available:
            raise SeriesUnavailableError("away", {})
        return self.clock_ms

    async def add(self, counts: Mapping[tuple[str, str], int], at_ms: int | None) -> None:
        """Sum up."""
        if not self.available:
            raise SeriesUnavailableError("away", dict(counts))
        self.commands += 1
        for key, count in counts.items():
            series = self.samples.setdefault(key, {})
            stamp = self.clock_ms if at_ms is None else at_ms
            series[stamp] = series.get(stamp, 0) + count

    async def close(self) -> None:
        """Nothing to let go of."""
