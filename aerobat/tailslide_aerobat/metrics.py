"""What Aerobat tells Prometheus, in a registry of its own. Each part counts its own things here."""

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from tailslide_core.circuit import Signal
from tailslide_core.naming import CIRCUITS_BUCKET, KEYS_BUCKET, LEASES_BUCKET, RULESETS_BUCKET
from tailslide_runtime.exposition import exposition, new_registry

_TICK_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All metrics of one Aerobat."""

    def __init__(self) -> None:
        self._registry = new_registry("aerobat")
        prefix = "tailslide_aerobat"
        self.ticks = Counter(f"{prefix}_ticks", "Looks at all circuits.", registry=self._registry)
        self.tick_seconds = Histogram(
            f"{prefix}_tick_seconds", "Length of a tick.", buckets=_TICK_BUCKETS_S, registry=self._registry
        )
        self.skipped_ticks = Counter(
            f"{prefix}_skipped_ticks", "Ticks left out because the one before was not over.", registry=self._registry
        )
        self.flags_read = Counter(
            f"{prefix}_flags_read", "Flags whose counts were read, each once a tick.", registry=self._registry
        )
        self.transitions = Counter(
            f"{prefix}_transitions", "Transitions written, by what moved them.", ["signal"], registry=self._registry
        )
        self.circuits = Gauge(
            f"{prefix}_circuits",
            "Circuits that are this Aerobat's to judge, by state; those of all Aerobats add up to all circuits.",
            ["state"],
            registry=self._registry,
        )
        self.flags_owned = Gauge(
            f"{prefix}_flags_owned", "Flags with a circuit that is this Aerobat's to judge.", registry=self._registry
        )
        self.holders = Gauge(
            f"{prefix}_holders", "Aerobats that live, as this one sees it, itself included.", registry=self._registry
        )
        self.divisions = Counter(
            f"{prefix}_divisions", "Times that apps were divided again over the Aerobats.", registry=self._registry
        )
        self.lease_errors = Counter(
            f"{prefix}_lease_errors", "Renewals of this Aerobat's lease that failed.", registry=self._registry
        )
        self.refused_values = Counter(
            f"{prefix}_refused_values", "Values that were not understood.", ["bucket"], registry=self._registry
        )
        self.refused_samples = Counter(
            f"{prefix}_refused_samples", "Samples left out because they are no counts.", registry=self._registry
        )
        self.refused_keys = Counter(
            f"{prefix}_refused_keys",
            "Readings of what has the name of a time series, or of a set of marks, and is none.",
            registry=self._registry,
        )
        self.flag_errors = Counter(
            f"{prefix}_flag_errors",
            "Unexpected errors with one flag, which keeps its circuit meanwhile.",
            registry=self._registry,
        )
        self.replaced_circuits = Counter(
            f"{prefix}_replaced_circuits",
            "Circuits that could not be read or could not be true and were replaced, by the source of the replacement.",
            ["source"],
            registry=self._registry,
        )
        self.conflicts = Counter(
            f"{prefix}_conflicts", "Writes refused, another Aerobat having been first.", registry=self._registry
        )
        self.completed_events = Counter(
            f"{prefix}_completed_events", "Events published for a writer that did not.", registry=self._registry
        )
        self.redis_errors = Counter(
            f"{prefix}_redis_errors", "Readings of counts that failed.", registry=self._registry
        )
        self.series_rules = Counter(
            f"{prefix}_series_rules",
            "Rules made by which Redis fills the coarser copies of series.",
            registry=self._registry,
        )
        self.series_rules_refused = Counter(
            f"{prefix}_series_rules_refused",
            "Series whose rules could not be made, something else having the name of one of their keys.",
            registry=self._registry,
        )
        self.nats_connects = Counter(f"{prefix}_nats_connects", "Connections made to NATS.", registry=self._registry)
        self.connected = Gauge(
            f"{prefix}_connected", "1 while the server can be used.", ["server"], registry=self._registry
        )
        for server in ("nats", "redis"):
            self.connected.labels(server).set(0)
        # With 0 from the start: of a series that begins with its first event, `increase` would miss that one.
        for signal in Signal:
            if signal is not Signal.UNKNOWN:
                self.transitions.labels(signal)
        for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET, LEASES_BUCKET, KEYS_BUCKET):
            self.refused_values.labels(bucket)

    def follow(self, collector: Collector) -> None:
        """Tell what a collector gives, too."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return exposition(self._registry)
