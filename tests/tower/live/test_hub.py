"""The live socket's hub and its clients, in memory: what is sent in which order, and what a slow client costs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from tailslide_core.naming import FlagId
from tailslide_tower.auth.principal import ENVIRONMENT, Principal, PrincipalKind, Role
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.live import hub as hub_module
from tailslide_tower.live import session as session_module
from tailslide_tower.live.hub import Hub, Missed, RecentLog, Refused
from tailslide_tower.live.session import MAX_BEHIND, MAX_DIRTY
from tailslide_tower.live.sources import Bounds, LiveEntry, SidecarKey

Json = dict[str, Any]


class MemoryLog:
    """The log, and who follows it."""

    def __init__(self) -> None:
        self.entries: list[LiveEntry] = []
        self.read: list[int] = []
        self.away = False
        self.start = 0
        self._new: asyncio.Queue[LiveEntry | Missed] = asyncio.Queue()

    def write(self, key: str = "search", app: str | None = "shop", kind: str = "flag", *, told: bool = True) -> int:
        number = (self.entries[-1].id if self.entries else self.start) + 1
        entry = LiveEntry(number, kind, app, key, f"{kind}.changed", {"id": number})
        self.entries.append(entry)
        if told:
            self._new.put_nowait(entry)
        return number

    def miss(self) -> None:
        self._new.put_nowait(Missed(self.entries[-1].id))

    async def after(self, entry_id: int, limit: int) -> Sequence[LiveEntry]:
        if self.away:
            raise DatabaseUnavailableError("away")
        self.read.append(entry_id)
        return [entry for entry in self.entries if entry.id > entry_id][:limit]

    async def bounds(self) -> Bounds:
        return Bounds(self.entries[0].id, self.entries[-1].id) if self.entries else Bounds(0, 0)

    @asynccontextmanager
    async def follow(self) -> AsyncIterator["MemoryLog"]:
        yield self

    async def __aiter__(self) -> AsyncIterator[LiveEntry | Missed]:
        while True:
            yield await self._new.get()


class MemoryFlags:
    def __init__(self) -> None:
        self.flags: dict[FlagId, int] = {}
        self.asked: list[list[FlagId]] = []

    async def some(self, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Json]:
        self.asked.append(list(flag_ids))
        return {flag_id: {"version": self.flags[flag_id]} for flag_id in flag_ids if flag_id in self.flags}

    async def page(
        self, apps: Collection[str] | None, after: FlagId | None, limit: int
    ) -> Sequence[tuple[FlagId, Json]]:
        found = sorted(
            flag_id
            for flag_id in self.flags
            if (apps is None or flag_id.app in apps) and (after is None or flag_id > after)
        )
        return [(flag_id, {"version": self.flags[flag_id]}) for flag_id in found[:limit]]


class News:
    def __init__(self) -> None:
        self.tell: Callable[[FlagId], None] = lambda _: None

    def subscribe(self, subscriber: Callable[[FlagId], None]) -> Callable[[], None]:
        self.tell = subscriber
        return lambda: None


class NoSidecars:
    def subscribe(self, subscriber: Callable[[SidecarKey], None]) -> Callable[[], None]:
        return lambda: None

    def some(self, keys: Collection[SidecarKey]) -> Mapping[SidecarKey, Json]:
        return {}

    def of(self, apps: Collection[str] | None) -> Mapping[SidecarKey, Json]:
        return {}


class MemorySocket:
    """A client that takes what it is sent only while it `reads`."""

    def __init__(self) -> None:
        self.got: list[Json] = []
        self.said: asyncio.Queue[str | None] = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed: tuple[int, str] | None = None
        self._came = asyncio.Event()

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.got.append(orjson.loads(text))
        self._came.set()

    async def receive(self) -> str | None:
        return await self.said.get()

    async def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)
        self.said.put_nowait(None)

    def subscribe(self, since: int | None = None, **wanted: Any) -> None:
        message = {"subscribe": wanted} | ({} if since is None else {"since": str(since)})
        self.said.put_nowait(orjson.dumps(message).decode())

    async def until(self, kind: str) -> Json:
        """Return the next message of a type, and forget it and all before it."""
        async with asyncio.timeout(5):
            while True:
                for index, message in enumerate(self.got):
                    if message["type"] == kind:
                        del self.got[: index + 1]
                        return message
                self._came.clear()
                await self._came.wait()


class Credential:
    def __init__(self, stage: "Stage") -> None:
        self._stage = stage

    async def principal(self) -> Principal | None:
        return self._stage.principal


class Stage:
    def __init__(self) -> None:
        self.log, self.flags, self.news = MemoryLog(), MemoryFlags(), News()
        self.principal: Principal | None = ENVIRONMENT
        self.hub = Hub(
            follow=self.log.follow,
            reader=self.log,
            flags=self.flags,
            flag_news=self.news,
            sidecars=NoSidecars(),
            recheck_s=0.001,
        )
        self.tasks: list[asyncio.Task[None]] = []

    def flag(self, key: str = "search", app: str = "shop", version: int = 1) -> FlagId:
        flag_id = FlagId(app, key)
        self.flags.flags[flag_id] = version
        return flag_id

    def client(self, principal: Principal = ENVIRONMENT) -> MemorySocket:
        socket = MemorySocket()
        self.principal = principal
        self.tasks.append(asyncio.create_task(self.hub.serve(socket, principal, Credential(self))))
        return socket


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    made = Stage()
    monkeypatch.setattr(session_module, "RETRY_S", 0.001)
    running = asyncio.create_task(made.hub.run())
    yield made
    running.cancel()
    await asyncio.gather(running, *made.tasks, return_exceptions=True)
    for task in made.tasks:
        assert task.cancelled() or task.exception() is None


async def test_a_flag_comes_before_the_entry_that_touches_it(stage: Stage) -> None:
    client = stage.client()
    stage.flag(version=1)
    client.subscribe(apps=["shop"], log=True)
    await client.until("current")
    stage.flag(version=2)
    number = stage.log.write()
    flag = await client.until("flag")
    entry = await client.until("log")
    assert flag["flag"] == {"version": 2}
    assert entry == {"type": "log", "cursor": str(number), "entry": {"id": number}}


async def test_many_entries_about_one_flag_read_it_once(stage: Stage) -> None:
    client = stage.client()
    stage.flag()
    client.subscribe(apps=["shop"], log=True, snapshot=False)
    await client.until("subscribed")
    client.reads.clear()
    for _ in range(100):
        stage.log.write()
    await asyncio.sleep(0)
    client.reads.set()
    async with asyncio.timeout(5):
        while len([each for each in client.got if each["type"] == "log"]) < 100:
            await asyncio.sleep(0.001)
    assert len(stage.flags.asked) <= 3


async def test_a_deleted_flag_is_null(stage: Stage) -> None:
    client = stage.client()
    client.subscribe(flags=["shop.search"])
    assert await client.until("flag") == {"type": "flag", "app": "shop", "key": "search", "flag": None}


async def test_a_client_far_behind_has_its_entries_read_for_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RING", 10)
    stage.hub.log = RecentLog(stage.log)
    for _ in range(500):
        stage.log.write()
    client = stage.client()
    client.subscribe(since=3, apps=["shop"], log=True)
    await client.until("subscribed")
    got = [int((await client.until("log"))["cursor"]) for _ in range(497)]
    assert got == list(range(4, 501))


async def test_recent_entries_are_bounded_in_bytes_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RING_BYTES", 10_000)
    log = MemoryLog()
    recent = RecentLog(log)
    recent.start(0)
    for number in range(1, 21):
        entry = LiveEntry(number, "flag", "shop", "search", "flag.changed", {"changes": "x" * 3_000})
        log.entries.append(entry)
        recent.add(entry)
    assert [entry.id for entry in await recent.after(17, 100)] == [18, 19, 20]
    assert log.read == []
    assert [entry.id for entry in await recent.after(16, 100)] == [17, 18, 19, 20]
    assert log.read == [16]
    recent.add(LiveEntry(21, "flag", "shop", "search", "flag.changed", {"changes": "x" * 20_000}))
    assert (await recent.after(21, 100), log.read) == ([], [16])


@pytest.mark.parametrize(
    ("oldest", "newest", "since", "resync"),
    [
        (1, 100, 50, None),
        (1, 100, 100, None),
        (1, 100, 101, "cursor_unknown"),
        (50, 100, 49, None),
        (50, 100, 48, "cursor_too_old"),
        (1, MAX_BEHIND + 100, 99, "cursor_too_old"),
    ],
)
async def test_a_cursor_that_is_too_old_or_unknown_starts_anew(
    stage: Stage, oldest: int, newest: int, since: int, resync: str | None
) -> None:
    stage.log.start = oldest - 1
    stage.log.write(told=False)
    stage.log.entries.append(LiveEntry(newest, "flag", "clinic", "a", "flag.changed", {}))
    stage.log.miss()
    client = stage.client()
    await client.until("hello")
    while stage.hub.log.newest != newest:
        await asyncio.sleep(0)
    client.subscribe(since=since, apps=["shop"])
    assert (await client.until("subscribed"))["resync"] == resync
    if resync is not None:
        assert (await client.until("current"))["cursor"] == str(newest)


async def test_entries_that_the_feed_has_missed_are_read(stage: Stage) -> None:
    client = stage.client()
    client.subscribe(apps=["shop"], log=True, snapshot=False)
    await client.until("subscribed")
    for _ in range(5):
        stage.log.write(told=False)
    stage.log.miss()
    assert [(await client.until("log"))["cursor"] for _ in range(5)] == ["1", "2", "3", "4", "5"]


async def test_while_the_log_cannot_be_read_a_client_is_told_so_and_misses_nothing(stage: Stage) -> None:
    client = stage.client()
    client.subscribe(apps=["shop"], log=True, snapshot=False)
    await client.until("subscribed")
    stage.log.away = True
    stage.log.write(told=False)
    stage.log.miss()
    status = await client.until("status")
    assert status["following"] is False
    stage.log.away = False
    assert (await client.until("log"))["cursor"] == "1"
    assert (await client.until("status"))["following"] is True


async def test_a_client_sees_only_its_own_apps(stage: Stage) -> None:
    viewer = Principal(PrincipalKind.USER, "1", "viewer@example.org", roles={"shop": Role.VIEWER})
    stage.flag("a", "shop")
    stage.flag("b", "clinic")
    client = stage.client(viewer)
    client.subscribe(apps="*", log=True)
    await client.until("current")
    stage.log.write("b", "clinic")
    stage.log.write("x@example.org", None, "user")
    stage.news.tell(FlagId("clinic", "b"))
    number = stage.log.write("a", "shop")
    assert (await client.until("flag"))["key"] == "a"
    assert (await client.until("log"))["cursor"] == str(number)
    client.subscribe(apps=["clinic"])
    assert (await client.until("error"))["code"] == "FORBIDDEN"
    client.subscribe(points={"flags": ["clinic.b"]})
    assert (await client.until("error"))["code"] == "FORBIDDEN"


async def test_an_admin_of_all_apps_sees_what_belongs_to_none(stage: Stage) -> None:
    client = stage.client()
    client.subscribe(apps="*", snapshot=False)
    await client.until("subscribed")
    stage.log.write("x@example.org", None, "user")
    told = await client.until("changed")
    assert (told["kind"], told["app"], told["key"]) == ("user", None, "x@example.org")


async def test_a_slow_client_gets_the_last_state_once_and_keeps_nothing_waiting(stage: Stage) -> None:
    client = stage.client()
    flag_id = stage.flag()
    client.subscribe(apps=["shop"])
    await client.until("current")
    client.reads.clear()
    for version in range(2, 300):
        stage.flag(version=version)
        stage.news.tell(flag_id)
    await asyncio.sleep(0.001)
    (session,) = stage.hub
    assert len(session._dirty_flags) <= 1
    client.reads.set()
    async with asyncio.timeout(5):
        while (await client.until("flag"))["flag"] != {"version": 299}:
            pass


async def test_a_subscription_that_goes_on_keeps_what_was_not_sent_yet(stage: Stage) -> None:
    client = stage.client()
    first, second, third = stage.flag("first"), stage.flag("second"), stage.flag("third")
    client.subscribe(apps=["shop"], snapshot=False)
    since = int((await client.until("subscribed"))["cursor"])
    (session,) = stage.hub
    client.reads.clear()
    stage.news.tell(first)
    while len(stage.flags.asked) == 0:
        await asyncio.sleep(0)
    stage.news.tell(second)
    session._arriving.add(third)
    client.subscribe(since, apps=["shop"], snapshot=False)
    client.reads.set()
    await client.until("subscribed")
    assert (await client.until("flag"))["key"] == "second"
    session.sidecar_differs(("shop", "cart-1"))
    assert (await client.until("flag"))["key"] == "third"


async def test_flags_that_are_looked_at_again_are_sent_when_they_differ(stage: Stage) -> None:
    client = stage.client()
    flag_id = stage.flag()
    client.subscribe(flags=["shop.search"], refresh_ms=1000)
    await client.until("current")
    (session,) = stage.hub
    asked = len(stage.flags.asked)
    session.refresh()
    while len(stage.flags.asked) == asked:
        await asyncio.sleep(0)
    stage.flag(version=2)
    session.refresh()
    assert (await client.until("flag"))["flag"] == {"version": 2}
    assert not client.got
    del stage.flags.flags[flag_id]
    session.refresh()
    assert (await client.until("flag"))["flag"] is None


async def test_more_changes_than_can_be_told_are_said_to_be(stage: Stage) -> None:
    client = stage.client()
    client.subscribe(apps=["shop"], snapshot=False)
    await client.until("subscribed")
    client.reads.clear()
    for number in range(2 * MAX_DIRTY):
        stage.news.tell(FlagId("shop", f"flag-{number}"))
    (session,) = stage.hub
    assert len(session._dirty_flags) == MAX_DIRTY
    client.reads.set()
    assert (await client.until("resync"))["reason"] == "too_many_changes"


async def test_a_client_that_takes_nothing_is_put_out(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SEND_TIMEOUT_S", 0.01)
    client = stage.client()
    client.subscribe(apps=["shop"])
    await client.until("current")
    client.reads.clear()
    stage.log.write()
    await asyncio.wait_for(stage.tasks[0], 5)
    assert client.closed is not None
    assert client.closed[0] == 4408
    assert len(stage.hub) == 0


async def test_a_credential_that_is_no_longer_good_ends_the_socket(stage: Stage) -> None:
    client = stage.client()
    await client.until("hello")
    stage.principal = None
    await asyncio.wait_for(stage.tasks[0], 5)
    assert client.closed == (4401, "the session or the token has ended")


async def test_roles_that_are_taken_away_count_at_once(stage: Stage) -> None:
    both = Principal(PrincipalKind.USER, "1", "a@example.org", roles={"shop": Role.VIEWER, "clinic": Role.VIEWER})
    client = stage.client(both)
    client.subscribe(apps="*", log=True, snapshot=False)
    await client.until("subscribed")
    stage.principal = Principal(PrincipalKind.USER, "1", "a@example.org", roles={"clinic": Role.VIEWER})
    (session,) = stage.hub
    while session.principal is both:
        await asyncio.sleep(0.001)
    stage.log.write("a", "shop")
    number = stage.log.write("b", "clinic")
    assert (await client.until("log"))["cursor"] == str(number)


async def test_places_are_bounded_for_each_and_for_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_SESSIONS_OF_ONE", 1)
    monkeypatch.setattr(hub_module, "MAX_SESSIONS", 2)
    other = Principal(PrincipalKind.TOKEN, "ci", "ci", Role.VIEWER)
    await stage.client().until("hello")
    with pytest.raises(Refused, match="environment has 1 live connections already"):
        stage.hub.refuse_without_place(ENVIRONMENT)
    stage.hub.refuse_without_place(other)
    await stage.client(other).until("hello")
    with pytest.raises(Refused, match="2 live connections are open already"):
        stage.hub.refuse_without_place(Principal(PrincipalKind.TOKEN, "cd", "cd", Role.VIEWER))


async def test_too_many_flags_are_read_over_rest(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_SNAPSHOT_FLAGS", 400)
    for number in range(1_000):
        stage.flag(f"flag-{number:04}")
    client = stage.client()
    client.subscribe(apps="*")
    assert (await client.until("current"))["resync"] == "too_many_flags"


async def test_at_the_end_all_are_told(stage: Stage) -> None:
    client = stage.client()
    await client.until("hello")
    task = next(task for task in asyncio.all_tasks() if "Hub.run" in repr(task.get_coro()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert client.closed == (1001, "this Tower stops")
    with pytest.raises(Refused):
        stage.hub.refuse_without_place(ENVIRONMENT)
