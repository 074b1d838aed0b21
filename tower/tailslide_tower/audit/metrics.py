"""What is counted about the log, for Prometheus."""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge


class EventResult(StrEnum):
    """What became of an event."""

    WRITTEN = "written"
    REPEATED = "repeated"
    """It was in the log already."""
    REFUSED = "refused"
    """It cannot be read; it is not asked for again."""


class LogMetrics:
    """The metrics of the log, in the registry of a Tower."""

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
        self.events = Counter(
            "tailslide_tower_circuit_events",
            "Transitions of circuits taken from the stream of events, by result (written, repeated, refused).",
            ["result"],
            registry=registry,
        )
        self.events_waiting = Gauge(
            "tailslide_tower_circuit_events_waiting",
            "Transitions of circuits in the stream of events that are not in the log yet, as this Tower saw last.",
            registry=registry,
        )
        self.removed = Counter(
            "tailslide_tower_log_removed",
            "Entries of the log that this Tower has removed because of their age.",
            registry=registry,
        )
        for result in EventResult:
            self.events.labels(result)
