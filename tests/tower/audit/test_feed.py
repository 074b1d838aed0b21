"""Following the log: nothing is missed, nobody waits for a slow subscriber."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from tailslide_runtime.jetstream import Backoff
from tailslide_tower.audit.entry import LogRow, Subject, SubjectKind
from tailslide_tower.audit.feed import BATCH, Feed, Gap, Subscription
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.database import DatabaseUnavailableError

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def entry(entry_id: int) -> LogRow:
    return LogRow(
        id=entry_id,
        at=AT,
        action="flag.toggled",
        subject=Subject(SubjectKind.FLAG, "shop", "one"),
        version=1,
        actor_kind="user",
        actor_id="1",
        actor="editor@example.org",
        address=None,
        reason=None,
        before=None,
        after=None,
        details={},
        minor=False,
    )


class NoPause(Backoff):
    async def wait(self) -> None:
        self.failures += 1
        await asyncio.sleep(0)


class Log:
    """A database with a log, which can be away and can notify."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []
        self.is_away = False
        self.listens = 0
        self._heard: Callable[[], None] | None = None

    def add(self, *ids: int, notify: bool = True) -> None:
        self.rows += [entry(entry_id) for entry_id in ids]
        if notify and self._heard is not None:
            self._heard()

    def end_connection(self) -> None:
        self.is_away = True
        assert self._heard is not None
        self._heard()

    async def last_id(self) -> int:
        self._check()
        return max((row.id for row in self.rows), default=0)

    async def after(self, entry_id: int, limit: int) -> list[LogRow]:
        self._check()
        return [row for row in self.rows if row.id > entry_id][:limit]

    @asynccontextmanager
    async def listen(self, heard: Callable[[], None]) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        self._check()
        self.listens += 1
        self._heard = heard

        async def probe() -> None:
            self._check()

        try:
            yield probe
        finally:
            self._heard = None

    def _check(self) -> None:
        if self.is_away:
            raise DatabaseUnavailableError("away")


@asynccontextmanager
async def followed(log: Log, look_every_s: float = 3600) -> AsyncIterator[tuple[Feed, LogMetrics]]:
    metrics = LogMetrics(CollectorRegistry())
    feed = Feed(log, log.listen, metrics, look_every_s=look_every_s, new_backoff=NoPause)
    task = asyncio.create_task(feed.run())
    try:
        yield feed, metrics
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def take(subscription: Subscription, number: int) -> list[int | Gap]:
    async with asyncio.timeout(5):
        items = [await anext(subscription) for _ in range(number)]
    return [item if isinstance(item, Gap) else item.id for item in items]


async def test_subscriber_gets_what_comes_behind_its_start_in_order() -> None:
    log = Log()
    log.add(1, 2)
    async with followed(log) as (feed, _), feed.subscribe() as subscription:
        assert subscription.start == 2
        log.add(3, 5)
        log.add(6)
        assert await take(subscription, 3) == [3, 5, 6]
        assert feed.position == 6


async def test_more_than_a_batch_comes_with_one_notification() -> None:
    log = Log()
    ids = range(1, 2 * BATCH + 2)
    async with followed(log) as (feed, _), feed.subscribe(max_waiting=len(ids)) as subscription:
        log.add(*ids)
        assert await take(subscription, len(ids)) == list(ids)


async def test_log_is_looked_at_without_a_notification() -> None:
    log = Log()
    async with followed(log, look_every_s=0.01) as (feed, _), feed.subscribe() as subscription:
        log.add(1, notify=False)
        assert await take(subscription, 1) == [1]


async def test_what_came_while_the_database_was_away_is_handed_over() -> None:
    log = Log()
    async with followed(log) as (feed, metrics), feed.subscribe() as subscription:
        log.end_connection()
        while metrics.following._value.get():
            await asyncio.sleep(0)
        log.add(1, 2, notify=False)
        log.is_away = False
        assert await take(subscription, 2) == [1, 2]
        assert log.listens == 2
        assert metrics.following._value.get() == 1


async def test_subscribing_waits_for_the_database() -> None:
    log = Log()
    log.is_away = True
    async with followed(log) as (feed, _):

        async def start() -> int:
            async with feed.subscribe() as subscription:
                return subscription.start

        starting = asyncio.create_task(start())
        await asyncio.sleep(0)
        assert not starting.done()
        log.add(7)
        log.is_away = False
        assert await starting == 7


async def test_slow_subscriber_is_told_of_a_gap_and_others_are_not() -> None:
    log = Log()
    async with followed(log) as (feed, metrics), feed.subscribe(max_waiting=2) as slow, feed.subscribe() as quick:
        log.add(1)
        assert await take(slow, 1) == [1]
        log.add(2, 3, 4, 5)
        assert await take(quick, 5) == [1, 2, 3, 4, 5]
        assert await take(slow, 1) == [Gap(after=1, until=5)]
        log.add(6)
        assert await take(slow, 1) == [6]
        assert metrics.gaps._value.get() == 1


async def test_older_copy_of_the_database_is_told_as_a_gap() -> None:
    log = Log()
    log.add(1, 2, 3)
    async with followed(log) as (feed, metrics), feed.subscribe() as subscription:
        log.end_connection()
        while metrics.following._value.get():
            await asyncio.sleep(0)
        del log.rows[1:]
        log.is_away = False
        assert await take(subscription, 1) == [Gap(after=1, until=1)]
        log.add(2)
        assert await take(subscription, 1) == [2]


async def test_wait_for_an_entry_may_be_cancelled_without_a_loss() -> None:
    log = Log()
    async with followed(log) as (feed, _), feed.subscribe() as subscription:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(subscription)
        log.add(1)
        assert await take(subscription, 1) == [1]


async def test_subscription_that_has_ended_gets_nothing_more() -> None:
    log = Log()
    async with followed(log) as (feed, _), feed.subscribe() as other:
        async with feed.subscribe() as subscription:
            assert "waiting=0" in repr(subscription)
        log.add(1)
        assert await take(other, 1) == [1]
        assert "waiting=0" in repr(subscription)
