"""What Prometheus reads: numbers that are explicit, labels that are bounded."""

import re
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tailslide_core.circuit import Circuit, State
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_runtime.bucket_watch import WatchStatus
from tailslide_runtime.jetstream import LinkStatus
from tailslide_sidecar.evaluation_counts import UNKNOWN_FLAG
from tailslide_sidecar.flag_store import Content, FlagStore, Origin
from tailslide_sidecar.metrics import Live, Metrics
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.readiness import Readiness


@dataclass(frozen=True)
class File:
    path: Path = Path("flags.yaml")
    problem: str | None = None
    loaded: int = 3
    refused: int = 2
    loaded_at: float = 1_000.5


def metrics_of(store: FlagStore, *, connected: bool = True, age_ms: int = 0, flags_file: File | None = None) -> Metrics:
    return Metrics(
        Live(
            store,
            OutcomeBuffer(),
            LinkStatus(connected=True, connects=3),
            {"rulesets": WatchStatus(restarts=2, revision=77)},
            nats_connected=lambda: connected,
            redis_connected=lambda: False,
            readiness=lambda: Readiness(Origin.JETSTREAM, age_ms, connected),
            event_listeners=lambda: 4,
            flags_file=flags_file,
        )
    )


def flag(key: str, settings: CircuitSettings | None) -> Ruleset:
    return Ruleset("clinic", key, 1, active=True, rollout=100.0, salt=key, circuit=settings)


def test_circuits_have_explicit_numbers() -> None:
    store = FlagStore("clinic")
    states = {"a": Circuit(), "b": Circuit(State.OPEN, 0.0), "c": Circuit(State.RECOVERING, 20.0)}
    store.restore(Content({key: flag(key, CircuitSettings()) for key in states} | {"d": flag("d", None)}, states))

    metrics = metrics_of(store)

    text = metrics.exposition().decode()

    for line in (
        'tailslide_sidecar_circuit_state{flag="a"} 0.0',
        'tailslide_sidecar_circuit_state{flag="b"} 1.0',
        'tailslide_sidecar_circuit_state{flag="c"} 2.0',
        'tailslide_sidecar_circuit_admitted_ratio{flag="a"} 1.0',
        'tailslide_sidecar_circuit_admitted_ratio{flag="c"} 0.2',
        "tailslide_sidecar_nats_connected 1.0",
        "tailslide_sidecar_redis_connected 0.0",
        "tailslide_sidecar_flags 4.0",
    ):
        assert f"\n{line}\n" in text
    assert 'circuit_state{flag="d"}' not in text


def test_how_it_stands_with_nats_is_told() -> None:
    text = metrics_of(FlagStore("clinic"), connected=False, age_ms=7_250).exposition().decode()
    for line in (
        "tailslide_sidecar_nats_connected 0.0",
        "tailslide_sidecar_nats_connects_total 3.0",
        'tailslide_sidecar_watch_restarts_total{bucket="rulesets"} 2.0',
        'tailslide_sidecar_bucket_revision{bucket="rulesets"} 77.0',
        "tailslide_sidecar_ready 1.0",
        "tailslide_sidecar_rulesets_age_seconds 7.25",
        "tailslide_sidecar_event_listeners 4.0",
    ):
        assert f"\n{line}\n" in text
    assert '\ntailslide_sidecar_info{app="clinic",version="' in text


def test_flags_that_nobody_knows_share_one_label() -> None:
    metrics = metrics_of(FlagStore("clinic"))
    metrics.evaluations.unknown += 50
    text = metrics.exposition().decode()
    assert (
        f'evaluations_total{{active="false",flag="{UNKNOWN_FLAG}",reason="flag_not_found",variant=""}} 50.0\n' in text
    )


def test_names_follow_the_conventions_of_openmetrics() -> None:
    metrics = metrics_of(FlagStore("clinic"))
    metrics.refused_values.labels("rulesets").inc()
    text = generate_latest(metrics.registry).decode()  # type: ignore[no-untyped-call] # no types in there
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call] # nor here
    for family in families:
        assert re.fullmatch(r"(tailslide_sidecar|process)(_[a-z]+)*", family.name), family.name
        assert not family.name.endswith(("_total", "_ms", "_percentage", "_count")), family.name
        assert family.documentation, family.name
        assert not any(sample.name.endswith("_created") for sample in family.samples), family.name


def test_of_a_flags_file_it_is_told_whether_it_is_good_and_of_servers_nothing() -> None:
    store = FlagStore("clinic")
    store.replace(Content({"a": flag("a", None)}, {}))
    for problem, valid in ((None, 1), ("line 3: …", 0)):
        text = metrics_of(store, flags_file=File(problem=problem)).exposition().decode()
        for line in (
            'tailslide_sidecar_source{source="file"} 1.0',
            'tailslide_sidecar_source{source="jetstream"} 0.0',
            'tailslide_sidecar_flags_file_reads_total{result="loaded"} 3.0',
            'tailslide_sidecar_flags_file_reads_total{result="refused"} 2.0',
            f"tailslide_sidecar_flags_file_valid {valid}.0",
            "tailslide_sidecar_flags_file_loaded_timestamp_seconds 1000.5",
            "tailslide_sidecar_flags 1.0",
        ):
            assert f"\n{line}\n" in text
        assert re.search("nats|redis|bucket_revision|watch", re.sub("(?m)^#.*$", "", text)) is None
    assert "flags_file" not in metrics_of(store).exposition().decode()
