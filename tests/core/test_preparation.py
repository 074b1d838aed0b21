"""What is worked out of a flag before anybody asks, and that flags that are alike share it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from strategies import attributes, contexts, percentages, rulesets, targeting_keys

from tailslide_core.circuit import State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.decisions import Decision, Reason
from tailslide_core.effective_circuit import EffectiveCircuit
from tailslide_core.evaluation import Context, decide
from tailslide_core.preparation import MAX_CHAIN, PreparedFlag, decision_of, prepare
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.variants import Share

CLOSED = EffectiveCircuit(State.CLOSED, 100.0)
OPEN = EffectiveCircuit(State.OPEN, 0.0)
GERMANS = Rule((Condition("country", Operator.IN, ("DE",)),), 100.0)


def flag(key: str = "f", **changes: Any) -> Ruleset:
    fields: dict[str, Any] = {"active": True, "rollout": 100.0, "circuit": CircuitSettings(), **changes}
    return Ruleset("shop", key, 1, salt=key, **fields)


def prepared(ruleset: Ruleset, effective: EffectiveCircuit | None = CLOSED, **others: PreparedFlag) -> PreparedFlag:
    return prepare(ruleset, effective, {}, others)


def recovering(percentage: float) -> EffectiveCircuit:
    return EffectiveCircuit(State.RECOVERING, percentage)


REQUIRES = (Requirement("g"),)
SETTLED: list[tuple[Ruleset, EffectiveCircuit | None, Reason | None]] = [
    (flag(), CLOSED, Reason.STATIC),
    (flag(), None, Reason.STATIC),
    (flag(rollout=0.0), CLOSED, Reason.STATIC),
    (flag(rollout=50.0), CLOSED, None),
    (flag(), recovering(50.0), None),
    (flag(rollout=0.0), recovering(50.0), Reason.STATIC),
    (flag(split=(Share("on", 1), Share("off", 1))), CLOSED, None),
    (flag(split=(Share("off", 1),), rollout=50.0), CLOSED, Reason.STATIC),
    (flag(allow=frozenset({"u"})), CLOSED, None),
    (flag(deny=frozenset({"u"})), CLOSED, None),
    (flag(rules=(GERMANS,)), CLOSED, None),
    (flag(active=False, rules=(GERMANS,), deny=frozenset({"u"})), CLOSED, Reason.DISABLED),
    (flag(rules=(GERMANS,), deny=frozenset({"u"})), OPEN, Reason.CIRCUIT_OPEN),
    (flag(requires=REQUIRES, rules=(GERMANS,)), CLOSED, Reason.PREREQUISITE_FAILED),
    (flag(requires=REQUIRES, active=False), CLOSED, Reason.DISABLED),
    (flag(requires=REQUIRES), OPEN, Reason.CIRCUIT_OPEN),
]


@pytest.mark.parametrize(("ruleset", "effective", "reason"), SETTLED, ids=range(len(SETTLED)))
def test_what_is_the_same_whoever_asks_is_settled_beforehand(
    ruleset: Ruleset, effective: EffectiveCircuit | None, reason: Reason | None
) -> None:
    settled = prepared(ruleset, effective).settled
    assert (None if settled is None else settled.reason) == reason


@given(rulesets, contexts)
def test_what_is_settled_is_what_everybody_gets(ruleset: Ruleset, context: Context) -> None:
    ready = prepared(replace(ruleset, requires=()), None if ruleset.circuit is None else CLOSED)
    if ready.settled is not None and ready.settled.reason is Reason.STATIC:
        unsettled = replace(ready, settled=None)
        assert decide(unsettled, context.targeting_key, context.attributes) is ready.settled


@given(rulesets, targeting_keys, attributes, percentages)
def test_a_decision_is_the_same_object_each_time(
    ruleset: Ruleset, key: str, of_user: dict[str, object], percentage: float
) -> None:
    ready = prepared(ruleset, None if ruleset.circuit is None else recovering(percentage))
    for user in (key, None):
        assert decide(ready, user, of_user) is decide(ready, user, of_user)


def test_prerequisites_that_are_met_whoever_asks_leave_nothing_to_ask() -> None:
    on, off, by_user = prepared(flag("g")), prepared(flag("h", rollout=0.0)), prepared(flag("i", rollout=50.0))
    needs = tuple(Requirement(key) for key in ("g", "i", "h"))
    assert prepared(flag(requires=needs[:1]), g=on).requires == ()
    both = prepared(flag(requires=needs[:2]), g=on, i=by_user)
    assert [requirement.flag for requirement in both.requires] == [by_user]
    assert both.settled is None
    # What comes after one that is unmet whoever asks is never asked; what comes before may be the first that is unmet.
    all_three = prepared(flag(requires=needs), g=on, h=off, i=by_user)
    assert [requirement.flag for requirement in all_three.requires] == [by_user, None]
    assert all_three.settled is None
    first = prepared(flag(requires=(needs[2], needs[1])), h=off, i=by_user)
    assert [requirement.flag for requirement in first.requires] == [None]
    assert first.settled is not None
    assert (first.settled.prerequisite, first.settled.prerequisite_reason) == ("h", Reason.STATIC)


def test_chains_are_as_long_as_the_longest_way() -> None:
    last, short = prepared(flag("z")), prepared(flag("y"))
    assert last.chain == 1
    for length in range(2, MAX_CHAIN + 2):
        last = prepared(flag("a", requires=(Requirement("b"), Requirement("y"))), b=last, y=short)
        assert last.chain == length
        assert (last.settled is None or last.settled.active) == (length <= MAX_CHAIN)


def test_flags_that_are_alike_share_what_is_worked_out_of_them() -> None:
    one, other = (prepared(flag(key, rollout=37.0, rules=(GERMANS,))) for key in ("f", "g"))
    assert one.own is other.own
    assert one.rules[0][1] is other.rules[0][1]
    assert prepared(flag(rollout=37.0), recovering(50.0)).own is not one.own


def test_decisions_are_compared_by_identity() -> None:
    decision = Decision("on", True, Reason.SPLIT)
    assert decision != Decision("on", True, Reason.SPLIT)
    assert {decision: 1}[decision] == 1
    assert decision_of("on", Reason.SPLIT, active=True) is decision_of("on", Reason.SPLIT, active=True)
