"""Two listeners on one store in the test's own process: the hot path with the guard behind it, and the guard alone.

And a client that sends bytes as it is told, in the portions that it is told, and says what came back.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tailslide_runtime.connections import Connection
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import LinkStatus
from tailslide_runtime.listener import HttpListener
from tailslide_runtime.listening import bind
from tailslide_runtime.settings import ListenAddress
from tailslide_sidecar import flags_api
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.event_stream import EventStream
from tailslide_sidecar.flag_store import Content, FlagStore, Origin
from tailslide_sidecar.hot_path import HotListener
from tailslide_sidecar.metrics import Live, Metrics
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.readiness import Readiness
from tailslide_sidecar.reported import Reports

WAIT_S = 10.0
_DATE = re.compile(rb"(?<=\r\nDate: )[A-Z][a-z]{2}, [^\r\n]{20} GMT(?=\r\n)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Parts:
    """What both listeners answer from."""

    store: FlagStore
    buffer: OutcomeBuffer
    counts: EvaluationCounts
    events: EventStream
    answers: Answers
    app: web.Application
    stale: list[bool] = field(default_factory=lambda: [False])


def parts(app: str, content: Content, token: str | None = None) -> Parts:
    """Make all that lies behind the listeners."""
    store = FlagStore(app)
    store.restore(content)
    buffer, counts = OutcomeBuffer(), EvaluationCounts()
    ready = Readiness(Origin.JETSTREAM, 0, True)
    events = EventStream(lambda: store.revision, token=token)
    stale = [False]
    answers = Answers(store, counts, is_stale=lambda: stale[0], event_stream=events.request_uri)
    live = Live(
        store,
        buffer,
        link=LinkStatus(),
        watches={},
        nats_connected=lambda: True,
        redis_connected=lambda: True,
        readiness=lambda: ready,
        event_listeners=lambda: events.listeners,
    )
    api = flags_api.FlagsApi(
        app,
        answers,
        Reports(store, buffer, OutcomeCounts(store.app), lambda _: None),
        events,
        Metrics(live),
        lambda: ready,
        lambda: {"app": app},
        token,
    )
    return Parts(store, buffer, counts, events, answers, flags_api.build(api), stale)


class Watched(asyncio.Protocol):
    """Counts what a protocol has read, so that a client may know when to send more."""

    def __init__(self, inner: asyncio.Protocol, listeners: "Listeners") -> None:
        self._inner = inner
        self._listeners = listeners

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._listeners.transports.append(transport)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._listeners.read_bytes += len(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


@dataclass
class Listeners:
    """Both, and how often a connection went from the one to the other."""

    parts: Parts
    listener: HotListener
    served: HttpListener
    hot: tuple[str, int]
    plain: tuple[str, int]
    handovers: int = 0
    read_bytes: int = 0
    """Bytes that came in, until a connection was handed over."""
    transports: list[Any] = field(default_factory=list)
    """Those of all connections so far, of whatever loop."""

    async def ask(
        self, address: tuple[str, int], portions: Sequence[bytes], answers: int = 1, *, to_head: bool = False
    ) -> "Exchange":
        """Send portions, each once the one before has been read, and read so many answers and what comes after."""
        async with asyncio.timeout(WAIT_S):
            with connected(address) as client:
                await client.connect()
                handovers = self.handovers
                for portion in portions:
                    before = self.read_bytes
                    if not await client.send(portion):
                        break
                    if len(portions) > 1:
                        await self.until_read(before + len(portion))
                got = [answer for _ in range(answers) if (answer := await client.answer(to_head=to_head)) is not None]
                handed_over = self.handovers > handovers
                return Exchange(b"".join(got), len(got), await client.is_open(), handed_over)

    async def until_read(self, total: int) -> None:
        # A listener that has heard enough reads no more; then it is of no use to wait.
        for _ in range(20):
            if self.read_bytes >= total:
                return
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Exchange:
    """What came back, without the values of Date; how many answers; and whether the connection went on."""

    answers: bytes
    count: int
    open: bool
    handed_over: bool = field(default=False, compare=False)

    @property
    def status(self) -> bytes:
        return self.answers[9:12]


class Client:
    """A connection of bytes."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._address = address
        self._got = b""
        self._methods: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    async def connect(self) -> None:
        await self._loop.sock_connect(self._socket, self._address)

    def close(self) -> None:
        self._socket.close()

    def half_close(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    async def send(self, data: bytes) -> bool:
        """Send; say whether the other side is there still."""
        try:
            await self._loop.sock_sendall(self._socket, data)
        except ConnectionError:
            return False
        return True

    async def receive(self) -> bytes:
        """Return what comes next, nothing at the end."""
        try:
            return await self._loop.sock_recv(self._socket, 262_144)
        except ConnectionError:
            return b""

    async def answer(self, *, to_head: bool = False) -> bytes | None:
        """Return the next answer, whole, or what there is of it when the connection ends."""
        while (end := _end_of_answer(self._got, to_head=to_head)) is None:
            more = await self.receive()
            if not more:
                got, self._got = self._got, b""
                return _DATE.sub(b"-", got) or None
            self._got += more
        got, self._got = self._got[:end], self._got[end:]
        return _DATE.sub(b"-", got)

    async def is_open(self) -> bool:
        """Whether the other side answers one more request."""
        if self._got:
            return True
        if not await self.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            return False
        return (await self.answer() or b"").startswith(b"HTTP/1.1 200 ")

    async def until_closed(self) -> bytes:
        """Return all that comes before the other side closes."""
        got = self._got
        while more := await self.receive():
            got += more
        return _DATE.sub(b"-", got)


@contextlib.contextmanager
def connected(address: tuple[str, int]) -> Iterator[Client]:
    client = Client(address)
    try:
        yield client
    finally:
        client.close()


def _end_of_answer(got: bytes, *, to_head: bool) -> int | None:
    """Return where the first final answer ends (RFC 9112 §6.3); an interim one belongs to it."""
    begin = 0
    while True:
        head_end = got.find(b"\r\n\r\n", begin)
        if head_end < 0:
            return None
        head = got[begin : head_end + 4]
        begin = head_end + 4
        if not head.startswith(b"HTTP/1.1 1"):
            break
    length = _LENGTH.search(head)
    if to_head or b" 304 " in head[:20]:
        return begin
    if length is None:
        return None
    end = begin + int(length[1])
    return end if len(got) >= end else None


LIMITS = ListenerLimits()


def served(behind: Parts, limits: ListenerLimits = LIMITS) -> HttpListener:
    """Return the listener of these parts, which does not listen yet."""
    return HttpListener(
        behind.app,
        ListenAddress("127.0.0.1", 0),
        "flags_listen",
        limits=limits,
        error_body=flags_api.error_body,
        cancels=True,
    )


@asynccontextmanager
async def listeners(
    behind: Parts, token: str | None = None, limits: ListenerLimits = LIMITS
) -> AsyncIterator[Listeners]:
    """Open both listeners on loopback."""
    listener = served(behind, limits)
    made: list[Listeners] = []
    hand_over = listener.connections.handed_over

    def counted(old: Connection, new: Connection) -> None:
        made[0].handovers += 1
        hand_over(old, new)

    listener.connections.handed_over = counted  # type: ignore[method-assign] # the tests count it
    hot = HotListener(behind.answers, listener.guard, token=token)
    hot_address = await listener.listen(lambda: Watched(hot.protocol(), made[0]))
    plain = await bind(
        lambda: Watched(listener.guard.connection(), made[0]), ListenAddress("127.0.0.1", 0), "plain_listen"
    )
    made.append(
        Listeners(behind, hot, listener, (hot_address.host, hot_address.port), (plain.address.host, plain.address.port))
    )
    try:
        yield made[0]
    finally:
        plain.close()
        await listener.close(5.0)
