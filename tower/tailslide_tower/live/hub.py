"""All clients of the live socket at this Tower, and what they have in common: the log's newest entries in memory.

A change made at any Tower is an entry of the log, which each Tower follows by itself; so it reaches the clients of all.
While PostgreSQL or NATS is away clients keep their connections, and hear what was missed afterwards.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import orjson
import structlog

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_tower.auth.principal import Principal, Role
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.live.messages import CloseCode, read_message
from tailslide_tower.live.session import Ended, Session
from tailslide_tower.live.sources import (
    Bounds,
    Credential,
    FlagNews,
    FlagViews,
    LiveEntry,
    LogReader,
    SidecarKey,
    SidecarViews,
    Socket,
)

log = structlog.get_logger()

MAX_SESSIONS = 500
"""Of one Tower. Each is a connection of its listener, too."""
MAX_SESSIONS_OF_ONE = 50
"""Of one user or token, who may have many windows."""
RING = 1_000
"""Entries of the log in memory; a client that is further behind has them read for itself."""
RING_BYTES = 16 << 20
"""What these entries may come to as JSON: what has changed of a large flag is half a megabyte."""
RECHECK_S = 5.0
"""How often it is asked whether a client may still be here."""
MAX_MESSAGES = 30
"""Of a client in `MESSAGES_S` seconds."""
MESSAGES_S = 10.0
MAX_BAD_MESSAGES = 10
CLOSING_S = 2.0


class LogItem(Protocol):
    """An entry that is new, or the word that some were missed, as the feed hands them on."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Entries up to this id were not handed on one by one."""

    until: int


class Following(Protocol):
    """What the feed of the log hands on."""

    start: int

    def __aiter__(self) -> AsyncIterator[LiveEntry | Missed]:
        """Return the entries behind `start`, as they come."""


Follow = Callable[[], AbstractAsyncContextManager[Following]]


class Refused(Exception):  # noqa: N818 # named after what happened
    """There is no place for one more client."""


