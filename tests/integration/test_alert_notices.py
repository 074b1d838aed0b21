"""Notices on a real database: written once by several Towers, and over again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
import pytest
from alert_bench import AlertBench, Clock, alert_bench
from tower_bench import TowerBench, until

from tailslide_core.contracts import Lease, encode_lease
from tailslide_core.naming import LEASES_BUCKET, lease_key
from tailslide_tower.alerts.leases_seen import LeasesSeen
from tailslide_tower.alerts.watcher import GATHERED_AFTER, SeenSidecar, Watcher
from tailslide_tower.flags.flag import created
from tailslide_tower.flags.models import FlagCreate
from tailslide_tower.flags.store import FlagStore


@dataclass
class World:
    """What one Tower sees."""

    silent_s: float = 0.0
    connected: bool = True
    sidecars: list[SeenSidecar] | None = field(default_factory=list)
    gone: set[tuple[str, str]] = field(default_factory=set)

    def silent_for_s(self) -> float:
        return self.silent_s

    def seen(self) -> Sequence[SeenSidecar] | None:
        return self.sidecars

    def replaced(self) -> set[tuple[str, str]]:
        return self.gone


class Stage:
    """Some Towers on one database, with one clock."""

    def __init__(self, bench: TowerBench, towers: Sequence[AlertBench], clock: Clock) -> None:
        self.bench = bench
        self.clock = clock
        self.worlds = [World() for _ in towers]
        self._watchers = [
            Watcher(tower.database, world, world, world, tower.counted, now=clock)
            for tower, world in zip(towers, self.worlds, strict=True)
        ]

    async def look(self, **moved: float) -> None:
        """Let time pass for all, and all Towers look at the same moment."""
        self.clock.move(**moved)
        await asyncio.gather(*(watcher.look() for watcher in self._watchers))

    async def notices(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        async with self.bench.connection() as connection:
            rows = await connection.fetch("SELECT * FROM log WHERE action LIKE 'notice.%' ORDER BY id")
        return [(row["action"], row["app"], orjson.loads(row["details"])) for row in rows]

    async def actions(self) -> list[str]:
        return [action for action, _, _ in await self.notices()]


@pytest.fixture
async def stage(bench: TowerBench) -> AsyncIterator[Stage]:
    clock = Clock()
    async with alert_bench(bench, clock) as one, alert_bench(bench, clock) as other:
        await one.app()
        request = FlagCreate.model_validate({"key": "f", "active": True, "circuit": {}})
        async with one.database.begin() as connection:
            await FlagStore(connection).add(created("checkout", request, clock()))
        yield Stage(bench, [one, other], clock)


async def test_nothing_judged_is_one_notice_and_over_is_another(stage: Stage) -> None:
    await stage.look()
    for _ in range(5):
        for world in stage.worlds:
            world.silent_s += 10
        await stage.look(seconds=10)
    assert await stage.notices() == [
        ("notice.nothing_judged", None, {"cause": "no_aerobat", "since": "2026-11-28T03:00:00.000Z"})
    ]
    stage.worlds[1].silent_s = 0.3
    await stage.look(seconds=10)
    await stage.look(seconds=10)
    assert await stage.actions() == ["notice.nothing_judged", "notice.judged_again"]
    assert (await stage.notices())[1][2]["since"] == "2026-11-28T03:00:00.000Z"


async def test_tower_that_alone_sees_nothing_is_no_notice(stage: Stage) -> None:
    blind = stage.worlds[0]
    for _ in range(10):
        blind.silent_s += 10
        blind.connected = False
        await stage.look(seconds=10)
    assert await stage.actions() == []


async def test_nats_that_no_tower_reaches_is_named_as_the_cause(stage: Stage) -> None:
    await stage.look()
    for world in stage.worlds:
        world.silent_s, world.connected = 31, False
    await stage.look(seconds=31)
    assert [details["cause"] for _, _, details in await stage.notices()] == ["nats_unreachable"]


async def test_tower_that_has_just_started_waits_before_it_says_anything(stage: Stage) -> None:
    await stage.look()
    # All Towers were away for an hour.
    for world in stage.worlds:
        world.silent_s = 20
    await stage.look(hours=1)
    assert await stage.actions() == []
    for world in stage.worlds:
        world.silent_s = 31
    await stage.look(seconds=11)
    assert await stage.actions() == ["notice.nothing_judged"]


async def test_where_no_flag_has_a_circuit_that_is_on_nothing_is_missing(stage: Stage) -> None:
    await stage.look()
    await stage.bench.sql("UPDATE flags SET active = false")
    for world in stage.worlds:
        world.silent_s = 100
    await stage.look(seconds=100)
    assert await stage.actions() == []
    await stage.bench.sql("UPDATE flags SET active = true")
    await stage.look(seconds=29)
    assert await stage.actions() == []
    await stage.look(seconds=1)
    assert await stage.actions() == ["notice.nothing_judged"]


async def test_sidecars_that_are_lost_together_are_one_notice_for_each_app(stage: Stage) -> None:
    began = stage.clock()

    def heard(silent: int) -> list[SeenSidecar]:
        return [
            SeenSidecar(app, f"pay-{number}", began + timedelta(seconds=number), silent=number < silent)
            for app in ("checkout", "search")
            for number in range(5)
        ]

    async def see(sidecars: list[SeenSidecar] | None, **moved: float) -> None:
        for world in stage.worlds:
            world.sidecars = sidecars
        await stage.look(**moved)

    await see(heard(0))
    await see(heard(2), seconds=32)
    assert await stage.actions() == []
    await see(heard(5), seconds=GATHERED_AFTER.total_seconds() - 32)
    await see(heard(5), seconds=5)
    lost = {"count": 5, "instances": [f"pay-{n}" for n in range(5)], "since": "2026-11-28T03:00:00.000Z"}
    assert await stage.notices() == [("notice.sidecar_lost", app, lost) for app in ("checkout", "search")]

    await see(None, seconds=5)
    back = [SeenSidecar("checkout", "pay-3", stage.clock(), silent=False), *heard(5)[5:]]
    await see(back, seconds=5)
    await see(back, seconds=5)
    assert (await stage.notices())[2:] == [
        ("notice.sidecar_back", "checkout", {"count": 1, "instances": ["pay-3"], "since": "2026-11-28T03:00:03.000Z"})
    ]
    for world in stage.worlds:
        world.gone = {("search", "pay-0"), ("search", "pay-1"), ("search", "another")}
    await see(heard(5)[7:], seconds=5)
    assert [(app, told["instances"]) for _, app, told in (await stage.notices())[3:]] == [
        ("search", ["pay-0", "pay-1"])
    ]


async def test_lease_that_is_renewed_over_nats_is_heard(bench: TowerBench) -> None:
    seconds = 0.0
    leases = LeasesSeen(lambda: seconds)
    value = encode_lease(Lease("a", 1))
    await bench.delete_bucket(LEASES_BUCKET)
    await bench.put(LEASES_BUCKET, lease_key("a"), value)
    async with bench.nats() as client:
        following = asyncio.create_task(leases.follow(client))
        try:
            seconds = 60.0

            async def heard() -> bool:
                await bench.put(LEASES_BUCKET, lease_key("a"), value)
                return leases.silent_for_s() == 0

            await until(heard)
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


async def test_a_large_fleet_that_is_lost_and_back_is_told_of(stage: Stage) -> None:
    world, heard_at = stage.worlds[0], stage.clock()
    names = [(app, f"pod-{number}") for app in ("checkout", "search") for number in range(6_000)]
    world.sidecars = [SeenSidecar(app, name, heard_at, silent=True) for app, name in names]
    await stage.look(seconds=GATHERED_AFTER.total_seconds())
    world.sidecars = [SeenSidecar(app, name, stage.clock(), silent=False) for app, name in names]
    await stage.look(seconds=5)
    told = [(action, app, details["count"]) for action, app, details in await stage.notices()]
    assert told == [
        ("notice.sidecar_lost", "checkout", 6_000),
        ("notice.sidecar_lost", "search", 6_000),
        ("notice.sidecar_back", "checkout", 6_000),
        ("notice.sidecar_back", "search", 6_000),
    ]
