"""The guard of every listener that aiohttp serves: it reads requests whole and checks them, or refuses them.

aiohttp gets a request only when all of it is there, in one plain form: without chunks, trailers, codings or hop-by-hop
fields, within the listener's bounds, for one of the listener's names. So no route can be reached by a request that was
read in two ways, no handler waits for a slow client, and nothing decompresses a body. What is refused is answered in
the listener's documented shape; then bytes that still come are discarded, unread, up to a bound, so that the client
gets to read its answer (RFC 9112 §9.6).

Only paths that the listener names may become a WebSocket (RFC 6455), and only for pages of its own. Once aiohttp has
agreed to it, the connection is passed on as it comes; it keeps its place among the connections, and it is for whoever
has opened it to end it in time.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import formatdate
from typing import cast

from tailslide_runtime.answering import Answers, Wire
from tailslide_runtime.connections import Connections
from tailslide_runtime.http1.fields import values
from tailslide_runtime.http1.lingering import LINGER_BYTES, LINGER_S, end_sending
from tailslide_runtime.http1.messages import End, Framing
from tailslide_runtime.http1.refusals import (
    JSON_TYPE,
    SLOW_BODY,
    SLOW_HEAD,
    TOO_MANY_CONNECTIONS,
    Refusal,
    bad_request,
    own_answer,
    too_large,
)
from tailslide_runtime.http1.requests import Event, Leftover, RequestHead, RequestReader
from tailslide_runtime.own_names import SAFE_METHODS, OwnNames

SERVER = "tailslide"
EARLY_BYTES = 65_536
"""How much of requests that come before their turn is kept, unread, before the client is held back."""
SMALL_BODY_BYTES = 65_536
"""Bodies up to this size are always taken."""
HELD_BYTES = 32 << 20
"""What larger bodies, and what comes early beyond its bound, may take together."""
_SINGLE = ("content-type", "content-location", "content-range", "etag", "server", "user-agent")
"""Fields that aiohttp refuses to see twice."""
_AT_ONCE = frozenset({"/healthz", "/readyz"})
"""Who asks whether the process lives waits for nobody, lest it be ended for being asked much."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerLimits:
    """What clients may take of a listener. Sizes in bytes, times in seconds."""

    max_connections: int = 1_000
    """Connections in all; for one more, those that have waited longest for their clients are closed."""
    max_header_bytes: int = 32_768
    """All header fields of one request, with their names; more is answered 431."""
    max_headers: int = 100
    """How many header fields one request may have; more is answered 431."""
    max_target_bytes: int = 8_192
    """The request target, path and query together; more is answered 414."""
    max_body_bytes: int = 1_048_576
    """The body of one request; more is answered 413."""
    head_timeout_s: float = 10.0
    """From the first byte of a request to the end of its header fields; longer is answered 408."""
    body_timeout_s: float = 30.0
    """From the header fields to the end of the body; longer is answered 408."""
    idle_timeout_s: float = 75.0
    """How long a connection may wait for its next request, or leave an answer unread, before it is closed."""


ErrorBody = Callable[[str, Refusal], bytes]
"""Gives the JSON of a refusal in the shape that is documented for a path ("" where none was read)."""


def one_shape(_: str, refusal: Refusal) -> bytes:
    """Return a refusal in the shape that all errors of Tailslide have."""
    return refusal.body()


