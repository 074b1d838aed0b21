"""Writing outcomes into RedisTimeSeries: the port, the adapter for Redis, and its twin in memory.

When and what to write is `flusher`; how a series is made `series_making`, what marks are `marks`; reading is Aerobat's
and Tower's. The adapter never waits longer than its timeouts and turns every failure of Redis into
`SeriesUnavailableError`, which says what is still to be written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tailslide_core.naming import FlagId, counted_key, counted_late_key, makes_busy, series_key
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.marks import NEEDS, Command, mark
from tailslide_sidecar.outcome_buffer import Counts
from tailslide_sidecar.series_making import (
    is_behind,
    is_done,
    is_far_ahead,
    looking_at,
    making,
    noting,
    taking_away,
)

log = structlog.get_logger()

TIMEOUT_S = 1.0
MADE_AT_ONCE = 50
"""Series, four commands each: some milliseconds of the event loop and of Redis."""
Key = tuple[str, str]
"""A flag and a metric."""


class SeriesUnavailableError(Exception):
    """Redis could not be reached or would not write; `unwritten` are the counts to write later.

    `unconfirmed` is how many were sent and not answered in time; they are taken for written.
    """

    def __init__(self, problem: str, unwritten: Counts, unconfirmed: int = 0) -> None:
        super().__init__(problem)
        self.unwritten = unwritten
        self.unconfirmed = unconfirmed


class Series(Protocol):
    """The time series of one app."""

    unmarked: set[str]
    """Flags of which something was counted that Aerobat was not told of, so that it does not see it."""
    problem: str | None
    """Why it was not told, and what to do; None when it was."""

    async def now_ms(self) -> int:
        """Return the server's Unix time in milliseconds; raise `SeriesUnavailableError` when it does not answer."""

    async def add(self, counts: Mapping[Key, int], at_ms: int | None) -> int:
        """Add counts by (flag, metric) at a time of the server's clock, None being the moment of writing.

        Returns how many of them were given up, because something that is no time series has the name; raises
        `SeriesUnavailableError`.
        """

    async def close(self) -> None:
        """Let go of the connection."""


