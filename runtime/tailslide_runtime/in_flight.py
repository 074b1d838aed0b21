"""Requests that aiohttp is answering, so that a listener can wait for them before it closes.

aiohttp's own shutdown stops to read at once: of a request whose body is on its way the rest would never come, and its
handler would hold up the end for nothing. Closing what is idle, and what does not come to an end, is left to it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

Request = TypeVar("Request", bound=web.BaseRequest)


class InFlight:
    """Counts the requests of a process's listeners."""

    def __init__(self) -> None:
        self._count = 0
        self._ending = False
        self._none = asyncio.Event()
        self._none.set()

    @property
    def count(self) -> int:
        """How many requests are being answered, their bodies being read included."""
        return self._count

    @web.middleware
    async def answer(
        self, request: Request, handler: Callable[[Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer by `handler`; at the end, with the last answer of the connection."""
        self._count += 1
        self._none.clear()
        try:
            response = await handler(request)
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()
        if self._ending and not response.prepared:
            response.force_close()
        return response

    async def ended(self, timeout_s: float) -> None:
        """Wait until all are answered, or for so long; from now on each answer is the last of its connection."""
        self._ending = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._none.wait()
        except TimeoutError:
            return
