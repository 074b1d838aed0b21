"""Graphs on a real Redis, of what the real writer of a sidecar has written."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from counted_past import CountedPast, counted_past
from real_servers import RealServers, temporary_folder
from redis.asyncio import Redis

from tailslide_core.naming import FlagId, Metric, series_key
from tailslide_core.outcomes import latency_metric
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.server_urls import RedisUrl
from tailslide_tower.timeseries.grid import Grid, Source, Span
from tailslide_tower.timeseries.models import GraphQuery
from tailslide_tower.timeseries.series import (
    AWAY_S,
    NoSeries,
    RedisGraphSeries,
    SeriesUnavailableError,
    Wanted,
)
from tailslide_tower.timeseries.service import GraphService, sparks_json

MINUTE_MS = 60_000
RAW = Source("raw", "", 3_600_000)
TENS = Source("10s", ":10s", 86_400_000)


@dataclass
class Desk:
    """An app of one's own: what was counted of it, and the reader."""

    past: CountedPast
    url: str
    series: RedisGraphSeries
    graphs: GraphService

    def flag(self, key: str = "search") -> FlagId:
        return self.past.flag(key)

    def ruleset(self, key: str = "search") -> Ruleset:
        return Ruleset(self.past.app, key, 1, active=True, rollout=100.0, salt=key, circuit=CircuitSettings())

    async def count(self, counts: dict[str, int], at_ms: int | None = None, key: str = "search") -> None:
        await self.past.count(key, counts, at_ms)


@pytest.fixture
async def desk(servers: Endpoints) -> AsyncIterator[Desk]:
    series = RedisGraphSeries(RedisUrl.parse(servers.redis_url))
    async with counted_past(servers.redis_url, f"graphs-{uuid4().hex[:8]}") as past:
        yield Desk(past, servers.redis_url, series, GraphService(series))
    await series.close()


async def test_counts_come_back_in_their_buckets_and_gaps_are_none(desk: Desk) -> None:
    now_ms = await desk.series.now_ms()
    start_ms = now_ms // 1000 * 1000 - 10_000
    for second, good, bad in ((0, 8, 2), (1, 5, 0), (4, 0, 3)):
        counts = {metric: n for metric, n in ((Metric.SUCCESS, good), (Metric.FAILURE, bad)) if n}
        await desk.count(counts, start_ms + second * 1000 + 300)
    await desk.count({Metric.SUCCESS: 1}, start_ms + 999)
    graph = await desk.graphs.graph(
        desk.ruleset(), GraphQuery(from_ms=start_ms, to_ms=start_ms + 6_000, resolution_ms=1_000)
    )
    assert graph["points"] | {"now_ms": None} == {
        "from_ms": start_ms,
        "to_ms": start_ms + 6_000,
        "resolution_ms": 1_000,
        "points": 6,
        "now_ms": None,
        "source": "raw",
    }
    feature = graph["feature"]
    assert feature["counted"]
    assert feature["calls"] == [11, 5, None, None, 3, None]
    assert feature["failures"] == [2, 0, None, None, 3, None]
    assert feature["successes"] == [9, 5, None, None, 0, None]
    assert feature["slow"] == [0, 0, None, None, 0, None]
    assert feature["error_rate"] == [18.182, 0.0, None, None, 100.0, None]
    assert not graph["fallback"]["counted"]
    assert graph["fallback"]["calls"] == [None] * 6


