"""The rules by which Redis fills the coarser copies of series, made for sidecars, which may not make any.

A rule has two keys, of which Redis checks only the first against a user's rights: whoever may make rules may write into
any app's series. So a sidecar makes series and their copies and notes them in a set (`naming.new_series_key`), and the
Aerobat whose app it is makes the rules, and then deletes them from the set: what it could not finish is there the next
time. What was counted before there was a rule is brought into the copies as well, as far back as raw samples go.

Fails open: while Redis is away nothing is made, and nothing is lost of what it holds.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tailslide_core.naming import (
    JUDGED_METRICS,
    MAX_NEW_SERIES,
    FlagId,
    counted_late_key,
    new_series_key,
    parse_new_series,
    resolutions_of,
    series_key,
)
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl

log = structlog.get_logger()

LOOK_EVERY_S = 0.5
AT_ONCE = 50
"""Series of one app that are seen to at once: some milliseconds of Redis, and of the event loop."""
APPS_A_LOOK = 10
"""With each look, so that judging is not held up where thousands of series begin at once; the others come next."""
TIMEOUT_S = 5.0
MOST_TOLD = 100
"""Keys in the way that are named in the log; the metric counts all."""

OLD_MS = 60_000
"""Counts that are older may be some of which a copy was read, and found empty."""

Command = tuple[str | int | bytes, ...]
Answer = Any
_Series = tuple[str, str]
"""A flag and a metric."""

# RedisTimeSeries has no error codes, only these texts.
_DONE = ("already has a src rule", "already has a destination rule", "the key does not exist")
_OF_THE_KEYS = ("TSDB", "WRONGTYPE")
"""What the errors begin with that come of the keys, so that asking again would not help."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a look has come to: how many rules were made, and the series that have none, by key, and why."""

    rules: int = 0
    refused: Sequence[tuple[str, str]] = ()


