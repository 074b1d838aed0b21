"""Calls that are recorded as traces: a span for the call, and one for each side that it went to.

Imported only where traces are on; a call that is not recorded is an `Exchange` like any other. Which calls are:
those whose caller records its own (the flag `sampled` of `traceparent`, W3C Trace Context §3.2.2.5.1), and a part of
those that came without a valid trace, but never more than so many a second, whoever asks for it. The others go on with
the fields that they came with. Attributes are those of OpenTelemetry's semantic conventions for HTTP and for feature
flags; our own begin with `tailslide.`. Neither queries nor cookies are told.
"""

import random
import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from opentelemetry.propagators.textmap import Setter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from tailslide_core.outcomes import CallEnd
from tailslide_runtime.http1.fields import without
from tailslide_runtime.http1.requests import RequestHead
from tailslide_runtime.tracing.context import PROPAGATOR, continued
from tailslide_sidecar.calls import Terms
from tailslide_sidecar.proxy.access_log import MOST_OF_A_PATH
from tailslide_sidecar.proxy.accounts import Side
from tailslide_sidecar.proxy.exchange import Exchange
from tailslide_sidecar.proxy.routes import FixedAnswer, rewritten

if TYPE_CHECKING:  # each knows the other
    from tailslide_sidecar.proxy.client_connection import ClientConnection
    from tailslide_sidecar.proxy.pool import Server

_TRACEPARENT = re.compile(
    r"(?:(00)|(?!ff)[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?(1)|(?:-.*)?)"
)
"""Of later versions only the beginning is known (W3C Trace Context §3.2.1, §4)."""
_NAME = b"\r\ntraceparent:"
_SAMPLED = 1
Attributes = dict[str, str | int]
_FIELDS = {b"traceparent", b"tracestate"}
_TRUTHS = {"true": True, "false": False}
_NO_FAULT = frozenset({CallEnd.ANSWERED, CallEnd.UPGRADED, CallEnd.CLIENT_GONE})


