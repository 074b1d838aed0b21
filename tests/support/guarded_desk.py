"""A guard with a clock that stands still, and who answers behind it: for tests of listeners without sockets."""

import asyncio

import orjson
from wire import Wire

from tailslide_runtime.answering import Answers
from tailslide_runtime.connections import Connections
from tailslide_runtime.guard import Guard, ListenerLimits
from tailslide_runtime.own_names import OwnNames
from tailslide_runtime.settings import ListenAddress

LIMITS = ListenerLimits(max_connections=10, max_body_bytes=100_000)
GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Answering(asyncio.Protocol):
    """Stands for aiohttp: keeps what it gets, and answers when it is told."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.transport: asyncio.Transport | None = None
        self.got: list[bytes] = []
        self.paused: list[bool] = []
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        self.got.append(data)

    def pause_writing(self) -> None:
        self.paused.append(True)

    def resume_writing(self) -> None:
        self.paused.append(False)

    def switch(self) -> None:
        """Agree to a WebSocket."""
        assert self.transport is not None
        self.transport.write(SWITCHED)
        self._answers.switched()

    def answer(self, *, last: bool = False) -> None:
        assert self.transport is not None
        self.transport.write(ANSWER)
        self._answers.answered(not last)
        if last:
            self.transport.close()


class Desk:
    """A guard with a clock that stands still, and who answers behind it."""

    def __init__(
        self, limits: ListenerLimits = LIMITS, allowed: tuple[str, ...] = (), websockets: tuple[str, ...] = ()
    ) -> None:
        self.time = 0.0
        self.answering: list[Answering] = []
        self.connections = Connections(limits.max_connections)
        names = OwnNames.of(ListenAddress("127.0.0.1", 80), allowed)
        self.guard = Guard(self._new, self.connections, limits, names, websockets=websockets)
        self.guard.now_s = lambda: self.time  # type: ignore[method-assign] # a clock that stands still
        self.guard.take_turn = lambda go: go()  # type: ignore[method-assign] # see the test of turns

    def _new(self, answers: Answers) -> asyncio.Protocol:
        self.answering.append(Answering(answers))
        return self.answering[-1]

    def wire(self) -> Wire:
        return Wire(self.guard.connection())

    def at(self, seconds: float) -> None:
        self.time = seconds
        self.connections.sweep(seconds)

    def asked(self, data: bytes) -> bytes:
        """Return what aiohttp gets of a request."""
        self.wire().protocol.data_received(data)
        return self.answering[-1].got[-1]

    def refused(self, data: bytes) -> tuple[int, str]:
        """Return the status and the code of what a request is refused with."""
        wire, before = self.wire(), len(self.answering)
        wire.protocol.data_received(data)
        assert len(self.answering) == before
        return refusal_of(wire)


def refusal_of(wire: Wire) -> tuple[int, str]:
    head, _, body = wire.unsent.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert wire.half_closed
    assert not wire.closing
    return int(head[9:12]), orjson.loads(body)["error"]["code"]
