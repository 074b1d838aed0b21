"""What the sidecar tells Prometheus. States that are there already are read when asked for, not kept twice.

The labels are bounded: flags and routes that the app and the file know, everything else under one name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_core.circuit import State
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_core.ramp import FULL
from tailslide_runtime.bucket_watch import WatchStatus
from tailslide_runtime.exposition import exposition, new_registry
from tailslide_runtime.jetstream import LinkStatus
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import FlagStore, Origin
from tailslide_sidecar.latency_histogram import LatencyHistogram
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.readiness import FlagsFileState, Readiness
from tailslide_sidecar.snapshot_file import Reading

STATE_NUMBERS = {State.CLOSED: 0, State.OPEN: 1, State.RECOVERING: 2}


@dataclass(frozen=True, slots=True)
class Live:
    """Where the states are that are read when Prometheus asks."""

    store: FlagStore
    buffer: OutcomeBuffer
    link: LinkStatus
    watches: Mapping[str, WatchStatus]
    nats_connected: Callable[[], bool]
    redis_connected: Callable[[], bool]
    readiness: Callable[[], Readiness | None]
    event_listeners: Callable[[], int]
    flags_file: FlagsFileState | None = None
    """The file that stands in for NATS and Redis, of which there is nothing to tell then."""


class Metrics:
    """Counters of one sidecar."""

    def __init__(self, live: Live) -> None:
        self.registry = new_registry("sidecar", app=live.store.app)
        self.registry.register(_LiveStates(live))
        self.evaluations = EvaluationCounts()
        self.registry.register(self.evaluations)
        self.outcomes = OutcomeCounts(live.store.app)
        self.registry.register(self.outcomes)
        self.answer_seconds = LatencyHistogram(
            "tailslide_sidecar_answer_seconds",
            "Time that the hot path took for what came in at once, usually one request",
            [0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01],
        )
        self.registry.register(self.answer_seconds)
        self.refused_values = Counter(
            "tailslide_sidecar_refused_values",
            "Values of a bucket that could not be understood; the last good one stayed",
            ["bucket"],
            registry=self.registry,
        )
        self.outcomes_written = Counter(
            "tailslide_sidecar_outcomes_written", "Counts that reached the time series", registry=self.registry
        )
        self.outcomes_unconfirmed = Counter(
            "tailslide_sidecar_outcomes_unconfirmed",
            "Counts that were sent to a Redis that did not answer in time; lost only if it died then",
            registry=self.registry,
        )
        self.outcomes_stale = Counter(
            "tailslide_sidecar_outcomes_stale",
            "Calls not counted, since their circuit opened while they ran",
            registry=self.registry,
        )
        self.evaluations_dropped = Counter(
            "tailslide_sidecar_evaluations_dropped",
            "Evaluations that no time series counts, since there are too many variants and rules, or a key is in the "
            "way",
            registry=self.registry,
        )
        self.reported_calls_refused = Counter(
            "tailslide_sidecar_reported_calls_refused",
            "Calls that clients reported beyond reported_calls_per_s, and that were not counted",
            registry=self.registry,
        )
        self.snapshot_writes = Counter(
            "tailslide_sidecar_snapshot_writes", "Snapshots, by result", ["result"], registry=self.registry
        )
        self.snapshot_reads = Counter(
            "tailslide_sidecar_snapshot_reads",
            "Snapshots looked for at the start, by result: read, missing, damaged and put aside, or untrusted",
            ["result"],
            registry=self.registry,
        )
        self.snapshot_refused_values = Counter(
            "tailslide_sidecar_snapshot_refused_values",
            "Values of the snapshot that could not be understood; their flags were left out",
            registry=self.registry,
        )
        # With 0 from the start: of a series that begins with its first event, `increase` would miss that one.
        for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET):
            self.refused_values.labels(bucket)
        for result in ("written", "failed"):
            self.snapshot_writes.labels(result)

    def count_reading(self, reading: Reading) -> None:
        """Count what came of the snapshot at the start."""
        self.snapshot_reads.labels(reading.result).inc()
        if reading.snapshot is not None:
            self.snapshot_refused_values.inc(len(reading.snapshot.refused))

    def exposition(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return exposition(self.registry)


class _LiveStates(Collector):
    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        live = self._live
        yield from _of_the_servers(live) if live.flags_file is None else _of_the_file(live.flags_file)
        yield _gauge("tailslide_sidecar_flags", "Flags known", len(live.store.flags()))
        readiness = live.readiness()
        yield _source(live.store.origin)
        yield _gauge("tailslide_sidecar_ready", "Whether rulesets are loaded", readiness is not None)
        if readiness is not None:
            yield _gauge(
                "tailslide_sidecar_rulesets_age_seconds",
                "Time since NATS was last heard of, or since what the snapshot, or the flags file, holds was so",
                readiness.age_ms / 1000,
            )
        yield _counter(
            "tailslide_sidecar_changes", "Changes of rulesets and circuits since the start", live.store.revision
        )
        yield _gauge("tailslide_sidecar_event_listeners", "Open streams of change notices", live.event_listeners())
        yield _gauge(
            "tailslide_sidecar_flags_kept",
            "Flags that the bucket has lost; their last values stay until Tower has published again",
            len(live.store.kept()),
        )
        yield _gauge("tailslide_sidecar_outcomes_waiting", "Counts not yet written", live.buffer.waiting)
        yield _counter(
            "tailslide_sidecar_outcomes_dropped",
            "Counts given up, since Redis was away for too long",
            live.buffer.dropped,
        )
        yield from _circuits(live.store)

    def describe(self) -> Iterable[Metric]:
        return []


def _of_the_servers(live: Live) -> Iterator[Metric]:
    yield _gauge("tailslide_sidecar_nats_connected", "Whether NATS is heard of in both buckets", live.nats_connected())
    yield _counter("tailslide_sidecar_nats_connects", "Connections made to NATS", live.link.connects)
    yield from _watches(live.watches)
    redis_help = "Whether Redis took the last counts, and the marks by which Aerobat finds them"
    yield _gauge("tailslide_sidecar_redis_connected", redis_help, live.redis_connected())


def _of_the_file(file: FlagsFileState) -> Iterator[Metric]:
    reads = CounterMetricFamily(
        "tailslide_sidecar_flags_file_reads", "Times that the flags file was read, by result", labels=["result"]
    )
    reads.add_metric(["loaded"], file.loaded)
    reads.add_metric(["refused"], file.refused)
    yield reads
    yield _gauge(
        "tailslide_sidecar_flags_file_valid", "Whether the flags file could be taken as it is", file.problem is None
    )
    yield _gauge(
        "tailslide_sidecar_flags_file_loaded_timestamp_seconds", "When the flags in use were read", file.loaded_at
    )


def _source(origin: Origin | None) -> Metric:
    source = GaugeMetricFamily(
        "tailslide_sidecar_source", "1 for where the rulesets came from: jetstream, snapshot or file", labels=["source"]
    )
    for each in Origin:
        source.add_metric([each], float(each is origin))
    return source


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=float(value))


def _watches(watches: Mapping[str, WatchStatus]) -> Iterator[Metric]:
    restarts = CounterMetricFamily(
        "tailslide_sidecar_watch_restarts",
        "Times that changes may have been missed, so that all of the bucket was read again",
        labels=["bucket"],
    )
    revisions = GaugeMetricFamily(
        "tailslide_sidecar_bucket_revision", "Revision of the last value that was read", labels=["bucket"]
    )
    for bucket, watch in watches.items():
        restarts.add_metric([bucket], watch.restarts)
        revisions.add_metric([bucket], watch.revision)
    yield restarts
    yield revisions


def _circuits(store: FlagStore) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "tailslide_sidecar_circuit_state", "0 closed, 1 open, 2 recovering, as it applies here", labels=["flag"]
    )
    ratios = GaugeMetricFamily(
        "tailslide_sidecar_circuit_admitted_ratio", "Share of the rolled-out users let in, 0 to 1", labels=["flag"]
    )
    for flag in store.flags():
        effective = store.effective(flag)
        if effective is not None:
            states.add_metric([flag], STATE_NUMBERS[effective.state])
            percentage = FULL if effective.state is State.CLOSED else effective.percentage
            ratios.add_metric([flag], percentage / FULL)
    yield states
    yield ratios
