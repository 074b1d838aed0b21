"""Sidecars that get into Redis by an SDK key, with a real Aerobat as the only one who sees to it: no Tower, no
PostgreSQL."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from aerobat_bench import FLAG, Bench, Calls, closing, running_bench
from redis.asyncio import Redis

from tailslide_core.circuit import State
from tailslide_core.naming import KEYS_BUCKET, series_key
from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_runtime.redis_access import user_of
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries, SeriesUnavailableError

KEY = SdkKey(FLAG.app, "aaaaaa", "a" * 40)
WAIT_S = 20.0
IN_WITHIN_S = 2.0
OUT_WITHIN_S = 5.0
MENDED_WITHIN_S = 5.0
FAILING = Calls(failure=20)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running_bench() as running:
        async with running.client() as client:
            await ensure_bucket(client, KEYS_BUCKET)
        yield running


async def put_key(bench: Bench, key: SdkKey) -> None:
    await bench.put_raw(KEYS_BUCKET, encode_sdk_key_record(key.record), key.record.name)


async def revoke(bench: Bench, key: SdkKey) -> None:
    async with bench.client() as client:
        await (await client.jetstream().key_value(KEYS_BUCKET)).delete(key.record.name)


def address(bench: Bench) -> str:
    return str(RedisUrl.parse(bench.redis_url))


def series_of(bench: Bench) -> RedisSeries:
    return RedisSeries(RedisUrl.parse(address(bench)).as_user(user_of(KEY.app), str(KEY)), KEY.app)


async def until_written(series: RedisSeries, calls: Calls, within_s: float) -> None:
    """Write once, as soon as Redis lets us in."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                assert await series.add(calls.of(FLAG), None) == 0
            except SeriesUnavailableError:
                await asyncio.sleep(0.02)
            else:
                return


async def until_refused(series: RedisSeries, within_s: float) -> str:
    async with asyncio.timeout(within_s):
        while True:
            try:
                await series.now_ms()
            except SeriesUnavailableError as error:
                if "did not let us in" in str(error):
                    return str(error)
            await asyncio.sleep(0.02)


async def test_a_key_lets_a_sidecar_count_and_its_counts_open_a_circuit(bench: Bench) -> None:
    await (await bench.start_aerobat()).until_ready()
    await put_key(bench, KEY)
    async with closing(series_of(bench)) as series:
        await until_written(series, FAILING, IN_WITHIN_S)
        for _ in range(5):
            await series.add(FAILING.of(FLAG), None)
        await bench.until_state(State.OPEN)
    copy = f"{series_key(FLAG, 'failure')}:1m"
    async with Redis.from_url(bench.redis_url, decode_responses=True, protocol=3) as client, asyncio.timeout(WAIT_S):
        while not await client.execute_command("TS.RANGE", copy, "-", "+", "LATEST"):  # type: ignore[no-untyped-call] # no types
            await asyncio.sleep(0.05)


async def test_users_come_back_with_redis_while_only_aerobat_runs(bench: Bench) -> None:
    aerobat = await bench.start_aerobat()
    await aerobat.until_ready()
    await put_key(bench, KEY)
    async with closing(series_of(bench)) as series:
        await until_written(series, FAILING, IN_WITHIN_S)
        for _ in range(2):
            await bench.kill(bench.redis)
            await bench.redis.start()
            await until_written(series, FAILING, MENDED_WITHIN_S)
        async with asyncio.timeout(WAIT_S):
            while await aerobat.metric("tailslide_aerobat_redis_users_nodes_in_step") != 1:
                await asyncio.sleep(0.05)
        assert await aerobat.metric("tailslide_aerobat_sdk_keys") == 1
        # NATS is away, and what is known of the keys stays.
        await bench.kill(bench.nats)
        await bench.kill(bench.redis)
        await bench.redis.start()
        await until_written(series, FAILING, MENDED_WITHIN_S)
        await bench.nats.start()


async def test_a_revoked_key_is_out_and_says_what_to_do(bench: Bench) -> None:
    await (await bench.start_aerobat()).until_ready()
    await put_key(bench, KEY)
    async with closing(series_of(bench)) as series:
        await until_written(series, FAILING, IN_WITHIN_S)
        await revoke(bench, KEY)
        assert "docs/redis.md" in await until_refused(series, OUT_WITHIN_S)


async def test_a_sidecar_says_that_its_key_is_refused_and_connects_once_it_is_good(bench: Bench) -> None:
    await (await bench.start_aerobat()).until_ready()
    await put_key(bench, SdkKey(FLAG.app, "bbbbbb", "b" * 40))
    socket, log = bench.folder / "sidecar.sock", bench.folder / "sidecar.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tailslide_sidecar.main",
            stderr=file,
            env={
                **os.environ,
                "TAILSLIDE_APP": FLAG.app,
                "TAILSLIDE_SDK_KEY": str(KEY),
                "TAILSLIDE_REDIS_URL": address(bench),
                "TAILSLIDE_FLAGS_LISTEN": f"unix:{socket}",
                "TAILSLIDE_PROXY_LISTEN": "127.0.0.1:0",
            },
        )
    try:

        async def until(holds: Callable[[dict[str, object]], bool]) -> None:
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(socket))) as session:
                async with asyncio.timeout(WAIT_S):
                    while True:
                        try:
                            async with session.get("http://sidecar/v1/status") as answer:
                                if holds((await answer.json())["redis"]):
                                    return
                        except aiohttp.ClientConnectionError:
                            assert process.returncode is None, log.read_text()
                        await asyncio.sleep(0.05)

        await until(lambda said: not said["connected"] and "SDK key was revoked" in str(said["problem"]))
        await put_key(bench, KEY)
        await until(lambda said: said == {"connected": True, "problem": None})
    finally:
        process.terminate()
        await process.wait()
    assert log.read_text().count("redis_unreachable") == 1
    assert str(KEY) not in log.read_text()
