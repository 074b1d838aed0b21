"""Where graphs are read from: a port, and RedisTimeSeries behind it.

Fails open: without Redis there are no graphs, and `SeriesUnavailableError` says why within its timeouts; nothing else
of Tower depends on it. After a failure nothing is asked for a second, so that nobody waits in a queue for what is away;
the next question after that finds out whether it is back. Only `TS.RANGE`, `TS.REVRANGE` and `TIME` are asked, so a
user without the right to run scripts suffices.

Series are read key by key, many in one round trip: one `TS.MRANGE` looks at all series that there are, and a script
takes Redis, and with it the sidecars' flushes, five times as long, in one piece (`benchmarks/graphs.py`).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import structlog
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import FlagId, resolutions_of, series_key
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl
from tailslide_tower.timeseries.grid import RAW, Grid, Source, last_hour, pieces

log = structlog.get_logger()

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 2.0
READS_AT_ONCE = 4
"""Readings that go on at the same time, each on a connection of its own; others wait."""
WAIT_S = 3.0
"""How long a reading may wait for its turn."""
AWAY_S = 1.0
_TURN = 100
"""After so many answers other tasks get a turn: a large reading takes 30 ms to parse."""

Column = list[int | None]
"""Counts by bucket; None where nothing was counted, which is not the same as zero."""


class SeriesUnavailableError(Exception):
    """The series cannot be read now; the text says why, as the end of a sentence."""


class Wanted(NamedTuple):
    """One series that is read."""

    flag_id: FlagId
    metric: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the counts of each series that exists, on one grid. Series that do not exist are left out."""

    grid: Grid
    source: Source
    columns: Mapping[Wanted, Column]

    def column(self, flag_id: FlagId, metric: str) -> Column | None:
        """Return the counts of a series; None where it does not exist."""
        return self.columns.get(Wanted(flag_id, metric))


class GraphSeries(Protocol):
    """Series of counts. Every method raises `SeriesUnavailableError`."""

    async def now_ms(self) -> int:
        """Return the time by the clock that stamps the counts, in Unix milliseconds."""

    async def read(self, wanted: Sequence[Wanted], grid: Grid, source: Source) -> Reading:
        """Read series on one grid from one of their copies."""


class NoSeries:
    """In the place of a Redis that no setting names."""

    async def now_ms(self) -> int:
        """Raise."""
        raise SeriesUnavailableError(f"{RedisUrl.variable} is not set")

    async def read(self, wanted: Sequence[Wanted], grid: Grid, source: Source) -> Reading:
        """Raise."""
        raise SeriesUnavailableError(f"{RedisUrl.variable} is not set")

    async def last_counted(self, wanted: Sequence[Wanted], since_ms: int) -> dict[Wanted, int]:
        """Raise."""
        raise SeriesUnavailableError(f"{RedisUrl.variable} is not set")

    async def close(self) -> None:
        """Nothing to let go of."""


_Command = tuple[str | int, ...]


