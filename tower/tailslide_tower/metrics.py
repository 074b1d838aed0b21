"""What Tower counts, for Prometheus. What a number means stands with it; none is read by Tower itself."""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram

from tailslide_runtime.exposition import exposition, new_registry
from tailslide_tower.publisher.claims import Cause
from tailslide_tower.sessions.session import Method

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


API_TOKEN = "token"  # noqa: S105 # a way to get in
"""How a script gets in, which opens no session."""


class TowerMetrics:
    """The metrics of one Tower, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = new_registry("tower")
        self.requests = Counter(
            "tailslide_tower_requests",
            "HTTP requests, by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "tailslide_tower_request_duration_seconds",
            "How long HTTP requests took, by route.",
            ["route"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self.database_unavailable = Counter(
            "tailslide_tower_database_unavailable",
            "Requests answered 503 because PostgreSQL was away.",
            registry=self.registry,
        )
        self._logins = Counter(
            "tailslide_tower_logins",
            "Attempts to get in, by method and outcome (succeeded, failed, limited); of API tokens only those that are "
            "not known.",
            ["method", "outcome"],
            registry=self.registry,
        )
        self._publishes = Counter(
            "tailslide_tower_publishes",
            "Writes to the buckets rulesets and keys, by operation (put, delete, mark, key, key_deletion).",
            ["operation"],
            registry=self.registry,
        )
        self._publish_failures = Counter(
            "tailslide_tower_publish_failures",
            "Attempts to publish that failed, since NATS or PostgreSQL was unreachable; they are repeated.",
            registry=self.registry,
        )
        self.last_comparison = Gauge(
            "tailslide_tower_last_full_comparison_timestamp_seconds",
            "When the whole bucket was last made equal to the database (Unix time).",
            registry=self.registry,
        )
        self._pending = Gauge(
            "tailslide_tower_publish_pending",
            "Flags and segments known to differ from the bucket.",
            registry=self.registry,
        )
        self._refusals = Gauge(
            "tailslide_tower_not_publishing",
            "1 while nothing may be published for this cause, since the bucket is not this database's to fill.",
            ["cause"],
            registry=self.registry,
        )
        self._left_alone = Gauge(
            "tailslide_tower_flags_left_alone",
            "Flags and segments in the bucket that Tower neither writes nor deletes: newer there, or unknown to the "
            "database.",
            ["cause"],
            registry=self.registry,
        )
        for cause in Cause:
            self._refusals.labels(cause).set(0)
        # With 0 from the start: of a series that begins with many at once, `increase` would miss these.
        for method in (*Method, API_TOKEN):
            self._logins.labels(method, "limited")
        self._nats_connected = Gauge(
            "tailslide_tower_nats_connected", "1 while there is a connection to NATS.", registry=self.registry
        )
        self._nats_connects = Counter(
            "tailslide_tower_nats_connects", "Connections made to NATS.", registry=self.registry
        )

    def login(self, method: str, outcome: str) -> None:
        """Count an attempt to get in."""
        self._logins.labels(method, outcome).inc()

    def published(self, operation: str) -> None:
        """Count a write to the bucket."""
        self._publishes.labels(operation).inc()

    def publish_failed(self) -> None:
        """Count an attempt to publish that failed."""
        self._publish_failures.inc()

    def refused(self, refusal: Cause | None) -> None:
        """Note why nothing may be published; None when nothing speaks against it."""
        for cause in Cause:
            self._refusals.labels(cause).set(float(cause is refusal))

    def connected(self) -> None:
        """Count a connection to NATS."""
        self._nats_connects.inc()

    def follow(
        self,
        *,
        pending: Callable[[], float],
        nats_connected: Callable[[], float],
        newer: Callable[[], float],
        unknown: Callable[[], float],
    ) -> None:
        """Read these gauges from their owners whenever they are asked for."""
        self._pending.set_function(pending)
        self._left_alone.labels("newer_in_bucket").set_function(newer)
        self._left_alone.labels("unknown_to_database").set_function(unknown)
        self._nats_connected.set_function(nats_connected)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return exposition(self.registry)