async def test_latencies_evaluations_and_the_fallback_are_beside_the_feature(desk: Desk) -> None:
    await desk.count(
        {
            Metric.SUCCESS: 100,
            latency_metric(15): 90,
            latency_metric(90_000): 10,
            Metric.FALLBACK_SUCCESS: 6,
            Metric.FALLBACK_FAILURE: 2,
            f"{Metric.VARIANT_PREFIX}on": 70,
            f"{Metric.VARIANT_PREFIX}off": 30,
        }
    )
    graph = await desk.graphs.graph(desk.ruleset(), GraphQuery(range="1h"))
    assert graph["points"]["source"] == "10s"
    last = max(index for index, calls in enumerate(graph["feature"]["calls"]) if calls is not None)
    latency = {name: {part: values[last] for part, values in each.items()} for name, each in graph["latency"].items()}
    assert latency["p50"] == {"ms": 15.556, "from_ms": 10.0, "to_ms": 20.0}
    assert latency["p99"] == {"ms": 60_000.0, "from_ms": 60_000.0, "to_ms": None}
    assert graph["fallback"]["error_rate"][last] == 25.0
    assert graph["thresholds"]["error_rate"] == 50.0
    assert graph["thresholds"]["opens_at_error_rate"][last] == 69.0
    evaluations = graph["evaluations"]
    assert {name: sum(filter(None, column)) for name, column in evaluations["variants"].items()} == {
        "on": 70,
        "off": 30,
    }
    assert evaluations["rules"] == {}


async def test_a_graph_of_a_day_has_its_last_seconds(desk: Desk) -> None:
    now_ms = await desk.series.now_ms()
    await desk.count({Metric.SUCCESS: 50}, now_ms - 5 * MINUTE_MS)
    await desk.count({Metric.SUCCESS: 3, Metric.FAILURE: 1})
    for name, source in (("24h", "1m"), ("1h", "10s"), ("30d", "1m")):
        graph = await desk.graphs.graph(desk.ruleset(), GraphQuery(range=name))
        assert graph["points"]["source"] == source
        found = [calls for calls in graph["feature"]["calls"] if calls is not None]
        assert sum(found) == 54
        assert graph["feature"]["calls"][-1] is not None or graph["feature"]["calls"][-2] is not None


async def test_a_series_that_aerobat_has_not_seen_yet_has_a_graph_of_its_last_hour(desk: Desk) -> None:
    now_ms = await desk.series.now_ms()
    for ago_ms in (3_500_000, 60_000, 0):
        await desk.past.count("search", {Metric.SUCCESS: 5}, now_ms - ago_ms, rules=False)
    for name in ("1h", "24h", "30d"):
        graph = await desk.graphs.graph(desk.ruleset(), GraphQuery(range=name))
        assert sum(filter(None, graph["feature"]["calls"])) == 15, name


