"""What the log tells of flags is asked for once, and again when it may have changed."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tailslide_core.circuit import Circuit, State
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.sentences.facts import Deed, Opening
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.flag_states import deeds
from tailslide_tower.flag_states import logged as logged_module
from tailslide_tower.flag_states.logged import Logged, LoggedFlags

OFF = Ruleset("shop", "one", 3, active=False, rollout=25.0, salt="s", circuit=CircuitSettings())
ONE = OFF.flag_id
FORCED = replace(OFF, active=True, circuit=CircuitSettings(forced_open=True))


@dataclass
class Kept:
    """A flag."""

    ruleset: Ruleset
    archived_at: datetime | None = None


class Log:
    """The queries, answered from what a test has put here, and counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.away = False
        self.opening: Opening | None = None
        for name in ("last_turned_off", "last_forced_open", "last_archived"):
            monkeypatch.setattr(deeds, name, self._deeds(name))
        monkeypatch.setattr(logged_module, "last_openings", self._openings)
        monkeypatch.setattr(logged_module, "AppStore", lambda connection: self)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[None]:
        if self.away:
            raise DatabaseUnavailableError("away")
        yield

    def _deeds(self, name: str) -> Any:
        async def ask(connection: object, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Deed]:
            if flag_ids:
                self.asked.append(name)
            return {flag_id: Deed(1, name) for flag_id in flag_ids}

        return ask

    async def _openings(self, connection: object, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Opening]:
        if flag_ids:
            self.asked.append("last_openings")
        return {} if self.opening is None else dict.fromkeys(flag_ids, self.opening)

    async def archived_since(self, apps: Collection[str]) -> Mapping[str, int]:
        return {}

    def take(self) -> list[str]:
        asked, self.asked = self.asked, []
        return asked


@dataclass
class Scene:
    log: Log
    circuit: Circuit | None = None
    now: float = 100.0
    flags: LoggedFlags = field(init=False)

    def __post_init__(self) -> None:
        self.flags = LoggedFlags(cast(Database, self.log), lambda flag_id: self.circuit, clock=lambda: self.now)

    async def of(self, ruleset: Ruleset, archived_at: datetime | None = None) -> Logged:
        return await self.flags.of([Kept(ruleset, archived_at)])


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(Log(monkeypatch))


async def test_who_did_it_is_asked_once_for_each_version(scene: Scene) -> None:
    assert (await scene.of(OFF)).deeds == {ONE: Deed(1, "last_turned_off")}
    assert scene.log.take() == ["last_turned_off", "last_openings"]
    assert (await scene.of(OFF)).deeds == {ONE: Deed(1, "last_turned_off")}
    assert scene.log.take() == []
    assert (await scene.of(replace(FORCED, version=4))).deeds == {ONE: Deed(1, "last_forced_open")}
    assert scene.log.take() == ["last_forced_open"]
    archived = await scene.of(replace(FORCED, version=5), datetime(2026, 11, 28, tzinfo=UTC))
    assert archived.deeds == {ONE: Deed(1, "last_archived")}
    assert (await scene.of(replace(OFF, active=True, version=6))).deeds == {}


async def test_opening_is_asked_for_again_when_the_circuit_has_moved(scene: Scene) -> None:
    scene.log.opening = Opening(1, None, 2)
    assert (await scene.of(OFF)).openings == {ONE: Opening(1, None, 2)}
    scene.log.take()
    scene.now += 60
    await scene.of(OFF)
    assert scene.log.take() == []
    scene.circuit = Circuit(State.OPEN, 0.0, 1)
    await scene.of(OFF)
    assert scene.log.take() == ["last_openings"]
    scene.now += 61
    await scene.of(OFF)
    assert scene.log.take() == ["last_openings"]


@pytest.mark.parametrize("opening", [None, Opening(1, None)])
async def test_opening_that_may_still_come_into_the_log_is_asked_for_soon(
    scene: Scene, opening: Opening | None
) -> None:
    scene.log.opening = opening
    await scene.of(OFF)
    scene.now += 2
    await scene.of(OFF)
    assert scene.log.take().count("last_openings") == 1
    scene.now += 0.5
    await scene.of(OFF)
    assert scene.log.take() == ["last_openings"]


async def test_what_is_remembered_is_told_while_the_database_is_away(scene: Scene) -> None:
    scene.log.opening = Opening(1, None, 2)
    await scene.of(OFF)
    scene.log.away = True
    told = await scene.of(OFF)
    assert told.deeds == {ONE: Deed(1, "last_turned_off")}
    assert told.openings == {ONE: Opening(1, None, 2)}
    assert (await scene.of(replace(OFF, version=4))).deeds == {}


async def test_so_many_flags_are_not_remembered_for_ever(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_module, "MOST_REMEMBERED", 3)
    for number in range(5):
        await scene.of(replace(OFF, key=f"f{number}"))
    scene.log.take()
    await scene.of(replace(OFF, key="f0"))
    assert "last_turned_off" in scene.log.take()
