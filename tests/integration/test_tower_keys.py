"""SDK keys from Tower's API to the bucket, and to a sidecar that gets in by one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from callout_stage import new_key
from nats.js.errors import NotFoundError
from pydantic import SecretStr
from real_servers import RealServers
from sidecar_bench import FLAG, Sidecar, bench_on
from tower_bench import Tower, TowerBench, tower_bench, until

from tailslide_aerobat import app as aerobat
from tailslide_aerobat.settings import AerobatSettings
from tailslide_core.naming import KEYS_BUCKET, SIDECARS_BUCKET, SidecarId, bucket_stream, bucket_subject
from tailslide_core.sdk_keys import SdkKey, decode_sdk_key_record, encode_sdk_key_record, parse_sdk_key
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.server_urls import NatsUrl, RedisUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.publisher.bucket import BucketGoneError, JetStreamBucket


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    async with tower_bench(own_servers, tmp_path) as made:
        made.more_settings = callout_of(own_servers, "tower")
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


async def entries(bench: TowerBench) -> dict[str, Entry]:
    async with bench.nats() as client:
        try:
            return await JetStreamBucket(client, KEYS_BUCKET).listing()
        except BucketGoneError:
            return {}


async def until_in_bucket(bench: TowerBench, name: str, *, there: bool) -> None:
    async def holds() -> bool:
        entry = (await entries(bench)).get(name)
        return there is (entry is not None and entry.value is not None)

    await until(holds)


async def until_present(bench: TowerBench, sidecar: SidecarId) -> None:
    """Wait until a sidecar's own entry has come through the import, into the bucket that Tower has made."""

    async def present() -> bool:
        async with bench.nats() as client:
            try:
                await client.jetstream().get_last_msg(
                    bucket_stream(SIDECARS_BUCKET), bucket_subject(SIDECARS_BUCKET, str(sidecar))
                )
            except NotFoundError:
                return False
        return True

    await until(present)


async def make_key(tower: Tower, app: str = "shop", name: str = "production") -> SdkKey:
    return parse_sdk_key((await tower.ok("POST", f"/apps/{app}/keys", {"name": name}))["key"])


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


@asynccontextmanager
async def sidecar_with(servers: RealServers, key: SdkKey) -> AsyncIterator[Sidecar]:
    """Start a sidecar that has a key and no snapshot; it listens, and need not be ready."""
    async with bench_on(servers.endpoints.nats_url, servers.endpoints.redis_url) as bench:
        bench.app = key.app
        bench.environment = {
            "TAILSLIDE_NATS_URL": str(NatsUrl.parse(servers.endpoints.nats_url)),
            "TAILSLIDE_SDK_KEY": str(key),
        }
        yield await bench.start(ready=False)


async def test_key_is_shown_once_and_kept_as_a_hash(bench: TowerBench, tower: Tower) -> None:
    answer = await tower.call("POST", "/apps/shop/keys", {"name": "production"})
    assert answer.status == 201
    key = parse_sdk_key(answer.body["key"])
    assert key.app == "shop"
    assert answer.headers["Location"].endswith(f"/apps/shop/keys/{key.key_id}")
    listed = (await tower.ok("GET", "/apps/shop/keys"))["keys"]
    assert listed == [{name: answer.body[name] for name in ("app", "id", "name", "created_at", "created_by")}]
    assert (listed[0]["name"], listed[0]["created_by"]) == ("production", "environment")
    await until_in_bucket(bench, key.record.name, there=True)
    entry = (await entries(bench))[key.record.name]
    assert entry.value is not None
    assert decode_sdk_key_record(entry.value) == key.record
    async with bench.connection() as connection:
        kept = str(await connection.fetch("SELECT * FROM sdk_keys")) + str(await connection.fetch("SELECT * FROM log"))
    assert key.secret not in kept
    assert key.secret.encode() not in entry.value


async def test_revoked_key_is_deleted_from_the_bucket_and_stays_so(bench: TowerBench, tower: Tower) -> None:
    key, other = await make_key(tower), await make_key(tower)
    await until_in_bucket(bench, key.record.name, there=True)
    assert (await tower.call("DELETE", f"/apps/shop/keys/{key.key_id}")).status == 204
    await until_in_bucket(bench, key.record.name, there=False)
    assert [one["id"] for one in (await tower.ok("GET", "/apps/shop/keys"))["keys"]] == [other.key_id]
    await bench.put(KEYS_BUCKET, key.record.name, encode_sdk_key_record(key.record))
    await make_key(tower)  # so that it looks at once
    await until_in_bucket(bench, key.record.name, there=False)
    async with bench.connection() as connection:
        actions = await connection.fetch("SELECT action, key, actor FROM log WHERE kind = 'sdk_key' ORDER BY id")
    assert [(row["action"], row["key"]) for row in actions][:3] == [
        ("sdk_key.created", key.key_id),
        ("sdk_key.created", other.key_id),
        ("sdk_key.revoked", key.key_id),
    ]


async def test_keys_of_a_deleted_app_are_revoked(bench: TowerBench, tower: Tower) -> None:
    key = await make_key(tower)
    await until_in_bucket(bench, key.record.name, there=True)
    began = time.monotonic()
    assert (await tower.call("DELETE", "/apps/shop")).status == 204
    await until_in_bucket(bench, key.record.name, there=False)
    assert time.monotonic() - began < 3


