"""What is true now, on real servers: sidecars that come, go and freeze, and how far a change has come."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import pytest
from nats.aio.client import Client
from real_servers import RealServers
from sidecar_bench import Bench, Sidecar, bench_on
from tower_bench import Tower, TowerBench, until

from tailslide_core.naming import SIDECARS_BUCKET, bucket_stream, bucket_subject
from tailslide_core.presence import decode_presence
from tailslide_runtime.bucket_watch import Entry, Listing, watch_bucket
from tailslide_tower.sidecars.bucket import SidecarWatch, ensure_sidecars_bucket
from tailslide_tower.sidecars.registry import Happening, SidecarRegistry

APP = "shop"
FLAG = "new-checkout"


@pytest.fixture
async def sidecars(bench: TowerBench, own_servers: RealServers) -> AsyncIterator[Bench]:
    async with bench_on(bench.nats_url, own_servers.endpoints.redis_url) as made:
        made.app = APP
        yield made


async def listed(tower: Tower) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await tower.ok("GET", f"/apps/{APP}/sidecars"))["sidecars"]
    return found


async def until_listed(tower: Tower, number: int) -> list[dict[str, Any]]:
    async def check() -> bool:
        return len(await listed(tower)) == number

    await until(check)
    return await listed(tower)


async def make_flag(tower: Tower) -> None:
    await tower.ok("POST", f"/apps/{APP}/flags", {"key": FLAG, "active": True, "rollout": 25})


async def change_flag(tower: Tower, rollout: float) -> dict[str, Any]:
    answer = await tower.call("PATCH", f"/apps/{APP}/flags/{FLAG}", {"rollout": rollout})
    assert answer.status == 200, answer
    state: dict[str, Any] = answer.whole["state"]
    return state


def arrived(*counts: int) -> Any:
    return lambda state: (state["arrived"]["arrived"], state["arrived"]["of"]) == counts


async def instance(sidecar: Sidecar) -> str:
    return str((await sidecar.get("/v1/status"))[1]["instance"])


@asynccontextmanager
async def entries(client: Client) -> AsyncIterator[dict[str, Entry]]:
    """Yield the entries of the bucket as they are written; a deletion is an entry without a value."""
    found: dict[str, Entry] = {}

    async def follow() -> None:
        async with aclosing(watch_bucket(client, SIDECARS_BUCKET, ">")) as items:
            async for item in items:
                found.update(item.entries if isinstance(item, Listing) else {item.key: item})

    task = asyncio.create_task(follow())
    try:
        yield found
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_sidecar_writes_its_entry_at_once_after_a_change_and_takes_it_away_at_its_end(
    tower: Tower, bench: TowerBench, sidecars: Bench
) -> None:
    await make_flag(tower)
    await tower.until_published()
    sidecar = await sidecars.start(sidecars.route("http://127.0.0.1:1", "http://127.0.0.1:2") | {"flag": FLAG})
    await tower.until_state(arrived(1, 1), FLAG)
    (shown,) = await listed(tower)
    assert shown["instance"] == await instance(sidecar)
    assert shown["listeners"] == [f"unix:{sidecar.socket}", sidecar.proxy.removeprefix("http://")]
    assert (shown["route_flags"], shown["route_flags_count"], shown["refused"]) == ([FLAG], 1, [])
    assert (shown["status"], shown["source"]) == ("current", "jetstream")
    async with bench.nats() as client, entries(client) as found:
        key = f"{APP}.{shown['instance']}"
        await until(lambda: _truth(key in found))
        began = asyncio.get_running_loop().time()
        await change_flag(tower, 50)
        await tower.until_state(arrived(1, 1), FLAG)
        # Without a change the next entry would come after ten seconds.
        assert asyncio.get_running_loop().time() - began < 5
        value = found[key].value
        assert value is not None
        assert decode_presence(value).revision > shown["revision"]
        assert await sidecar.end() == 0
        await until(lambda: _truth(found[key].value is None))
    await until_listed(tower, 0)


async def _truth(value: bool) -> bool:
    return value


async def test_a_change_has_not_arrived_in_a_sidecar_that_is_frozen(tower: Tower, sidecars: Bench) -> None:
    await make_flag(tower)
    first, second = await sidecars.start(), await sidecars.start()
    await tower.until_state(arrived(2, 2), FLAG)
    second.process.send_signal(signal.SIGSTOP)
    try:
        await change_flag(tower, 50)
        state = await tower.until_state(arrived(1, 2), FLAG)
        missing = state["arrived"]["missing"]
        assert (state["state"], state["word"], state["settled"]) == ("arriving", "Arriving 1/2", "on")
        assert "arrived in 1 of 2 sidecars" in state["sentence"]
        assert state["published"] is True
        assert [each["why"] for each in missing] == ["behind"]
        assert missing[0]["instance"] != await instance(first)
        statuses = {each["instance"]: each["status"] for each in await listed(tower)}
        assert statuses == {await instance(first): "current", missing[0]["instance"]: "behind"}
    finally:
        second.process.send_signal(signal.SIGCONT)
    state = await tower.until_state(arrived(2, 2), FLAG)
    assert state["word"] == "On · 50%"


async def test_a_sidecar_that_was_killed_counts_as_silent_after_a_while(bench: TowerBench, sidecars: Bench) -> None:
    registry = SidecarRegistry(silent_after_s=1.0)
    watch = SidecarWatch(registry, look_every_s=0.05)
    told: list[Happening] = []
    registry.subscribe(lambda news: told.append(news.happening))
    async with bench.nats() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(watch.serve(client)), group.create_task(watch.run())]
        sidecar = await sidecars.start(ready=False)
        await until(lambda: _truth(len(registry.of(APP)) == 1))
        await sidecar.end(signal.SIGKILL)
        await until(lambda: _truth(registry.of(APP)[0].silent))
        assert registry.of(APP)[0].presence.instance
        for task in tasks:
            task.cancel()
    assert told[0] is Happening.APPEARED
    assert told[-1] is Happening.SILENT


async def test_an_entry_expires_and_no_message_wipes_those_of_others(bench: TowerBench) -> None:
    await bench.delete_bucket(SIDECARS_BUCKET)
    async with bench.nats() as client:
        await ensure_sidecars_bucket(client, ttl_s=1.0)
        js, stream = client.jetstream(), bucket_stream(SIDECARS_BUCKET)

        async def messages() -> int:
            return (await js.stream_info(stream)).state.messages

        await client.publish(bucket_subject(SIDECARS_BUCKET, "shop.a"), b"{}")
        await client.publish(bucket_subject(SIDECARS_BUCKET, "shop.b"), b"{}", headers={"Nats-Rollup": "all"})
        await client.publish(bucket_subject(SIDECARS_BUCKET, "shop.c"), b"x" * 100_000)
        await client.flush()
        # Neither the rollup nor what is too large is taken.
        assert await messages() == 1
        await until(lambda: _equals(messages, 0))
    await bench.delete_bucket(SIDECARS_BUCKET)


async def _equals(ask: Any, value: object) -> bool:
    return bool(await ask() == value)


async def test_what_is_changed_without_nats_is_not_published_until_it_is_back(
    tower: Tower, sidecars: Bench, own_servers: RealServers
) -> None:
    await make_flag(tower)
    await sidecars.start()
    await tower.until_state(arrived(1, 1), FLAG)
    own_servers.stop("nats")
    try:
        state = await change_flag(tower, 75)
        assert (state["published"], state["state"], state["word"]) == (False, "arriving", "Arriving 0/1")
        await tower.until_state(lambda state: "not yet published: NATS cannot be reached" in state["sentence"], FLAG)
        # Then what is known of circuits is too old to be relied on.
        state = await tower.until_state(lambda state: state["state"] == "unknown", FLAG)
        assert "NATS cannot be reached, trying again." in state["sentence"]
        assert (state["settled"], state["published"]) == ("on", False)
    finally:
        own_servers.start("nats")
    state = await tower.until_state(arrived(1, 1), FLAG)
    assert state["published"] is True
    assert "arrived in 1 of 1 sidecar" in state["sentence"]


async def test_a_bucket_that_was_deleted_is_filled_again_and_arrives(
    tower: Tower, bench: TowerBench, sidecars: Bench
) -> None:
    await make_flag(tower)
    for rollout in (30, 40, 50):
        await change_flag(tower, rollout)
    await sidecars.start()
    await tower.until_state(arrived(1, 1), FLAG)
    (before,) = await listed(tower)
    await bench.delete_bucket()
    # The new bucket counts from the beginning: what the sidecar had seen of the old one is no proof.
    await tower.until_published()

    async def seen_anew() -> bool:
        (sidecar,) = await listed(tower)
        state = await tower.state(FLAG)
        return bool(sidecar["revision"] < before["revision"] and arrived(1, 1)(state) and state["published"])

    await until(seen_anew)


async def test_the_bucket_of_sidecars_is_made_again(tower: Tower, bench: TowerBench, sidecars: Bench) -> None:
    await sidecars.start(ready=False)
    (before,) = await until_listed(tower, 1)
    await bench.delete_bucket(SIDECARS_BUCKET)

    async def heard_again() -> bool:
        (sidecar,) = await listed(tower)
        return bool(sidecar["last_heard_at"] > before["last_heard_at"])

    await until(heard_again)


async def test_sidecars_of_all_apps_are_listed_page_by_page(tower: Tower, sidecars: Bench) -> None:
    await tower.ok("POST", "/apps", {"key": "desk"})
    for app in (APP, "desk"):
        sidecars.app = app
        await sidecars.start(ready=False)
    await until_listed(tower, 1)
    first = await tower.ok("GET", "/sidecars?limit=1")
    second = await tower.ok("GET", f"/sidecars?limit=1&after={first['next']}")
    assert [each["app"] for each in first["sidecars"] + second["sidecars"]] == ["desk", APP]
    assert (second["next"], second["listening"]) == (None, True)
    assert sum(second["counts"].values()) == 2
    assert (await tower.ok("GET", "/sidecars?status=silent"))["sidecars"] == []
    assert (await tower.call("GET", "/sidecars?status=lost")).error == (400, "INVALID", "status")
    assert (await tower.call("GET", "/apps/none/sidecars")).error == (404, "APP_NOT_FOUND", "app")
    assert (await tower.call("GET", "/sidecars?after=%20")).error == (400, "INVALID", "after")
