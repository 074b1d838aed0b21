"""The old path and the new feature, as two small services, and a switch that makes one of them fail.

The demo runs them in its own process, so that it knows to the millisecond which calls reached them; `tailslide sample`
runs them for people.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from tailslide_embedded.addresses import LOOPBACK
from tailslide_runtime.listener import HttpListener
from tailslide_runtime.settings import ListenAddress

SERVED_BY = "x-served-by"
ANY_PATH = "/{path:.*}"


@dataclass(slots=True)
class Service:
    """One of the two. `failing_percent` of its calls are answered 500, evenly spread; times are monotonic, seconds."""

    name: str
    content: Mapping[str, object] = field(default_factory=lambda: {"appointments": ["09:30", "14:00"]})
    url: str = ""
    failing_percent: float = 0.0
    fail_after: int | None = None
    """After so many calls that were answered well it breaks down by itself, once."""
    keeps_times: bool = True
    """Whether `arrivals` and `failures` are filled; a service that runs for days has no room for them."""
    arrivals: list[float] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[float] = field(default_factory=list)
    told: Callable[["Service"], None] = lambda _: None
    """Called when it breaks down or is healed."""
    _answered_well: int = 0
    _debt: float = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call."""
        async for _ in request.content.iter_any():
            pass  # a request that was not read to its end would cost the sidecar its connection
        now = time.monotonic()
        if self.keeps_times:
            self.arrivals.append(now)
        self.arrived.set()
        if self._answered_well == self.fail_after:
            self.fail_after = None
            self.break_down()
        self._debt += self.failing_percent / 100
        headers = {SERVED_BY: self.name}
        if self._debt >= 1:
            self._debt -= 1
            if self.keeps_times:
                self.failures.append(now)
            return _json({"error": "the new schema has no such column"}, status=500, headers=headers)
        self._answered_well += 1
        body = {"user": request.headers.get("x-user-id"), **self.content, "served_by": self.name}
        return _json(body, headers=headers)

    def break_down(self, percent: float = 100.0) -> None:
        """Let this many percent of the calls fail from now on."""
        self.failing_percent, self._debt = percent, 0.0
        self.told(self)

    def heal(self) -> None:
        """Answer well from now on."""
        self.failing_percent = 0.0
        self.told(self)


@dataclass(frozen=True, slots=True)
class Services:
    """The two sides of the flag."""

    old: Service
    new: Service


@asynccontextmanager
async def running_services(path: str) -> AsyncIterator[Services]:
    """Let both services answer `path` on free ports of loopback until the end of the block."""
    services = Services(Service("old"), Service("new"))
    async with listening(services.old, path), listening(services.new, path):
        yield services


@asynccontextmanager
async def listening(service: Service, path: str, port: int = 0, setting: str | None = None) -> AsyncIterator[None]:
    """Let a service answer `path`, and its switches, on a port of loopback until the end of the block.

    Raises StartError that names the setting when the port cannot be had.
    """
    app = web.Application()
    app.router.add_post("/break", _switch(service, broken=True))
    app.router.add_post("/heal", _switch(service, broken=False))
    app.router.add_route("*", path, service.answer)
    listener = HttpListener(app, ListenAddress(LOOPBACK, port), setting or f"the {service.name} service")
    service.url = f"http://{await listener.listen()}"
    ending_late_connections = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        ending_late_connections.cancel()
        with suppress(asyncio.CancelledError):
            await ending_late_connections
        await listener.close(drain_s=0)


def _switch(service: Service, *, broken: bool) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        if broken:
            service.break_down()
        else:
            service.heal()
        return _json({"service": service.name, "failing_percent": service.failing_percent})

    return handle


def _json(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    # With the end of a line, since people ask by curl.
    return web.Response(
        body=orjson.dumps(body) + b"\n", status=status, headers=headers, content_type="application/json"
    )
