"""What is counted about the log, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class LogMetrics:
    """The metrics of following the log, in the registry of a Tower."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.following = Gauge(
            "tailslide_tower_log_following",
            "1 while new entries of the log are notified by PostgreSQL; 0 while it is away.",
            registry=registry,
        )
        self.gaps = Counter(
            "tailslide_tower_log_gaps",
            "Times that a subscriber of the log was too slow, and had to read what it had missed.",
            registry=registry,
        )
