"""Users of sidecars on a real Redis: what a key opens and what it does not, revocation, and mending."""

import asyncio
import math
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from real_servers import temporary_folder, with_all_commands
from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from tailslide_core.naming import FlagId, busy_key, counted_key, new_series_key, series_key
from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.data_dir import open_data_dir
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import redis as redis_server
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.redis_access import user_of
from tailslide_runtime.redis_users import RedisUsers
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries, SeriesUnavailableError

SHOP, SHOP_TOO = SdkKey("shop", "aaaaaa", "a" * 40), SdkKey("shop", "bbbbbb", "b" * 40)
PAY = SdkKey("pay", "cccccc", "c" * 40)
MINE, FOREIGN = FlagId("shop", "search"), FlagId("pay", "search")
WAIT_S = 20.0
OUT_WITHIN_S = 5.0


@dataclass
class Stage:
    """A Redis, the keys that are good, and somebody who sets its users."""

    url: str
    redis: Child
    keys: KnownKeys
    users: RedisUsers
    folder: Path
    revision: int = 0
    held: dict[str, Entry] = field(default_factory=dict)

    def good(self, *keys: SdkKey) -> None:
        """Make these the keys that are good, as a new listing of the bucket."""
        self.revision += 1
        entries = [Entry(key.record.name, encode_sdk_key_record(key.record), self.revision) for key in keys]
        self.keys.take(Listing({entry.key: entry for entry in [*entries, Entry("gone.dddddd", None, self.revision)]}))

    def client(self, key: SdkKey, app: str | None = None) -> Redis:
        place = RedisUrl.parse(str(RedisUrl.parse(self.url))).as_user(user_of(app or key.app), str(key))
        return Redis.from_url(place.with_secrets(), decode_responses=True, protocol=2, retry=None)

    def series(self, key: SdkKey) -> RedisSeries:
        place = RedisUrl.parse(str(RedisUrl.parse(self.url))).as_user(user_of(key.app), str(key))
        return RedisSeries(place, key.app)

    async def ask(self, *command: str | int) -> Any:
        async with Redis.from_url(self.url, decode_responses=True, protocol=3) as client:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here

    async def until_in_step(self) -> None:
        await until(lambda: self.users.in_step == self.users.nodes)


async def until(holds: Callable[[], bool], within_s: float = WAIT_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)