class RedisSeries:
    """The series in a Redis with RedisTimeSeries.

    Fails open: raises `SeriesUnavailableError` and expects the counts again. A command that was sent and not answered
    within the timeout is taken as carried out, since a Redis that hangs reads it once it goes on, and told of as
    unconfirmed; one whose connection broke is taken as lost. Of the two kinds of error, this gives the smaller.

    A Redis that takes counts and refuses their marks has the counts: they are not written again, but told of and
    marked as late as soon as it lets us.
    """

    def __init__(self, url: RedisUrl, app: str) -> None:
        self._app = app
        self._made: set[Key] = set()
        self._taken: set[str] = set()
        self._unnoted: set[Key] = set()
        """Series that were made, and that Aerobat was not told of."""
        self.unmarked: set[str] = set()
        self.problem: str | None = None
        self._pool = connection_pool(
            url, connect_timeout_s=TIMEOUT_S, answer_timeout_s=TIMEOUT_S, protocol=2, max_connections=1
        )

    async def now_ms(self) -> int:
        """Ask for the server's time."""
        (answer,) = await self._ask([("TIME",)])
        if isinstance(answer, Exception):
            raise SeriesUnavailableError(_text(answer), {}) from answer
        seconds, microseconds = answer
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def add(self, counts: Mapping[Key, int], at_ms: int | None) -> int:
        """Write all in one round trip; make the series that are missing, or not as they should be, and write again."""
        if not counts:
            return 0
        refusals = await self._write(counts, at_ms)
        again = {key: counts[key] for key in refusals}
        # Those that are there already may have been made by somebody else: looked after once.
        unsure = again.keys() | (counts.keys() - self._made)
        if unsure:
            try:
                await self._take_away([key for key, refusal in refusals.items() if is_behind(refusal)], at_ms)
                await self._make(sorted(unsure))
            except (RedisError, OSError) as error:
                if again:
                    raise SeriesUnavailableError(_text(error), again) from error
                # All is written, so a Redis that has gone since is the business of the next flush.
                if isinstance(error, ResponseError):  # may write and not make, and that will not change by asking
                    log.warning(
                        "series_not_made",
                        message="series cannot be looked after",
                        series=len(unsure),
                        error=_text(error),
                    )
                    self._made |= unsure
        if not again:
            return 0
        refusals = await self._write(again, at_ms)
        for (flag, metric), refusal in refusals.items():
            self._complain_of(series_key(FlagId(self._app, flag), metric), refusal)
        return sum(again[key] for key in refusals)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._pool.aclose()

    async def _write(self, counts: Mapping[Key, int], at_ms: int | None) -> dict[Key, Exception]:
        """Write counts with their marks; return why some of them were refused.

        A flag whose feature is counted now is marked before it is, one that is counted late is marked so after it was:
        so whoever reads the marks, and then the flags, misses nothing.
        """
        flags = {flag for flag, metric in counts if makes_busy(metric)}
        command: list[str | int] = ["TS.MADD"]
        for (flag, metric), count in counts.items():
            command += (series_key(FlagId(self._app, flag), metric), "*" if at_ms is None else at_ms, count)
        before = [mark(counted_key(self._app), flags)] if at_ms is None and flags else []
        late = self.unmarked if at_ms is None else self.unmarked | flags
        behind = [mark(counted_late_key(self._app), late)] if late else []
        untold = sorted(self._unnoted)[:MADE_AT_ONCE]
        notes = [noting(self._app, untold)] if untold else []
        answers = await self._ask([*before, tuple(command), *behind, *notes])
        if notes and not isinstance(answers.pop(), Exception):
            self._unnoted.difference_update(untold)
        results = answers.pop(len(before))
        if isinstance(results, RedisTimeoutError):
            raise SeriesUnavailableError(_text(results), {}, sum(counts.values())) from results
        if isinstance(results, Exception):
            raise SeriesUnavailableError(_text(results), dict(counts)) from results
        self._marked(flags, next((answer for answer in answers if isinstance(answer, Exception)), None))
        return {key: result for key, result in zip(counts, results, strict=True) if isinstance(result, Exception)}

    def _marked(self, flags: Collection[str], refusal: Exception | None) -> None:
        if refusal is not None:
            self.problem = f"Aerobat does not see what is counted: {_text(refusal)}"
            if not self.unmarked:
                log.warning(
                    "marks_not_written",
                    message="aerobat does not see what is counted, as its marks cannot be written",
                    error=_text(refusal),
                    needs=NEEDS,
                )
            self.unmarked.update(flags)
        elif self.unmarked:
            self.unmarked.clear()
            self.problem = None
            log.info("marks_written_again", message="aerobat sees what is counted again")

    def _complain_of(self, key: str, refusal: Exception) -> None:
        """Say once that a key is in the way: what would be counted there is given up, as waiting would not help."""
        if key not in self._taken:
            self._taken.add(key)
            log.warning(
                "series_key_taken",
                message="a key that is no time series of ours is in the way, so nothing is counted there",
                key=key,
                error=_text(refusal),
            )

    async def _take_away(self, keys: Sequence[Key], at_ms: int | None) -> None:
        for flag, metric in keys:
            flag_id = FlagId(self._app, flag)
            looked = await self._ask(looking_at(flag_id, metric))
            if not _is_far_ahead(looked, at_ms):
                await self._ask([("UNWATCH",)])
                _unless_refused(looked)
                continue
            if _unless_refused(await self._ask(taking_away(flag_id, metric)))[-1] is not None:
                log.warning(
                    "series_created_again",
                    message="a series was far ahead of the clock of redis, so it is created again",
                    flag=flag,
                    metric=metric,
                )

    async def _make(self, keys: Sequence[Key]) -> None:
        """Make series with their coarser copies, in transactions, so that none is ever there without them.

        Aerobat hears of them, so that each soon has its rules.
        """
        for first in range(0, len(keys), MADE_AT_ONCE):
            some = keys[first : first + MADE_AT_ONCE]
            commands = [command for flag, metric in some for command in making(FlagId(self._app, flag), metric)]
            *answers, told = await self._ask([("MULTI",), *commands, ("EXEC",), noting(self._app, some)])
            for command, answer in zip(commands, _unless_refused(answers)[-1], strict=True):
                # Another sidecar may have been quicker with any of these, or something else have the name.
                if isinstance(answer, Exception) and not is_done(answer):
                    log.warning(
                        "series_wrong", message="a series is not as it should be", key=command[1], error=_text(answer)
                    )
            self._made.update(some)
            if isinstance(told, Exception):
                self._unnoted.update(some)

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once; return an answer for each, which is an exception where it was refused or did not come.

        A `RedisTimeoutError` among them means that the command was sent.
        """
        try:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py has no types here
        except (RedisError, OSError) as error:
            return [RedisConnectionError(_text(error))] * len(commands)
        answers: list[Any] = []
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            while len(answers) < len(commands):
                try:
                    answers.append(await connection.read_response())
                except ResponseError as refusal:
                    answers.append(refusal)
        except (RedisError, OSError) as error:
            answers += [error] * (len(commands) - len(answers))
        else:
            if any(isinstance(answer, ReadOnlyError) for answer in answers):
                # What was the master is a replica now. The address may lead to the new one, on another connection.
                await connection.disconnect(nowait=True)
        finally:
            await self._pool.release(connection)
        return answers


_LET_IN = (
    "; the SDK key was revoked or is another app's, or neither Tower nor Aerobat has set the app's user yet: "
    "make a new key, or put the credentials of a user of your own into the URL (docs/redis.md)"
)
_ALLOWED = "; give the user the rights that are listed in docs/redis.md, or use an SDK key"


def _is_far_ahead(looked: Sequence[Any], at_ms: int | None) -> bool:
    """Whether the last of a series' samples is in the way of one at `at_ms`; not, if that could not be seen."""
    _, last, time = looked
    if isinstance(last, Exception) or isinstance(time, Exception) or not last:
        return False
    now_ms = int(time[0]) * 1000 + int(time[1]) // 1000
    return is_far_ahead(int(last[0]), now_ms if at_ms is None else at_ms)


