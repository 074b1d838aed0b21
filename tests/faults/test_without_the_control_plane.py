"""Tower and PostgreSQL are gone, NATS and Redis were started again: a new sidecar starts by its key alone, and a
circuit trips and recovers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr
from real_servers import RealServers, real_servers
from redis.asyncio import Redis
from sidecar_bench import FLAG, bench_on, upstream
from tower_bench import TowerBench, tower_bench, until

from tailslide_aerobat import app as aerobat
from tailslide_aerobat.settings import AerobatSettings
from tailslide_core.naming import KEYS_BUCKET, FlagId, series_key
from tailslide_core.sdk_keys import SdkKey, parse_sdk_key
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.server_urls import NatsUrl, RedisUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.publisher.bucket import BucketGoneError, JetStreamBucket

APP = "shop"
CIRCUIT = {
    "min_calls": 10,
    "recovery": {"delay_ms": 1000, "max_delay_ms": 10_000, "initial": 50, "increment": 50, "interval_ms": 500},
}
WAIT_S = 30.0


@pytest.fixture
def running() -> Iterator[RealServers]:
    with real_servers() as servers:
        yield servers


@pytest.fixture
async def bench(running: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    async with tower_bench(running, tmp_path) as made:
        made.more_settings = {
            **callout_of(running, "tower"),
            "redis_url": RedisUrl.parse(running.endpoints.redis_url),
        }
        yield made


def callout_of(servers: RealServers, part: str) -> dict[str, Any]:
    access = servers.endpoints.nats_access
    assert access is not None
    return {
        "nats_url": NatsUrl.parse(access.tower_url if part == "tower" else access.aerobat_url),
        "nats_issuer_seed": SecretStr(access.issuer_seed),
        "nats_callout_url": NatsUrl.parse(access.callout_url),
        "nats_system_url": NatsUrl.parse(access.system_url),
    }


@asynccontextmanager
async def running_aerobat(servers: RealServers, folder: Path) -> AsyncIterator[None]:
    settings = AerobatSettings(
        redis_url=RedisUrl.parse(servers.endpoints.redis_url),
        aerobat_listen=ListenAddress(path=folder / "aerobat.sock"),
        **callout_of(servers, "aerobat"),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(aerobat.run(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def make_flag_and_key(bench: TowerBench) -> SdkKey:
    async with bench.tower() as tower:
        await tower.ok("POST", "/apps", {"key": APP})
        flag = {"key": FLAG, "active": True, "rollout": 100, "circuit": CIRCUIT}
        await tower.ok("POST", f"/apps/{APP}/flags", flag)
        key = parse_sdk_key((await tower.ok("POST", f"/apps/{APP}/keys", {"name": "production"}))["key"])
        await tower.until_published()

        async def in_bucket() -> bool:
            async with bench.nats() as client:
                try:
                    return key.record.name in await JetStreamBucket(client, KEYS_BUCKET).listing()
                except BucketGoneError:
                    return False

        await until(in_bucket)
    return key


@dataclass
class Feature:
    """An upstream that fails or not."""

    status: int = 200

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(status=self.status)


@asynccontextmanager
async def calling(url: str) -> AsyncIterator[None]:
    """Call a proxy all the time."""

    async def call() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                raise_if_cancelled()
                async with session.get(url, headers={"X-User-Id": "u"}):
                    await asyncio.sleep(0.005)

    task = asyncio.create_task(call())
    try:
        yield
    finally:
        task.cancel()
        ended = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended[0], asyncio.CancelledError), ended


async def test_new_sidecar_is_protected_while_tower_and_postgres_are_gone(
    bench: TowerBench, running: RealServers, tmp_path: Path
) -> None:
    endpoints = running.endpoints
    with ExitStack() as stopped:
        async with running_aerobat(running, tmp_path):
            key = await make_flag_and_key(bench)
            stopped.callback(running.start, "postgres")  # for the bench, which deletes its database
            running.stop("postgres")
            for server in ("nats", "redis"):
                running.kill(server)
                running.start(server)
            feature = Feature()
            async with (
                upstream(feature.answer) as feature_url,
                bench_on(endpoints.nats_url, endpoints.redis_url) as sidecars,
            ):
                sidecars.app = key.app
                sidecars.environment = {
                    "TAILSLIDE_NATS_URL": str(NatsUrl.parse(endpoints.nats_url)),
                    "TAILSLIDE_REDIS_URL": str(RedisUrl.parse(endpoints.redis_url)),
                    "TAILSLIDE_SDK_KEY": str(key),
                }
                sidecar = await sidecars.start(sidecars.route(feature_url, {"status": 503}))
                async with calling(sidecar.proxy):
                    await sidecar.until_answers(active=True, circuit="closed")
                    feature.status = 500
                    await sidecar.until_answers(active=False, circuit="open")
                    feature.status = 200
                    async with asyncio.timeout(WAIT_S):
                        await sidecar.until_answers(active=True, circuit="closed")
                assert (await sidecar.get("/v1/status"))[1]["redis"] == {"connected": True, "problem": None}
            copy = f"{series_key(FlagId(APP, FLAG), 'failure')}:10s"
            async with Redis.from_url(endpoints.redis_url) as client:
                assert await client.execute_command("TS.RANGE", copy, "-", "+", "LATEST")  # type: ignore[no-untyped-call] # no types
