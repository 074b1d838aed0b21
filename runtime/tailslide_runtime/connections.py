"""The connections of one listener: their limit, which of them are closed for new ones, and how all of them end.

When the limit is reached, the connections that have waited longest for their clients are closed: idle ones, and those
with an incomplete request. So silent or slow clients do not keep others out. What a connection does with its bytes is
not decided here.
"""

import asyncio
from collections.abc import Iterator
from typing import Protocol

SWEEP_S = 1.0
"""How often late connections are looked for; timeouts are exact to that."""
_AT_ONCE = 32
"""How many are closed at once when the limit is reached, since finding them takes a look at all."""


class Connection(Protocol):
    """What a listener asks of each of its connections. Times are the event loop's, in seconds."""

    def waits_since(self) -> float | None:
        """Return since when the client is waited for; None while a request is being answered."""

    def end_if_late(self, now_s: float) -> None:
        """End if the client takes too long."""

    def close_when_idle(self) -> None:
        """End now unless a request has begun, else with its answer."""

    def abort(self) -> None:
        """End now."""


class Connections:
    """Who is connected to a listener."""

    def __init__(self, limit: int, *, patience_s: float = 0.0) -> None:
        """Allow `limit` connections; one that has waited for its client for less than `patience_s` is not closed."""
        self.limit = limit
        self._patience_s = patience_s
        self.accepted = 0
        self.turned_away = 0
        """How many came and could not stay."""
        self.made_place = 0
        """How many were closed to make place."""
        self.closing = False
        """Whether no new one may stay."""
        self.each_last = False
        """Whether each answer is the last of its connection."""
        self._members: set[Connection] = set()
        self._empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"<Connections {len(self._members)} of {self.limit}{', closing' if self.closing else ''}>"

    def opened(self, connection: Connection, *, welcome: bool = True) -> bool:
        """Keep an eye on a new connection; say whether it may stay. One that may not is forgotten by `gone` too.

        For one that is not `welcome`, no other is closed.
        """
        self.accepted += 1
        if self.closing:
            self._members.add(connection)
            return False
        stays = welcome and (len(self._members) < self.limit or self._make_place())
        if not stays:
            self.turned_away += 1
        self._members.add(connection)
        return stays

    @property
    def is_flooded(self) -> bool:
        """Whether those that are turned away may not even stay to read why: each takes a descriptor."""
        return len(self._members) > self.limit + _AT_ONCE

    def handed_over(self, old: Connection, new: Connection) -> None:
        """Let one take the place of another, whose transport it goes on with."""
        self._members.discard(old)
        self._members.add(new)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._members))

    def gone(self, connection: Connection) -> None:
        """Forget a connection."""
        self._members.discard(connection)
        if self.closing and not self._members:
            self._empty.set()

    def _make_place(self) -> bool:
        latest = asyncio.get_running_loop().time() - self._patience_s
        waiting = [
            (since, each)
            for each in self._members
            if (since := each.waits_since()) is not None and (not self._patience_s or since < latest)
        ]
        waiting.sort(key=lambda item: item[0])
        for _, each in waiting[:_AT_ONCE]:
            self.made_place += 1
            each.abort()
            self._members.discard(each)
        return len(self._members) < self.limit

    def sweep(self, now_s: float) -> None:
        """End what is late."""
        for connection in list(self._members):
            connection.end_if_late(now_s)

    async def run(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.sweep(loop.time())
            await asyncio.sleep(SWEEP_S)

    def end_with_answers(self) -> None:
        """Let each answer from now on be the last of its connection; new connections may still come."""
        self.each_last = True

    def close(self) -> None:
        """End idle connections at once, and the others with their answer."""
        self.closing = self.each_last = True
        if not self._members:
            self._empty.set()
        for connection in list(self._members):
            connection.close_when_idle()

    async def drained(self, timeout_s: float) -> None:
        """Wait until requests that had begun are answered, or end them when that takes too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._members):
                connection.abort()
