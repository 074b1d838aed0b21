"""The flags listener's front door: answers the hot routes at once, and leaves everything else to the guard and aiohttp.

What `hot_requests` cannot take goes to the guard that stands before aiohttp, together with its connection, byte for
byte as it came. What is answered here is answered as aiohttp would have.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import cast

from tailslide_runtime.guard import Guard, GuardedConnection
from tailslide_runtime.http1.refusals import SLOW_BODY, SLOW_HEAD
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.hot_requests import HotHead, HotReader, HotRequest, KnownFields, Route, Unread
from tailslide_sidecar.replies import Reply
from tailslide_sidecar.turns import Turns

DATE_S = 1.0
OUT_BYTES = 131_072
"""Answers to pipelined requests are handed to the transport in portions of about so much."""
TURN_S = 0.01
"""How long connections may be answered before everything else of the process has its turn."""
LOOK_BYTES = 4_096
LOOK_READ_BYTES = 16_384
"""After so many bytes of answers, about two dozen short ones, or of questions, and after each question about all flags,
the time is looked at."""


class HotListener:
    """What all connections share as long as they are here: the answers, the guard that takes the others, the clock."""

    def __init__(
        self,
        answers: Answers,
        guard: Guard,
        *,
        turn_s: float = TURN_S,
        token: str | None = None,
        observe: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`guard` takes over what is not for here; its limits and names hold here too, and its connections are ours.

        `token`, if there is one, has to be in Authorization or X-API-Key. Connections are answered for `turn_s`, then
        all else has its turn. `observe` is told the seconds that each batch of answers took; `clock` gives Unix
        time for the Date header.
        """
        self.answers = answers
        self.guard = guard
        self.limits = guard.limits
        self.connections = guard.connections
        self.token = None if token is None else token.encode()
        self.observe = observe
        self.date = b""
        self.known_heads: dict[bytes, HotHead] = {}
        self.known_fields: KnownFields = {}
        self.now = 0.0
        """The loop's time at the last look, up to a second ago: exact enough for timeouts of seconds."""
        self.turn_s = turn_s
        self.turns = Turns(turn_s)
        self._clock = clock
        self.refresh()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return HotProtocol(self)

    def reader(self) -> HotReader:
        """Return a reader for a new connection."""
        return HotReader(self.token, self.known_heads, self.known_fields, names=self.guard.names)

    def refresh(self) -> None:
        """Let answers carry the present second."""
        self.now = self.guard.now_s()
        self.date = formatdate(self._clock(), usegmt=True).encode()

    async def run(self) -> None:
        """Keep the date, until cancelled."""
        while True:
            self.refresh()
            # The date has to change with the second, not a second after the last look.
            await asyncio.sleep(DATE_S - self._clock() % DATE_S)


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
        "_transport",
        "_unsent",
    )

    def __init__(self, listener: HotListener) -> None:
        self._listener = listener
        self._reader = listener.reader()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._needed = 0
        self._since = self._listener.now
        self._paused = False
        """Whether no more is answered for now."""
        self._full = False
        """Whether that is because the client takes nothing."""
        self._unsent = 0

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if not self._listener.connections.opened(self):
            self._to_guard(self._transport).turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._listener.connections.gone(self)
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

    def _end_turn(self) -> None:
        # Thousands of pipelined questions fit in what comes at once, and each may take as long as a call.
        if not self._paused:
            self._pause()
            self._listener.turns.wait(self._next_turn)

    def _next_turn(self) -> None:
        if self._paused and not self._full:
            self._go_on()

    def _go_on(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():  # uvloop would read on all the same
            self._transport.resume_reading()
            if self._buffer:
                data, self._buffer = self._buffer, b""
                self._answer(data)
            elif self._listener.connections.each_last:
                self.close()

    def waits_since(self) -> float | None:
        """Return since when the client is waited for; None while it waits for its next turn."""
        return None if self._paused and not self._full else self._since

    def end_if_late(self, now_s: float) -> None:
        """Close when the next request has not begun for too long, or has begun and does not come to its end.

        What counts is when it began, not when its last byte came: a byte now and then keeps no connection.
        """
        limits, transport = self._listener.limits, self._transport
        if transport is None:
            return
        if self._paused or transport.is_closing():
            self._end_if_unread(transport, now_s)
        elif not self._buffer:
            if now_s - self._since > limits.idle_timeout_s:
                self.close()
        elif now_s - self._since > (limits.body_timeout_s if self._needed else limits.head_timeout_s):
            self._to_guard(transport).refuse(SLOW_BODY if self._needed else SLOW_HEAD)

    def _end_if_unread(self, transport: asyncio.Transport, now: float) -> None:
        """Give up a client that takes nothing of its answers for too long."""
        unsent = transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        elif now - self._since > self._listener.limits.idle_timeout_s:
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
        if listener.turns.is_over:
            self._buffer = data
            self._end_turn()
            return
        started = time.perf_counter()
        out: list[bytes] = []
        out_bytes = position = self._needed = 0
        length, look_at, look_read = len(data), LOOK_BYTES, LOOK_READ_BYTES
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
            if out_bytes > look_at or position > look_read or head.route is Route.OFREP_ALL:
                look_at, look_read = out_bytes + LOOK_BYTES, position + LOOK_READ_BYTES
                if out_bytes > OUT_BYTES:
                    self._send(out)
                    out_bytes, look_at = 0, LOOK_BYTES
                if time.perf_counter() - started > listener.turn_s:
                    self._end_turn()
        self._buffer = data[position:] if position < length else b""
        if position:
            self._since = listener.now
            self._send(out)
            took_s = time.perf_counter() - started
            listener.turns.spent(took_s)
            listener.observe(took_s)
            if listener.connections.each_last and not self._paused:
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
            return answers.ofrep_all(body, head.if_none_match)
        return answers.native_one(head.flag, head.query)

    def _hand_over(self, data: bytes, out: list[bytes]) -> None:
        """Give the connection, with what has not been answered, to the guard."""
        transport = self._transport
        self._send(out)
        if transport is not None and not transport.is_closing():
            self._to_guard(transport).data_received(data)

    def _to_guard(self, transport: asyncio.Transport) -> GuardedConnection:
        guard = self._listener.guard
        guarded = guard.connection()
        self._transport = None
        guard.connections.handed_over(self, guarded)
        guarded.take_over(transport, self._since, paused=self._full)
        transport.set_protocol(guarded)
        if self._full:
            transport.resume_reading()  # the guard holds back by itself
        return guarded