async def test_the_same_bucket_is_the_same_from_raw_samples_and_from_a_copy(desk: Desk) -> None:
    now_ms = await desk.series.now_ms()
    for ago_ms in range(0, 120_000, 700):
        await desk.count({Metric.SUCCESS: ago_ms // 700 + 1}, now_ms - 120_000 + ago_ms)
    grid = Span.of_range("5m", now_ms, 10_000).grid()
    wanted = [Wanted(desk.flag(), Metric.SUCCESS)]
    raw, copy = await desk.series.read(wanted, grid, RAW), await desk.series.read(wanted, grid, TENS)
    assert raw.columns == copy.columns
    assert sum(filter(None, raw.columns[wanted[0]])) == sum(range(1, 173))


async def test_many_flags_of_many_apps_come_in_one_answer(desk: Desk, servers: Endpoints) -> None:
    async with counted_past(servers.redis_url, f"{desk.past.app}-2") as other:
        await other.count("b", {Metric.FAILURE: 4})
    await desk.count({Metric.SUCCESS: 6, Metric.FAILURE: 2}, key="a")
    flags = [desk.flag("a"), other.flag("b"), desk.flag("nobody")]
    answer = sparks_json(await desk.graphs.sparks(flags, "5m", None), flags)
    assert answer["points"]["resolution_ms"] == 10_000
    first, second, nobody = (answer["flags"][str(flag_id)] for flag_id in flags)
    assert sum(filter(None, first["calls"])) == 8
    assert [rate for rate in first["error_rate"] if rate is not None] == [25.0]
    assert [rate for rate in second["error_rate"] if rate is not None] == [100.0]
    assert (first["counted"], nobody["counted"]) == (True, False)
    assert set(nobody["calls"]) == set(nobody["calls_per_s"]) == {None}


async def test_what_is_no_series_and_no_count_costs_only_itself(desk: Desk) -> None:
    await desk.count({Metric.SUCCESS: 6})
    now_ms = await desk.series.now_ms()
    async with Redis.from_url(desk.url) as redis:
        await redis.set(series_key(desk.flag(), Metric.FAILURE), "no series")
        await redis.execute_command("TS.ADD", series_key(desk.flag("odd"), Metric.SUCCESS), now_ms, -1.5)  # type: ignore[no-untyped-call] # redis-py has no types here
    grid = Grid.over(now_ms - 10_000, now_ms + 1, 1_000)
    reading = await desk.series.read(
        [
            Wanted(desk.flag(), Metric.SUCCESS),
            Wanted(desk.flag(), Metric.FAILURE),
            Wanted(desk.flag("odd"), Metric.SUCCESS),
        ],
        grid,
        RAW,
    )
    assert sum(filter(None, reading.columns[Wanted(desk.flag(), Metric.SUCCESS)])) == 6
    assert reading.column(desk.flag(), Metric.FAILURE) is None
    assert set(reading.columns[Wanted(desk.flag("odd"), Metric.SUCCESS)]) == {None}


async def test_readings_side_by_side_do_not_mix(desk: Desk) -> None:
    for index in range(12):
        await desk.count({Metric.SUCCESS: index + 1}, key=f"flag-{index}")
    now_ms = await desk.series.now_ms()
    grid = Grid.over(now_ms - 60_000, now_ms + 1, 10_000)
    wanted = [[Wanted(desk.flag(f"flag-{index}"), Metric.SUCCESS)] for index in range(12)]
    readings = await asyncio.gather(*(desk.series.read(each, grid, RAW) for each in wanted))
    for index, (each, reading) in enumerate(zip(wanted, readings, strict=True)):
        assert sum(filter(None, reading.columns[each[0]])) == index + 1


async def test_a_reading_that_is_given_up_leaves_no_answers_behind(desk: Desk) -> None:
    await desk.count({Metric.SUCCESS: 5})
    now_ms = await desk.series.now_ms()
    grid = Grid.over(now_ms - 3_600_000, now_ms + 1, 10_000)
    many = [Wanted(desk.flag(f"flag-{index}"), Metric.SUCCESS) for index in range(2_000)]
    for _ in range(8):
        task = asyncio.create_task(desk.series.read(many, grid, RAW))
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    reading = await desk.series.read([Wanted(desk.flag(), Metric.SUCCESS)], grid, TENS)
    assert sum(filter(None, reading.columns[Wanted(desk.flag(), Metric.SUCCESS)])) == 5


async def test_without_the_setting_there_are_no_graphs() -> None:
    graphs = GraphService(NoSeries())
    with pytest.raises(SeriesUnavailableError, match="TAILSLIDE_REDIS_URL is not set"):
        await graphs.sparks([FlagId("shop", "search")], "1h", None)


async def test_a_redis_that_goes_is_said_at_once_and_one_that_is_back_is_found(own_servers: RealServers) -> None:
    clock = FakeClock()
    series = RedisGraphSeries(RedisUrl.parse(own_servers.endpoints.redis_url), clock)
    try:
        await series.now_ms()
        own_servers.kill("redis")
        with pytest.raises(SeriesUnavailableError, match="Redis cannot be reached"):
            await series.now_ms()
        own_servers.start("redis")
        with pytest.raises(SeriesUnavailableError):  # within a second nobody asks again
            await series.now_ms()
        clock.now_s += AWAY_S
        assert await series.now_ms() > 0
        assert series.problem is None
        assert series.errors == 1
    finally:
        await series.close()


async def test_a_redis_that_hangs_costs_no_more_than_the_timeout(desk: Desk) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    with temporary_folder() as folder:
        server = await asyncio.start_unix_server(silent, str(folder / "redis.sock"))
        series = RedisGraphSeries(RedisUrl.parse(f"unix://{folder / 'redis.sock'}"))
        try:
            async with asyncio.timeout(10):
                with pytest.raises(SeriesUnavailableError, match=r"Timeout|has not answered"):
                    await series.now_ms()
        finally:
            await series.close()
            server.close()


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s
