"""What is said of each line, and that the result always equals what evaluation decides."""

from dataclasses import replace
from typing import Any

import pytest
from app_strategies import CONTEXTS, FLAGS, flag_sets
from hypothesis import given
from hypothesis import strategies as st
from strategies import circuits, contexts, rulesets

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.explanation import Conclusion, Explanation, Line, Outcome, explain
from tailslide_core.flag_set import FlagSet
from tailslide_core.preparation import MAX_CHAIN
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset

GERMANS = Condition("country", Operator.IN, ("DE",))
ADULTS = Condition("age", Operator.GE, (18,))


def flag(key: str = "new", **changes: Any) -> Ruleset:
    return replace(Ruleset("shop", key, 1, True, 100.0, key, circuit=CircuitSettings()), **changes)


def told(*flags: Ruleset, key: str | None = "u1", circuit: Circuit | None = None, **attributes: object) -> Explanation:
    known = FlagSet({each.key: each for each in flags}, {} if circuit is None else {flags[0].key: circuit})
    return explain(flags[0].key, known, Context(key, attributes))


def assert_alike(key: str, flags: FlagSet, context: Context) -> Conclusion:
    conclusion, evaluation = explain(key, flags, context).conclusion, evaluate(key, flags, context)
    for name in ("variant", "active", "reason", "rule", "prerequisite", "prerequisite_reason", "is_error"):
        assert getattr(conclusion, name) == getattr(evaluation, name), name
    return conclusion


@given(flag_sets(), st.sampled_from(CONTEXTS), st.sampled_from(FLAGS))
def test_explanation_comes_to_what_was_decided_for_all_flags_of_an_app(
    flags: FlagSet, context: Context, key: str
) -> None:
    assert_alike(key, flags, context)


@given(rulesets, contexts, st.none() | circuits())
def test_explanation_comes_to_what_was_decided_for_the_whole_language(
    ruleset: Ruleset, context: Context, circuit: Circuit | None
) -> None:
    flags = FlagSet({ruleset.key: ruleset}, {} if circuit is None else {ruleset.key: circuit})
    assert_alike(ruleset.key, flags, context)


def test_explanation_of_a_long_row_and_of_a_circle_of_flags() -> None:
    row = {str(n): flag(str(n), requires=(Requirement(str(n + 1)),)) for n in range(MAX_CHAIN + 2)}
    flags = FlagSet(row | {str(MAX_CHAIN + 2): flag(str(MAX_CHAIN + 2))})
    for key in (*row, str(MAX_CHAIN + 2)):
        assert_alike(key, flags, Context("u1"))
    circle = FlagSet({"a": flag("a", requires=(Requirement("b"),)), "b": flag("b", requires=(Requirement("a"),))})
    assert assert_alike("a", circle, Context("u1")).prerequisite_reason is Reason.PREREQUISITE_FAILED
    assert explain("a", circle, Context("u1")).requires[0].is_cycle


def test_conditions_tell_whether_they_held_and_what_they_saw() -> None:
    explanation = told(flag(rules=(Rule((GERMANS, ADULTS), 50.0, name="adults"),)), country="DE")
    (rule,) = explanation.rules
    assert [(each.value, each.outcome) for each in rule.conditions] == [("DE", Outcome.HELD), (None, Outcome.MISSING)]
    assert (rule.name, rule.matched, rule.decides) == ("adults", False, False)
    assert explanation.conclusion.line is Line.ROLLOUT
    explanation = told(flag(rules=(Rule((GERMANS, ADULTS), 50.0),)), country="FR", age=[17, 20])
    assert [each.outcome for each in explanation.rules[0].conditions] == [Outcome.FAILED, Outcome.HELD]
    assert explanation.rules[0].conditions[1].value == [17, 20]


def test_absence_that_was_asked_for_is_not_missing() -> None:
    absent = Condition("country", Operator.EXISTS, (False,))
    present = Condition("country", Operator.EXISTS, ())
    explanation = told(flag(rules=(Rule((absent, present)),)))
    assert [each.outcome for each in explanation.rules[0].conditions] == [Outcome.HELD, Outcome.FAILED]


def test_first_rule_that_matches_decides_and_later_ones_are_told_all_the_same() -> None:
    explanation = told(flag(rules=(Rule((GERMANS,), 0.0), Rule((ADULTS,), 100.0))), country="DE", age=30)
    assert [(rule.matched, rule.decides) for rule in explanation.rules] == [(True, True), (True, False)]
    assert (explanation.conclusion.line, explanation.conclusion.rule) == (Line.RULE, "1")
    assert explanation.conclusion.active is False


def test_rollout_tells_bucket_and_limit() -> None:
    explanation = told(flag(rollout=25.0), circuit=Circuit(State.RECOVERING, 50.0, trips=1))
    own = explanation.rollout
    assert own is not None
    assert (own.key, own.percentage, round(own.limit)) == ("u1", 50.0, 12_500)
    assert own.bucket is not None
    assert own.is_in is (own.bucket < 12_500)
    assert told(flag(rollout=25.0), key=None).rollout.is_in is None  # type: ignore[union-attr] # there is one


@pytest.mark.parametrize(
    ("changes", "circuit", "line"),
    [
        ({"active": False}, None, Line.ACTIVE),
        ({}, Circuit(State.OPEN, 0.0, trips=1), Line.CIRCUIT),
        ({"requires": (Requirement("none"),)}, None, Line.REQUIRES),
        ({"deny": frozenset({"u1"}), "allow": frozenset({"u1"})}, None, Line.DENY),
        ({"allow": frozenset({"u1"}), "rollout": 0.0}, None, Line.ALLOW),
        ({"rollout": 0.0}, None, Line.ROLLOUT),
    ],
)
def test_line_that_decided_is_named(changes: dict[str, Any], circuit: Circuit | None, line: Line) -> None:
    assert told(flag(**changes), circuit=circuit).conclusion.line is line


def test_unknown_flag_has_no_lines() -> None:
    explanation = explain("none", FlagSet(), Context("u1"))
    assert (explanation.conclusion.line, explanation.conclusion.reason) == (Line.UNKNOWN, Reason.FLAG_NOT_FOUND)
    assert explanation.rules == ()
