"""The flags listener's front door: answers the hot routes at once, and leaves everything else to aiohttp.

What `hot_requests` cannot take goes to aiohttp's own handler, together with its connection, byte for byte as it came.
What is answered here is answered as aiohttp would have.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import cast

from tailslide_sidecar.answers import Answers
from tailslide_sidecar.hot_requests import HotHead, HotReader, HotRequest, KnownFields, Route, Unread
from tailslide_sidecar.replies import Reply

HEAD_TIMEOUT_S = 10.0
BODY_TIMEOUT_S = 30.0
SWEEP_S = 1.0
OUT_BYTES = 131_072
"""Answers to pipelined requests are handed to the transport in portions of about so much."""
TURN_S = 0.02
"""How long one connection may be answered questions about all flags before all others have their turn."""

_TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HotListener:
    """What all connections of the listener share: the answers, aiohttp's handler, the clock, the limits."""

    def __init__(
        self,
        answers: Answers,
        handler: Callable[[], asyncio.Protocol],
        *,
        idle_timeout_s: float,
        head_timeout_s: float = HEAD_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
        turn_s: float = TURN_S,
        token: str | None = None,
        observe: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`handler` makes aiohttp's protocol; `token`, if there is one, has to be in Authorization or X-API-Key.

        A connection may be silent for `idle_timeout_s` between requests, and leave its answers lying for as long; a
        request has to be there in whole `head_timeout_s` or `body_timeout_s` after its first byte. Questions about all
        flags are answered for `turn_s`, then others have their turn.

        `observe` is told the seconds that each batch of answers took; `clock` gives Unix time for the Date header.
        """
        self.answers = answers
        self.handler = handler
        self.token = None if token is None else token.encode()
        self.observe = observe
        self.date = b""
        self.known_heads: dict[bytes, HotHead] = {}
        self.known_fields: KnownFields = {}
        self.now = 0.0
        """The loop's time at the last look, up to a second ago: exact enough for timeouts of seconds."""
        self.idle_timeout_s = idle_timeout_s
        self.head_timeout_s = head_timeout_s
        self.body_timeout_s = body_timeout_s
        self.turn_s = turn_s
        self._clock = clock
        self._connections: set[HotProtocol] = set()
        self._closing = False
        self._empty = asyncio.Event()
        self.refresh()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return HotProtocol(self)

    def refresh(self) -> None:
        """Let answers carry the present second."""
        self.now = asyncio.get_running_loop().time()
        self.date = formatdate(self._clock(), usegmt=True).encode()

    def opened(self, connection: "HotProtocol") -> None:
        """Keep an eye on a connection; one that comes while closing is not let in."""
        if self._closing:
            connection.close()
        else:
            self._connections.add(connection)

    def gone(self, connection: "HotProtocol") -> None:
        """Forget a connection: it was closed, or is aiohttp's now."""
        self._connections.discard(connection)
        if self._closing and not self._connections:
            self._empty.set()

    @property
    def connections(self) -> int:
        """How many connections are here now, without those that are aiohttp's."""
        return len(self._connections)

    async def run(self) -> None:
        """Keep the date, and end connections that say nothing for too long, until cancelled."""
        while True:
            self.refresh()
            self.sweep()
            # The date has to change with the second, not a second after the last look.
            await asyncio.sleep(SWEEP_S - self._clock() % SWEEP_S)

    def sweep(self) -> None:
        """End connections that are late."""
        for connection in list(self._connections):
            connection.end_if_late(self.now)

    def close(self) -> None:
        """End idle connections at once, and the others with their next answer."""
        self._closing = True
        if not self._connections:
            self._empty.set()
        for connection in list(self._connections):
            connection.close_when_idle()

    async def drained(self, timeout_s: float) -> None:
        """Wait until requests that had begun are answered, or end them when that takes too long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort()

    @property
    def closing(self) -> bool:
        """Whether connections end with their next answer."""
        return self._closing


class HotProtocol(asyncio.Protocol):
    """One connection, until it is closed or handed over."""

    __slots__ = (
        "_buffer",
        "_full",
        "_listener",
        "_needed",
        "_paused",
        "_reader",
        "_since",
        "_spent_s",
        "_transport",
        "_unsent",
    )

    def __init__(self, listener: HotListener) -> None:
        self._listener = listener
        self._reader = HotReader(listener.token, listener.known_heads, listener.known_fields)
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._needed = 0
        self._since = self._listener.now
        self._paused = False
        """Whether no more is answered for now."""
        self._full = False
        """Whether that is because the client takes nothing."""
        self._spent_s = 0.0
        self._unsent = 0

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._listener.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._listener.gone(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        if self._buffer:
            data = self._buffer + data
            if len(data) < self._needed:
                self._buffer = data
                return
        else:
            self._since = self._listener.now
        if self._paused:
            self._buffer = data
            return
        self._answer(data)

    def pause_writing(self) -> None:
        """Stop reading: whoever does not take the answers gets no more of them."""
        self._full = True
        self._pause()

    def resume_writing(self) -> None:
        """Go on with what has come meanwhile."""
        self._full = False
        self._go_on()

    def _pause(self) -> None:
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def _next_turn(self) -> None:
        if self._paused and not self._full:
            self._go_on()

    def _go_on(self) -> None:
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()
            if self._buffer:
                data, self._buffer = self._buffer, b""
                self._answer(data)
            elif self._listener.closing:
                self.close()

    def end_if_late(self, now: float) -> None:
        """Close when the next request has not begun for too long, or has begun and does not come to its end.

        What counts is when it began, not when its last byte came: a byte now and then keeps no connection.
        """
        listener, transport = self._listener, self._transport
        if transport is None:
            return
        if self._paused or transport.is_closing():
            self._end_if_unread(transport, now)
            return
        waited_s = now - self._since
        if not self._buffer:
            if waited_s > listener.idle_timeout_s:
                self.close()
        elif waited_s > (listener.body_timeout_s if self._needed else listener.head_timeout_s):
            transport.write(_TIMED_OUT)
            self.close()

    def _end_if_unread(self, transport: asyncio.Transport, now: float) -> None:
        """Give up a client that takes nothing of its answers for too long."""
        unsent = transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        elif now - self._since > self._listener.idle_timeout_s:
            self.abort()

    def close_when_idle(self) -> None:
        """Close unless a request has begun to come in."""
        if not self._buffer:
            self.close()

    def close(self) -> None:
        """Close when what was answered is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now, whatever has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    # One request after another

    def _answer(self, data: bytes) -> None:
        listener, read = self._listener, self._reader.read
        started = time.perf_counter()
        out: list[bytes] = []
        out_bytes = position = self._needed = 0
        length = len(data)
        while position < length and not self._paused:
            request = read(data, position)
            if request.__class__ is Unread:
                if request is Unread.NOT_FOR_HERE:
                    self._hand_over(data[position:], out)
                    return
                if request is Unread.BODY_INCOMPLETE:
                    self._needed = self._reader.needed
                break
            head, body, position = cast(HotRequest, request)
            reply = self._reply(head, body)
            out += (reply.before_date, listener.date, reply.after_date)
            out_bytes += len(reply.after_date)
            if out_bytes > OUT_BYTES:
                self._send(out)
                out_bytes = 0
        self._buffer = data[position:] if position < length else b""
        if position:
            self._since = listener.now
            self._send(out)
            listener.observe(time.perf_counter() - started)
            if listener.closing and not self._paused:
                self.close()

    def _send(self, out: list[bytes]) -> None:
        if out and self._transport is not None:
            self._transport.write(b"".join(out))
            out.clear()

    def _reply(self, head: HotHead, body: bytes) -> Reply:
        answers = self._listener.answers
        if head.route is Route.OFREP_ONE:
            return answers.ofrep_one(head.flag, body)
        if head.route is Route.OFREP_ALL:
            began_s = time.perf_counter()
            reply = answers.ofrep_all(body, head.if_none_match)
            self._spent_s += time.perf_counter() - began_s
            if self._spent_s > self._listener.turn_s:
                # Thousands of pipelined questions fit in what comes at once, and each may take as long as a call.
                self._spent_s = 0.0
                self._pause()
                asyncio.get_running_loop().call_soon(self._next_turn)
            return reply
        return answers.native_one(head.flag, head.query)

    def _hand_over(self, data: bytes, out: list[bytes]) -> None:
        """Give the connection, with what has not been answered, to aiohttp."""
        transport = self._transport
        self._send(out)
        if transport is None or transport.is_closing():
            return
        self._listener.gone(self)
        self._transport = None
        protocol = self._listener.handler()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._full:
            # aiohttp is to wait with its answers too, but it takes a new connection for one that is being read.
            protocol.pause_writing()
            transport.resume_reading()
        protocol.data_received(data)