def _unless_refused(answers: list[Any]) -> list[Any]:
    """Return answers, or raise the first of them that is an error."""
    refusal = next((answer for answer in answers if isinstance(answer, Exception)), None)
    if refusal is not None:
        raise refusal
    return answers


def _text(error: Exception) -> str:
    if isinstance(error, RedisTimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(error, AuthenticationError):
        return f"Redis did not let us in: {error}{_LET_IN}"
    if isinstance(error, NoPermissionError):
        return f"Redis refused: {error}{_ALLOWED}"
    if isinstance(error, ResponseError):
        return f"Redis refused: {error}"
    if isinstance(error, RedisConnectionError | OSError):
        return str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}"


@dataclass(slots=True)
class MemorySeries:
    """The twin in memory: sums by (flag, metric) and time; `available` False makes every call fail.

    While it `hangs` it takes what is sent, and does not answer. What is `taken` is the name of something else.
    """

    clock_ms: int = 0
    available: bool = True
    hangs: bool = False
    samples: dict[Key, dict[int, int]] = field(default_factory=dict)
    taken: set[Key] = field(default_factory=set)
    unmarked: set[str] = field(default_factory=set)
    problem: str | None = None
    commands: int = 0

    async def now_ms(self) -> int:
        """Return `clock_ms`."""
        if not self.available or self.hangs:
            raise SeriesUnavailableError("away", {})
        return self.clock_ms

    async def add(self, counts: Mapping[Key, int], at_ms: int | None) -> int:
        """Sum up."""
        if not self.available:
            raise SeriesUnavailableError("away", dict(counts))
        if self.hangs:
            raise SeriesUnavailableError("no answer", {}, sum(counts.values()))
        self.commands += 1
        free = {key: count for key, count in counts.items() if key not in self.taken}
        for key, count in free.items():
            series = self.samples.setdefault(key, {})
            stamp = self.clock_ms if at_ms is None else at_ms
            series[stamp] = series.get(stamp, 0) + count
        return sum(counts.values()) - sum(free.values())

    async def close(self) -> None:
        """Nothing to let go of."""
