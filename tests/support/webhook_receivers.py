"""Receivers of webhooks on this machine, and names that lead to them, for tests of alerts."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web


@dataclass
class Received:
    """One request that a receiver got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        value = orjson.loads(self.body)
        assert isinstance(value, dict)
        return value


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, and with 200 when there is none left."""

    port: int = 0
    answers: list[web.Response] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    is_silent: bool = False
    """Whether it takes requests and never answers."""

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.path, headers, await request.read()))
        if self.is_silent:
            await asyncio.Event().wait()
        return self.answers.pop(0) if self.answers else web.Response(text="ok")


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of 127.0.0.1."""
    running = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", running.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running.port = int(runner.addresses[0][1])
        yield running
    finally:
        await runner.cleanup()


class FixedNames:
    """Names that lead where a test wants them to; each look-up takes the next of a host's lists of addresses."""

    def __init__(self, **hosts: Sequence[Sequence[str]]) -> None:
        self._hosts = {host.replace("_", "."): list(answers) for host, answers in hosts.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, family: socket.AddressFamily) -> Sequence[str]:
        self.asked.append(host)
        answers = self._hosts.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]