async def until_lets_in(client: Redis, within_s: float = WAIT_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            try:
                await client.ping()
            except (RedisError, OSError):
                await asyncio.sleep(0.02)
            else:
                return


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    with temporary_folder() as name:
        async with open_data_dir(name / "data") as data:
            server = with_all_commands(redis_server.server(data, any_free_port()))
            child = Child(server.process)
            keys = KnownKeys()
            in_touch(keys)
            users = RedisUsers(RedisUrl.parse(server.url), keys)
            await child.start()
            running = asyncio.create_task(users.run())
            try:
                yield Stage(server.url, child, keys, users, server.process.cwd)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await child.stop()


def in_touch(keys: KnownKeys) -> None:
    """Have keys that nobody watches taken for those of this moment."""
    keys.watch.in_step, keys.watch.heard_at = True, math.inf


def _forbidden() -> dict[str, tuple[str | int, ...]]:
    mine, foreign = series_key(MINE, "success"), series_key(FOREIGN, "success")
    return {
        "read": ("TS.GET", foreign),
        "range": ("TS.RANGE", foreign, "-", "+"),
        "range of one's own": ("TS.RANGE", mine, "-", "+"),
        "write": ("TS.MADD", foreign, "*", 1),
        "write beside one's own": ("TS.MADD", mine, "*", 1, foreign, "*", 1),
        "add": ("TS.ADD", mine, "*", 1),
        "create": ("TS.CREATE", series_key(FlagId("pay", "new"), "success")),
        "alter": ("TS.ALTER", foreign, "RETENTION", 1),
        "rule into a foreign series": ("TS.CREATERULE", mine, foreign, "AGGREGATION", "sum", 1000),
        "rule from a foreign series": ("TS.CREATERULE", foreign, mine, "AGGREGATION", "sum", 1000),
        "delete": ("DEL", foreign),
        "delete beside one's own": ("DEL", mine, foreign),
        "mark": ("SADD", counted_key("pay"), "search"),
        "note": ("SADD", new_series_key("pay"), "search:success"),
        "date a mark": ("ZADD", busy_key("shop"), 1, "search"),
        "find by label": ("TS.MRANGE", "-", "+", "FILTER", "app=pay"),
        "last by label": ("TS.MGET", "FILTER", "app=pay"),
        "list by label": ("TS.QUERYINDEX", "app=pay"),
        "describe": ("TS.INFO", foreign),
        "watch": ("WATCH", foreign),
        "script": ("EVAL", "return redis.call('TS.GET', KEYS[1])", 1, foreign),
        "script without keys": ("EVAL", "return 1", 0),
        "stored script": ("EVALSHA", "0" * 40, 0),
        "function": ("FCALL", "f", 0),
        "library": ("FUNCTION", "LOAD", "#!lua name=x\nredis.register_function('f', function() return 1 end)"),
        "keys": ("KEYS", "*"),
        "scan": ("SCAN", 0),
        "copy": ("COPY", mine, foreign),
        "rename": ("RENAME", mine, foreign),
        "dump": ("DUMP", foreign),
        "flush": ("FLUSHALL",),
        "flush the database": ("FLUSHDB",),
        "configuration": ("CONFIG", "GET", "*"),
        "users": ("ACL", "LIST"),
        "make a user": ("ACL", "SETUSER", "x", "on", "nopass", "+@all", "~*"),
        "monitor": ("MONITOR",),
        "clients": ("CLIENT", "LIST"),
        "kill": ("CLIENT", "KILL", "TYPE", "normal"),
        "publish": ("PUBLISH", "c", "m"),
        "subscribe": ("SUBSCRIBE", "c"),
        "info": ("INFO",),
        "module": ("MODULE", "LIST"),
        "replicate": ("REPLICAOF", "127.0.0.1", 1),
        "stop": ("SHUTDOWN", "NOSAVE"),
        "set": ("SET", "ts:{shop}:x", 1),
    }


async def test_a_key_of_one_app_opens_nothing_of_another_and_nothing_over_all(stage: Stage) -> None:
    stage.good(SHOP, PAY)
    await stage.until_in_step()
    for key, flag_id in ((SHOP, MINE), (PAY, FOREIGN)):
        series = stage.series(key)
        await series.add({(flag_id.flag, "success"): 3}, None)
        await series.close()
    before = await stage.ask("TS.RANGE", series_key(FOREIGN, "success"), "-", "+")
    keys = sorted(await stage.ask("KEYS", "*"))
    async with stage.client(SHOP) as client:
        for what, command in _forbidden().items():
            with pytest.raises(ResponseError) as refusal:
                await client.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here
            assert isinstance(refusal.value, NoPermissionError), (what, refusal.value)
            if command[0] == "WATCH":  # of no use within a transaction
                continue
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.execute_command(*command)
                with pytest.raises(ResponseError):
                    await pipeline.execute()
    assert await stage.ask("TS.RANGE", series_key(FOREIGN, "success"), "-", "+") == before
    assert sorted(await stage.ask("KEYS", "*")) == keys


@pytest.mark.parametrize("app", ["pay", "nobody"])
async def test_a_key_is_no_password_of_another_apps_user(stage: Stage, app: str) -> None:
    stage.good(SHOP, PAY)
    await stage.until_in_step()
    async with stage.client(SHOP, app) as client:
        with pytest.raises(AuthenticationError):
            await client.ping()


async def test_a_new_key_works_within_two_seconds(stage: Stage) -> None:
    stage.good(PAY)
    await stage.until_in_step()
    stage.good(PAY, SHOP)
    async with stage.client(SHOP) as client:
        await until_lets_in(client, 2.0)


@pytest.mark.parametrize("others", [(), (SHOP_TOO,)])
async def test_a_revoked_key_is_out_within_five_seconds_and_other_keys_go_on(
    stage: Stage, others: tuple[SdkKey, ...]
) -> None:
    stage.good(SHOP, PAY, *others)
    await stage.until_in_step()
    async with stage.client(SHOP) as revoked, stage.client(PAY) as other_app:
        connection = await revoked.client().__aenter__()
        assert await connection.ping()
        own = await other_app.client().__aenter__()
        assert await own.ping()
        stage.good(PAY, *others)
        async with asyncio.timeout(OUT_WITHIN_S):
            while True:
                try:
                    await connection.time()
                except (RedisConnectionError, AuthenticationError):
                    break
                await asyncio.sleep(0.02)
        with pytest.raises(AuthenticationError):
            await revoked.ping()
        assert await own.ping()
        await connection.aclose()
        await own.aclose()
    for key in others:
        async with stage.client(key) as client:
            assert await client.ping()
    series = stage.series(SHOP)
    with pytest.raises(SeriesUnavailableError, match="the SDK key was revoked"):
        await series.add({("search", "success"): 1}, None)
    await series.close()


async def test_users_are_made_again_after_a_restart(stage: Stage) -> None:
    stage.good(SHOP)
    await stage.until_in_step()
    await stage.redis.stop()
    await until(lambda: bool(stage.users.problems))
    shutil.rmtree(stage.folder / "appendonlydir")
    await stage.redis.start()
    async with stage.client(SHOP) as client:
        await until_lets_in(client, OUT_WITHIN_S)
    series = stage.series(SHOP)
    assert await series.add({("search", "success"): 1}, None) == 0
    await series.close()


async def test_who_changes_a_user_by_hand_is_corrected_and_other_users_are_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tailslide_runtime.redis_users.COMPARE_EVERY_S", 0.1)
    await stage.ask("ACL", "SETUSER", "sidecar.shop", "on", "nopass", "~*", "+ping")
    await stage.ask("ACL", "SETUSER", user_of("stranger"), "on", "nopass", "~*", "+@all")
    stage.good(SHOP)
    await stage.until_in_step()
    right = await stage.ask("ACL", "LIST")
    assert not any("stranger" in line for line in right)
    assert any(line.startswith("user sidecar.shop ") for line in right)
    await stage.ask("ACL", "SETUSER", user_of("shop"), "~*", "+@all", "nopass")
    async with asyncio.timeout(WAIT_S):
        while await stage.ask("ACL", "LIST") != right:
            await asyncio.sleep(0.02)


async def test_nothing_is_deleted_before_the_keys_are_known(stage: Stage) -> None:
    await stage.ask("ACL", "SETUSER", user_of("shop"), "on", f"#{SHOP.record.hash}", "+ping")
    stage.keys.take(Listing({}))
    await stage.users.look()
    assert user_of("shop") in await stage.ask("ACL", "USERS")


async def test_replicas_have_the_users_too(stage: Stage) -> None:
    with temporary_folder() as name:
        async with open_data_dir(name / "data") as data:
            port = any_free_port()
            server = with_all_commands(redis_server.server(data, port))
            address = stage.url.rpartition("@")[2].partition("/")[0]
            password = stage.url.partition("://:")[2].partition("@")[0]

            async def ready() -> None:
                await redis_server.check(RedisUrl.parse(stage.url.replace(address, f"127.0.0.1:{port}")))

            with (server.process.cwd / "redis.conf").open("a") as config:
                config.write(f'masterauth "{password}"\nrequirepass "{password}"\n')
                config.write(f"replicaof {address.replace(':', ' ')}\n")
            replica = Child(replace(server.process, ready=ready))
            stage.good(SHOP)
            await stage.until_in_step()
            try:
                await replica.start()
                stage.users._nodes_at = None
                await until(lambda: stage.users.nodes == 2 and stage.users.in_step == 2)
                place = RedisUrl.parse(f"redis://127.0.0.1:{port}").as_user(user_of("shop"), str(SHOP))
                async with Redis.from_url(place.with_secrets()) as client:
                    assert await client.ping()
                stage.good(PAY)
                await until(lambda: stage.users.in_step == 2)
                async with Redis.from_url(place.with_secrets()) as client:
                    with pytest.raises(AuthenticationError):
                        await client.ping()
            finally:
                await replica.stop()


async def test_a_redis_that_lets_nobody_set_users_is_said_once(stage: Stage) -> None:
    await stage.ask("ACL", "SETUSER", "managed", "on", ">hush", "~*", "+@all", "-acl")
    url = RedisUrl.parse(str(RedisUrl.parse(stage.url))).as_user("managed", "hush")
    keys = KnownKeys()
    in_touch(keys)
    users = RedisUsers(url, keys)
    keys.take(Entry(SHOP.record.name, encode_sdk_key_record(SHOP.record), 1))
    with capture_logs() as log:
        for _ in range(3):
            await users.look()
    assert [event["event"] for event in log] == ["redis_users_refused"]
    assert "docs/redis.md" in log[0]["needs"]
    assert users.refused
    assert users.in_step == 0
    await users.close()


async def test_who_has_lost_sight_of_the_keys_gives_no_revoked_key_its_user_again(stage: Stage) -> None:
    keys = KnownKeys()
    in_touch(keys)
    stale = RedisUsers(RedisUrl.parse(stage.url), keys)
    for key in (SHOP, PAY):
        keys.take(Entry(key.record.name, encode_sdk_key_record(key.record), 1))
    stage.good(SHOP, PAY)
    await stage.until_in_step()
    await stale.look()
    assert stale.in_step == 1
    keys.watch.in_step = False
    stage.good(SHOP_TOO)
    await stage.until_in_step()
    right = await stage.ask("ACL", "LIST")
    await stale.look()
    assert await stage.ask("ACL", "LIST") == right
    assert not any(user_of("pay") in line for line in right)
    in_touch(keys)
    keys.take(Listing({SHOP_TOO.record.name: Entry(SHOP_TOO.record.name, encode_sdk_key_record(SHOP_TOO.record), 3)}))
    await stale.look()
    assert stale.in_step == 1
    assert await stage.ask("ACL", "LIST") == right
    await stale.close()
