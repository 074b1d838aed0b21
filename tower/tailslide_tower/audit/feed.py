"""New entries of the log, for everybody in this process who follows it: live sockets, alerts.

Each Tower follows the log by itself, whoever wrote an entry. A notification of PostgreSQL only says that it is time to
look; what is new is read by id. So a look that comes late, after a connection was lost, finds all that was missed.

Waits while PostgreSQL is away, for as long as it is; subscribers hear nothing meanwhile and miss nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import Backoff
from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.database import DatabaseUnavailableError

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
"""How often the log is looked at without a notification, which a proxy before PostgreSQL may not pass on."""
BATCH = 500
"""So many entries are read at once."""
MAX_WAITING = 1000
"""So many entries wait for a subscriber."""


class Reader(Protocol):
    """Who reads the log; raises `DatabaseUnavailableError`."""

    async def last_id(self) -> int:
        """Return the id of the newest entry that is visible; 0 for an empty log."""

    async def after(self, entry_id: int, limit: int) -> list[LogRow]:
        """Return up to `limit` entries behind an id, oldest first; none where there are no more."""


Probe = Callable[[], Awaitable[None]]
"""Returns when the connection that listens is still there; raises `DatabaseUnavailableError` else."""
Listen = Callable[[Callable[[], None]], AbstractAsyncContextManager[Probe]]
"""Calls its argument at each notification until the end of the block."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries that a subscriber was not handed: those with `after` < id <= `until`.

    Whoever needs them reads them by `LogStore.after`; whoever keeps a picture of now reads that again. What the
    subscription hands over next comes behind `until`.
    """

    after: int
    until: int


class Subscription:
    """What one subscriber gets, in the order of ids: `async for item in subscription`."""

    def __init__(self, start: int, max_waiting: int) -> None:
        self.start = start
        """Entries behind this id are handed over. What was there before can be read by `LogStore.after`."""
        self._seen = start
        self._max_waiting = max_waiting
        self._waiting: deque[LogRow] = deque()
        self._missed_until: int | None = None
        self._ready = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Subscription seen={self._seen} waiting={len(self._waiting)} missed_until={self._missed_until}>"

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> LogRow | Gap:
        """Wait for the next entry, or for the word that some were missed. It may be cancelled without a loss."""
        await self._ready.wait()
        item: LogRow | Gap
        if self._missed_until is not None:
            item = Gap(self._seen, self._missed_until)
            self._seen, self._missed_until = self._missed_until, None
        else:
            item = self._waiting.popleft()
            self._seen = item.id
        if not self._waiting:
            self._ready.clear()
        return item

    def offer(self, row: LogRow) -> bool:
        """Hand an entry over; False when that is the first one for which there is no room. Never waits."""
        self._ready.set()
        if self._missed_until is None and len(self._waiting) < self._max_waiting:
            self._waiting.append(row)
            return True
        first = self._missed_until is None
        self._miss(row.id)
        return not first

    def went_back(self, last_id: int) -> None:
        """Say that the log ends before what was seen of it: an older copy of the database has taken its place."""
        self._seen = min(self._seen, last_id)
        self._miss(last_id)

    def _miss(self, until: int) -> None:
        self._waiting.clear()
        self._missed_until = until
        self._ready.set()


class Feed:
    """Follows the log for all subscribers of this process."""

    def __init__(
        self,
        reader: Reader,
        listen: Listen,
        metrics: LogMetrics,
        *,
        look_every_s: float = LOOK_EVERY_S,
        new_backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._reader = reader
        self._listen = listen
        self._metrics = metrics
        self._look_every_s = look_every_s
        self._new_backoff = new_backoff
        self._position = 0
        self._positioned = asyncio.Event()
        self._woken = asyncio.Event()
        self._subscriptions: set[Subscription] = set()

    @property
    def position(self) -> int:
        """Return the id up to which subscribers were handed everything; 0 until the log was looked at."""
        return self._position

    @asynccontextmanager
    async def subscribe(self, max_waiting: int = MAX_WAITING) -> AsyncIterator[Subscription]:
        """Hand over what comes behind `Subscription.start` until the end of the block.

        Waits until the log was looked at once. A subscriber for which `max_waiting` entries wait gets a `Gap` instead.
        """
        await self._positioned.wait()
        subscription = Subscription(self._position, max_waiting)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        backoff = self._new_backoff()
        while True:
            raise_if_cancelled()
            try:
                async with self._listen(self._woken.set) as probe:
                    await self._find_position()
                    if backoff.failures:
                        log.info("log_followed_again", position=self._position)
                        backoff = self._new_backoff()
                    self._metrics.following.set(1)
                    await self._follow(probe)
            except DatabaseUnavailableError as error:
                self._metrics.following.set(0)
                if backoff.failures == 0:
                    log.warning("log_not_followed", error=str(error))
                await backoff.wait()

    async def _find_position(self) -> None:
        last_id = await self._reader.last_id()
        if not self._positioned.is_set():
            self._position = last_id
            self._positioned.set()
        elif last_id < self._position:
            log.warning("log_went_back", position=self._position, last_id=last_id)
            self._position = last_id
            for subscription in self._subscriptions:
                subscription.went_back(last_id)

    async def _follow(self, probe: Probe) -> None:
        while True:
            raise_if_cancelled()
            self._woken.clear()
            await self._hand_over()
            # A connection that has ended wakes us as well, and would not do so again.
            await probe()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_every_s):
                    await self._woken.wait()

    async def _hand_over(self) -> None:
        while rows := await self._reader.after(self._position, BATCH):
            for row in rows:
                self._position = row.id
                for subscription in self._subscriptions:
                    if not subscription.offer(row):
                        self._metrics.gaps.inc()
