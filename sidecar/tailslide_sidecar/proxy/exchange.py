"""One call on its way: a client's request to an upstream, the answer back, and what became of it.

All of it happens in callbacks of the two connections, of the listener's clock and of the pool; there is no task, since
one for each call would cost more than the call. Whatever comes, each upstream that was tried is counted once.

What most calls do not need has its value in the class, so that it costs them nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from tailslide_core.outcomes import CallEnd, failure_cause
from tailslide_runtime.http1.messages import END, End, Framing
from tailslide_runtime.http1.refusals import Refusal, too_large
from tailslide_runtime.http1.requests import RequestHead
from tailslide_sidecar.calls import IDEMPOTENT_METHODS, Terms
from tailslide_sidecar.proxy import admission, balancing
from tailslide_sidecar.proxy.accounts import Side
from tailslide_sidecar.proxy.active_route import NEVER, ActiveRoute
from tailslide_sidecar.proxy.forwarding import (
    LAST_CHUNK,
    VIA_LINE,
    chunk,
    client_head,
    framing_to,
    interim_head,
    last_chunk,
    switching_head,
    upstream_head,
)
from tailslide_sidecar.proxy.held_body import HeldBody
from tailslide_sidecar.proxy.refusals import SLOW_CLIENT
from tailslide_sidecar.proxy.responses import Broken, Event, ResponseHead, Switched
from tailslide_sidecar.proxy.routes import FixedAnswer, NoRoute, rewritten
from tailslide_sidecar.proxy.tunnel import Tunnel

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.client_connection import ClientConnection
    from tailslide_sidecar.proxy.pool import Server
    from tailslide_sidecar.proxy.upstream_connection import UpstreamConnection


@dataclass(frozen=True, slots=True)
class SavedFailure:
    """A failure of a feature of which its caller saw nothing, since the call was made again to the fallback."""

    cause: str
    status: int | None
    """The feature's answer, if it gave one."""
    took_ms: float


class Phase(Enum):
    """How far an exchange has come."""

    NEW = auto()
    CONNECTING = auto()
    ASKED = auto()
    """The request is on its way, the answer has not begun."""
    ANSWERING = auto()
    DONE = auto()


# Members of enums that every call needs: a global costs a fifth of a look into the enum.
_ASKED, _ANSWERING, _DONE = Phase.ASKED, Phase.ANSWERING, Phase.DONE
_NONE, _LENGTH, _CHUNKED, _UNTIL_CLOSE = Framing.NONE, Framing.LENGTH, Framing.CHUNKED, Framing.UNTIL_CLOSE
_FEATURE, _FALLBACK, _UPSTREAM = Side.FEATURE, Side.FALLBACK, Side.UPSTREAM
_ANSWERED = CallEnd.ANSWERED

_FAILURES = {
    CallEnd.REFUSED: (502, "UPSTREAM_REFUSED"),
    CallEnd.BROKEN: (502, "UPSTREAM_BROKEN"),
    CallEnd.TIMED_OUT: (504, "UPSTREAM_TIMEOUT"),
    CallEnd.NO_CAPACITY: (503, "NO_CAPACITY"),
}


_REFUSED_BY_LIMITS = {204: CallEnd.ANSWERED, 413: CallEnd.CLIENT_GONE, 503: CallEnd.NO_CAPACITY}
"""How calls have ended that the limits of their route kept from any upstream, by what they were answered."""