class Commands(Protocol):
    """A Redis. Raises `RedisError` or `OSError` when it does not answer."""

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Send commands at once, and return an answer for each: an exception for one that was refused."""


class SeriesRules:
    """Makes the rules of the apps that are ours."""

    def __init__(self, redis: Commands, *, made: Callable[[int], None], refused: Callable[[int], None]) -> None:
        """`made` is told how many rules were made, `refused` how many series could not get theirs."""
        self._redis = redis
        self._made = made
        self._refused = refused
        self._told: set[str] = set()
        self._turn = 0
        self._away = False

    async def run(self, apps: Callable[[], Collection[str]]) -> None:
        """See to the series of `apps` until cancelled."""
        while True:
            raise_if_cancelled()
            try:
                made = await self.look(sorted(apps()))
            except (RedisError, OSError) as error:
                if not self._away:
                    log.warning("series_rules_not_made", error=str(error) or type(error).__name__)
                self._away = True
            else:
                self._away = False
                self._tell(made)
            await asyncio.sleep(LOOK_EVERY_S)

    def _tell(self, made: Made) -> None:
        self._made(made.rules)
        self._refused(len(made.refused))
        for key, error in made.refused:
            if key not in self._told and len(self._told) < MOST_TOLD:
                self._told.add(key)
                log.warning("series_rule_refused", key=key, error=error)

    async def look(self, apps: Sequence[str]) -> Made:
        """Make the rules of the series that sidecars have noted; raise what `Commands` raises."""
        if not apps:
            return Made()
        time, there = await self._redis.ask([("TIME",), ("EXISTS", *map(new_series_key, apps))])
        _check((time, there))
        if not there:
            return Made()
        now_ms = int(time[0]) * 1000 + int(time[1]) // 1000
        rules = 0
        refused: list[tuple[str, str]] = []
        for app in await self._whose_turn(apps):
            raise_if_cancelled()
            (members,) = await self._redis.ask([("SRANDMEMBER", new_series_key(app), AT_ONCE)])
            if isinstance(members, Exception):
                refused.append((new_series_key(app), str(members)))
            elif members:
                made = await self._see_to(app, members, now_ms)
                rules += made.rules
                refused += made.refused
        return Made(rules, refused)

    async def _whose_turn(self, apps: Sequence[str]) -> Sequence[str]:
        """Return some of the apps whose sidecars have noted series, others with each look."""
        there = await self._redis.ask([("EXISTS", new_series_key(app)) for app in apps])
        _check(there)
        noted = [app for app, exists in zip(apps, there, strict=True) if exists]
        if len(noted) <= APPS_A_LOOK:
            return noted
        self._turn = (self._turn + APPS_A_LOOK) % len(noted)
        return (noted + noted)[self._turn : self._turn + APPS_A_LOOK]

    async def _see_to(self, app: str, members: Sequence[bytes], now_ms: int) -> Made:
        """Make the rules of some series of one app, fill their copies, and take them off the set."""
        series = [each for member in members if (each := _series_of(member)) is not None]
        commands = [(each, rule) for each in series for rule in _rules(app, each)]
        made: dict[_Series, int] = {}
        refused: list[tuple[str, str]] = []
        answers = await self._redis.ask([rule for _, rule in commands])
        for (each, rule), answer in zip(commands, answers, strict=True):
            if not isinstance(answer, Exception):
                made[each] = min(made.get(each, int(rule[-1])), int(rule[-1]))
            elif not str(answer).startswith(_OF_THE_KEYS):
                raise answer
            elif not any(text in str(answer).lower() for text in _DONE):
                refused.append((str(rule[1]), str(answer)))
        await self._fill(app, made, now_ms)
        done: Command = ("SREM", new_series_key(app), *members)
        _check(await self._redis.ask([done]))
        return Made(len([answer for answer in answers if not isinstance(answer, Exception)]), refused)

    async def _fill(self, app: str, made: Mapping[_Series, int], now_ms: int) -> None:
        """Bring what was counted before the rules were there into the copies; `made` has the finest bucket by series.

        A sample that is written at an earlier time has its buckets summed up again from the raw series, so a zero is
        written at the beginning of each bucket. One is written now before, since the first sample after a rule was made
        has to be the latest: else RedisTimeSeries puts what is in the bucket of an earlier one into the next.

        A flag that may have been read from a copy that lacked something is marked as counted late, to be read again.
        """
        if not made:
            return
        keys = [series_key(FlagId(app, flag), metric) for flag, metric in made]
        _check(await self._redis.ask([("TS.MADD", *(part for key in keys for part in (key, "*", 0)))]))
        touched: list[str | int] = []
        late: set[str] = set()
        asked = [
            ("TS.RANGE", key, "-", "+", "AGGREGATION", "sum", bucket_ms)
            for key, bucket_ms in zip(keys, made.values(), strict=True)
        ]
        for key, (flag, metric), buckets in zip(keys, made, await self._redis.ask(asked), strict=True):
            if isinstance(buckets, Exception) or not buckets:  # it has gone since, or nothing is in it
                continue
            touched += [part for at_ms, _ in buckets for part in (key, int(at_ms), 0)]
            if metric in JUDGED_METRICS and now_ms - int(buckets[0][0]) >= OLD_MS:
                late.add(flag)
        for first in range(0, len(touched), 3 * 1000):
            _check(await self._redis.ask([("TS.MADD", *touched[first : first + 3 * 1000])]))
        if late:
            _check(await self._redis.ask([("SADD", counted_late_key(app), *sorted(late))]))


def _rules(app: str, series: _Series) -> Iterator[Command]:
    flag, metric = series
    raw = series_key(FlagId(app, flag), metric)
    for resolution in resolutions_of(metric):
        yield ("TS.CREATERULE", raw, f"{raw}:{resolution.label}", "AGGREGATION", "sum", resolution.bucket_ms)


def _series_of(member: bytes) -> _Series | None:
    return parse_new_series(member.decode(errors="replace")) if len(member) <= MAX_NEW_SERIES else None


def _check(answers: Sequence[Answer]) -> None:
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer


class RedisCommands:
    """A Redis with RedisTimeSeries; it does not retry, the next look does. `close` it at the end."""

    def __init__(self, url: RedisUrl) -> None:
        self._redis = Redis.from_pool(
            connection_pool(url, connect_timeout_s=TIMEOUT_S, answer_timeout_s=TIMEOUT_S, protocol=2)
        )

    async def ask(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """Send commands in one round trip."""
        if not commands:
            return ()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            answers: Sequence[Answer] = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, RedisConnectionError | RedisTimeoutError) and not isinstance(answer, ResponseError):
                raise answer
        return answers

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
