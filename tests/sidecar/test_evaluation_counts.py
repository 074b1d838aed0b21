"""Numbers of answers, by flag and by how they were decided."""

from prometheus_client import CollectorRegistry, generate_latest

from tailslide_core.evaluation import Decision, Reason
from tailslide_sidecar.evaluation_counts import UNKNOWN_FLAG, EvaluationCounts

ON, OFF = Decision(True, Reason.SPLIT), Decision(False, Reason.CIRCUIT_OPEN)


def exposition(counts: EvaluationCounts) -> list[str]:
    registry = CollectorRegistry()
    registry.register(counts)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_answers_are_counted_by_flag_and_decision() -> None:
    counts = EvaluationCounts()
    for decision in (ON, ON, OFF):
        counts.add("a", decision)
    counts.add("b", ON)
    assert sorted(exposition(counts)) == [
        'tailslide_sidecar_evaluations_total{active="false",flag="a",reason="circuit_open"} 1.0',
        'tailslide_sidecar_evaluations_total{active="true",flag="a",reason="split"} 2.0',
        'tailslide_sidecar_evaluations_total{active="true",flag="b",reason="split"} 1.0',
    ]


def test_flags_that_nobody_knows_share_one_name() -> None:
    counts = EvaluationCounts()
    assert exposition(counts) == []
    counts.unknown += 50
    assert exposition(counts) == [
        f'tailslide_sidecar_evaluations_total{{active="false",flag="{UNKNOWN_FLAG}",reason="flag_not_found"}} 50.0'
    ]