class Exchange:
    """A request of a client from its head to the end of its answer."""

    phase = Phase.NEW
    request_complete = False
    route: ActiveRoute | None = None
    side = Side.NONE
    marker = ""
    """The header that says how a flagged call was decided; empty without a flag."""
    status = 0
    """The answer's, 0 until there is one."""
    end: CallEnd | None = None
    """How the last upstream that was tried has ended."""
    took_ms = 0.0
    """How long that one has taken."""
    saved: SavedFailure | None = None
    """How the feature has failed, where the fallback made up for it."""
    trace_id = ""
    """The trace that the call is recorded in, if it is (see `traced`)."""
    deadline_s = NEVER
    """When `overdue` is to be called, by the loop's clock."""

    _marker_block = b""
    _own = b""
    """Fields of our own for the answer, but for the marker."""
    _terms: Terms | None = None
    _counted = True
    """Whether the upstream that is being tried, if any, has been counted."""
    _server: "Server | None" = None
    _connection: "UpstreamConnection | None" = None
    _connecting: asyncio.Task[None] | None = None
    _tried: "tuple[Server, ...]" = ()
    _variant_servers: "tuple[Server, ...] | None" = None
    """The feature's, where the route has some for the variant."""
    _anew = False
    """Whether it has been sent again on a new connection."""
    _body: HeldBody | None = None
    _framing = Framing.NONE
    """Of the answer, as the client gets it."""
    _switching: ResponseHead | None = None
    # Times: the upstream's, without those in which only the client is waited for.
    _began_s = 0.0
    _waits = False
    _waits_since_s = 0.0
    _waited_s = 0.0
    _phase_s = NEVER
    """How long the upstream may be silent in this phase."""
    _total_at_s = NEVER

    def __init__(self, client: "ClientConnection", head: RequestHead) -> None:
        self.client = client
        self.head = head
        if head.framing is not _NONE:
            self._body = HeldBody(
                chunked=head.framing is _CHUNKED,
                repeatable=head.method in IDEMPOTENT_METHODS,
                limit=client.listener.limits.replay_limit_bytes,
            )

    # Where it goes

    def launch(self) -> None:
        """Find the way, and go."""
        listener, head = self.client.listener, self.head
        found = listener.table.find(head)
        if isinstance(found, NoRoute):
            listener.accounts.no_route(found)
            self._refuse(admission.without_route(found, head))
            return
        self.route = route = listener.in_use.get(id(found)) or listener.use(found)
        account = route.account
        account.running += 1
        if route.has_limits or head.max_forwards is not None:
            refusal = admission.beyond_limits(route, head, 0 if self._body is None else self._body.received)
            if refusal is not None:
                self._count(_REFUSED_BY_LIMITS[refusal.status])
                self._refuse(refusal)
                return
        switch = route.switch
        if switch is None:
            self._go(_UPSTREAM, route.upstream, None)
            return
        key = None
        if switch.anonymous_cookie is not None:
            key = admission.key_for_anonymous(switch, head)
            if key is not None:
                self._own = admission.cookie_line(switch, key)
        verdict = listener.calls.decide(switch, head, key)
        self.marker = verdict.marker
        self._marker_block = verdict.block
        if verdict.active:
            if route.variants:
                self._variant_servers = route.variants.get(verdict.variant)
            self._go(_FEATURE, self._variant_servers or route.upstream, verdict.terms)
        else:
            assert route.fallback is not None
            self._go(_FALLBACK, route.fallback, verdict.terms)

    def _go(self, side: Side, target: "tuple[Server, ...] | FixedAnswer", terms: Terms | None) -> None:
        """Send the request to one side."""
        self.side = side
        self._terms = terms
        self._counted = False
        if target.__class__ is FixedAnswer:
            self._fixed(target)
            return
        servers: tuple[Server, ...] = target  # type: ignore[assignment] # mypy does not narrow by __class__
        listener, route = self.client.listener, self.route
        assert route is not None
        listener.running.add(self)
        if not listener.ticks:
            listener.begin_to_tick()
        self._began_s = perf_counter()
        if route.total_s is not NEVER:
            self._total_at_s = listener.now_s + route.total_s
        self._send_to(servers[0] if len(servers) == 1 else balancing.choose(servers, listener.now_s, listener.turn()))

    def _fixed(self, answer: FixedAnswer) -> None:
        self.status = answer.status
        self._count(_ANSWERED)
        headers = "".join(f"\r\n{name}: {value}" for name, value in answer.headers)
        if answer.body and not any(name.lower() == "content-type" for name, _ in answer.headers):
            headers += "\r\nContent-Type: text/plain; charset=utf-8"
        self._answer(answer.status, answer.body.encode(), headers.encode("latin-1"))

    def _send_to(self, server: "Server", *, fresh: bool = False) -> None:
        self._server = server
        server.outstanding += 1
        connection = None if fresh else server.take(self.client.listener.now_s)
        if connection is not None:
            self._attach(connection)
            return
        assert self.route is not None
        self.phase = Phase.CONNECTING
        self._phase_s = self.route.connect_s
        self.deadline_s = self._in_time()
        self._connecting = server.connect(self)

    # The pool

    def connected(self, connection: "UpstreamConnection") -> None:
        """Take a new connection, and send what there is."""
        self._connecting = None
        self._attach(connection)

    def not_connected(self, error: OSError, *, no_capacity: bool) -> None:
        """Try another server that does the same, or fail."""
        self._connecting = None
        server = self._server
        assert server is not None
        if no_capacity:
            self.client.listener.pool.shed()  # so that the next call finds what idle connections held
            self._fail(CallEnd.NO_CAPACITY, f"no connection to {server.address} can be made: {error.strerror}")
            return
        why = getattr(error, "verify_message", None) or error.strerror  # what is wrong with its certificate says most
        self._not_there(CallEnd.REFUSED, f"{server.address} cannot be connected to{f': {why}' if why else ''}")

    def _not_there(self, end: CallEnd, message: str) -> None:
        """Try another server that does the same, or fail: nothing of the request has gone out."""
        server, listener = self._server, self.client.listener
        assert server is not None
        balancing.refused(server, listener.now_s)
        self._tried += (server,)
        left = [other for other in self._servers() if other not in self._tried]
        if left and listener.now_s < self._total_at_s:
            server.outstanding -= 1
            self._send_to(balancing.choose(left, listener.now_s))
        else:
            self._fail(end, message)

    def _servers(self) -> "Sequence[Server]":
        assert self.route is not None
        target = self.route.fallback if self.side is _FALLBACK else self._variant_servers or self.route.upstream
        assert isinstance(target, tuple)
        return target

    def _attach(self, connection: "UpstreamConnection") -> None:
        head, client, route = self.head, self.client, self.route
        assert route is not None
        self.phase = _ASKED
        self._connection = connection
        connection.exchange = self
        connection.uses += 1
        connection.reader.expect(head.method)
        target = rewritten(route.route, head.target) if route.rewrites else head.target
        sent = upstream_head(head, target, client.origin, connection.server.authority)
        body = self._body
        if body is None:
            if connection.transport is not None:
                connection.transport.write(sent)
        else:
            connection.write_all([sent, *body.pieces])
            body.sent()
        self._phase_s = route.first_byte_s
        deadline_s = client.listener.now_s + route.first_byte_s
        self.deadline_s = min(deadline_s, self._total_at_s)
        if client.held_back and not connection.writing_paused:
            client.hold_back(False)
        if client.writing_paused:
            connection.pause_reading()
        if not self.request_complete or client.writing_paused:
            self._take_turns()

    # The client

    def take_body(self, data: bytes) -> None:
        """Take all of the request's body before the launch."""
        body = self._body
        assert body is not None
        body.add(data, waits=True)

    def request_body(self, data: bytes) -> None:
        """Take a part of the request's body."""
        body = self._body
        if self.phase is _DONE or body is None:
            return
        connection = self._connection
        piece = body.add(data, waits=connection is None)
        limit = None if self.route is None else self.route.max_body_bytes
        if limit is not None and body.received > limit:
            self._give_up(too_large(limit))
        elif connection is not None:
            connection.write(piece)
            if self.head.expects_continue:
                self._take_turns()  # the client has not waited for leave to send
        elif body.is_too_much:
            self.client.hold_back(True)

    def request_end(self, trailers: list[bytes]) -> None:
        """The request is whole."""
        self.request_complete = True
        body, connection = self._body, self._connection
        if self.phase is _DONE or body is None:
            return
        piece = body.end(trailers, waits=connection is None)
        if connection is not None:
            if piece:
                connection.write(piece)
            self._take_turns()

    def client_paused(self) -> None:
        """The client takes no more: the upstream is to wait."""
        if self._connection is not None:
            self._connection.pause_reading()
            self._take_turns()

    def client_resumed(self) -> None:
        """The client takes more again."""
        if self._connection is not None:
            self._connection.resume_reading()
            self._take_turns()

    def client_gone(self) -> None:
        """The client went away: nobody waits for the answer."""
        if self.phase is not _DONE:
            self._settle(CallEnd.CLIENT_GONE)
            self._done()

    def client_failed(self, refusal: Refusal) -> None:
        """What the client sent of its body is nonsense, or does not come."""
        if self.phase is not _DONE:
            self._give_up(refusal)

    def _give_up(self, refusal: Refusal) -> None:
        """End a call because of its client: nothing that the upstream has done."""
        began = self.phase is _ANSWERING
        self._settle(CallEnd.CLIENT_GONE)
        if began:
            self._break_off()
        else:
            self._refuse(refusal)

    # The upstream

    def upstream_paused(self) -> None:
        """The upstream takes no more: the client is to wait, and it is the upstream's time."""
        self.client.hold_back(True)
        self._take_turns()

    def upstream_resumed(self) -> None:
        """The upstream takes more again."""
        self.client.hold_back(False)
        self._take_turns()

    def answered(self, events: list[Event], size: int) -> None:
        """Take what has come of the answer, `size` bytes, and hand it on in one piece."""
        assert self.route is not None
        self.route.account.bytes_down += size
        out: list[bytes] = []
        if len(events) == 3 and self.phase is _ASKED:
            head, body, end = events
            if end is END and body.__class__ is bytes and head.__class__ is ResponseHead:
                # All of it at once, as most answers come.
                if self._answer_head(head, out):
                    self.client.write(out[0] + (chunk(body) + LAST_CHUNK if self._framing is _CHUNKED else body))
                    self._complete()
                return
        chunks = self._framing is _CHUNKED
        for event in events:
            kind = event.__class__
            if kind is bytes:
                out.append(chunk(event) if chunks else event)  # type: ignore[arg-type] # as asked for by its class
            elif kind is ResponseHead:
                if not self._answer_head(event, out):  # type: ignore[arg-type] # as above
                    return
                chunks = self._framing is _CHUNKED
            elif kind is End and self.phase is _ANSWERING:
                if chunks:
                    out.append(last_chunk(event.trailers))  # type: ignore[union-attr] # as above
                self.client.write(b"".join(out))
                self._complete()
                return
            elif kind is not End:
                self._write(out)
                self._answer_ends(event)
                return
        if self.phase is _ANSWERING and not self._waits:
            self.deadline_s = self._in_time()
        self._write(out)

    def _write(self, out: list[bytes]) -> None:
        if out:
            self.client.write(out[0] if len(out) == 1 else b"".join(out))

    def _answer_ends(self, event: Event) -> None:
        """Take what ends HTTP on this connection."""
        if isinstance(event, Switched):
            self._open_tunnel(event.data)
            return
        assert isinstance(event, Broken)
        self._broken(event.message)

    def _answer_head(self, answer: ResponseHead, out: list[bytes]) -> bool:
        """Take the head of an answer; say whether there is more to do for this upstream."""
        client, head, status = self.client, self.head, answer.status
        if status < 200:
            return self._interim(answer)
        connection, route, terms = self._connection, self.route, self._terms
        assert connection is not None
        assert route is not None
        self.status = status
        if terms is not None and route.retries and terms.fails_with(status) and self._may_fall_back():
            self._settle(_ANSWERED)
            self._fall_back()
            return False
        self.phase = _ANSWERING
        framing = answer.framing
        if framing is not _LENGTH:
            self._framing = framing = framing_to(head, answer)
        if answer.idle_s is not None:
            connection.keeps_alive_s = max(answer.idle_s - 1.0, 0.0)
        if not answer.keeps_alive or answer.framing is _UNTIL_CLOSE:
            connection.keeps_alive_s = 0.0
        listener = client.listener
        # Behind an answer that comes before the end of its request, nobody can tell what the client goes on with.
        client.closes = closes = (
            not head.keeps_alive or not self.request_complete or listener.closing or framing is _UNTIL_CLOSE
        )
        own = self._own_fields()
        out.append(client_head(head, answer, framing, own, listener.date_line, closes=closes))
        self._phase_s = route.idle_s
        return True

    def _own_fields(self) -> bytes:
        return self._own + self._marker_block if self.client.listener.options.answer_header else self._own

    def _interim(self, answer: ResponseHead) -> bool:
        if answer.status == HTTPStatus.SWITCHING_PROTOCOLS:
            if not self.head.upgrade:
                self._broken("the upstream switched protocols without being asked to")
                return False
            self._switching = answer
        elif not self.head.version_1_0:
            if answer.status == HTTPStatus.CONTINUE:
                # Another upstream that is tried after this one is not to ask for the body a second time.
                self.head.expects_continue = False
                self.client.may_send()
                self._take_turns()
            self.client.write(interim_head(answer))
        return True

    def _complete(self) -> None:
        """The answer is whole."""
        client, server, connection = self.client, self._server, self._connection
        assert server is not None
        assert connection is not None
        self._count(_ANSWERED)
        self._server = self._connection = None
        server.outstanding -= 1
        # What is left of a body would be read as the beginning of the next request, or never.
        whole = self.request_complete and (self._body is None or not connection.has_unsent)
        if whole:
            server.put_back(connection, client.listener.now_s)
        else:
            connection.drop()
        if client.held_back:
            client.hold_back(False)
        self._done()
        client.exchange_done()

    def _broken(self, message: str) -> None:
        if self.phase is _ANSWERING:
            self._fail(CallEnd.CUT_OFF, "the answer was cut off")
        else:
            self._fail(CallEnd.BROKEN, message)

    def upstream_lost(self) -> None:
        """The connection has ended, and the answer has not."""
        connection, server = self._connection, self._server
        assert connection is not None
        assert server is not None
        if self.phase is _ANSWERING:
            self._fail(CallEnd.CUT_OFF, "the answer was cut off")
        elif connection.uses > 1 and connection.was_silent and self._can_be_sent_again() and not self._anew:
            # It was being closed while the request was on its way (RFC 9112 §9.3.1).
            self._anew = True
            self.client.listener.accounts.resent += 1
            if self._waits:
                self._waits = False
                self._waited_s += perf_counter() - self._waits_since_s
            connection.exchange = None
            self._connection = None
            server.outstanding -= 1
            self._send_to(server, fresh=True)
        else:
            self._fail(CallEnd.BROKEN, f"{server.address} broke off before it answered")

    def _can_be_sent_again(self) -> bool:
        """Whether the same request can be made another time: it does no harm, and is still here."""
        if self._body is None:
            return self.head.method in IDEMPOTENT_METHODS
        return self._body.can_be_sent_again

    def _may_fall_back(self) -> bool:
        route = self.route
        return route is not None and route.retries and self.side is _FEATURE and self._can_be_sent_again()

    def _fall_back(self) -> None:
        """Let the fallback make up for a feature that has failed."""
        route = self.route
        assert route is not None
        assert route.fallback is not None
        assert self.end is not None
        route.account.retried += 1
        status = self.status or None
        self.saved = SavedFailure(failure_cause(self.end, status), status, self.took_ms)
        self.status = 0
        self.marker += "; answered_by=fallback"
        self._marker_block += b"; answered_by=fallback"
        self._waited_s = 0.0
        self._tried = ()
        self._anew = False
        self._go(_FALLBACK, route.fallback, None)

    def _fail(self, end: CallEnd, message: str) -> None:
        began = self.phase is _ANSWERING
        falls_back = not began and self._may_fall_back()
        self._settle(end)
        if began:
            # Ending it in order would pass a part of the answer off as the whole.
            self._break_off()
        elif falls_back:
            self._fall_back()
        else:
            status, code = _FAILURES[end]
            headers = ((b"Retry-After", b"1"),) if end is CallEnd.NO_CAPACITY else ()
            self._refuse(Refusal(status, code, message, headers=headers))

    # Behind an upgrade

    def _open_tunnel(self, data: bytes) -> None:
        answer, connection, client, route = self._switching, self._connection, self.client, self.route
        assert answer is not None
        assert connection is not None
        assert route is not None
        own = self._own_fields()
        client.write(switching_head(answer, own, client.listener.date_line) + data)
        self.status = answer.status
        self._count(CallEnd.UPGRADED)
        connection.server.outstanding -= 1
        self._server = self._connection = None
        self._done()
        client.open_tunnel(Tunnel(client, connection, route))

    # Times

    def _in_time(self) -> float:
        """Return by when the upstream has to do something, from now on."""
        deadline_s = self.client.listener.now_s + self._phase_s
        return min(self._total_at_s, deadline_s)

    def _take_turns(self) -> None:
        """See who is waited for: the client's time counts for neither latency nor timeouts (decision 0006)."""
        connection = self._connection
        if connection is None:
            return
        waits = connection.reading_paused or self.waits_for_body
        if waits is self._waits:
            return
        self._waits = waits
        if waits:
            self._waits_since_s = perf_counter()
            self.deadline_s = self._total_at_s
        else:
            self._waited_s += perf_counter() - self._waits_since_s
            self.deadline_s = self._in_time()

    @property
    def waits_for_body(self) -> bool:
        """Whether nothing but the client keeps the request from being whole: not if it waits for leave to send."""
        if self.request_complete or self._connection is None or self._connection.writing_paused:
            return False
        return not self.head.expects_continue or (self._body is not None and self._body.received > 0)

    def overdue(self) -> None:
        """The deadline has passed."""
        self.deadline_s = NEVER
        server = self._server
        assert server is not None
        if self._waits:
            self._give_up(SLOW_CLIENT)  # the time for all of it is up, and the upstream is not to blame
        elif self.phase is Phase.CONNECTING:
            if self._connecting is not None:
                self._connecting.cancel()
                self._connecting = None
            self._not_there(CallEnd.TIMED_OUT, f"{server.address} did not accept the connection in time")
        elif self.phase is _ANSWERING:
            self._fail(CallEnd.TIMED_OUT, "the answer stood still")
        else:
            self._fail(CallEnd.TIMED_OUT, f"{server.address} did not answer in time")

    # The end

    def _count(self, end: CallEnd) -> None:
        """Count how the upstream that is being tried has ended."""
        self._counted = True
        self.end = end
        route = self.route
        assert route is not None
        if self._server is None:
            route.account.count(self.side, end, 0.0)  # what answers without an upstream takes no time
            return
        now_s = perf_counter()
        if self._waits:
            self._waited_s += now_s - self._waits_since_s
            self._waits_since_s = now_s
        self.took_ms = took_ms = (now_s - self._began_s - self._waited_s) * 1000
        route.account.count(self.side, end, took_ms)
        terms = self._terms
        if terms is None:
            return
        calls, status = self.client.listener.calls, self.status or None
        if self.side is _FALLBACK:
            calls.end_at_fallback(terms, end, status, took_ms)
        elif route.is_reported:
            calls.end_reported(terms, end, status, took_ms, self._connection is not None)
        else:
            calls.end(terms, end, status, took_ms, self._connection is not None)

    def _settle(self, end: CallEnd) -> None:
        """Be done with an upstream that has not answered in whole: its connection is of no more use."""
        if not self._counted:
            self._count(end)
        self._let_go()

    def _let_go(self) -> None:
        server, connection, connecting = self._server, self._connection, self._connecting
        self._server = self._connection = None
        if server is not None:
            server.outstanding -= 1
        if connecting is not None:
            self._connecting = None
            connecting.cancel()
        if connection is not None:
            connection.drop()
        self._waits = False
        if self.client.held_back:
            self.client.hold_back(False)

    def _done(self) -> None:
        self.phase = _DONE
        route, body = self.route, self._body
        if route is not None:
            route.account.running -= 1
            if body is not None:
                route.account.bytes_up += body.received
                body.pieces = []
        listener = self.client.listener
        listener.running.discard(self)
        access_log = listener.access_log
        access_log.left -= 1
        if access_log.left <= 0 or self.end is not _ANSWERED or self.status >= 500 or self.saved is not None:
            access_log.ended(self)

    def _break_off(self) -> None:
        self._done()
        self.client.break_off(tells_end=self._framing is not _UNTIL_CLOSE)

    def _refuse(self, refusal: Refusal) -> None:
        self.status = refusal.status
        self.client.closes = refusal.closes
        self._answer(refusal.status, refusal.body(), refusal.block())

    def _answer(self, status: int, body: bytes, headers: bytes) -> None:
        """Answer without an upstream."""
        client = self.client
        if not self.head.keeps_alive or not self.request_complete or client.listener.closing:
            client.closes = True
        own = self._own_fields()
        client.write_own(status, body, headers + VIA_LINE + own, self.head)
        if client.held_back:
            client.hold_back(False)
        self._done()
        client.exchange_done()
