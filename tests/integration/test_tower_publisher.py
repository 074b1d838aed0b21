"""Tower's publisher on real servers: whatever happens to them, the bucket becomes equal to the database."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from tower_bench import Tower, TowerBench, until

from tailslide_core.flag_contracts import decode_ruleset
from tailslide_core.naming import FlagId, bucket_subject
from tailslide_tower.app import serve
from tailslide_tower.publisher.service import COMPARE_EVERY_S

FLAGS = "/apps/shop/flags"
STRAY = {"shop.gone", "nonsense"}
"""What others have put into the bucket, and Tower leaves there."""


@pytest.fixture
async def tower(bench: TowerBench) -> AsyncIterator[Tower]:
    async with bench.tower() as running:
        await running.ok("POST", "/apps", {"key": "shop"})
        await make(running, "one", "two")
        await running.until_published()
        yield running


async def make(tower: Tower, *keys: str) -> None:
    for key in keys:
        await tower.ok("POST", FLAGS, {"key": key, "active": True})


async def equal(bench: TowerBench, tower: Tower) -> None:
    """Wait until the bucket holds just what the API shows."""
    await tower.until_published()
    shown = {flag["key"]: flag for flag in (await tower.ok("GET", FLAGS))["flags"]}
    rulesets = {
        key.partition(".")[2]: decode_ruleset(entry.value)
        for key, entry in (await bench.entries()).items()
        if entry.value is not None and key not in STRAY
    }
    assert rulesets.keys() == shown.keys()
    for key, flag in shown.items():
        ruleset = rulesets[key]
        assert (ruleset.version, ruleset.updated_at) == (flag["version"], flag["updated_at"])
        assert (ruleset.active, ruleset.rollout) == (flag["active"], flag["rollout"])
        assert ruleset.circuit is not None
        assert ruleset.circuit.reset_generation == flag["circuit"]["reset_generation"]


async def test_changes_and_deletions_arrive(bench: TowerBench, tower: Tower) -> None:
    await equal(bench, tower)
    await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 5})
    await bench.until_rulesets(lambda rulesets: rulesets["shop.one"].rollout == 5.0)
    await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
    await tower.delete_flag(f"{FLAGS}/two")
    await bench.until_rulesets(lambda rulesets: list(rulesets) == ["shop.one"])
    assert (await bench.entries())["shop.two"].value is None
    await make(tower, "two")
    await equal(bench, tower)


async def test_a_new_start_writes_nothing_that_is_there(bench: TowerBench, tower: Tower) -> None:
    before = await bench.entries()
    async with bench.tower() as second:
        await second.until_published()
        assert await bench.entries() == before


async def test_nats_that_comes_back_empty_is_filled_again(bench: TowerBench, tower: Tower) -> None:
    bench.servers.kill("nats")
    shutil.rmtree(bench.servers.folder / "nats" / "jetstream")
    bench.servers.start("nats")
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})
    await equal(bench, tower)


async def test_changes_while_nats_is_away_are_made_and_arrive_when_it_is_back(bench: TowerBench, tower: Tower) -> None:
    bench.servers.kill("nats")
    try:
        await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 5})
        await tower.delete_flag(f"{FLAGS}/two")
        await make(tower, "three")

        async def noticed() -> bool:
            return bool((await tower.call("GET", "/readyz")).body["nats"] == "down")

        await until(noticed)
        ready = await tower.call("GET", "/readyz")
        assert ready.status == 200
        assert (ready.body["ready"], ready.body["published"]) == (True, False)
        assert ready.body["pending"] == 3
    finally:
        bench.servers.start("nats")
    await bench.until_rulesets(
        lambda rulesets: rulesets.keys() == {"shop.one", "shop.three"} and rulesets["shop.one"].rollout == 5.0
    )
    await equal(bench, tower)


async def test_an_app_without_flags_is_marked_before_the_next_comparison_is_due(
    bench: TowerBench, tower: Tower
) -> None:
    await tower.until_published()
    await tower.ok("POST", "/apps", {"key": "empty"})

    async def marked() -> bool:
        return await bench.mark("empty") is not None

    await until(marked, timeout_s=COMPARE_EVERY_S / 2)


async def test_an_app_is_marked_once_all_of_it_is_published(bench: TowerBench, tower: Tower) -> None:
    async def marked() -> bool:
        return await bench.mark("shop") is not None

    # What is deleted before it was published leaves no deletion.
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})

    async def marked_with_a_deletion() -> bool:
        mark = await bench.mark("shop")
        return mark is not None and mark.keys == 2

    # A Tower that was slow to connect may have marked the app before its second flag was there. The next marks again.
    await tower.delete_flag(f"{FLAGS}/two")
    async with bench.tower():
        await until(marked_with_a_deletion)
    first = await bench.mark("shop")
    assert first is not None

    bench.servers.kill("nats")
    shutil.rmtree(bench.servers.folder / "nats" / "jetstream")
    await tower.delete_flag(f"{FLAGS}/one")
    await tower.ok("DELETE", "/apps/shop")
    bench.servers.start("nats")
    await until(marked)

    again = await bench.mark("shop")
    assert again is not None
    assert (again.at_ms > first.at_ms, again.keys) == (True, 0), "of an app that is gone as well"


async def test_a_bucket_that_is_deleted_is_made_and_filled_again(bench: TowerBench, tower: Tower) -> None:
    await bench.delete_bucket()
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})
    await equal(bench, tower)


async def test_a_change_to_a_deleted_bucket_arrives(bench: TowerBench, tower: Tower) -> None:
    await bench.delete_bucket()
    await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 5})
    rulesets = await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})
    assert rulesets["shop.one"].rollout == 5.0


async def test_a_bucket_that_is_purged_is_filled_again(bench: TowerBench, tower: Tower) -> None:
    await bench.purge_bucket()
    await bench.until_rulesets(lambda rulesets: rulesets.keys() == {"shop.one", "shop.two"})
    await equal(bench, tower)


async def test_killed_at_any_moment_it_makes_the_bucket_equal_at_the_next_start(bench: TowerBench) -> None:
    async with bench.tower_process() as (tower, process):
        await tower.ok("POST", "/apps", {"key": "shop"})
        await make(tower, *(f"flag-{n}" for n in range(20)))
        changing = [tower.call("PATCH", f"{FLAGS}/flag-{n}", {"rollout": n}) for n in range(20)]
        answers = asyncio.gather(*changing, return_exceptions=True)
        await bench.until_rulesets(lambda rulesets: any(ruleset.rollout < 100 for ruleset in rulesets.values()))
        process.kill()
        await process.wait()
        await answers
    async with bench.nats() as client:
        for key, value in (("shop.flag-1", b"nonsense"), ("shop.gone", b"{}"), ("nonsense", b"")):
            await client.jetstream().publish(bucket_subject("rulesets", key), value)
    async with bench.tower_process() as (tower, _):
        await equal(bench, tower)
        entries = await bench.entries()
        assert entries.pop("shop.gone").value == b"{}", "no row remembers it"
        assert entries.pop("nonsense").value == b"", "that is no flag's key"
        assert len(entries) == 20


async def test_two_towers_leave_the_newest(bench: TowerBench, tower: Tower) -> None:
    async with bench.tower() as second:
        await asyncio.gather(
            *(
                (tower, second)[n % 2].ok("PATCH", f"{FLAGS}/{key}", {"rollout": n})
                for key in ("one", "two")
                for n in range(30)
            )
        )
        await tower.until_published()
        await second.until_published()
        await equal(bench, tower)
        assert (await bench.rulesets())["shop.one"].version == 31


async def test_a_database_that_is_away_empties_no_bucket(bench: TowerBench, tower: Tower) -> None:
    before = await bench.rulesets()
    bench.servers.kill("postgres")
    bench.servers.kill("nats")
    bench.servers.start("nats")

    async def failed() -> bool:
        lines = (await tower.call("GET", "/metrics")).body.decode().splitlines()
        counts = [line for line in lines if line.startswith("tailslide_tower_publish_failures_total ")]
        return float(counts[0].split()[1]) >= 2

    try:
        await until(failed)
        assert await bench.rulesets() == before
    finally:
        bench.servers.start("postgres")
    await equal(bench, tower)


async def test_a_start_without_nats_serves_and_publishes_later(bench: TowerBench) -> None:
    bench.servers.kill("nats")
    try:
        async with bench.tower() as tower:
            await tower.ok("POST", "/apps", {"key": "shop"})
            await make(tower, "one")
            bench.servers.start("nats")
            await bench.until_rulesets(lambda rulesets: rulesets.keys() == {str(FlagId("shop", "one"))})
    finally:
        bench.servers.start("nats")


async def test_a_row_that_is_not_valid_leaves_the_last_good_value(bench: TowerBench, tower: Tower) -> None:
    before = await bench.rulesets()
    await bench.sql("UPDATE flags SET rollout = 500, version = version + 1 WHERE key = 'one'")
    await bench.delete_key("shop.two")
    async with bench.tower() as second:
        await second.until_published()
        assert await bench.rulesets() == before
        assert (await second.call("GET", f"{FLAGS}/one")).error == (500, "FLAG_UNREADABLE", "flag")


async def test_it_stops_while_it_waits_for_the_database(bench: TowerBench) -> None:
    bench.servers.kill("postgres")
    try:
        task = asyncio.create_task(serve(bench.settings(), bench.announced.append))
        _, running = await asyncio.wait({task}, timeout=0.2)
        assert running == {task}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        bench.servers.start("postgres")
