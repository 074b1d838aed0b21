"""Flags and apps that are archived, restored, copied and deleted for good; on real servers, up to the bucket."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from tower_bench import Tower, TowerBench, until

from tailslide_core.naming import FlagId, Metric, series_key
from tailslide_core.presence import Presence, encode_presence

FLAGS = "/apps/shop/flags"
FORCE = {"force": True}


@pytest.fixture(autouse=True)
async def redis(bench: TowerBench) -> AsyncIterator[Redis]:
    """The Redis that Towers read, in which nothing of the app `shop` was counted yet."""
    client = Redis.from_url(bench.redis_url)
    await client.delete(*await client.keys("ts:{shop}:*"), "ts:{shop}:none")
    yield client
    await client.aclose()


async def count(redis: Redis, flag: str, days_ago: float, suffix: str = "") -> int:
    """Count an evaluation that gave `on`; return when, Unix milliseconds."""
    at_ms = int((time.time() - days_ago * 86_400) * 1000)
    key = series_key(FlagId("shop", flag), f"{Metric.VARIANT_PREFIX}on") + suffix
    await redis.execute_command("TS.ADD", key, at_ms, 1)  # type: ignore[no-untyped-call] # redis-py has no types here
    return at_ms


async def test_archived_flag_leaves_the_bucket_and_a_restored_one_is_back(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one", "active": True, "description": "The first"})
    await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.one"])
    archived = await tower.call("POST", f"{FLAGS}/one/archive", FORCE)
    assert (archived.body["version"], archived.headers["ETag"]) == (2, '"2"')
    assert archived.body["archived_at"] is not None
    await bench.until_rulesets(lambda rulesets: not rulesets)
    async with bench.tower() as second:  # one that has not seen the change compares, and agrees
        await second.until_published()
        assert not await bench.rulesets()
    assert (await tower.ok("GET", FLAGS))["flags"] == []
    assert [flag["key"] for flag in (await tower.ok("GET", f"{FLAGS}?archived=true"))["flags"]] == ["one"]
    assert (await tower.call("POST", FLAGS, {"key": "one"})).error == (409, "FLAG_EXISTS", "key")
    again = await tower.ok("POST", f"{FLAGS}/one/archive", FORCE)
    assert again["version"] == 2, "what is archived already is not changed"

    restored = await tower.ok("POST", f"{FLAGS}/one/restore")
    assert (restored["version"], restored["archived_at"], restored["active"]) == (3, None, True)
    assert restored["circuit"]["reset_generation"] == 1
    rulesets = await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.one"])
    assert rulesets["shop.one"].version == 3
    await tower.until_published()


async def test_archived_flag_takes_no_change_until_it_is_restored(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.ok("POST", f"{FLAGS}/one/archive", FORCE)
    for method, path in (("PATCH", ""), ("POST", "/toggle"), ("POST", "/circuit/reset")):
        assert (await tower.call(method, f"{FLAGS}/one{path}")).error == (409, "FLAG_ARCHIVED", "flag")


async def test_flag_is_deleted_for_good_only_once_it_is_archived(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    assert (await tower.call("DELETE", f"{FLAGS}/one")).error == (409, "FLAG_NOT_ARCHIVED", "flag")
    await tower.ok("POST", f"{FLAGS}/one/archive", FORCE)
    await tower.ok("DELETE", f"{FLAGS}/one")
    assert (await tower.call("GET", f"{FLAGS}/one")).status == 404
    assert (await tower.ok("POST", FLAGS, {"key": "one"}))["version"] == 3


async def test_two_editors_of_whom_one_archives(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    archive = tower.call("POST", f"{FLAGS}/one/archive", FORCE, If_Match='"1"')
    change = tower.call("PATCH", f"{FLAGS}/one", {"rollout": 5}, If_Match='"1"')
    answers = await asyncio.gather(archive, change)
    assert sorted(answer.status for answer in answers) == [200, 412]
    refused = next(answer for answer in answers if answer.status == 412)
    assert refused.body["current"]["version"] == 2


async def test_flag_that_is_asked_for_is_archived_only_by_force(tower: Tower, redis: Redis) -> None:
    for key in ("busy", "old", "never"):
        await tower.ok("POST", FLAGS, {"key": key})
    at_ms = await count(redis, "busy", 6.9, ":1m")
    await count(redis, "old", 7.1, ":1m")
    answer = await tower.call("POST", f"{FLAGS}/busy/archive")
    assert answer.error == (409, "FLAG_IN_USE_RECENTLY", "force")
    said = answer.body["last_asked"]["busy"]
    assert said in answer.body["detail"]
    assert said.startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms / 1000)))
    assert (await tower.call("POST", f"{FLAGS}/old/archive")).status == 200
    assert (await tower.call("POST", f"{FLAGS}/never/archive")).status == 200
    await count(redis, "busy", 0.0001)  # what was counted since the last whole minute
    assert (await tower.call("POST", f"{FLAGS}/busy/archive")).status == 409
    assert (await tower.call("POST", f"{FLAGS}/busy/archive", FORCE)).status == 200


async def test_flag_that_a_route_names_is_archived_only_by_force(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "routed"})
    sidecar = Presence("shop", "pay-1", "pay", "1", 1, 0, 0, None, None, (), ("routed",), 1)

    async def known() -> bool:
        return bool((await tower.ok("GET", "/apps/shop/sidecars"))["sidecars"])

    await bench.put("sidecars", "shop.pay-1", encode_presence(sidecar))
    await until(known)
    answer = await tower.call("POST", f"{FLAGS}/routed/archive")
    assert answer.error == (409, "FLAG_IN_USE_RECENTLY", "force")
    assert "pay-1" in answer.body["detail"]


async def test_flag_of_which_it_is_not_known_is_archived_only_by_force(bench: TowerBench) -> None:
    async with bench.tower(redis=False) as tower:
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("POST", FLAGS, {"key": "one"})
        answer = await tower.call("POST", f"{FLAGS}/one/archive")
    assert answer.error == (409, "FLAG_IN_USE_RECENTLY", "force")
    assert "not known" in answer.body["detail"]
    assert "TAILSLIDE_REDIS_URL" in answer.body["detail"]


async def test_prerequisite_is_archived_after_the_flags_that_require_it_and_restored_before(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.ok("POST", FLAGS, {"key": "two", "requires": [{"flag": "one"}]})
    assert (await tower.call("POST", f"{FLAGS}/one/archive", FORCE)).error == (409, "FLAG_IN_USE", "flag")
    await tower.ok("POST", f"{FLAGS}/two/archive", FORCE)
    await tower.ok("POST", f"{FLAGS}/one/archive", FORCE)
    assert (await tower.call("DELETE", f"{FLAGS}/one")).error == (409, "FLAG_IN_USE", "flag")
    assert (await tower.call("POST", f"{FLAGS}/two/restore")).error == (400, "INVALID", "requires[0].flag")
    assert (await tower.call("POST", FLAGS, {"key": "three", "requires": [{"flag": "one"}]})).error == (
        400,
        "INVALID",
        "requires[0].flag",
    )
    await tower.ok("POST", f"{FLAGS}/one/restore")
    await tower.ok("POST", f"{FLAGS}/two/restore")


async def test_copy_of_a_flag_is_off_and_has_a_circuit_of_its_own(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", "/apps", {"key": "desk"})
    flag = {"key": "one", "active": True, "rollout": 25, "tags": ["a"], "owner": "team", "circuit": {"min_calls": 7}}
    await tower.ok("POST", FLAGS, flag)
    made = await tower.call("POST", f"{FLAGS}/one/duplicate", {"app": "desk", "key": "first"})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/apps/desk/flags/first")
    copy = made.body
    assert (copy["app"], copy["key"], copy["name"], copy["salt"]) == ("desk", "first", "first", "first")
    assert (copy["active"], copy["rollout"], copy["tags"], copy["owner"]) == (False, 25.0, ["a"], "team")
    assert (copy["version"], copy["circuit"]["min_calls"], copy["circuit"]["reset_generation"]) == (1, 7, 0)
    assert (await tower.call("POST", f"{FLAGS}/one/duplicate")).error == (409, "FLAG_EXISTS", "key")
    assert (await tower.call("POST", f"{FLAGS}/one/duplicate", {"app": "none"})).error == (404, "APP_NOT_FOUND", "app")
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "desk.first"})


async def test_copy_is_refused_where_it_would_name_what_is_not_there(tower: Tower) -> None:
    await tower.ok("POST", "/apps", {"key": "desk"})
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["u"]})
    asks = {"when": [{"operator": "in_segment", "values": ["vip"]}], "rollout": 100}
    await tower.ok("POST", FLAGS, {"key": "one", "rules": [asks]})
    await tower.ok("POST", FLAGS, {"key": "two", "requires": [{"flag": "one"}]})
    refused = await tower.call("POST", f"{FLAGS}/one/duplicate", {"app": "desk"})
    assert refused.error == (400, "INVALID", "rules[0].when[0].values[0]")
    refused = await tower.call("POST", f"{FLAGS}/two/duplicate", {"app": "desk"})
    assert refused.error == (400, "INVALID", "requires[0].flag")
    await tower.ok("POST", f"{FLAGS}/two/duplicate", {"key": "three"})


async def test_archived_app_leaves_the_bucket_with_all_that_it_has(
    bench: TowerBench, tower: Tower, redis: Redis
) -> None:
    for key in ("one", "two"):
        await tower.ok("POST", FLAGS, {"key": key})
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["u"]})
    await tower.ok("POST", f"{FLAGS}/two/archive", FORCE)
    await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.one"])
    await count(redis, "one", 1, ":1m")
    assert (await tower.call("POST", "/apps/shop/archive")).error == (409, "APP_IN_USE_RECENTLY", "force")
    archived = await tower.ok("POST", "/apps/shop/archive", FORCE)
    assert archived["archived_at"] is not None
    await bench.until_rulesets(lambda rulesets: not rulesets)

    async def no_segments() -> bool:
        return not await bench.segments()

    await until(no_segments)
    await tower.until_published()
    for method, path in (
        ("POST", FLAGS),
        ("PATCH", f"{FLAGS}/one"),
        ("DELETE", f"{FLAGS}/two"),
        ("PATCH", "/apps/shop/segments/vip"),
    ):
        answer = await tower.call(method, path, {"key": "x"} if method == "POST" else None)
        assert answer.error == (409, "APP_ARCHIVED", "app"), path
    assert (await tower.call("PATCH", "/apps/shop", {"name": "Shop"})).error == (409, "APP_ARCHIVED", "app")
    assert (await tower.ok("GET", "/apps"))["apps"] == []
    assert (await tower.ok("GET", "/flags"))["flags"] == []

    restored = await tower.ok("POST", "/apps/shop/restore")
    assert (restored["version"], restored["archived_at"]) == (3, None)
    await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.one"])
    assert [flag["key"] for flag in (await tower.ok("GET", "/flags"))["flags"]] == ["one"]


async def test_archived_app_is_deleted_with_its_flags_which_are_remembered(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 5})
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip", "include": ["u"]})
    assert (await tower.call("DELETE", "/apps/shop")).error == (409, "APP_HAS_FLAGS", "app")
    await tower.ok("POST", "/apps/shop/archive", FORCE)
    await tower.ok("DELETE", "/apps/shop")
    assert (await tower.call("GET", "/apps/shop")).status == 404
    await bench.until_rulesets(lambda rulesets: not rulesets)
    await tower.until_published()
    assert (await tower.call("GET", "/readyz")).body["left_alone"]["unknown_to_database"]["count"] == 0
    async with bench.connection() as connection:
        details = await connection.fetchval("SELECT details::text FROM log WHERE action = 'app.deleted'")
    assert details == '{"flags":["one"],"segments":["vip"]}'
    await tower.ok("POST", "/apps", {"key": "shop"})
    assert (await tower.ok("POST", FLAGS, {"key": "one"}))["version"] == 3