class Guard:
    """What all connections of a listener share."""

    def __init__(
        self,
        answering: Callable[[Answers], asyncio.Protocol],
        connections: Connections,
        limits: ListenerLimits,
        names: OwnNames,
        error_body: ErrorBody = one_shape,
        error_type: bytes = JSON_TYPE,
        websockets: Collection[str] = (),
    ) -> None:
        """`answering` makes aiohttp's protocol for a connection, and is given what to tell of its answers.

        `websockets` are the paths that may become a WebSocket.
        """
        self.answering = answering
        self.websockets = frozenset(websockets)
        self.connections = connections
        self.limits = limits
        self.names = names
        self.error_body = error_body
        self.error_type = error_type
        self.refused: Counter[str] = Counter()
        """How many requests were refused, by the code of the refusal."""
        self.held_bytes = 0
        """What all of them take of `HELD_BYTES` now."""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_taken = False

    def connection(self) -> "GuardedConnection":
        """Return the protocol of a connection."""
        return GuardedConnection(self)

    def now_s(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def take_turn(self, go: Callable[[], None]) -> None:
        """Call `go`, at once or, if another one was called, in one of the next turns of the loop.

        Of a thousand requests that come together each is answered for itself, with all else that the process does in
        between.
        """
        if self._is_taken:
            self._waiting.append(go)
        else:
            self._is_taken = True
            self._loop.call_soon(self._next_turn)
            go()

    def _next_turn(self) -> None:
        if self._waiting:
            self._loop.call_soon(self._next_turn)
            self._waiting.popleft()()
        else:
            self._is_taken = False

    def becomes_websocket(self, head: RequestHead) -> bool:
        """Whether a request asks for a WebSocket where there may be one; elsewhere the wish for it stays behind."""
        return (
            head.path in self.websockets
            and head.method == "GET"
            and head.upgrade.lower() == b"websocket"
            and head.framing is Framing.NONE
        )

    def objection(self, head: RequestHead) -> Refusal | None:
        """Return why a request may not be served, as far as its head tells."""
        limits, names = self.limits, self.names
        if not names.has(head.host):
            return Refusal(
                421,
                "UNKNOWN_HOST",
                f"this listener does not answer to the host {head.host:.100}; if it is yours, name it in allowed_hosts "
                "(TAILSLIDE_ALLOWED_HOSTS)",
                closes=True,
                field="Host",
            )
        # A WebSocket is opened by GET, and browsers let pages of any origin open and read one.
        is_safe = head.method in SAFE_METHODS and not self.becomes_websocket(head)
        if not is_safe and not all(
            names.may_write(origin, head.authority.decode("latin-1")) for origin in head.get_all("origin")
        ):
            return Refusal(
                403,
                "FOREIGN_ORIGIN",
                "pages of another origin may not write here; if it is yours, name its host in allowed_hosts "
                "(TAILSLIDE_ALLOWED_HOSTS)",
                closes=True,
                field="Origin",
            )
        if not head.target.isascii():
            return bad_request("expected a target in US-ASCII, all else percent-encoded (RFC 3986)")
        if any(coding.lower() != "identity" for coding in head.get_all("content-encoding")):
            return Refusal(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "expected a body without Content-Encoding",
                closes=True,
                headers=((b"Accept-Encoding", b"identity"),),
                field="Content-Encoding",
            )
        if head.length > limits.max_body_bytes:
            return too_large(limits.max_body_bytes)
        for name in _SINGLE:
            if len(values(head.block, name)) > 1:
                return bad_request(f"expected one {name}, got several")
        if values(head.block, "sec-websocket-key1"):
            return bad_request("expected WebSockets as RFC 6455 has them, without Sec-WebSocket-Key1")
        return None


class GuardedConnection(asyncio.Protocol):
    """A client, until it is gone."""

    __slots__ = (
        "_answerer",
        "_answering",
        "_asked_bytes",
        "_body",
        "_discarded",
        "_early",
        "_events",
        "_guard",
        "_head",
        "_held_bytes",
        "_lingers",
        "_paused",
        "_reader",
        "_reading_paused",
        "_since_s",
        "_switched",
        "_transport",
        "_unsent",
        "_wire",
    )

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._reader = RequestReader(guard.limits)
        self._transport: asyncio.Transport | None = None
        self._wire: Wire | None = None
        self._answerer: asyncio.Protocol | None = None
        self._answering = False
        self._events: deque[Event] = deque()
        self._early = b""
        self._head: RequestHead | None = None
        self._body = bytearray()  # not a list of parts: tiny chunks would take many times their size
        self._held_bytes = 0
        """What this connection takes of the room that all share."""
        self._asked_bytes = 0
        """What the body of the request that is being answered takes of it."""
        self._lingers = False
        self._discarded = 0
        self._paused = False
        self._reading_paused = False
        self._switched = False
        """Whether it is a WebSocket now."""
        self._since_s = guard.now_s()
        self._unsent = 0

    def __repr__(self) -> str:
        does = "answering" if self._answering else "reading"
        does = "lingers" if self._lingers else "websocket" if self._switched else does
        return f"<GuardedConnection {does} since {self._since_s:.1f}>"

    # The transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        if not self._guard.connections.opened(self):
            self.turn_away()

    def turn_away(self) -> None:
        """Refuse the connection at the limit, and close it at once where too many are being refused already."""
        connections = self._guard.connections
        if not connections.closing:
            self.refuse(TOO_MANY_CONNECTIONS)
        if self._transport is not None and (connections.closing or connections.is_flooded):
            self._transport.close()

    def take_over(self, transport: asyncio.Transport, since_s: float, *, paused: bool) -> None:
        """Go on with the connection of another protocol, whose place this one has taken among the connections.

        `since_s` is when its request began, `paused` whether the client takes no answers now.
        """
        self._transport, self._since_s, self._paused = transport, since_s, paused

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._transport = None
        self._forget_request()
        self._guard.connections.gone(self)
        answerer, self._answerer = self._answerer, None
        if answerer is not None:
            answerer.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if self._lingers:
            self._discarded += len(data)
            self._hold_back()
        elif self._switched:
            if self._answerer is not None:
                self._answerer.data_received(data)
        elif self._answering or self._early:
            self._keep_early(self._early + data)
        else:
            self._read(data)

    def pause_writing(self) -> None:
        """The client takes no more."""
        self._paused, self._unsent = True, 0
        if self._answerer is not None:
            self._answerer.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._paused = False
        if self._answerer is not None:
            self._answerer.resume_writing()

    # Requests

    def _read(self, data: bytes) -> None:
        """Read one request after another, each when the one before is answered; keep the rest as it came."""
        start = 0
        while start < len(data) and self._takes_more:
            begun = self._reader.has_begun or self._head is not None
            self._events.extend(self._reader.feed(data, start))
            start = self._reader.stopped_at
            if self._reader.has_begun and not begun:
                self._since_s = self._guard.now_s()  # empty lines before a request are none of it
            again = self._carry_out()
            if again:
                data, start = again + data[start:], 0
        self._keep_early(b"" if self._lingers else data[start:])

    def _keep_early(self, data: bytes) -> None:
        """Keep what has come before its turn; a client that is too far ahead is held back."""
        self._early = data
        if self._may_hold():
            self._hold_back()
        else:
            self.abort()  # nothing that could be told here would reach it before its other answers

    def _may_hold(self) -> bool:
        """Account for what this connection holds beyond the ordinary; say whether there is room for it."""
        guard, body = self._guard, len(self._body)
        held = (body if body > SMALL_BODY_BYTES else 0) + max(len(self._early) - EARLY_BYTES, 0)
        if self._answering:
            held += self._asked_bytes
        if guard.held_bytes + held - self._held_bytes > HELD_BYTES:
            return False
        guard.held_bytes += held - self._held_bytes
        self._held_bytes = held
        return True

    @property
    def _takes_more(self) -> bool:
        return not (self._answering or self._lingers or self._events or self._transport is None)

    def _carry_out(self) -> bytes:
        """Carry out what was read; return what is to be read again, as another request."""
        again, events = b"", self._events
        while events and not self._lingers and (not self._answering or isinstance(events[0], Leftover)):
            event = events.popleft()
            if isinstance(event, Leftover):
                again += event.data  # nobody here speaks another protocol
            elif isinstance(event, bytes):
                self._take_body(event)
            elif isinstance(event, End):
                self._ask()
            elif isinstance(event, RequestHead):
                self._begin(event)
            else:
                self.refuse(event)
        return again

    def _begin(self, head: RequestHead) -> None:
        self._head, self._since_s = head, self._guard.now_s()
        objection = self._guard.objection(head)
        if objection is not None:
            self.refuse(objection)
        elif head.expects_continue and not self._events and self._transport is not None:
            self._transport.write(_CONTINUE)

    def _take_body(self, part: bytes) -> None:
        limit = self._guard.limits.max_body_bytes
        if len(self._body) + len(part) > limit:
            self.refuse(too_large(limit))
            return
        self._body += part
        if not self._may_hold():
            self.refuse(_NO_ROOM)

    def _ask(self) -> None:
        """Let aiohttp answer."""
        head, body = self._head, bytes(self._body)
        transport = self._transport
        assert head is not None
        self._head, self._body = None, bytearray()  # aiohttp has it now
        self._asked_bytes = len(body) if len(body) > SMALL_BODY_BYTES else 0
        if transport is None or transport.is_closing():
            return
        self._answering = True
        websocket = self._guard.becomes_websocket(head) and not self._guard.connections.each_last
        request = plain_form(head, body, last=self._guard.connections.each_last, websocket=websocket)
        if head.path in _AT_ONCE:
            self._hand_on(request)
        else:
            self._guard.take_turn(lambda: self._hand_on(request))

    def _hand_on(self, request: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        answerer = self._answerer
        if answerer is None:
            self._wire = Wire(transport, self._finish, self._pause_websocket)
            answerer = self._answerer = self._guard.answering(self)
            answerer.connection_made(self._wire)
            if self._paused:
                answerer.pause_writing()
        answerer.data_received(request)

    def _forget_request(self) -> None:
        self._guard.held_bytes -= self._held_bytes
        self._head, self._body, self._held_bytes, self._asked_bytes = None, bytearray(), 0, 0

    def switched(self) -> None:
        """Pass on what comes from here on, beginning with what has come already.

        It goes on being answered, as long as it lasts: nobody waits for the client, who may be silent.
        """
        self._switched = True
        self._forget_request()
        early, self._early = self._carry_out() + self._early, b""
        self._hold_back()
        if early and self._answerer is not None:
            self._answerer.data_received(early)

    def _pause_websocket(self, paused: bool) -> None:
        """Hold a client back that sends faster than its messages are taken. Requests are there whole, and need none."""
        transport = self._transport
        if not self._switched or paused is self._reading_paused or transport is None or transport.is_closing():
            return
        self._reading_paused = paused
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def answered(self, may_follow: bool, /) -> None:
        """On to the next request."""
        self._answering = False
        self._since_s = self._guard.now_s()
        self._forget_request()
        if not may_follow or self._transport is None or self._transport.is_closing() or self._lingers:
            return  # aiohttp closes the connection now
        if self._guard.connections.each_last:
            self._finish()
            return
        early, self._early = self._carry_out() + self._early, b""
        if early and self._takes_more:
            self._read(early)
        else:
            self._keep_early(early)

    def _hold_back(self) -> None:
        """Pause reading from a client that is too far ahead, or resume it."""
        paused = self._discarded > LINGER_BYTES if self._lingers else len(self._early) > EARLY_BYTES
        transport = self._transport
        if paused is self._reading_paused or transport is None or transport.is_closing():
            return
        self._reading_paused = paused
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    # The end

    def refuse(self, refusal: Refusal) -> None:
        """Answer by ourselves, and end."""
        guard, head, transport = self._guard, self._head, self._transport
        guard.refused[refusal.code] += 1
        self._forget_request()
        if transport is None or transport.is_closing():
            return
        body = guard.error_body("" if head is None else head.path, refusal)
        date = f"\r\nDate: {formatdate(usegmt=True)}\r\nServer: {SERVER}".encode()
        transport.write(
            own_answer(refusal.status, body, refusal.block(guard.error_type), date, request=head, closes=True)
        )
        self._linger()

    def _linger(self) -> None:
        self._lingers, self._discarded = True, 0
        self._early = b""
        self._events.clear()
        self._since_s = self._guard.now_s()
        self._hold_back()
        if self._transport is not None:
            end_sending(self._transport)

    def _finish(self) -> None:
        """End after an answer: at once if nothing of the client is left unread, which would cost it the answer."""
        if self._lingers:
            return
        if not self._answering and (self._early or self._events):
            self._linger()
        elif self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        if self._transport is not None:
            self._transport.abort()

    def close_when_idle(self) -> None:
        """End now unless a request has begun, else with its answer."""
        if not (self._answering or self._lingers or self._is_amid_request) and self._transport is not None:
            self._transport.close()

    @property
    def _is_amid_request(self) -> bool:
        return self._head is not None or self._reader.has_begun

    def waits_since(self) -> float | None:
        """Return since when the client is waited for; None while a request is being answered."""
        return None if self._answering else self._since_s

    def end_if_late(self, now_s: float) -> None:
        """End what takes too long, as far as it is the client who does."""
        transport, limits = self._transport, self._guard.limits
        if transport is None:
            return
        waited_s = now_s - self._since_s
        if self._lingers:
            if waited_s > LINGER_S:
                self.abort()
        elif transport.get_write_buffer_size() and (self._paused or transport.is_closing()):
            self._end_if_unread(transport.get_write_buffer_size(), now_s)
        elif self._answering:
            return
        elif self._head is not None:
            if waited_s > limits.body_timeout_s:
                self.refuse(SLOW_BODY)
        elif self._reader.has_begun:
            if waited_s > limits.head_timeout_s:
                self.refuse(SLOW_HEAD)
        elif waited_s > limits.idle_timeout_s:
            transport.close()

    def _end_if_unread(self, unsent: int, now_s: float) -> None:
        """Close the connection of a client that has read nothing of its answer for too long."""
        if unsent != self._unsent:
            self._unsent, self._since_s = unsent, now_s
        elif now_s - self._since_s > self._guard.limits.idle_timeout_s:
            self.abort()


_NO_ROOM = Refusal(
    503,
    "TOO_BUSY",
    "bodies of other requests take all of the room that there is; try again shortly",
    closes=True,
    headers=((b"Retry-After", b"1"),),
)


def plain_form(head: RequestHead, body: bytes, *, last: bool = False, websocket: bool = False) -> bytes:
    """Return the plainest request that means the same; `last` asks aiohttp to close the connection after its answer.

    Without `websocket` the wish for another protocol, if there is one, stays behind.
    """
    lines = [f"{head.method} {head.target} HTTP/{'1.0' if head.version_1_0 else '1.1'}".encode("ascii")]
    if head.authority:
        lines.append(b"\r\nHost: " + head.authority)
    lines.append(head.passing)
    lines += [b"\r\n%b: %b" % (name, value) for _, name, value in head.forwarded]
    if head.framing is Framing.CHUNKED:
        lines.append(b"\r\nContent-Length: %d" % len(body))
    if websocket:
        lines.append(b"\r\nUpgrade: websocket\r\nConnection: Upgrade")
    else:
        lines.append(b"\r\nConnection: keep-alive" if head.keeps_alive and not last else b"\r\nConnection: close")
    return b"".join(lines) + b"\r\n\r\n" + body
