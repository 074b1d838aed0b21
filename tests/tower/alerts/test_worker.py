"""The loops of alerts: woken, bounded, and not ended by a database that is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import cast

import pytest

from tailslide_tower.alerts.deliverer import Deliverer
from tailslide_tower.alerts.delivery_store import Claim
from tailslide_tower.alerts.dispatcher import Dispatcher
from tailslide_tower.alerts.worker import AlertWorker
from tailslide_tower.database import Database, DatabaseUnavailableError


class IdleDatabase:
    """A database with nothing to put away."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["IdleDatabase"]:
        yield self

    async def execute(self, _: object) -> None:
        """Do nothing."""


class Parts:
    """A dispatcher that finds something the first time, and a deliverer of a number of messages."""

    def __init__(self, messages: int, failures: int = 0) -> None:
        self.waiting = messages
        self.failures = failures
        self.looked = 0
        self.sending = self.most = self.sent = 0
        self.may_end = asyncio.Event()
        self.all_sent = asyncio.Event()
        self.looked_twice = asyncio.Event()

    async def dispatch(self) -> int:
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailableError("away")
        self.looked += 1
        if self.looked == 2:
            self.looked_twice.set()
        return 1

    async def claim(self, limit: int) -> list[Claim]:
        number = min(limit, self.waiting)
        self.waiting -= number
        return cast("list[Claim]", [object() for _ in range(number)])

    async def deliver(self, _: Claim) -> None:
        self.sending += 1
        self.most = max(self.most, self.sending)
        await self.may_end.wait()
        self.sending -= 1
        self.sent += 1
        if self.sent == 7:
            self.all_sent.set()


@asynccontextmanager
async def running(parts: Parts, concurrency: int = 3) -> AsyncIterator[AlertWorker]:
    worker = AlertWorker(
        cast("Database", IdleDatabase()),
        cast("Dispatcher", parts),
        cast("Deliverer", parts),
        keep=timedelta(days=30),
        concurrency=concurrency,
    )
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(10):
            yield worker
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_no_more_are_sent_at_once_than_allowed_and_each_that_ends_makes_room() -> None:
    parts = Parts(messages=7)
    async with running(parts):
        while parts.sending < 3:
            await asyncio.sleep(0)
        parts.may_end.set()
        await parts.all_sent.wait()
    assert parts.most == 3


async def test_log_that_grew_is_looked_at_at_once() -> None:
    parts = Parts(messages=0)
    async with running(parts) as worker:
        while parts.looked < 1:
            await asyncio.sleep(0)
        worker.log_grew()
        await parts.looked_twice.wait()


async def test_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = 0

    async def no_pause(_: object) -> None:
        nonlocal waited
        waited += 1
        await asyncio.sleep(0)

    monkeypatch.setattr("tailslide_tower.alerts.worker.Backoff.wait", no_pause)
    parts = Parts(messages=0, failures=3)
    async with running(parts):
        while parts.looked < 1:
            await asyncio.sleep(0)
    assert waited >= 3
