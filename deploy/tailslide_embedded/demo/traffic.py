"""Traffic of many users at a steady rate, and what became of each call as its user saw it.

An open loop: a call is made when it is due, whether or not those before it were answered, as real users do. Bounded
in calls under way and, by its caller, in time.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import aiohttp

from tailslide_embedded.demo.services import SERVED_BY

USERS = 1000
MAX_UNDER_WAY = 500
TIMEOUT_S = 5.0
RECENT_S = 2.0


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call: when it ended (monotonic, seconds), whether its user got what was asked for, who answered."""

    at: float
    ok: bool
    served_by: str | None


@dataclass(slots=True)
class Tally:
    """What users saw. `recent` holds the calls of the last two seconds; `skipped` were due while too many waited."""

    total: int = 0
    failed: int = 0
    skipped: int = 0
    recent: deque[Call] = field(default_factory=deque)

    def add(self, call: Call) -> None:
        """Count a call."""
        self.total += 1
        self.failed += not call.ok
        self.recent.append(call)
        while self.recent[0].at < call.at - RECENT_S:
            self.recent.popleft()

    def recent_error_rate(self) -> float:
        """Return the percentage of recent calls that failed at their users."""
        return 100 * sum(not call.ok for call in self.recent) / len(self.recent) if self.recent else 0.0

    def recent_share_of(self, service: str) -> float:
        """Return the percentage of recent calls that this service answered."""
        return 100 * sum(call.served_by == service for call in self.recent) / len(self.recent) if self.recent else 0.0


class Traffic:
    """Calls to one URL, `rate` a second, each by the next of a thousand users."""

    def __init__(self, url: str, rate: float) -> None:
        self._url = url
        self._rate = rate
        self.tally = Tally()

    async def run(self) -> None:
        """Make calls until cancelled; calls under way are then given up."""
        connector = aiohttp.TCPConnector(limit=MAX_UNDER_WAY)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        start, made = time.monotonic(), 0
        slots = asyncio.Semaphore(MAX_UNDER_WAY)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as calls,
        ):
            while True:
                due = int((time.monotonic() - start) * self._rate) - made
                for user in range(made, made + due):
                    if slots.locked():
                        self.tally.skipped += 1
                    else:
                        await slots.acquire()
                        calls.create_task(self._call(session, f"user-{user % USERS}", slots))
                made += due
                await asyncio.sleep(max(0.0, start + (made + 1) / self._rate - time.monotonic()))

    async def _call(self, session: aiohttp.ClientSession, user: str, slots: asyncio.Semaphore) -> None:
        try:
            async with session.get(self._url, headers={"x-user-id": user}) as answer:
                await answer.read()
                call = Call(time.monotonic(), answer.status < 500, answer.headers.get(SERVED_BY))
        except (aiohttp.ClientError, TimeoutError):
            call = Call(time.monotonic(), ok=False, served_by=None)
        finally:
            slots.release()
        self.tally.add(call)
