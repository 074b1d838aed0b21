"""The old and the new appointments service of the demo, and a switch that makes the new one fail.

They run in the demo's own process, so that it knows to the millisecond which calls reached them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from tailslide_embedded.addresses import LOOPBACK
from tailslide_runtime.listener import HttpListener
from tailslide_runtime.settings import ListenAddress

SERVED_BY = "x-served-by"


@dataclass(slots=True)
class Service:
    """One of the two. `failing_percent` of its calls are answered 500, evenly spread; times are monotonic, seconds."""

    name: str
    url: str = ""
    failing_percent: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    failures: list[float] = field(default_factory=list)
    _debt: float = 0.0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call for appointments."""
        now = time.monotonic()
        self.arrivals.append(now)
        self.arrived.set()
        self._debt += self.failing_percent / 100
        headers = {SERVED_BY: self.name}
        if self._debt >= 1:
            self._debt -= 1
            self.failures.append(now)
            return web.json_response({"error": "the new schema has no such column"}, status=500, headers=headers)
        body = {"user": request.headers.get("x-user-id"), "appointments": ["09:30", "14:00"], "served_by": self.name}
        return web.Response(body=orjson.dumps(body), content_type="application/json", headers=headers)

    def break_down(self, percent: float = 100.0) -> None:
        """Let this many percent of the calls fail from now on."""
        self.failing_percent, self._debt = percent, 0.0

    def heal(self) -> None:
        """Answer well from now on."""
        self.failing_percent = 0.0


@dataclass(frozen=True, slots=True)
class Services:
    """The two sides of the flag."""

    old: Service
    new: Service


@asynccontextmanager
async def running_services(path: str) -> AsyncIterator[Services]:
    """Let both services answer `path` on free ports of loopback until the end of the block."""
    services = Services(Service("old"), Service("new"))
    listeners: list[HttpListener] = []
    try:
        for service in (services.old, services.new):
            app = web.Application()
            app.router.add_get(path, service.answer)
            app.router.add_post("/demo/break", _switch(service, broken=True))
            app.router.add_post("/demo/heal", _switch(service, broken=False))
            listener = HttpListener(app, ListenAddress(LOOPBACK, 0), f"the {service.name} service")
            listeners.append(listener)
            service.url = f"http://{await listener.listen()}"
        yield services
    finally:
        for listener in listeners:
            await listener.close(drain_s=0)


def _switch(service: Service, *, broken: bool) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        if broken:
            service.break_down()
        else:
            service.heal()
        return web.json_response({"service": service.name, "failing_percent": service.failing_percent})

    return handle
