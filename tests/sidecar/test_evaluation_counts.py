"""Numbers of answers, by flag and by how they were decided."""

from prometheus_client import CollectorRegistry, generate_latest

from tailslide_core.decisions import Decision, Reason
from tailslide_sidecar.evaluation_counts import UNKNOWN_FLAG, Answered, EvaluationCounts

ON, OFF = Decision("on", True, Reason.SPLIT), Decision("off", False, Reason.CIRCUIT_OPEN)
GERMANY, FRANCE = (Decision("green", True, Reason.SPLIT, rule=rule) for rule in ("germany", "france"))


def counted(counts: EvaluationCounts, flag: str, *decisions: Decision) -> None:
    for decision in decisions:
        counts.tally(flag, decision).count += 1


def exposition(counts: EvaluationCounts) -> list[str]:
    registry = CollectorRegistry()
    registry.register(counts)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def series(flag: str, active: str, variant: str, reason: str) -> str:
    return (
        f'tailslide_sidecar_evaluations_total{{active="{active}",flag="{flag}",reason="{reason}",variant="{variant}"}}'
    )


def test_answers_are_counted_by_flag_and_variant_and_reason() -> None:
    counts = EvaluationCounts()
    counted(counts, "a", ON, ON, OFF)
    counted(counts, "A.b", ON)
    assert sorted(exposition(counts)) == sorted(
        [
            series("a", "false", "off", "circuit_open") + " 1.0",
            series("a", "true", "on", "split") + " 2.0",
            series("A.b", "true", "on", "split") + " 1.0",
        ]
    )


def test_rules_are_counted_each_and_shown_to_prometheus_together() -> None:
    counts = EvaluationCounts()
    counted(counts, "a", GERMANY, FRANCE, GERMANY)
    assert dict(counts.items()) == {
        Answered("a", True, Reason.SPLIT, "green", "germany"): 2,
        Answered("a", True, Reason.SPLIT, "green", "france"): 1,
    }
    assert exposition(counts) == [series("a", "true", "green", "split") + " 3.0"]


def test_decisions_that_are_alike_are_counted_in_one_place() -> None:
    counts = EvaluationCounts()
    tally = counts.tally("a", ON)
    assert counts.tally("a", Decision("on", True, Reason.SPLIT)) is tally
    assert counts.tally("b", ON) is not tally
    assert counts.tally("a", GERMANY) is not tally
    assert dict(counts.items()) == {}, "what was never answered is not told"


def test_a_flag_is_off_for_the_same_reason_whichever_prerequisite_was_not_met() -> None:
    counts = EvaluationCounts()
    for other in ("b", "c"):
        counted(counts, "a", Decision("off", False, Reason.PREREQUISITE_FAILED, prerequisite=other))
    assert exposition(counts) == [series("a", "false", "off", "prerequisite_failed") + " 2.0"]


def test_flags_that_nobody_knows_share_one_name() -> None:
    counts = EvaluationCounts()
    assert exposition(counts) == []
    counts.unknown += 50
    assert exposition(counts) == [series(UNKNOWN_FLAG, "false", "", "flag_not_found") + " 50.0"]
