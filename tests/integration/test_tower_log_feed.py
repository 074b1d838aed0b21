"""Following the log on a real PostgreSQL: every entry once and in order, whatever happens."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from prometheus_client import CollectorRegistry
from real_servers import RealServers
from tower_bench import TowerBench, until

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.audit.entry import LogEntry, LogRow, Subject, SubjectKind
from tailslide_tower.audit.feed import Feed, Subscription
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.audit.store import CHANNEL, LogStore, record
from tailslide_tower.auth.principal import BY_SYSTEM
from tailslide_tower.database import Database

TIMEOUT_S = 30.0
NEVER_S = 3600.0


@asynccontextmanager
async def opened(bench: TowerBench) -> AsyncIterator[Database]:
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        await database.prepare()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def followed(database: Database, look_every_s: float = NEVER_S) -> AsyncIterator[Feed]:
    metrics = LogMetrics(CollectorRegistry())
    feed = Feed(LogStore(database), partial(database.listen, CHANNEL), metrics, look_every_s=look_every_s)
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def add(database: Database, key: str) -> int:
    async with database.begin() as connection:
        return await record(connection, LogEntry("flag.changed", Subject(SubjectKind.FLAG, "shop", key), BY_SYSTEM))


async def take(subscription: Subscription, number: int) -> list[str]:
    keys: list[str] = []
    async with asyncio.timeout(TIMEOUT_S):
        while len(keys) < number:
            item = await anext(subscription)
            assert isinstance(item, LogRow)
            assert item.subject.key is not None
            keys.append(item.subject.key)
    return keys


async def test_entries_of_transactions_at_once_are_all_handed_over_in_order(bench: TowerBench) -> None:
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:

        async def work(worker: int) -> None:
            for number in range(25):
                async with database.begin() as connection:
                    name = f"{worker}-{number}"
                    subject = Subject(SubjectKind.FLAG, "shop", name)
                    await record(connection, LogEntry("flag.changed", subject, BY_SYSTEM))
                    # What comes between an id and its commit: others must not become visible with larger ids.
                    await asyncio.sleep(random.uniform(0, 0.004))
                    if number % 5 == 4:
                        await connection.rollback()

        async with asyncio.TaskGroup() as group:
            for worker in range(8):
                group.create_task(work(worker))
        keys = await take(subscription, 8 * 20)
        assert len(set(keys)) == len(keys)
        for worker in range(8):
            mine = [int(key.partition("-")[2]) for key in keys if key.startswith(f"{worker}-")]
            assert mine == [number for number in range(25) if number % 5 != 4]


async def test_transaction_that_is_held_up_keeps_later_ids_from_being_seen(bench: TowerBench) -> None:
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:
        async with database.begin() as connection:
            await record(connection, LogEntry("app.changed", Subject(SubjectKind.APP, "shop", "first"), BY_SYSTEM))
            second = asyncio.create_task(add(database, "second"))
            async with bench.connection() as looking:

                async def waits() -> bool:
                    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    return bool(await looking.fetchval(query))

                await until(waits)
        await second
        assert await take(subscription, 2) == ["first", "second"]


async def test_what_comes_while_the_connection_is_lost_is_handed_over(bench: TowerBench) -> None:
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:
        await add(database, "one")
        assert await take(subscription, 1) == ["one"]
        async with bench.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%LISTEN%'"
            )
        await add(database, "two")
        assert await take(subscription, 1) == ["two"]
        await add(database, "three")
        assert await take(subscription, 1) == ["three"]


async def test_feed_waits_for_a_database_that_is_killed(own_servers: RealServers, bench: TowerBench) -> None:
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:
        own_servers.kill("postgres")
        own_servers.start("postgres")
        await add(database, "one")
        assert await take(subscription, 1) == ["one"]


async def test_change_at_one_tower_is_heard_of_at_another(bench: TowerBench) -> None:
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:
        async with bench.tower() as tower:
            await tower.ok("POST", "/apps", {"key": "shop"})
        assert await take(subscription, 1) == ["shop"]


async def test_large_entries_are_not_read_all_at_once(bench: TowerBench) -> None:
    large = [{"allow": random.Random(number).randbytes(700_000).hex()} for number in range(8)]
    async with opened(bench) as database, followed(database) as feed, feed.subscribe() as subscription:
        for state in large:
            async with database.begin() as connection:
                subject = Subject(SubjectKind.FLAG, "shop", "large")
                await record(connection, LogEntry("flag.changed", subject, BY_SYSTEM, after=state))
        await add(database, "small")
        assert await take(subscription, 9) == ["large"] * 8 + ["small"]
        store = LogStore(database)
        first = await store.after(subscription.start, 500)
        assert 1 <= len(first) < 8
        rest = first
        while more := await store.after(rest[-1].id, 500):
            rest = [*rest, *more]
        assert [row.after for row in rest] == [*large, None]
