"""How long the log is kept: old entries go, what made the present of a flag stays."""

import asyncio
from datetime import timedelta

from prometheus_client import CollectorRegistry
from tower_bench import TowerBench

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.audit.retention import BATCH, RETENTION_LOCK, Retention
from tailslide_tower.database import Database

FLAGS = "/apps/shop/flags"


async def trimmed(bench: TowerBench, keep: timedelta | None, *, together: int = 1) -> tuple[int, float]:
    """Let so many Towers remove what is too old; return how many entries they say, and how many their metrics."""
    database = Database(DatabaseUrl.parse(bench.database_url))
    metrics = LogMetrics(CollectorRegistry())
    try:
        removed = await asyncio.gather(*(Retention(database, metrics, keep).remove() for _ in range(together)))
        return sum(removed), metrics.removed._value.get()
    finally:
        await database.close()


async def versions(bench: TowerBench, key: str) -> list[int]:
    async with bench.connection() as connection:
        return [row["version"] for row in await connection.fetch("SELECT version FROM log WHERE key = $1", key)]


async def test_old_entries_go_and_what_made_the_present_stays(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        for key in ("one", "two"):
            await tower.ok("POST", FLAGS, {"key": key})
            await tower.ok("PATCH", f"{FLAGS}/{key}", {"rollout": 5})
            await tower.ok("PATCH", f"{FLAGS}/{key}", {"rollout": 6})
        await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
        await tower.ok("POST", f"{FLAGS}/two/archive", {"force": True})
        await tower.ok("DELETE", f"{FLAGS}/two")
        await bench.sql("UPDATE log SET at = at - interval '10 days'")
        await tower.ok("POST", FLAGS, {"key": "three"})
        assert await trimmed(bench, timedelta(days=11)) == (0, 0)
        assert await trimmed(bench, None) == (0, 0)
        number, counted = await trimmed(bench, timedelta(days=9))
        assert number == counted > 0
        assert await versions(bench, "one") == [4]
        assert await versions(bench, "two") == []
        assert await versions(bench, "three") == [1]
        await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 7})
        rolled = await tower.ok("POST", f"{FLAGS}/one/rollback", {"version": 4})
        assert (rolled["version"], rolled["rollout"]) == (6, 6)


async def test_the_newest_entry_stays_whatever_its_age(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("PATCH", "/apps/shop", {"name": "Shop"})
        await bench.sql("UPDATE log SET at = at - interval '10 days'")
        await trimmed(bench, timedelta(days=9))
        assert [each["action"] for each in (await tower.ok("GET", "/log"))["entries"]] == ["app.changed"]


async def test_many_are_removed_in_parts_by_one_tower_at_a_time(bench: TowerBench) -> None:
    async with bench.tower():
        await bench.sql(
            "INSERT INTO log (at, action, kind, app, key, actor_kind, actor_id, actor, details)"
            " SELECT now() - interval '10 days', 'flag.changed', 'flag', 'shop', 'n', 'user', '1', 'x', '{}'"
            f" FROM generate_series(1, {2 * BATCH + 10})"
        )
        async with bench.connection() as other:
            await other.execute(f"SELECT pg_advisory_lock({RETENTION_LOCK})")
            assert await trimmed(bench, timedelta(days=9)) == (0, 0)
        number, _ = await trimmed(bench, timedelta(days=9), together=3)
        assert number + (await trimmed(bench, timedelta(days=9)))[0] == 2 * BATCH + 9
        async with bench.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM log WHERE key = 'n'") == 1


async def test_what_was_noted_of_events_outlives_entries_but_not_the_stream(bench: TowerBench) -> None:
    async with bench.tower():
        await bench.sql(
            "INSERT INTO circuit_events VALUES ('old', now() - interval '91 days'), ('new', now() - interval '80 days')"
        )
        await trimmed(bench, timedelta(days=9))
        async with bench.connection() as connection:
            rows = await connection.fetch("SELECT message_id FROM circuit_events")
    assert [row["message_id"] for row in rows] == ["new"]
