"""The lines of docs/redis.md that people set users with: they are ours, and they suffice."""

import math
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tailslide_aerobat.series_rules import RedisCommands, SeriesRules
from tailslide_aerobat.timeseries import New, RedisTimeSeries, Wanted
from tailslide_core.naming import FlagId, resolutions_of
from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.redis_access import rules_of, user_of
from tailslide_runtime.redis_users import RedisUsers
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries
from tailslide_tower.timeseries.grid import RAW, Grid, source_of
from tailslide_tower.timeseries.series import RedisGraphSeries
from tailslide_tower.timeseries.series import Wanted as Graphed

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
SIDECAR, AEROBAT, TOWER, USERS = re.findall(r"^ACL SETUSER (\S+ .*)$", PAGE, re.MULTILINE)
FLAG = FlagId("shop", "search")


@pytest.fixture
async def redis(servers: Endpoints) -> AsyncIterator[Redis]:
    async with Redis.from_url(servers.redis_url, decode_responses=True) as client:
        yield client
        await client.acl_deluser("tailslide.aerobat", "tailslide.tower", user_of("shop"))


async def carry_out(redis: Redis, *lines: str) -> None:
    for line in lines:
        words = line.replace("PASSWORD", "hush").split()
        await redis.execute_command("ACL", "SETUSER", *words)  # type: ignore[no-untyped-call] # redis-py has no types here
    await redis.execute_command("ACL", "LOG", "RESET")  # type: ignore[no-untyped-call] # redis-py has no types here


async def refused(redis: Redis) -> object:
    return await redis.execute_command("ACL", "LOG")  # type: ignore[no-untyped-call] # redis-py has no types here


def login(servers: Endpoints, user: str) -> RedisUrl:
    return RedisUrl.parse(str(RedisUrl.parse(servers.redis_url))).as_user(user, "hush")


def test_the_line_of_a_sidecar_is_what_is_set_by_itself() -> None:
    assert tuple(SIDECAR.split()) == (user_of("shop"), "reset", "on", ">PASSWORD", *rules_of("shop", [])[2:])


async def test_the_lines_suffice_for_a_sidecar_aerobat_and_tower(servers: Endpoints, redis: Redis) -> None:
    await carry_out(redis, SIDECAR, AEROBAT, TOWER)
    sidecar = RedisSeries(login(servers, user_of("shop")), "shop")
    commands = RedisCommands(login(servers, "tailslide.aerobat"))
    aerobat = RedisTimeSeries(login(servers, "tailslide.aerobat"))
    tower = RedisGraphSeries(login(servers, "tailslide.tower"))
    try:
        now_ms = await sidecar.now_ms()
        await sidecar.add({(FLAG.flag, "failure"): 2}, now_ms - 100_000)
        await sidecar.add({(FLAG.flag, "failure"): 3}, None)
        rules = SeriesRules(commands, made=lambda _: None, refused=lambda _: None)
        assert (await rules.look(["shop"])).rules == 2
        marks = await aerobat.marks(["shop"], None)
        assert list(marks.busy) == [FLAG]
        assert list(marks.late) == [FLAG]
        (new,) = await aerobat.read_new([Wanted(FLAG, slow=True)], New.since(now_ms, marks.now_ms))
        (whole,) = await aerobat.read_whole([Wanted(FLAG, slow=True)], marks.now_ms, 1_800_000)
        assert new is not None
        assert whole is not None
        assert (sum(new.failures), sum(whole.failures)) == (3, 5)
        asked = [Graphed(FLAG, "failure")]
        at_ms = await tower.now_ms()
        minutes = Grid.over(at_ms - 600_000, at_ms + 60_000, 60_000)
        copy = source_of(minutes, resolutions_of("failure"), at_ms)
        assert copy is not RAW
        for source in (RAW, copy):
            column = (await tower.read(asked, minutes, source)).column(FLAG, "failure")
            assert column is not None
            assert sum(count or 0 for count in column) == 5
        assert list(await tower.last_counted(asked, now_ms - 600_000)) == asked
    finally:
        await sidecar.close()
        await commands.close()
        await aerobat.close()
        await tower.close()
    assert await refused(redis) == []


@pytest.mark.parametrize("who", ["tailslide.aerobat", "tailslide.tower"])
async def test_the_lines_suffice_to_set_users(servers: Endpoints, redis: Redis, who: str) -> None:
    await carry_out(redis, AEROBAT, TOWER, USERS.replace("tailslide.aerobat", who))
    keys = KnownKeys()
    keys.watch.in_step, keys.watch.heard_at = True, math.inf
    key = SdkKey("shop", "aaaaaa", "a" * 40)
    keys.take(Entry(key.record.name, encode_sdk_key_record(key.record), 1))
    users = RedisUsers(login(servers, who), keys)
    await users.look()
    assert users.in_step == 1
    keys.take(Entry(key.record.name, None, 2))
    keys.take(Entry("pay.bbbbbb", encode_sdk_key_record(SdkKey("pay", "bbbbbb", "b" * 40).record), 3))
    await users.look()
    assert users.in_step == 1
    keys.take(Entry("pay.bbbbbb", None, 4))
    await users.look()
    await users.close()
    assert users.problems == {}
    assert await refused(redis) == []
