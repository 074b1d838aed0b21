"""What has become of calls, by route: counted where it costs next to nothing, told when Prometheus asks. Pure.

Outcomes, which Aerobat judges features by, are `tailslide_sidecar.calls`'s; this is for people.
"""

from bisect import bisect_left
from collections.abc import Iterator
from enum import StrEnum

from tailslide_core.outcomes import LATENCY_BOUNDS_MS, CallEnd
from tailslide_sidecar.latency_histogram import Buckets, LatencyHistogram
from tailslide_sidecar.proxy.routes import NoRoute

_BOUNDS_S = [bound / 1000 for bound in LATENCY_BOUNDS_MS]


class Side(StrEnum):
    """Who answers a call."""

    FEATURE = "feature"
    FALLBACK = "fallback"
    UPSTREAM = "upstream"
    """The one of a route without a flag."""
    NONE = "none"


class RouteAccount:
    """The calls of one route."""

    __slots__ = ("_ends", "_latency", "bytes_down", "bytes_up", "label", "retried", "running")

    def __init__(self, label: str, latency: dict[Side, Buckets]) -> None:
        self.label = label
        self.running = 0
        """Calls under way."""
        self.retried = 0
        """Calls that failed at the feature and were made again to the fallback."""
        self.bytes_up = 0
        """Of requests' bodies."""
        self.bytes_down = 0
        """Of answers, their heads included."""
        self._ends: dict[tuple[Side, CallEnd], int] = {}
        self._latency = latency

    def count(self, side: Side, end: CallEnd, latency_ms: float) -> None:
        """Count the end of a call to one side; one that no server had a part in takes no time, and none is counted."""
        key = (side, end)
        ends = self._ends
        ends[key] = ends.get(key, 0) + 1
        if latency_ms:
            buckets = self._latency[side]
            buckets.counts[bisect_left(LATENCY_BOUNDS_MS, latency_ms)] += 1
            buckets.sum += latency_ms / 1000

    def ends(self) -> Iterator[tuple[Side, CallEnd, int]]:
        """Return how calls have ended, and how many so."""
        for (side, end), count in self._ends.items():
            yield side, end, count


class Accounts:
    """All routes' accounts, and what belongs to none of them. An account stays when routes change."""

    def __init__(self) -> None:
        self._by_label: dict[str, RouteAccount] = {}
        self.latency = LatencyHistogram(
            "tailslide_sidecar_proxied_call_seconds",
            "Time that upstreams took to answer in whole, without what their clients took, by side",
            _BOUNDS_S,
            label="side",
        )
        self._latency = {side: self.latency.child(side.value) for side in (Side.FEATURE, Side.FALLBACK, Side.UPSTREAM)}
        self.unrouted = dict.fromkeys(NoRoute, 0)
        """Requests that no route took, by why."""
        self.refused = 0
        """Requests that were refused before a route was looked for."""
        self.resent = 0
        """Calls that were sent again, since their connection had been closed by its upstream meanwhile."""
        self.connections = 0
        """Of clients, open now."""
        self.accepted = 0
        self.turned_away = 0
        """Connections beyond the limits."""
        self.evicted = 0
        """Connections that had nothing to ask, closed to make place for others."""

    def route(self, label: str) -> RouteAccount:
        """Return the account of a route."""
        account = self._by_label.get(label)
        if account is None:
            account = self._by_label[label] = RouteAccount(label, self._latency)
        return account

    @property
    def routes(self) -> list[RouteAccount]:
        """All accounts there are."""
        return list(self._by_label.values())

    def no_route(self, why: NoRoute) -> None:
        """Count a request that goes nowhere."""
        self.unrouted[why] += 1