class CallTraces(Collector):
    """Decides which calls are recorded, and makes their exchanges."""

    def __init__(
        self,
        tracer: Tracer,
        sample_percent: float,
        max_calls_per_s: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._tracer = tracer
        self._share = sample_percent / 100
        self._max_calls_per_s = max_calls_per_s
        self._clock = clock
        self._chance = chance
        self._second = 0
        self._recorded = 0
        self._left_out = 0

    def exchange(self, client: "ClientConnection", head: RequestHead) -> Exchange:
        """Return the exchange of a call, which records it or does not."""
        # The plain look first: where calls have no such field, it takes a tenth of the time of a search.
        given = head.get_all("traceparent") if _NAME in head.block.lower() else ()
        parent = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
        wanted = self._chance() < self._share if parent is None else int(parent[2], 16) & _SAMPLED
        if wanted and self._may_record():
            return TracedExchange(client, head, self._tracer)
        return Exchange(client, head)

    def _may_record(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._recorded = second, 0
        if self._recorded >= self._max_calls_per_s:
            self._left_out += 1
            return False
        self._recorded += 1
        return True

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Give what is known, for metrics."""
        yield CounterMetricFamily(
            "tailslide_sidecar_traces_left_out",
            "Calls to be recorded as traces that were not, since there were too many in one second",
            self._left_out,
        )


class TracedExchange(Exchange):
    """An exchange that makes spans of what happens to it."""

    _side_span: Span | None = None
    _sent = 0
    """How many times the request was sent to the side that is being tried."""

    def __init__(self, client: "ClientConnection", head: RequestHead, tracer: Tracer) -> None:
        super().__init__(client, head)
        self._tracer = tracer
        context = continued(head.get_all("traceparent"), head.get_all("tracestate"))
        self._span = tracer.start_span(head.method, context, SpanKind.SERVER)
        self._context = set_span_in_context(self._span)
        if self._span.is_recording():  # not where OTEL_SDK_DISABLED says so
            self.trace_id = f"{self._span.get_span_context().trace_id:032x}"

    def _go(self, side: Side, target: "tuple[Server, ...] | FixedAnswer", terms: Terms | None) -> None:
        if not isinstance(target, FixedAnswer):
            self._sent = 0
            self._side_span = span = self._tracer.start_span(
                f"{self.head.method} {side.value}", self._context, SpanKind.CLIENT
            )
            self._propagate(span)
        super()._go(side, target, terms)

    def _propagate(self, span: Span) -> None:
        """Let a span be the parent of what the upstream does, in the place of what the call came with."""
        lines: list[bytes] = []
        PROPAGATOR.inject(lines, set_span_in_context(span), _LINES)
        self.head.passing = without(self.head.passing, _FIELDS, always=True) + b"".join(lines)

    def _send_to(self, server: "Server", *, fresh: bool = False) -> None:
        self._sent += 1
        super()._send_to(server, fresh=fresh)

    def _count(self, end: CallEnd) -> None:
        super()._count(end)
        span, self._side_span = self._side_span, None
        if span is None:
            return
        route, server, target = self.route, self._server, self.head.target
        assert route is not None
        assert server is not None
        if route.rewrites:
            target = rewritten(route.route, target)
        path = target.partition("?")[0][:MOST_OF_A_PATH]
        named: Attributes = {
            "http.request.method": self.head.method,
            "url.full": f"{server.address}{path if path.startswith('/') else ''}",
            "server.address": server.address.host,
            "server.port": server.address.port,
            "network.protocol.version": "1.1",
            "tailslide.side": self.side.value,
            "tailslide.end": end.value,
        }
        if self._sent > 1:
            named["http.request.resend_count"] = self._sent - 1
        _end(span, named, self.status, None if end in _NO_FAULT else end.value, fails_from=400)

    def _done(self) -> None:
        super()._done()
        span, route, end = self._span, self.route, self.end
        named = _request(self.head)
        if route is not None:
            match = route.route.match
            path = match.path or match.path_prefix
            span.update_name(f"{self.head.method} {path}")
            named["http.route"] = path
            named["tailslide.route"] = route.label
        if self.marker:
            named.update(_of_decision(self.marker))
        # Of a feature that the fallback made up for nothing is left here: `end` is that of the fallback.
        _end(span, named, self.status, None if end is None or end in _NO_FAULT else end.value, fails_from=500)


def _request(head: RequestHead) -> Attributes:
    # Attributes are set all at once at a span's end: each setting of one costs as much as that of some.
    named: Attributes = {
        "http.request.method": head.method,
        "url.scheme": "http",
        "url.path": head.path[:MOST_OF_A_PATH],
        "network.protocol.version": "1.0" if head.version_1_0 else "1.1",
    }
    if head.host:
        named["server.address"] = head.host
        if (port := head.port) is not None:
            named["server.port"] = port
    return named


def _of_decision(marker: str) -> Attributes:
    """Return the attributes of a decision, out of the header that tells of it."""
    told = dict(part.split("=", 1) for part in marker.split("; "))
    named: Attributes = {
        "feature_flag.provider.name": "tailslide",
        "feature_flag.key": told.pop("flag"),
        "feature_flag.result.reason": told.pop("reason").lower(),
    }
    if (variant := told.pop("variant", "")) != "":
        named["feature_flag.result.variant"] = variant
    return named | {f"tailslide.{name}": _TRUTHS.get(value, value) for name, value in told.items()}


def _end(span: Span, named: Attributes, status: int, error: str | None, *, fails_from: int) -> None:
    """End a span: an error by its cause, else by its status (semantic conventions for HTTP spans, Status)."""
    if status:
        named["http.response.status_code"] = status
    if error is None and status >= fails_from:
        error = str(status)
    if error is not None:
        named["error.type"] = error
        span.set_status(Status(StatusCode.ERROR))
    span.set_attributes(named)
    span.end()


class _Lines(Setter[list[bytes]]):
    """Writes fields as lines of a head."""

    def set(self, carrier: list[bytes], key: str, value: str) -> None:
        """Add a field."""
        carrier.append(f"\r\n{key}: {value}".encode("latin-1"))


_LINES = _Lines()
