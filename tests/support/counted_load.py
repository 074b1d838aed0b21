"""Bounded traffic through the proxies of sidecars that come and go, each call noted by what its caller was told.

The features behind them fail as a test tells them to. What may be missing from the counts of it all is the tests' own.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from aiohttp import web
from proxy_load import BrokenOffError, close, get, read_answer

DEADLINE_S = 15.0
"""A call without an end by then hangs."""
TURNED_AWAY_PAUSE_S = 0.05
USERS = 400


@dataclass
class Account:
    """What the callers of one sidecar process know, by flag."""

    feature: Counter[str] = field(default_factory=Counter)
    """Answers that say that the feature was asked, whoever answered in the end."""
    fallback: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    """Calls whose connection ended before any answer: nobody can say which side was asked."""

    def total(self) -> int:
        return self.feature.total() + self.fallback.total() + self.unanswered.total()


@dataclass(frozen=True)
class Door:
    """Where a sidecar process is called, and the account of its callers."""

    host: str
    port: int
    account: Account


@dataclass
class Features:
    """The features of an app behind one address, `/<flag>`; each fails a share of its calls, 0 to 1."""

    chance: random.Random
    failing: dict[str, float]

    async def answer(self, request: web.Request) -> web.Response:
        failed = self.chance.random() < self.failing[request.path.strip("/")]
        return web.Response(status=500 if failed else 200, text="new")


class Load:
    """One caller for each sidecar and flag, at a steady rate; `doors` say which process is behind a door by now."""

    def __init__(self, doors: list[Callable[[], Door]], flags: list[str], rate: float, chance: random.Random) -> None:
        """`rate`: calls a second of each caller."""
        self._doors = doors
        self._flags = flags
        self._period_s = 1 / rate
        self._chance = chance
        self._stopped = asyncio.Event()
        self.turned_away = 0
        self.slowest_s = 0.0

    def stop(self) -> None:
        """Let the calls that are under way end, and make no more."""
        self._stopped.set()

    async def run(self) -> None:
        """Call until stopped; a call that hangs, or an answer that does not say which side was asked, is an error."""
        async with asyncio.TaskGroup() as group:
            for door in self._doors:
                for flag in self._flags:
                    group.create_task(self._call_on(door, flag, random.Random(self._chance.random())))

    async def _call_on(self, door: Callable[[], Door], flag: str, chance: random.Random) -> None:
        due = time.monotonic() + chance.random() * self._period_s
        while not self._stopped.is_set():
            # The account first: only a process that runs by now can take the connection.
            now = door()
            try:
                reader, writer = await asyncio.open_connection(now.host, now.port)
            except ConnectionError:
                self.turned_away += 1
                await self._pause(TURNED_AWAY_PAUSE_S)
                continue
            try:
                while not self._stopped.is_set():
                    await self._pause(max(0.0, due - time.monotonic()))
                    due = max(due, time.monotonic() - 1) + self._period_s  # what was missed longer ago stays so
                    await self._call(reader, writer, now.account, flag, chance)
            except (asyncio.IncompleteReadError, ConnectionError, BrokenOffError):
                now.account.unanswered[flag] += 1
            finally:
                await close(writer)

    async def _call(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        account: Account,
        flag: str,
        chance: random.Random,
    ) -> None:
        user = f"user-{chance.randrange(USERS)}"
        began = time.monotonic()
        async with asyncio.timeout(DEADLINE_S):
            writer.write(get(f"/{flag}", X_Targeting_Key=user))
            answer = await read_answer(reader)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        marker = answer.header("x-tailslide")
        assert marker is not None, answer
        assert f"flag={flag};" in marker, marker
        (account.feature if "active=true" in marker else account.fallback)[flag] += 1

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