async def test_key_made_at_a_tower_without_nats_is_published_by_another(bench: TowerBench, tower: Tower) -> None:
    bench.more_settings = {**bench.more_settings, "nats_url": NatsUrl.parse("nats://127.0.0.1:9")}
    async with bench.tower() as cut_off:
        began = time.monotonic()
        key = await make_key(cut_off)
        await until_in_bucket(bench, key.record.name, there=True)
        assert time.monotonic() - began < 3


async def test_lost_bucket_is_filled_again(bench: TowerBench, tower: Tower) -> None:
    key, revoked = await make_key(tower), await make_key(tower)
    await tower.call("DELETE", f"/apps/shop/keys/{revoked.key_id}")
    await until_in_bucket(bench, key.record.name, there=True)
    await bench.delete_bucket(KEYS_BUCKET)
    await until_in_bucket(bench, key.record.name, there=True)

    async def marked() -> bool:
        entry = (await entries(bench)).get(revoked.record.name)
        return entry is not None and entry.value is None

    await until(marked)


async def test_tower_on_another_database_wipes_nothing(bench: TowerBench, tower: Tower) -> None:
    key = await make_key(tower)
    await until_in_bucket(bench, key.record.name, there=True)
    async with bench.another_database() as other:
        other.more_settings = bench.more_settings
        async with other.tower() as stranger:
            await stranger.call("POST", "/apps", {"key": "shop"}, Tailslide_Unpublished="accept")
            made = await stranger.call("POST", "/apps/shop/keys", {"name": "foreign"}, Tailslide_Unpublished="accept")
            assert made.status == 201, made
            await make_key(tower, name="second")
            await asyncio.sleep(1.5)  # that it does nothing is no event
            assert f"shop.{made.body['id']}" not in await entries(bench)
            assert (await entries(bench))[key.record.name].value is not None


async def test_what_is_asked_in_vain_names_the_field(tower: Tower) -> None:
    assert (await tower.call("POST", "/apps/shop/keys", {})).error == (400, "INVALID", "name")
    assert (await tower.call("POST", "/apps/shop/keys", {"name": ""})).error == (400, "INVALID", "name")
    assert (await tower.call("POST", "/apps/nothing/keys", {"name": "x"})).error == (404, "APP_NOT_FOUND", "app")
    assert (await tower.call("GET", "/apps/nothing/keys")).error == (404, "APP_NOT_FOUND", "app")
    assert (await tower.call("DELETE", "/apps/shop/keys/abcdef")).error == (404, "KEY_NOT_FOUND", "key")


async def test_bootstrap_makes_the_first_app_and_key_once(bench: TowerBench) -> None:
    key = new_key("checkout")
    bench.more_settings = {**bench.more_settings, "bootstrap_app": "checkout", "bootstrap_sdk_key": SecretStr(str(key))}
    async with bench.tower() as tower:
        assert [app["key"] for app in (await tower.ok("GET", "/apps"))["apps"]] == ["checkout"]
        await until_in_bucket(bench, key.record.name, there=True)
        await tower.call("DELETE", f"/apps/checkout/keys/{key.key_id}")
    async with bench.tower() as tower:
        assert (await tower.ok("GET", "/apps/checkout/keys"))["keys"] == []
        await tower.call("DELETE", "/apps/checkout")
    async with bench.tower() as tower:
        assert (await tower.ok("GET", "/apps"))["apps"] == []


async def test_sidecar_gets_in_by_its_key_and_out_when_it_is_revoked(
    bench: TowerBench, tower: Tower, own_servers: RealServers
) -> None:
    await tower.ok("POST", "/apps/shop/flags", {"key": FLAG, "active": True})
    key = await make_key(tower)
    await until_in_bucket(bench, key.record.name, there=True)
    async with sidecar_with(own_servers, key) as sidecar:
        await sidecar.until_ready()
        await tower.ok("PATCH", f"/apps/shop/flags/{FLAG}", {"rollout": 0})
        await sidecar.until_answers(active=False)
        await until_present(bench, SidecarId("shop", str((await sidecar.get("/v1/status"))[1]["instance"])))
        began = time.monotonic()
        await tower.call("DELETE", f"/apps/shop/keys/{key.key_id}")

        async def told() -> bool:
            return "nats_access_refused" in sidecar.log()

        await until(told)
        assert time.monotonic() - began < 5
        assert "make a key of the app in Tower and set TAILSLIDE_SDK_KEY" in sidecar.log()
        status = (await sidecar.get("/v1/status"))[1]
        assert '"refused":true' in orjson.dumps(status["nats"]).decode()
        await sidecar.until_answers(active=False)  # from memory
        assert (await sidecar.get("/readyz"))[0] == 200


async def test_new_sidecar_starts_without_tower_and_postgres_after_a_restart_of_nats(
    bench: TowerBench, own_servers: RealServers, tmp_path: Path
) -> None:
    async with running_aerobat(own_servers, tmp_path):
        async with bench.tower() as tower:
            await tower.ok("POST", "/apps", {"key": "shop"})
            await tower.ok("POST", "/apps/shop/flags", {"key": FLAG, "active": True})
            key = await make_key(tower)
            await until_in_bucket(bench, key.record.name, there=True)
            await tower.until_published()
        try:
            own_servers.stop("postgres")
            own_servers.kill("nats")
            own_servers.start("nats")
            async with sidecar_with(own_servers, key) as sidecar:
                await sidecar.until_ready()
                await sidecar.until_answers(active=True)
        finally:
            own_servers.start("postgres")
