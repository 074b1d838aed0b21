"""One call on its way: a client's request to an upstream, the answer back, and what became of it.

All of it happens in callbacks of the two connections, of the deadlines and of the pool; there is no task, since a task
for each call would cost more than the call. Whatever comes, `_settle` is called once for each upstream that was tried.
"""

import asyncio
import secrets
import time
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING

from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.calls import IDEMPOTENT_METHODS, Terms
from tailslide_sidecar.proxy import balancing
from tailslide_sidecar.proxy.accounts import RouteAccount, Side
from tailslide_sidecar.proxy.deadlines import NEVER
from tailslide_sidecar.proxy.forwarding import (
    VIA_LINE,
    chunk,
    client_head,
    framing_to,
    interim_head,
    last_chunk,
    switching_head,
    upstream_head,
)
from tailslide_sidecar.proxy.messages import End, Framing
from tailslide_sidecar.proxy.refusals import Refusal, no_capacity, too_large
from tailslide_sidecar.proxy.requests import ALLOWED, RequestHead
from tailslide_sidecar.proxy.responses import Broken, Event, ResponseHead, Switched
from tailslide_sidecar.proxy.routes import FixedAnswer, NoRoute, Route, Switch, rewritten
from tailslide_sidecar.proxy.routes import Side as Servers
from tailslide_sidecar.proxy.sources import context_of

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.client_connection import ClientConnection
    from tailslide_sidecar.proxy.pool import Server
    from tailslide_sidecar.proxy.upstream_connection import UpstreamConnection

HELD_BYTES = 65_536
"""How much of a body may wait for a connection to its upstream before its client is held back."""
_A_YEAR_S = 31_536_000


class Phase(Enum):
    """How far an exchange has come."""

    NEW = auto()
    CONNECTING = auto()
    ASKED = auto()
    """The request is on its way, the answer has not begun."""
    ANSWERING = auto()
    TUNNEL = auto()
    DONE = auto()


_NO_ROUTES = {
    NoRoute.NO_ROUTE: (404, "NO_ROUTE", "no route takes {method} {path} of {host}"),
    NoRoute.UNKNOWN_HOST: (421, "UNKNOWN_HOST", "no route takes the host {host}"),
    NoRoute.NOT_ALLOWED: (
        403,
        "HOST_NOT_ALLOWED",
        "no route names the host {host}, and forward_allow does not list it",
    ),
}
_FAILURES = {
    CallEnd.REFUSED: (502, "UPSTREAM_REFUSED"),
    CallEnd.BROKEN: (502, "UPSTREAM_BROKEN"),
    CallEnd.TIMED_OUT: (504, "UPSTREAM_TIMEOUT"),
    CallEnd.NO_CAPACITY: (503, "NO_CAPACITY"),
}