class RecentLog:
    """The newest entries of the log in memory, and the rest through its reader."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._entries: deque[LiveEntry] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._complete_from = 0
        """All entries behind this id, up to the newest, are in memory."""
        self.newest = 0

    def start(self, entry_id: int) -> None:
        """Begin, or begin again, behind an entry."""
        self._entries.clear()
        self._sizes.clear()
        self._bytes = 0
        self._complete_from = self.newest = entry_id

    def add(self, entry: LiveEntry) -> None:
        """Take the next entry."""
        size = len(orjson.dumps(entry.shown))
        self._entries.append(entry)
        self._sizes.append(size)
        self._bytes += size
        self.newest = entry.id
        while len(self._entries) > RING or self._bytes > RING_BYTES:
            self._complete_from = self._entries.popleft().id
            self._bytes -= self._sizes.popleft()

    async def after(self, entry_id: int, limit: int) -> Sequence[LiveEntry]:
        """Return up to `limit` entries behind an id, oldest first."""
        if entry_id < self._complete_from:
            return await self._reader.after(entry_id, limit)
        return [entry for entry in self._entries if entry.id > entry_id][:limit]

    async def bounds(self) -> Bounds:
        """Return how far the log reaches; not beyond what is followed."""
        bounds = await self._reader.bounds()
        return Bounds(bounds.oldest, self.newest)


class Hub:
    """The clients. `run` follows the log, `serve` is the life of one client."""

    def __init__(
        self,
        *,
        follow: Follow,
        reader: LogReader,
        flags: FlagViews,
        flag_news: FlagNews,
        sidecars: SidecarViews,
        recheck_s: float = RECHECK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = RecentLog(reader)
        self.closed: Counter[int] = Counter()
        """How many sockets were ended by us, by code."""
        self._follow = follow
        self._flags = flags
        self._flag_news = flag_news
        self._sidecars = sidecars
        self._recheck_s = recheck_s
        self._clock = clock
        self._sessions: set[Session] = set()
        self._started = asyncio.Event()
        self._stopping = False

    def __repr__(self) -> str:
        return f"<Hub {len(self._sessions)} clients, log at {self.log.newest}>"

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions))

    def __len__(self) -> int:
        return len(self._sessions)

    async def run(self) -> None:
        """Follow the log and the news until cancelled, then end all sockets."""
        try:
            with ExitStack() as subscriptions:
                subscriptions.callback(self._flag_news.subscribe(self._flag_differs))
                subscriptions.callback(self._sidecars.subscribe(self._sidecar_differs))
                async with self._follow() as following:
                    self.log.start(following.start)
                    self._started.set()
                    async for item in following:
                        self._take(item)
        finally:
            self._stopping = True
            await self._end_all()

    def _take(self, item: LiveEntry | Missed) -> None:
        if isinstance(item, Missed):
            self.log.start(item.until)
        else:
            self.log.add(item)
        for session in self:
            session.wake()

    def _flag_differs(self, flag_id: FlagId) -> None:
        for session in self:
            session.flag_differs(flag_id)

    def _sidecar_differs(self, key: SidecarKey) -> None:
        for session in self:
            session.sidecar_differs(key)

    async def _end_all(self) -> None:
        ending = [session.socket.close(CloseCode.GOING_AWAY, "this Tower stops") for session in self]
        self.closed[CloseCode.GOING_AWAY] += len(ending)
        try:
            async with asyncio.timeout(CLOSING_S):
                await asyncio.gather(*ending, return_exceptions=True)
        except TimeoutError:
            log.debug("live_sockets_left", sockets=len(ending))

    def refuse_without_place(self, principal: Principal) -> None:
        """Raise `Refused` when there is no place for one more client of this one."""
        if self._stopping:
            raise Refused("this Tower stops")
        if len(self._sessions) >= MAX_SESSIONS:
            raise Refused(f"{MAX_SESSIONS} live connections are open already")
        own = sum(
            session.principal.kind is principal.kind and session.principal.principal_id == principal.principal_id
            for session in self
        )
        if own >= MAX_SESSIONS_OF_ONE:
            raise Refused(f"{principal.name} has {MAX_SESSIONS_OF_ONE} live connections already")

    async def serve(self, socket: Socket, principal: Principal, credential: Credential) -> None:
        """Serve one client until either side ends the socket."""
        session = Session(socket, principal, log=self.log, flags=self._flags, sidecars=self._sidecars)
        with self._member(session):
            parts = [
                asyncio.create_task(part)
                for part in (self._read(session), self._write(session), self._recheck(session, credential))
            ]
            try:
                done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for part in parts:
                    part.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
            for part in done:
                await self._end(session, part.exception())

    @contextmanager
    def _member(self, session: Session) -> Iterator[None]:
        self._sessions.add(session)
        try:
            yield
        finally:
            self._sessions.discard(session)

    async def _end(self, session: Session, why: BaseException | None) -> None:
        if isinstance(why, Ended):
            self.closed[why.code] += 1
            log.info("live_socket_ended", who=session.principal.name, code=int(why.code), reason=why.reason)
            await session.socket.close(why.code, why.reason)
        elif isinstance(why, ConnectionError):
            log.debug("live_socket_gone", who=session.principal.name, error=str(why))
        elif why is not None:
            raise why

    async def _write(self, session: Session) -> None:
        await self._started.wait()
        await session.run()

    async def _read(self, session: Session) -> None:
        recent: deque[float] = deque(maxlen=MAX_MESSAGES)
        bad = 0
        while (text := await session.socket.receive()) is not None:
            now_s = self._clock()
            if len(recent) == MAX_MESSAGES and now_s - recent[0] < MESSAGES_S:
                raise Ended(CloseCode.TOO_MANY_MESSAGES, f"more than {MAX_MESSAGES} messages in {MESSAGES_S:g} s")
            recent.append(now_s)
            try:
                asked = read_message(text)
            except ContractError as error:
                bad += 1
                if bad > MAX_BAD_MESSAGES:
                    raise Ended(CloseCode.BAD_MESSAGES, f"{error.field}: {error.problem}"[:100]) from None
                session.object_to("INVALID", error.field, error.problem)
                continue
            unseen = sorted(app for app in asked.wanted.named_apps() if not session.may_view(app))
            if unseen:
                name = session.principal.name
                problem = f"expected the role {Role.VIEWER} in the app {unseen[0]!r}; {name} has no role there"
                session.object_to("FORBIDDEN", "subscribe", problem)
            else:
                session.ask(asked)

    async def _recheck(self, session: Session, credential: Credential) -> None:
        while True:
            await asyncio.sleep(self._recheck_s)
            try:
                principal = await credential.principal()
            except DatabaseUnavailableError:
                continue  # nobody can say; it is asked again
            if principal is None or not principal.may_anywhere(Role.VIEWER):
                raise Ended(CloseCode.NOT_AUTHORIZED, "the session or the token has ended")
            session.principal = principal
