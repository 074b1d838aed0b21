"""The proxy: takes a request in, sends it where its route and flag say, brings the answer back.

Streams both ways with back-pressure and changes nothing that is not listed in `forwarding`. Which route, which side and
what counts is decided in `routes` and `calls`. No TLS towards clients, no caching, no CONNECT.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict

from tailslide_core.outcomes import CallEnd
from tailslide_runtime.http import error_response
from tailslide_sidecar import tunnel
from tailslide_sidecar.calls import IDEMPOTENT_METHODS, OUTCOME_HEADER, Call, Calls, describe
from tailslide_sidecar.forwarding import Target, asks_for_websocket, end_to_end, read_target, request_headers
from tailslide_sidecar.metrics import Metrics
from tailslide_sidecar.routes import RequestHead, Route, Switch, Upstream, find_route
from tailslide_sidecar.turns import Turns
from tailslide_sidecar.upstreams import ClientGoneError, RequestBody, UpstreamFailedError, next_chunk, send

log = structlog.get_logger()

FEATURE, FALLBACK, PLAIN, NONE = "feature", "fallback", "upstream", "none"

_ERRORS = {
    CallEnd.REFUSED: (502, "UPSTREAM_REFUSED"),
    CallEnd.BROKEN: (502, "UPSTREAM_BROKEN"),
    CallEnd.TIMED_OUT: (504, "UPSTREAM_TIMEOUT"),
}


class RelayedResponse(web.StreamResponse):
    """An answer that goes on with the headers of its upstream and no others."""

    async def _prepare_headers(self) -> None:
        # aiohttp gives every answer a Server and a Content-Type; there is no public way to have none.
        absent = [name for name in ("Server", "Content-Type") if name not in self.headers]
        await super()._prepare_headers()
        for name in absent:
            self.headers.popall(name, None)


class _FeatureFailedError(Exception):
    """The feature failed before any of its answer went out, and the fallback is to make up for it."""


@dataclass(slots=True)
class _Exchange:
    """One request of a client, and what is known of it."""

    request: web.BaseRequest
    target: Target
    head: RequestHead
    route: Route
    label: str
    body: RequestBody | None
    marker: str = ""
    """What the response header of a flagged route says; empty without a flag."""

    @property
    def switches(self) -> bool:
        """Whether the client asks for WebSocket."""
        return asks_for_websocket(self.request.headers)

    @property
    def client_failed(self) -> bool:
        """Whether the client broke off amid its body, which also breaks the connection that the body went to."""
        return self.body is not None and self.body.failed

    def headers(self) -> CIMultiDict[str]:
        """Return the headers of the request to an upstream."""
        request = self.request
        # Behind a unix socket the client's address is empty.
        headers = request_headers(request.raw_headers, self.target, request.remote or None, request.scheme)
        if self.switches:
            headers["Connection"], headers["Upgrade"] = "Upgrade", "websocket"
        return headers

    def can_be_sent_again(self) -> bool:
        """Whether another upstream would get the same request."""
        return self.body is None or not self.body.started

    def mark(self, response: web.Response) -> web.Response:
        """Add the header that says how the call was decided to an answer of our own."""
        if self.marker:
            response.headers[OUTCOME_HEADER] = self.marker
        if self.body is not None and not self.body.asked:
            response.force_close()  # nobody can tell whether what follows is the body or the next request
        return response


class _Passage:
    """How far one call to an upstream has come; the first end that is said is the one that counts."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.response: web.StreamResponse | None = None
        """The answer to the client, once its head may have gone out."""
        self.end: CallEnd | None = None
        self.status: int | None = None
        self.latency_ms = 0.0

    def ended(self, end: CallEnd, status: int | None) -> None:
        if self.end is None:
            self.end, self.status, self.latency_ms = end, status, self._turns.latency_ms()