class Exchange:
    """A request of a client from its head to the end of its answer."""

    __slots__ = (
        "_anew",
        "_began_s",
        "_body",
        "_body_bytes",
        "_chunked",
        "_connecting",
        "_connection",
        "_framing",
        "_held_bytes",
        "_holds",
        "_own",
        "_phase_timeout_s",
        "_server",
        "_settled",
        "_switching",
        "_terms",
        "_total_at_s",
        "_tried",
        "_waited_s",
        "_waits",
        "_waits_since_s",
        "account",
        "client",
        "deadline_s",
        "end",
        "head",
        "marker",
        "phase",
        "request_complete",
        "route",
        "side",
        "slot",
        "status",
        "took_ms",
    )

    def __init__(self, client: "ClientConnection", head: RequestHead) -> None:
        self.client = client
        self.head = head
        self.phase = Phase.NEW
        self.request_complete = False
        self.route: Route | None = None
        self.account: RouteAccount | None = None
        self.side = Side.NONE
        self.marker = ""
        """What the caller is told of how a flagged call was decided; empty without a flag."""
        self.status = 0
        """The answer's, 0 until there is one."""
        self.took_ms = 0.0
        """How long the last upstream that was tried has taken."""
        self.end: CallEnd | None = None
        """How the last upstream that was tried has ended."""
        self.deadline_s = NEVER
        self.slot = 0
        self._own = b""
        self._terms: Terms | None = None
        self._server: Server | None = None
        self._connection: UpstreamConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._tried: list[Server] = []
        self._anew = False
        # The body on its way: what waits for a connection, and what may have to be sent again.
        self._chunked = head.framing is Framing.CHUNKED
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._held_bytes = 0
        self._holds = head.method in IDEMPOTENT_METHODS
        # The answer.
        self._framing = Framing.NONE
        self._switching: ResponseHead | None = None
        # Times: the upstream's, without those in which only the client is waited for.
        self._settled = True
        self._began_s = 0.0
        self._waits = False
        self._waits_since_s = 0.0
        self._waited_s = 0.0
        self._phase_timeout_s = NEVER
        self._total_at_s = NEVER

    # Where it goes

    def launch(self) -> None:
        """Find the way, and go."""
        listener, head = self.client.listener, self.head
        found = listener.table.find(head)
        if found.__class__ is NoRoute:
            self._no_route(found)  # type: ignore[arg-type] # mypy does not narrow by __class__, which is the fastest
            return
        route: Route = found  # type: ignore[assignment] # as above
        self.route = route
        account = self.account = listener.account(route)
        refusal = self._refused_by_limits(route, account)
        account.running += 1
        if refusal is not None:
            self._answer_by_itself(refusal)
        elif route.switch is None:
            self._go(Side.UPSTREAM, route.upstream)
        else:
            self._decide(route, route.switch)

    def _no_route(self, found: NoRoute) -> None:
        head = self.head
        status, code, message = _NO_ROUTES[found]
        self.client.listener.accounts.no_route(found)
        text = message.format(method=head.method, path=head.path, host=head.host or "(none)")
        self._answer_by_itself(Refusal(status, code, text))

    def _refused_by_limits(self, route: Route, account: RouteAccount) -> Refusal | None:
        head = self.head
        if route.max_body_bytes is not None and head.length > route.max_body_bytes:
            return too_large(route.max_body_bytes)
        if route.max_calls is not None and account.running >= route.max_calls:
            return no_capacity(route.label, route.max_calls)
        if head.max_forwards == 0 and head.method == "OPTIONS":
            return Refusal(204, "", "", headers=((b"Allow", ALLOWED),))
        return None

    def _decide(self, route: Route, switch: Switch) -> None:
        listener = self.client.listener
        anonymous_key = None
        if switch.anonymous_cookie is not None and not context_of(switch, self.head).targeting_key:
            anonymous_key = secrets.token_urlsafe(16)
            cookie = f"{switch.anonymous_cookie}={anonymous_key}; Path=/; Max-Age={_A_YEAR_S}; HttpOnly; SameSite=Lax"
            self._own = b"\r\nSet-Cookie: " + cookie.encode("latin-1")
        verdict = listener.calls.decide(switch, self.head, anonymous_key)
        self.marker = verdict.marker
        if verdict.active:
            self._go(Side.FEATURE, route.upstream, verdict.terms)
        else:
            self._go(Side.FALLBACK, switch.fallback)

    def _go(self, side: Side, target: Servers | FixedAnswer, terms: Terms | None = None) -> None:
        """Send the request to one side."""
        self.side, self._terms = side, terms
        self._settled = False
        self.end = None
        listener, route = self.client.listener, self.route
        assert route is not None
        if isinstance(target, FixedAnswer):
            self._fixed(target)
            return
        self._began_s = time.perf_counter()
        self._waited_s = 0.0
        total_ms = route.timeouts.total_ms
        self._total_at_s = NEVER if total_ms is None else listener.time() + total_ms / 1000
        servers = listener.servers(target)
        self._tried = []
        self._send_to(servers[0] if len(servers) == 1 else balancing.choose(servers, listener.time(), listener.turn()))

    def _fixed(self, answer: FixedAnswer) -> None:
        self.status = answer.status
        self._settle(CallEnd.ANSWERED)
        headers = "".join(f"\r\n{name}: {value}" for name, value in answer.headers)
        if answer.body and not any(name.lower() == "content-type" for name, _ in answer.headers):
            headers += "\r\nContent-Type: text/plain; charset=utf-8"
        self._finish_by_itself(answer.status, answer.body.encode(), headers.encode("latin-1"))

    def _send_to(self, server: "Server", *, fresh: bool = False) -> None:
        self._server = server
        server.outstanding += 1
        connection = None if fresh else server.take()
        if connection is not None:
            self._attach(connection)
            return
        assert self.route is not None
        self.phase = Phase.CONNECTING
        self._within(self.route.timeouts.connect_ms / 1000)
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
            self._fail(CallEnd.NO_CAPACITY, f"no connection to {server.address} can be made: {error.strerror}")
            return
        now_s = self.client.listener.time()
        balancing.refused(server, now_s)
        if not self._try_another(now_s):
            self._fail(CallEnd.REFUSED, f"{server.address} cannot be connected to")

    def _try_another(self, now_s: float) -> bool:
        """Send the request, of which nothing has gone out yet, to a server that has not been tried."""
        assert self._server is not None
        assert self.route is not None
        self._server.outstanding -= 1
        self._tried.append(self._server)
        target = self.route.upstream
        if self.side is Side.FALLBACK and self.route.switch is not None:
            target = self.route.switch.fallback
        assert isinstance(target, Servers)
        left = [server for server in self.client.listener.servers(target) if server not in self._tried]
        if not left:
            self._server.outstanding += 1
            return False
        self._send_to(balancing.choose(left, now_s))
        return True

    def _attach(self, connection: "UpstreamConnection") -> None:
        head, client, route = self.head, self.client, self.route
        assert route is not None
        self.phase = Phase.ASKED
        self._connection = connection
        connection.begin(self, head.method)
        self._phase_timeout_s = route.timeouts.first_byte_ms / 1000
        target = head.target if route.rewrite_prefix is None else rewritten(route, head.target)
        authority = b"" if head.authority else connection.server.authority
        connection.write(upstream_head(head, target, client.origin, authority))
        for piece in self._body:
            connection.write(piece)
        if not self._holds:
            self._body = []
            self._held_bytes = 0
        client.hold_back(False)
        self._waits = False
        if client.writing_paused:
            connection.pause_reading()
        self._within(self._phase_timeout_s)
        self._take_turns()

    # The client

    def request_body(self, data: bytes) -> None:
        """Take a part of the request's body."""
        if self.phase is Phase.DONE:
            return
        self._body_bytes += len(data)
        limit = None if self.route is None else self.route.max_body_bytes
        if limit is not None and self._body_bytes > limit:
            self._give_up(too_large(limit))
            return
        self._send_piece(chunk(data) if self._chunked else data)

    def request_end(self, trailers: list[bytes]) -> None:
        """The request is whole."""
        self.request_complete = True
        if self.phase is Phase.DONE:
            return
        if self._chunked:
            self._send_piece(last_chunk(trailers))
        self._take_turns()

    def _send_piece(self, piece: bytes) -> None:
        connection = self._connection
        if connection is None or self._holds:
            self._held_bytes += len(piece)
            if self._holds and self._held_bytes > self.client.listener.limits.replay_limit_bytes:
                self._holds = False
                if connection is not None:
                    self._body = []
            if connection is None or self._holds:
                self._body.append(piece)
        if connection is not None:
            connection.write(piece)
        elif self._held_bytes > HELD_BYTES:
            self.client.hold_back(True)

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
        if self.phase is not Phase.DONE:
            self._settle(CallEnd.CLIENT_GONE)
            self._done()

    def client_failed(self, refusal: Refusal) -> None:
        """What the client sent of its body is nonsense, or does not come."""
        if self.phase is not Phase.DONE:
            self._give_up(refusal)

    def _give_up(self, refusal: Refusal) -> None:
        """Refuse a request because of its body: nothing that the upstream has done."""
        began = self.phase is Phase.ANSWERING
        self._settle(CallEnd.CLIENT_GONE)
        if began:
            self._done()
            self.client.break_off(tells_end=self._framing is not Framing.UNTIL_CLOSE)
        else:
            self._answer_by_itself(refusal)

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
        """Take what has come of the answer, and hand it on in one piece."""
        client = self.client
        out: list[bytes] = []
        account = self.account
        assert account is not None
        account.bytes_down += size
        if self.phase is Phase.ANSWERING and not self._waits:
            self.deadline_s = client.listener.now_s + self._phase_timeout_s
        chunks = self._framing is Framing.CHUNKED
        for event in events:
            kind = event.__class__
            if kind is bytes:
                out.append(chunk(event) if chunks else event)  # type: ignore[arg-type] # as asked for by its class
            elif kind is ResponseHead:
                if not self._answer_head(event, out):  # type: ignore[arg-type] # as above
                    return
                chunks = self._framing is Framing.CHUNKED
            elif kind is End:
                if self._switching is None and self.phase is Phase.ANSWERING:
                    if chunks:
                        out.append(last_chunk(event.trailers))  # type: ignore[union-attr] # as above
                    if out:
                        client.write(b"".join(out))
                    self._complete()
                    return
            elif kind is Switched:
                self._open_tunnel(event.data)  # type: ignore[union-attr] # as above
                return
            else:
                assert isinstance(event, Broken)
                if out:
                    client.write(b"".join(out))
                self._broken(event.message)
                return
        if out:
            client.write(out[0] if len(out) == 1 else b"".join(out))

    def _answer_head(self, answer: ResponseHead, out: list[bytes]) -> bool:
        """Take the head of an answer; say whether there is more to do for this upstream."""
        client, head = self.client, self.head
        status = answer.status
        if status < 200:
            return self._interim(answer)
        if self._terms is not None and self._may_fall_back() and self._terms.fails_with(status):
            self.status = status
            self._settle(CallEnd.ANSWERED)
            self._fall_back()
            return False
        self.status = status
        self.phase = Phase.ANSWERING
        self._framing = framing = framing_to(head, answer)
        connection = self._connection
        assert connection is not None
        if answer.idle_s is not None:
            connection.keeps_alive_s = max(answer.idle_s - 1.0, 0.0)
        # Behind an answer that comes before the end of its request, nobody can tell what the client goes on with.
        closes = not head.keeps_alive or not self.request_complete or client.listener.closing
        client.closes = closes = closes or framing is Framing.UNTIL_CLOSE
        if not answer.keeps_alive or answer.framing is Framing.UNTIL_CLOSE:
            connection.keeps_alive_s = 0.0
        out.append(client_head(head, answer, framing, self._own_block(), client.listener.date_line, closes=closes))
        assert self.route is not None
        idle_ms = self.route.timeouts.idle_ms
        self._phase_timeout_s = NEVER if idle_ms is None else idle_ms / 1000
        if not self._waits:
            self.deadline_s = min(client.listener.now_s + self._phase_timeout_s, self._total_at_s)
        return True

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
            self.client.write(interim_head(answer))
        return True

    def _own_block(self) -> bytes:
        if not self.marker or not self.client.listener.options.answer_header:
            return self._own
        return b"%b\r\nx-tailslide: %b" % (self._own, self.marker.encode("latin-1"))

    def _complete(self) -> None:
        """The answer is whole."""
        connection = self._connection
        assert connection is not None
        self._settle(CallEnd.ANSWERED, keeps=self.request_complete)
        self._done()
        self.client.exchange_done()

    def _broken(self, message: str) -> None:
        if self.phase is Phase.ANSWERING:
            self._fail(CallEnd.CUT_OFF, "the answer was cut off")
        else:
            self._fail(CallEnd.BROKEN, message)

    def upstream_lost(self) -> None:
        """The connection has ended, and the answer has not."""
        connection, server = self._connection, self._server
        assert connection is not None
        assert server is not None
        if self.phase is Phase.TUNNEL:
            self._done()
            self.client.close()
        elif self.phase is Phase.ANSWERING:
            self._fail(CallEnd.CUT_OFF, "the answer was cut off")
        elif connection.uses > 1 and connection.was_silent and self._can_send_again() and not self._anew:
            # It was being closed while the request was on its way (RFC 9112 §9.3.1).
            self._anew = True
            self.client.listener.accounts.resent += 1
            connection.exchange = None
            self._connection = None
            server.outstanding -= 1
            self._send_to(server, fresh=True)
        else:
            self._fail(CallEnd.BROKEN, f"{server.address} broke off before it answered")

    def _can_send_again(self) -> bool:
        """Whether the same request can be made another time: it does no harm, and is still here."""
        return self._holds

    def _may_fall_back(self) -> bool:
        switch = None if self.route is None else self.route.switch
        return (
            switch is not None and switch.retries_on_fallback and self.side is Side.FEATURE and self._can_send_again()
        )

    def _fall_back(self) -> None:
        """Let the fallback make up for a feature that has failed."""
        assert self.route is not None
        assert self.route.switch is not None
        assert self.account is not None
        self.account.retried += 1
        self.marker += "; answered_by=fallback"
        self._go(Side.FALLBACK, self.route.switch.fallback)

    def _fail(self, end: CallEnd, message: str) -> None:
        began = self.phase is Phase.ANSWERING
        falls_back = not began and self._may_fall_back()
        self._settle(end)
        if began:
            # Ending it in order would pass a part of the answer off as the whole.
            self._done()
            self.client.break_off(tells_end=self._framing is not Framing.UNTIL_CLOSE)
        elif falls_back:
            self._fall_back()
        else:
            status, code = _FAILURES[end]
            headers = ((b"Retry-After", b"1"),) if end is CallEnd.NO_CAPACITY else ()
            self._answer_by_itself(Refusal(status, code, message, headers=headers))

    # Behind an upgrade

    def _open_tunnel(self, data: bytes) -> None:
        answer, connection, client, route = self._switching, self._connection, self.client, self.route
        assert answer is not None
        assert connection is not None
        assert route is not None
        client.write(switching_head(answer, self._own_block(), client.listener.date_line) + data)
        self.status = answer.status
        self._count(CallEnd.UPGRADED)
        self.phase = Phase.TUNNEL
        connection.is_tunnel = True
        idle_ms = route.timeouts.idle_ms
        self._phase_timeout_s = NEVER if idle_ms is None else idle_ms / 1000
        self._total_at_s = NEVER
        self._within(self._phase_timeout_s)
        client.open_tunnel()

    def tunnelled_down(self, data: bytes) -> None:
        """Hand bytes of the upstream to the client, whatever they are."""
        self.deadline_s = self.client.listener.now_s + self._phase_timeout_s
        assert self.account is not None
        self.account.bytes_down += len(data)
        self.client.write(data)

    def tunnelled_up(self, data: bytes) -> None:
        """Hand bytes of the client to the upstream."""
        self.deadline_s = self.client.listener.now_s + self._phase_timeout_s
        if self._connection is not None:
            self._connection.write(data)

    # Times

    def _within(self, timeout_s: float) -> None:
        listener = self.client.listener
        now_s = listener.time()
        self.deadline_s = min(now_s + timeout_s, self._total_at_s)
        listener.watch(self, now_s)

    def _take_turns(self) -> None:
        """See who is waited for: the client's time counts for neither latency nor timeouts (decision 0006)."""
        connection = self._connection
        if connection is None:
            return
        waits = connection.reading_paused or (not self.request_complete and not connection.writing_paused)
        if waits is self._waits:
            return
        self._waits = waits
        if waits:
            self._waits_since_s = time.perf_counter()
            self._within(NEVER)
        else:
            self._waited_s += time.perf_counter() - self._waits_since_s
            self._within(self._phase_timeout_s)

    @property
    def waits_for_body(self) -> bool:
        """Whether nothing but the client keeps the request from being whole."""
        return not self.request_complete and self._connection is not None and not self._connection.writing_paused

    def latency_ms(self) -> float:
        """Return the time that the upstream has taken so far."""
        now_s = time.perf_counter()
        waited_s = self._waited_s + (now_s - self._waits_since_s if self._waits else 0.0)
        return (now_s - self._began_s - waited_s) * 1000

    def overdue(self) -> None:
        """The deadline has passed."""
        server = self._server
        assert server is not None
        if self.phase is Phase.TUNNEL:
            self._done()
            self.client.close()
        elif self.phase is Phase.CONNECTING:
            self._fail(CallEnd.TIMED_OUT, f"{server.address} did not accept the connection in time")
        elif self.phase is Phase.ANSWERING:
            self._fail(CallEnd.TIMED_OUT, "the answer stood still")
        elif self.phase is Phase.ASKED:
            self._fail(CallEnd.TIMED_OUT, f"{server.address} did not answer in time")

    # The end

    def _count(self, end: CallEnd) -> None:
        self._settled = True
        self.end = end
        account = self.account
        assert account is not None
        # What answers without an upstream takes no time.
        latency_ms = self.took_ms = self.latency_ms() if self._server is not None else 0.0
        account.count(self.side, end, latency_ms)
        if self._terms is not None:
            self.client.listener.calls.end(self._terms, end, self.status or None, latency_ms)

    def _settle(self, end: CallEnd, *, keeps: bool = False) -> None:
        """Be done with an upstream: count how it has ended, and let go of its connection."""
        if not self._settled:
            self._count(end)
        server, connection, connecting = self._server, self._connection, self._connecting
        self._server = self._connection = self._connecting = None
        if server is not None:
            server.outstanding -= 1
        if connecting is not None:
            connecting.cancel()
        if connection is not None:
            if keeps and connection.keeps_alive_s > 0.0 and connection.can_be_used_again:
                connection.release()
            else:
                connection.drop()
        if self.slot:
            self.client.listener.forget(self)
        self.deadline_s = NEVER
        self._waits = False
        self.client.hold_back(False)

    def _done(self) -> None:
        if self.phase is not Phase.DONE:
            self._settle(CallEnd.CLIENT_GONE)
            self.phase = Phase.DONE
            if self.account is not None:
                self.account.running -= 1
                self.account.bytes_up += self._body_bytes
            self._body = []
            self.client.listener.ended(self)

    def _answer_by_itself(self, refusal: Refusal) -> None:
        self.status = refusal.status
        if refusal.closes:
            self.client.closes = True
        self._finish_by_itself(refusal.status, refusal.body(), refusal.block())

    def _finish_by_itself(self, status: int, body: bytes, headers: bytes) -> None:
        client = self.client
        if not self.head.keeps_alive or not self.request_complete or client.listener.closing:
            client.closes = True
        client.write_own(status, body, headers + VIA_LINE + self._own_block(), self.head)
        self._done()
        client.exchange_done()