class RedisGraphSeries:
    """The series in a Redis with RedisTimeSeries. `close` it at the end."""

    def __init__(self, url: RedisUrl, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = connection_pool(
            url,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            answer_timeout_s=ANSWER_TIMEOUT_S,
            protocol=3,
            max_connections=READS_AT_ONCE,
        )
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._clock = clock
        self._away_until_s = 0.0
        self._problem: str | None = None
        self.errors = 0
        """How many readings failed since the start."""

    def __repr__(self) -> str:
        return f"<RedisGraphSeries {'connected' if self._problem is None else self._problem}>"

    @property
    def problem(self) -> str | None:
        """Why the last reading failed; None if it did not."""
        return self._problem

    async def now_ms(self) -> int:
        """Ask for the server's time."""
        answers: list[int] = []

        def take(_: int, answer: Any) -> None:
            answers.append(int(answer[0]) * 1000 + int(answer[1]) // 1000)

        await self._ask([("TIME",)], take)
        return answers[0]

    async def read(self, wanted: Sequence[Wanted], grid: Grid, source: Source) -> Reading:
        """Read app by app, each in one round trip: on a cluster, all series of an app are on one node.

        Of a coarser copy the bucket that is not complete yet comes, too (`LATEST`); the server reckons it from the raw
        samples. A copy that is empty may be one whose rule Aerobat has not made yet: then the last hour is read from
        the raw series.
        """
        columns = await self._columns(wanted, grid, source)
        if source is not RAW and (empty := [each for each, column in columns.items() if not any(column)]):
            tail = last_hour(grid)
            nothing: Column = [None] * (grid.points - tail.points)
            found = await self._columns(empty, tail, RAW)
            columns |= {each: nothing + column for each, column in found.items()}
        return Reading(grid, source, columns)

    async def _columns(self, wanted: Sequence[Wanted], grid: Grid, source: Source) -> dict[Wanted, Column]:
        by_app: defaultdict[str, list[Wanted]] = defaultdict(list)
        for each in dict.fromkeys(wanted):
            by_app[each.flag_id.app].append(each)
        spans = list(pieces(grid, source))
        latest: _Command = ("LATEST",) if source.suffix else ()
        series: list[Wanted] = []
        commands: list[_Command] = []
        for some in by_app.values():
            for each in some:
                key = series_key(each.flag_id, each.metric) + source.suffix
                for first, last in spans:
                    series.append(each)
                    commands.append(("TS.RANGE", key, first, last, *latest, "AGGREGATION", "sum", grid.bucket_ms))
        columns: dict[Wanted, Column] = {}

        start_ms, bucket_ms, points = grid.start_ms, grid.bucket_ms, grid.points

        def take(index: int, answer: Any) -> None:
            each = series[index]
            column = columns.get(each)
            if column is None:
                column = columns[each] = [None] * points
            for at_ms, value in answer:
                # What is no count is left out, such as what somebody else has written. So is a zero, which says nothing
                # of calls: Aerobat writes some, to have copies filled.
                if 0 < value <= MAX_INTEGER and (count := int(value)) == value:
                    place = (at_ms - start_ms) // bucket_ms
                    if 0 <= place < points:
                        column[place] = count

        await self._ask(commands, take)
        return columns

    async def last_counted(self, wanted: Sequence[Wanted], since_ms: int) -> dict[Wanted, int]:
        """Return when each series was last counted in (Unix milliseconds), of those that were since `since_ms`.

        A copy says it to its bucket, the raw series exactly, as long as it is kept.
        """
        asked = [(each, suffix) for each in wanted for suffix in ("", *_copies(each.metric))]
        last: dict[Wanted, int] = {}

        def take(index: int, answer: Any) -> None:
            each, _ = asked[index]
            for at_ms, _ in answer:
                last[each] = max(int(at_ms), last.get(each, 0))

        # Not `TS.GET`, whose sample may be a zero.
        only = ("FILTER_BY_VALUE", 1, MAX_INTEGER, "COUNT", 1)
        await self._ask(
            [
                ("TS.REVRANGE", series_key(each.flag_id, each.metric) + suffix, since_ms, "+", *only)
                for each, suffix in asked
            ],
            take,
        )
        return last

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _ask(self, commands: Sequence[_Command], take: Callable[[int, Any], None]) -> None:
        """Send commands at once, and hand each answer on as it comes; a series that does not exist has none.

        Not all at once: what is parsed into many small lists, and kept, costs twice its time in garbage collection.
        """
        if not commands:
            return
        if self._problem is not None and self._clock() < self._away_until_s:
            raise SeriesUnavailableError(self._problem)
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise SeriesUnavailableError(f"{READS_AT_ONCE} other readings are still going on") from None
        try:
            await self._carry_out(commands, take)
        except (RedisError, OSError, TimeoutError) as error:
            self._lost(error)
            raise SeriesUnavailableError(_text(error)) from error
        finally:
            self._turns.release()
        self._found()

    async def _carry_out(self, commands: Sequence[_Command], take: Callable[[int, Any], None]) -> None:
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py has no types here
        done = False
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            refusal: ResponseError | None = None
            for index in range(len(commands)):
                try:
                    take(index, await connection.read_response())
                except ResponseError as error:
                    refusal = refusal or (None if _is_no_series(error) else error)
                if index % _TURN == _TURN - 1:
                    await asyncio.sleep(0)
            done = True
            if refusal is not None:
                raise refusal
        finally:
            if not done:  # answers are still to come, which must not be taken for those to the next question
                await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    def _lost(self, error: Exception) -> None:
        self.errors += 1
        if self._problem is None:
            log.warning("graphs_unavailable", error=_text(error))
        self._problem = _text(error)
        self._away_until_s = self._clock() + AWAY_S

    def _found(self) -> None:
        if self._problem is not None:
            log.info("graphs_available")
        self._problem = None


def _copies(metric: str) -> list[str]:
    return [f":{resolution.label}" for resolution in resolutions_of(metric)]


# RedisTimeSeries has no error codes, only these texts.
_NO_SERIES = ("the key does not exist", "not a tsdb key", "wrong kind of value", "wrongtype")


def _is_no_series(error: ResponseError) -> bool:
    return any(text in str(error).lower() for text in _NO_SERIES)


def _text(error: Exception) -> str:
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return f"Redis has not answered within {ANSWER_TIMEOUT_S:g} s"
    if isinstance(error, ResponseError):
        return f"Redis refused: {error}"
    return f"Redis cannot be reached: {error}" if str(error) else f"Redis cannot be reached: {type(error).__name__}"
