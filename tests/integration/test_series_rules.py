"""Rules that Aerobat makes for the series of sidecars, on a real Redis: what was counted before them is not lost."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from tailslide_aerobat.series_rules import Made, RedisCommands, SeriesRules
from tailslide_core.naming import FlagId, counted_late_key, new_series_key, series_key
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries

FLAG = "a.b"


@pytest.fixture
def app(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).lower()[:60]


@pytest.fixture
async def redis(servers: Endpoints) -> AsyncIterator[Redis]:
    async with Redis.from_url(servers.redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def series(servers: Endpoints, app: str) -> AsyncIterator[RedisSeries]:
    series = RedisSeries(RedisUrl.parse(servers.redis_url), app)
    yield series
    await series.close()


@pytest.fixture
async def rules(servers: Endpoints) -> AsyncIterator[SeriesRules]:
    commands = RedisCommands(RedisUrl.parse(servers.redis_url))
    yield SeriesRules(commands, made=lambda _: None, refused=lambda _: None)
    await commands.close()


async def points(redis: Redis, key: str, *options: str) -> dict[int, int]:
    found = await redis.execute_command("TS.RANGE", key, "-", "+", *options)  # type: ignore[no-untyped-call] # no types
    return {at: round(float(value)) for at, value in found if float(value)}


async def test_what_was_counted_before_there_was_a_rule_is_in_the_copies(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    now_ms = await series.now_ms()
    raw = series_key(FlagId(app, FLAG), "failure")
    for ago_ms in (3_000_000, 400_000, 399_000, 70_000, 12_000, 0):
        await series.add({(FLAG, "failure"): 2}, now_ms - ago_ms)
    assert await points(redis, f"{raw}:10s") == {}
    assert (await rules.look([app])).rules == 2
    await series.add({(FLAG, "failure"): 5}, None)
    for label, bucket_ms in (("10s", 10_000), ("1m", 60_000)):
        copied = await points(redis, f"{raw}:{label}", "LATEST")
        assert copied == await points(redis, raw, "AGGREGATION", "sum", str(bucket_ms))
    assert sum(copied.values()) == 17
    assert await redis.exists(new_series_key(app)) == 0
    assert await redis.smembers(counted_late_key(app)) == {FLAG}


async def test_counts_of_this_minute_are_read_from_the_raw_series_so_nothing_is_read_again(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    await series.add({(FLAG, "success"): 1, (FLAG, "variant:on"): 3}, None)
    assert await rules.look([app]) == Made(3, [])
    assert await redis.exists(counted_late_key(app)) == 0
    assert await rules.look([app]) == Made()


async def test_a_series_that_has_its_rules_is_left_as_it_is(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    await series.add({(FLAG, "success"): 1}, None)
    await rules.look([app])
    raw = series_key(FlagId(app, FLAG), "success")
    samples = await redis.execute_command("TS.RANGE", raw, "-", "+")  # type: ignore[no-untyped-call] # no types
    await redis.sadd(new_series_key(app), f"{FLAG}:success")
    assert await rules.look([app]) == Made(0, [])
    assert await redis.execute_command("TS.RANGE", raw, "-", "+") == samples  # type: ignore[no-untyped-call] # no types


async def test_what_a_sidecar_would_not_write_makes_no_rule_and_is_taken_off(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    await series.add({(FLAG, "success"): 1}, None)
    foreign = f"ts:{{{app}-other}}:x:success"
    names = ["", ":", "x", "x:", ":success", f"}}:{foreign}", foreign, "x:\x00", "y" * 300 + ":success", "gone:success"]
    await redis.sadd(new_series_key(app), *names)
    await redis.set(series_key(FlagId(app, "taken"), "success"), "mine")
    await redis.sadd(new_series_key(app), "taken:success")
    made = await rules.look([app, f"{app}-other"])
    assert made.rules == 2
    assert {key for key, _ in made.refused} == {series_key(FlagId(app, "taken"), "success")}
    assert await redis.exists(new_series_key(app)) == 0


async def test_a_set_that_is_none_costs_its_own_app(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    await redis.set(new_series_key(f"{app}-other"), "x")
    await series.add({(FLAG, "success"): 1}, None)
    made = await rules.look([f"{app}-other", app])
    assert made.rules == 2
    assert [key for key, _ in made.refused] == [new_series_key(f"{app}-other")]


async def test_counts_of_one_old_bucket_are_copied_to_it_and_to_no_other(
    redis: Redis, series: RedisSeries, rules: SeriesRules, app: str
) -> None:
    raw = series_key(FlagId(app, FLAG), "failure")
    await series.add({(FLAG, "failure"): 7}, await series.now_ms() - 400_000)
    await rules.look([app])
    assert list((await points(redis, f"{raw}:10s")).values()) == [7]
    await series.add({(FLAG, "failure"): 5}, None)
    copied = await points(redis, f"{raw}:10s", "LATEST")
    assert copied == await points(redis, raw, "AGGREGATION", "sum", "10000")


async def test_apps_take_turns_and_none_is_left_out(
    redis: Redis, rules: SeriesRules, app: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailslide_aerobat.series_rules.APPS_A_LOOK", 2)
    monkeypatch.setattr("tailslide_aerobat.series_rules.AT_ONCE", 3)
    apps = [f"{app}-{number}" for number in range(5)]
    for each in apps:
        await redis.sadd(new_series_key(each), *(f"f{number}:success" for number in range(10)))
    looks = 0
    while await redis.exists(*map(new_series_key, apps)):
        await rules.look(apps)
        looks += 1
    assert 10 <= looks <= 15