class Proxy:
    """Handles the requests of the proxy's listener."""

    def __init__(self, routes: Sequence[Route], calls: Calls, metrics: Metrics, session: aiohttp.ClientSession) -> None:
        self._routes = routes
        self._labels = {id(route): str(route.match) for route in routes}
        self._calls = calls
        self._metrics = metrics
        self._session = session

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        try:
            return await self._handle(request)
        except ClientGoneError:
            refusal = error_response(400, "BAD_BODY", "the request's body could not be read to its end")
            refusal.force_close()
            return refusal
        except ConnectionError:
            raise  # the client is gone, which aiohttp knows how to end
        except Exception:  # the last line of defence: logged with its traceback, answered as 500
            log.exception("request failed", method=request.method, path=request.raw_path)
            return error_response(500, "INTERNAL", "the request failed for a reason that is in the log")

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "CONNECT":
            return error_response(501, "CONNECT_UNSUPPORTED", "this proxy does not open tunnels with CONNECT")
        target = read_target(request.raw_path)
        head = RequestHead(
            request.method,
            target.host or request.headers.get("Host", ""),
            target.path,
            target.query,
            request.headers,
        )
        route = find_route(self._routes, head)
        if route is None:
            self._metrics.proxied.labels("(none)", NONE, "no_route").inc()
            return error_response(404, "NO_ROUTE", f"no route takes {head.method} {head.host} {head.path}")
        if not target.origin.isascii():
            return error_response(400, "BAD_TARGET", "expected a path of ASCII characters, percent-encoded")
        body = RequestBody(request) if request.body_exists else None
        exchange = _Exchange(request, target, head, route, self._labels[id(route)], body)
        if route.switch is None:
            return await self._relay(exchange, route.upstream, PLAIN)
        return await self._switch(exchange, route.switch)

    async def _switch(self, exchange: _Exchange, switch: Switch) -> web.StreamResponse:
        evaluation = self._calls.decide(switch, exchange.head)
        exchange.marker = describe(evaluation)
        if evaluation.active:
            call = self._calls.begin(switch.flag)
            retries = switch.retries_on_fallback and exchange.request.method in IDEMPOTENT_METHODS
            try:
                return await self._relay(exchange, exchange.route.upstream, FEATURE, call, retries=retries)
            except _FeatureFailedError:
                exchange.marker += "; answered_by=fallback"
        if isinstance(switch.fallback, Upstream):
            return await self._relay(exchange, switch.fallback, FALLBACK)
        self._metrics.proxied.labels(exchange.label, FALLBACK, CallEnd.ANSWERED.value).inc()
        return exchange.mark(web.Response(status=switch.fallback.status, text=switch.fallback.body))

    async def _relay(
        self, exchange: _Exchange, upstream: Upstream, side: str, call: Call | None = None, *, retries: bool = False
    ) -> web.StreamResponse:
        """Bring the request there and the answer back, and count `call` when it has ended.

        With `retries`, raises `_FeatureFailedError` instead of letting a failure out.
        """
        turns = Turns(time.perf_counter, asyncio.get_running_loop().time, exchange.route.timeout_ms / 1000)
        passage = _Passage(turns)
        try:
            answer = await send(
                self._session, upstream, exchange.request.method, exchange.target.origin, exchange.headers(),
                exchange.body, turns,
            )  # fmt: skip # one request, in the order in which it is written
            try:
                if call is not None and retries and exchange.can_be_sent_again() and call.fails_with(answer.status):
                    passage.ended(CallEnd.ANSWERED, answer.status)
                    raise _FeatureFailedError
                await self._bring_back(exchange, answer, passage, turns)
            finally:
                answer.close()  # does nothing to a connection whose answer has been read to its end
        except UpstreamFailedError as error:
            passage.ended(CallEnd.CLIENT_GONE if exchange.client_failed else error.end, None)
            if passage.response is None:
                if retries and exchange.can_be_sent_again():
                    raise _FeatureFailedError from error
                status, code = _ERRORS[error.end]
                passage.response = exchange.mark(error_response(status, code, str(error)))
            else:
                # Ending it in order would pass a part of the answer off as the whole.
                _break_off(exchange.request)
        except Exception:
            if passage.response is not None:
                _break_off(exchange.request)
            raise
        finally:
            passage.ended(CallEnd.CLIENT_GONE, None)
            self._count(exchange, side, call, passage)
            if exchange.body is not None:
                await exchange.body.let_go()
        assert passage.response is not None
        return passage.response

    def _count(self, exchange: _Exchange, side: str, call: Call | None, passage: _Passage) -> None:
        assert passage.end is not None
        if call is not None:
            self._calls.end(call, passage.end, passage.status, passage.latency_ms)
        self._metrics.proxied.labels(exchange.label, side, passage.end.value).inc()
        self._metrics.latency.labels(side).observe(passage.latency_ms / 1000)

    async def _bring_back(
        self, exchange: _Exchange, answer: aiohttp.ClientResponse, passage: _Passage, turns: Turns
    ) -> None:
        request = exchange.request
        response = RelayedResponse(
            status=answer.status, reason=answer.reason or "", headers=end_to_end(answer.raw_headers)
        )
        if exchange.marker:
            response.headers[OUTCOME_HEADER] = exchange.marker
        switched = answer.status == HTTPStatus.SWITCHING_PROTOCOLS
        if switched:
            response.headers["Connection"], response.headers["Upgrade"] = "Upgrade", "websocket"
        if exchange.switches:
            response.force_close()  # the server's parser has left HTTP behind, whatever the upstream said
        passage.response = response
        await response.prepare(request)
        if switched:
            # Counted by its head: a tunnel may stay for days, and what goes through it is nobody's failure.
            passage.ended(CallEnd.ANSWERED, answer.status)
            await tunnel.run(request, response, answer)
            return
        while chunk := await next_chunk(answer):
            turns.client_begins()
            await response.write(chunk)
            turns.client_ends()
        passage.ended(CallEnd.ANSWERED, answer.status)
        await response.write_eof()


def _break_off(request: web.BaseRequest) -> None:
    """Close the client's connection so that it notices that the answer is not whole."""
    if request.transport is not None:
        request.transport.abort()
