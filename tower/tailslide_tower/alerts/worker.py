"""Alerts in a running Tower: follows the log, sends what is due, and puts old deliveries away, until cancelled.

Each part looks again by itself every few seconds; being woken only makes it sooner. While the database is away they
wait for it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import Backoff
from tailslide_tower import times
from tailslide_tower.alerts.deliverer import CONCURRENCY, Deliverer
from tailslide_tower.alerts.delivery_store import DeliveryStore
from tailslide_tower.alerts.dispatcher import Dispatcher
from tailslide_tower.database import Database, DatabaseUnavailableError

log = structlog.get_logger()

LOG_EVERY_S = 5.0
"""How often the log is looked at without being told that it grew, as the feed of the log itself does."""
DUE_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
GRACE = timedelta(minutes=10)
"""The last attempt at a delivery is made when its day is over; nobody gives it up before that."""


class AlertWorker:
    """Runs the parts."""

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        deliverer: Deliverer,
        *,
        keep: timedelta,
        concurrency: int = CONCURRENCY,
        now: Callable[[], datetime] = times.now,
    ) -> None:
        """`keep`: how long deliveries are kept that are delivered or given up."""
        self._database = database
        self._dispatcher = dispatcher
        self._deliverer = deliverer
        self._keep = keep
        self._concurrency = concurrency
        self._now = now
        self._log_grew = asyncio.Event()
        self._due = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()

    def log_grew(self) -> None:
        """Look at the log now: it has new entries."""
        self._log_grew.set()

    def something_due(self) -> None:
        """Look for deliveries now: one is due, or a receiver can be sent the next."""
        self._due.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again_and_again(self._dispatch, self._log_grew, LOG_EVERY_S))
            group.create_task(self._again_and_again(self._tidy, asyncio.Event(), TIDY_EVERY_S))
            group.create_task(self._again_and_again(lambda: self._claim(group), self._due, DUE_EVERY_S))

    async def _again_and_again(self, work: Callable[[], Awaitable[None]], wake: asyncio.Event, every_s: float) -> None:
        backoff = Backoff()
        while True:
            raise_if_cancelled()
            wake.clear()
            try:
                await work()
            except DatabaseUnavailableError as error:
                if backoff.failures == 0:
                    log.warning("alerts_wait_for_database", error=str(error))
                await backoff.wait()
                continue
            backoff = Backoff()
            try:
                # Several Towers need not look at the same moment.
                async with asyncio.timeout(every_s * random.uniform(0.8, 1.2)):  # noqa: S311 # jitter, no secret
                    await wake.wait()
            except TimeoutError:
                continue

    async def _dispatch(self) -> None:
        if await self._dispatcher.dispatch():
            self.something_due()

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        free = self._concurrency - len(self._sending)
        if free <= 0:
            return
        for claim in await self._deliverer.claim(free):
            task = group.create_task(self._deliverer.deliver(claim))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self.something_due()

    async def _tidy(self) -> None:
        async with self._database.begin() as connection:
            await DeliveryStore(connection).tidy(self._now(), self._keep, GRACE)
