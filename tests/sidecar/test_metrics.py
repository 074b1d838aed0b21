"""What Prometheus reads: numbers that are explicit, labels that are bounded."""

from tailslide_core.circuit import Circuit, State
from tailslide_core.evaluation import Context
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.metrics import UNKNOWN_FLAG, Live, Metrics
from tailslide_sidecar.outcome_buffer import OutcomeBuffer


def flag(key: str, settings: CircuitSettings | None) -> Ruleset:
    return Ruleset("clinic", key, 1, active=True, rollout=100.0, salt=key, circuit=settings)


def test_circuits_have_explicit_numbers() -> None:
    store = FlagStore("clinic")
    states = {"a": Circuit(), "b": Circuit(State.OPEN, 0.0), "c": Circuit(State.RECOVERING, 20.0)}
    store.restore(Content({key: flag(key, CircuitSettings()) for key in states} | {"d": flag("d", None)}, states))
    metrics = Metrics(Live(store, OutcomeBuffer(), lambda: True, lambda: False))

    text = metrics.exposition().decode()

    for line in (
        'tailslide_sidecar_circuit_state{flag="a"} 0.0',
        'tailslide_sidecar_circuit_state{flag="b"} 1.0',
        'tailslide_sidecar_circuit_state{flag="c"} 2.0',
        'tailslide_sidecar_circuit_percentage{flag="c"} 20.0',
        "tailslide_sidecar_nats_connected 1.0",
        "tailslide_sidecar_redis_connected 0.0",
        "tailslide_sidecar_flags 4.0",
    ):
        assert f"\n{line}\n" in text
    assert 'circuit_state{flag="d"}' not in text


def test_flags_that_nobody_knows_share_one_label() -> None:
    store = FlagStore("clinic")
    metrics = Metrics(Live(store, OutcomeBuffer(), lambda: True, lambda: True))
    for number in range(50):
        metrics.evaluated(store.evaluate(f"flag{number}", Context()))
    text = metrics.exposition().decode()
    assert f'evaluations_total{{active="false",flag="{UNKNOWN_FLAG}",reason="flag_not_found"}} 50.0\n' in text
    assert "flag49" not in text
