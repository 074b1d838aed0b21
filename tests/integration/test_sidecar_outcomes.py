"""Outcomes on their way into real time series: as many as there were calls, at their time, whatever Redis does."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import redis.asyncio
from aiohttp import web
from sidecar_bench import FLAG, WAIT_S, Bench, OwnServers, Sidecar, answer, bench_with_servers, upstream

from tailslide_core.conditions import Condition, Operator
from tailslide_core.naming import (
    RAW_RETENTION_MS,
    RESOLUTIONS,
    counted_key,
    counted_late_key,
    new_series,
    new_series_key,
    series_key,
    series_labels,
)
from tailslide_core.ruleset import Rule
from tailslide_sidecar.outcome_buffer import SLOT_S

SLOT_MS = round(SLOT_S * 1000)


@pytest.fixture
async def own() -> AsyncIterator[tuple[Bench, OwnServers]]:
    async with bench_with_servers() as running:
        yield running


async def call(sidecar: Sidecar, times: int, status: int = 200) -> None:
    """Make calls to the feature and see that they are answered."""
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            async with session.get(sidecar.proxy, headers={"X-User-Id": "u"}) as got:
                assert got.status == status


async def test_counts_outlive_redis_and_arrive_at_their_time(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    await bench.put(bench.ruleset())
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        await call(sidecar, 10)
        await bench.until_counted(success=10)
        before_ms = await bench.now_ms()

        await servers.kill(servers.redis)
        await call(sidecar, 7)
        await sidecar.until_metric("tailslide_sidecar_redis_connected", 0)
        await sidecar.until_metric("tailslide_sidecar_outcomes_waiting", 14)
        await asyncio.sleep(2.5)  # an outage, longer than a slot; what is waited for is time itself
        await call(sidecar, 5)
        await servers.redis.start()
        await sidecar.until_metric("tailslide_sidecar_redis_connected", 1)
        await bench.until_counted(success=22)
        await call(sidecar, 1)
        await bench.until_counted(success=23)

    late = {at: value for at, value in (await bench.samples("success")).items() if at > before_ms - SLOT_MS}
    first = sum(value for at, value in late.items() if at < before_ms + 2 * SLOT_MS)
    assert first >= 7
    assert sum(late.values()) - first <= 6
    assert await sidecar.metric("tailslide_sidecar_outcomes_dropped_total") == 0
    async with redis.asyncio.Redis.from_url(bench.redis_url, decode_responses=True) as client:
        for key in (counted_key(bench.app), counted_late_key(bench.app)):
            assert await client.smembers(key) == {FLAG}
    assert sidecar.log().count("redis_unreachable") == 1
    assert sidecar.log().count("redis_connected") == 2


async def test_a_redis_that_hangs_holds_up_nothing_and_counts_stay_right(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    await bench.put(bench.ruleset())
    assert servers.redis.pid is not None
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        await call(sidecar, 3)
        await bench.until_counted(success=3)
        os.kill(servers.redis.pid, signal.SIGSTOP)
        try:
            for _ in range(6):
                async with asyncio.timeout(1):
                    await call(sidecar, 2)
                await asyncio.sleep(0.2)
            await sidecar.until_metric("tailslide_sidecar_redis_connected", 0)
        finally:
            os.kill(servers.redis.pid, signal.SIGCONT)
        await bench.until_counted(success=15)


async def test_redis_may_be_away_at_the_start(own: tuple[Bench, OwnServers]) -> None:
    bench, servers = own
    await bench.put(bench.ruleset())
    await servers.kill(servers.redis)
    async with upstream(answer("new", 500)) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        await call(sidecar, 4, 500)
        await servers.redis.start()
        await bench.until_counted(failure=4)


async def test_what_is_left_is_written_at_the_end(own: tuple[Bench, OwnServers]) -> None:
    bench, _ = own
    await bench.put(bench.ruleset())
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}), flush_interval_ms=60_000)
        await call(sidecar, 5)
        assert await sidecar.end() == 0
    assert await bench.total("success") == 5


async def test_calls_to_the_fallback_and_evaluations_are_counted_and_keep_nobody_busy(
    own: tuple[Bench, OwnServers],
) -> None:
    bench, _ = own
    rule = Rule((Condition("team", Operator.EQUALS, ("ours",)),), rollout=100.0, name="ours")
    await bench.put(bench.ruleset(rollout=0.0, rules=(rule,)))
    async with upstream(as_asked) as fallback:
        sidecar = await bench.start(bench.route("http://127.0.0.1:9", fallback))
        async with aiohttp.ClientSession() as session:
            for status in (200, 404, 500):
                async with session.get(f"{sidecar.proxy}/?status={status}") as got:
                    assert got.status == status
        for _ in range(2):
            assert (await sidecar.get(f"/v1/flags/{FLAG}?targeting_key=u&team=ours"))[1]["active"] is True
        await bench.until_counted(fallback_success=2, fallback_failure=1)
        assert await sidecar.end() == 0
    totals = {metric: await bench.total(metric) for metric in ("variant:off", "variant:on", "rule:ours")}
    assert totals == {"variant:off": 3, "variant:on": 2, "rule:ours": 2}
    async with redis.asyncio.Redis.from_url(bench.redis_url, decode_responses=True) as client:
        assert await client.exists(counted_key(bench.app), counted_late_key(bench.app)) == 0


async def test_evaluations_are_written_every_ten_seconds(own: tuple[Bench, OwnServers]) -> None:
    bench, _ = own
    await bench.put(bench.ruleset())
    sidecar = await bench.start()
    for _ in range(5):
        await sidecar.get(f"/v1/flags/{FLAG}?targeting_key=u")

    async def asked() -> float:
        return await sidecar.metric(
            f'tailslide_sidecar_evaluations_total{{active="true",flag="{FLAG}",reason="static",variant="on"}}'
        )

    async with asyncio.timeout(WAIT_S):
        while await bench.total("variant:on") < 5:
            await asyncio.sleep(0.1)
    assert await asked() == await bench.total("variant:on")
    assert await sidecar.metric("tailslide_sidecar_outcomes_written_total") == 0


async def describe(client: "redis.asyncio.Redis", key: str) -> dict[str, Any]:
    found: dict[str, Any] = await client.execute_command("TS.INFO", key)  # type: ignore[no-untyped-call] # no types here
    return found


async def test_series_are_made_by_many_sidecars_at_once(own: tuple[Bench, OwnServers]) -> None:
    bench, _ = own
    await bench.put(bench.ruleset())
    arrived = asyncio.Barrier(3)

    async def together(_: web.Request) -> web.Response:
        await arrived.wait()
        return web.Response()

    async with upstream(together) as feature:
        route = bench.route(feature, {"status": 503})
        sidecars = [await bench.start(route) for _ in range(3)]
        await asyncio.gather(*(call(sidecar, 4) for sidecar in sidecars))
        await bench.until_counted(success=12)

    raw = series_key(bench.flag_id(), "success")
    async with redis.asyncio.Redis.from_url(bench.redis_url, decode_responses=True, protocol=3) as client:
        info = await describe(client, raw)
        assert info["retentionTime"] == RAW_RETENTION_MS
        assert info["duplicatePolicy"] == "sum"
        labels = series_labels(bench.flag_id(), "success")
        assert info["labels"] == labels
        assert not info["rules"]
        assert new_series(FLAG, "success") in await client.smembers(new_series_key(bench.app))
        for resolution in RESOLUTIONS:
            coarse = await describe(client, f"{raw}:{resolution.label}")
            assert coarse["retentionTime"] == resolution.retention_ms
            assert coarse["labels"] == {**labels, "resolution": resolution.label}


async def as_asked(request: web.Request) -> web.Response:
    return web.Response(status=int(request.query["status"]))


async def test_a_key_in_the_way_is_said_once_and_stops_nothing_else(own: tuple[Bench, OwnServers]) -> None:
    bench, _ = own
    await bench.put(bench.ruleset())
    async with redis.asyncio.Redis.from_url(bench.redis_url) as client:
        await client.set(series_key(bench.flag_id(), "success"), "mine")
    async with upstream(as_asked) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        async with aiohttp.ClientSession() as session:
            for status in (200, 500, 200, 500):
                async with session.get(f"{sidecar.proxy}/?status={status}", headers={"X-User-Id": "u"}) as got:
                    assert got.status == status
                await sidecar.until_metric("tailslide_sidecar_outcomes_waiting", 0)
        await bench.until_counted(failure=2)
        assert await sidecar.metric("tailslide_sidecar_outcomes_dropped_total") == 2
    assert sidecar.log().count("is in the way") == 1
    assert FLAG in sidecar.log()
