"""A line for some of the calls: what was asked, who answered, how it ended. Neither queries nor cookies are told."""

import math
import time
from typing import TYPE_CHECKING

import structlog

from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.proxy.limits import ProxyOptions

if TYPE_CHECKING:  # the listener has both
    from tailslide_sidecar.proxy.exchange import Exchange

FAILURES_PER_S = 10
"""An outage fills no disk."""

log = structlog.get_logger()


class AccessLog:
    """Tells of every n-th call, and of failures whatever their number, up to a few a second."""

    def __init__(self, options: ProxyOptions) -> None:
        sample = options.access_log_sample
        self._every: float = round(1 / sample) if sample > 0 else math.inf
        self._failures = options.access_log_failures
        self.left = 1.0 if sample > 0 else math.inf
        """How many calls it is until the next one that is told, counted down by the calls; the first one is."""
        self._second = 0
        self._told = 0

    def ended(self, exchange: "Exchange") -> None:
        """Take note of a call that has ended, if it is the next one to be told, or has not ended in order."""
        if self.left <= 0:
            self.left = self._every
            self._tell(exchange)
            return
        if self._failures and (exchange.status >= 500 or exchange.end not in _IN_ORDER) and self._may_tell():
            self._tell(exchange)

    def _may_tell(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        return self._told <= FAILURES_PER_S

    def _tell(self, exchange: "Exchange") -> None:
        head, route = exchange.head, exchange.route
        fields: dict[str, object] = {
            "method": head.method,
            "host": head.host,
            "path": head.path,
            "status": exchange.status,
            "end": None if exchange.end is None else exchange.end.value,
            "side": exchange.side.value,
            "route": None if route is None else route.label,
            "took_ms": round(exchange.took_ms, 3),
        }
        if exchange.marker:
            fields["decision"] = exchange.marker
        trace = head.get("traceparent")
        if trace is not None:
            fields["traceparent"] = trace[:100]
        log.info("call", **fields)


_IN_ORDER = frozenset({CallEnd.ANSWERED, CallEnd.UPGRADED, CallEnd.CLIENT_GONE, None})
