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
"""Of each flag, and of all calls without one: an outage fills no disk, and no flag's hides the first one of another."""

MOST_OF_A_PATH = 500
MOST_OF_A_TRACEPARENT = 100
"""How many characters of each are told: clients write them, and a target may have thousands. A host has at most
`requests.MAX_NAME`, or the request is refused."""

log = structlog.get_logger()


class _Failures:
    """How many failures of one flag were told in this second, and how many were not."""

    __slots__ = ("left_out", "second", "told")

    def __init__(self) -> None:
        self.second = 0
        self.told = 0
        self.left_out = 0


class AccessLog:
    """Tells of every n-th call, and of failures whatever their number, up to a few a second, with the number of others.

    A failure of a feature is one even if the fallback has made up for it: its caller saw nothing, its owner should.
    """

    def __init__(self, options: ProxyOptions) -> None:
        sample = options.access_log_sample
        self._every: float = round(1 / sample) if sample > 0 else math.inf
        self._tells_failures = options.access_log_failures
        self.left = 1.0 if sample > 0 else math.inf
        """How many calls it is until the next one that is told, counted down by the calls; the first one is."""
        self._failures: dict[str, _Failures] = {}

    def ended(self, exchange: "Exchange") -> None:
        """Take note of a call that has ended, if it is the next one to be told, or has not ended in order."""
        if self.left <= 0:
            self.left = self._every
            _tell(exchange)
        elif self._tells_failures and _has_failed(exchange) and self._may_tell(_flag(exchange)):
            _tell(exchange)

    def _may_tell(self, flag: str) -> bool:
        failures = self._failures.get(flag)
        if failures is None:
            failures = self._failures[flag] = _Failures()
        second = int(time.monotonic())
        if second != failures.second:
            _tell_left_out(flag, failures)
            failures.second, failures.told = second, 0
        if failures.told >= FAILURES_PER_S:
            failures.left_out += 1
            return False
        failures.told += 1
        return True

    def tell_left_out(self) -> None:
        """Say how many failures were not told until now; called about once a second, and at the end."""
        for flag, failures in self._failures.items():
            _tell_left_out(flag, failures)


def _tell_left_out(flag: str, failures: _Failures) -> None:
    if failures.left_out:
        log.warning("failures_left_out", flag=flag or None, calls=failures.left_out)
        failures.left_out = 0


def _has_failed(exchange: "Exchange") -> bool:
    return exchange.saved is not None or exchange.status >= 500 or exchange.end not in _IN_ORDER


def _flag(exchange: "Exchange") -> str:
    route = exchange.route
    return "" if route is None or route.switch is None else route.switch.flag


def _tell(exchange: "Exchange") -> None:
    head, route, saved = exchange.head, exchange.route, exchange.saved
    fields: dict[str, object] = {
        "method": head.method,
        "host": head.host,
        "path": head.path[:MOST_OF_A_PATH],
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
        fields["traceparent"] = trace[:MOST_OF_A_TRACEPARENT]
    if exchange.trace_id:
        fields["trace_id"] = exchange.trace_id
    if saved is None:
        log.info("call", **fields)
        return
    log.warning(
        "feature_failed",
        flag=_flag(exchange),
        cause=saved.cause,
        feature_status=saved.status,
        feature_took_ms=round(saved.took_ms, 3),
        **fields,
    )


_IN_ORDER = frozenset({CallEnd.ANSWERED, CallEnd.UPGRADED, CallEnd.CLIENT_GONE, None})
