"""The seven rules in their order, each against the ones after it. Single cases are golden vectors in `conformance`."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attributes, circuits, contexts, percentages, rulesets, targeting_keys

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.evaluation import (
    Context,
    EffectiveCircuit,
    Evaluation,
    Reason,
    effective_circuit,
    evaluate,
    rollout_for,
)
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset

GERMANS = Condition("country", Operator.IN, ("DE",))
ADULTS = Condition("age", Operator.GE, (18,))
SETTINGS = CircuitSettings(reset_generation=3)
OPEN = Circuit(State.OPEN, 0.0, trips=1, reset_generation=3)


def flag(**changes: Any) -> Ruleset:
    base = Ruleset("checkout", "new", 12, True, 100.0, "new", circuit=SETTINGS)
    return replace(base, **changes)


def recovering(percentage: float) -> Circuit:
    return Circuit(State.RECOVERING, percentage, trips=1, reset_generation=3)


def answer(
    ruleset: Ruleset | None, circuit: Circuit | None = None, key: str | None = "u1", **of_user: object
) -> Evaluation:
    return evaluate("new", ruleset, circuit, Context(key, of_user))


def test_1_an_unknown_flag_comes_before_all() -> None:
    assert answer(None, OPEN) == Evaluation("new", False, Reason.FLAG_NOT_FOUND)


def test_2_a_flag_that_is_off_comes_before_circuit_and_targeting() -> None:
    ruleset = flag(active=False, allow=frozenset({"u1"}))
    assert answer(ruleset, OPEN) == Evaluation("new", False, Reason.DISABLED, State.OPEN, 12)
    assert answer(ruleset, None, key=None).reason is Reason.DISABLED


def test_3_an_open_circuit_comes_before_targeting() -> None:
    ruleset = flag(allow=frozenset({"u1"}), rules=(Rule((GERMANS,), 100.0),))
    assert answer(ruleset, OPEN, country="DE") == Evaluation("new", False, Reason.CIRCUIT_OPEN, State.OPEN, 12)
    forced = replace(ruleset, circuit=replace(SETTINGS, forced_open=True))
    for circuit in (None, Circuit(), recovering(50), OPEN):
        assert answer(forced, circuit).reason is Reason.CIRCUIT_OPEN


def test_4_deny_comes_before_allow_and_both_before_the_rules() -> None:
    both = flag(allow=frozenset({"u1"}), deny=frozenset({"u1"}), rules=(Rule((GERMANS,), 100.0),))
    assert answer(both, country="DE") == Evaluation("new", False, Reason.TARGETING_MATCH, State.CLOSED, 12)
    allowed = flag(rollout=0.0, allow=frozenset({"u1"}), rules=(Rule((GERMANS,), 0.0),))
    assert answer(allowed, country="DE") == Evaluation("new", True, Reason.TARGETING_MATCH, State.CLOSED, 12)
    assert answer(allowed, recovering(0.001)).active


def test_4_an_empty_key_is_nobody_even_when_it_is_listed() -> None:
    assert answer(flag(rollout=50.0, allow=frozenset({""})), key="").reason is Reason.TARGETING_KEY_MISSING
    assert answer(flag(deny=frozenset({""})), key="").active


@pytest.mark.parametrize(
    ("of_user", "rollout"),
    [
        ({}, 25.0),
        ({"country": "FR"}, 25.0),
        ({"country": "DE"}, 50.0),
        ({"country": "DE", "age": 20}, 75.0),
        ({"country": "FR", "age": 20}, 25.0),
        ({"beta": True}, 0.0),
        ({"beta": True, "country": "DE"}, 50.0),
    ],
)
def test_5_the_first_rule_whose_conditions_all_hold_gives_its_rollout(
    of_user: dict[str, object], rollout: float
) -> None:
    beta = Condition("beta", Operator.EQUALS, (True,))
    ruleset = flag(
        rollout=25.0,
        rules=(Rule((GERMANS, ADULTS), 75.0), Rule((GERMANS,), 50.0), Rule((beta,), 0.0), Rule((beta,), 100.0)),
    )
    assert rollout_for(ruleset, of_user) == rollout


@given(rulesets, targeting_keys, percentages)
def test_6_the_bucket_is_compared_with_what_the_circuit_leaves_of_the_rollout(
    ruleset: Ruleset, key: str, percentage: float
) -> None:
    plain = replace(ruleset, active=True, circuit=SETTINGS, allow=frozenset(), deny=frozenset())
    rollout = rollout_for(plain, {})
    for circuit, share in ((None, 100.0), (Circuit(reset_generation=3), 100.0), (recovering(percentage), percentage)):
        found = evaluate("new", plain, circuit, Context(key))
        assert found.reason is Reason.SPLIT
        assert found.active == is_in(bucket_of(plain.salt, key), rollout, share)


@pytest.mark.parametrize("key", [None, ""])
@pytest.mark.parametrize(
    ("rollout", "circuit", "active"),
    [(100.0, None, True), (99.999, None, False), (0.0, None, False), (100.0, "99.9", False), (100.0, "100", True)],
)
def test_7_without_a_key_only_everybody_is_in(
    key: str | None, rollout: float, circuit: str | None, active: bool
) -> None:
    found = answer(flag(rollout=rollout), None if circuit is None else recovering(float(circuit)), key)
    assert found.active is active
    assert found.reason is (Reason.SPLIT if active else Reason.TARGETING_KEY_MISSING)


def test_7_a_rule_may_let_everybody_without_a_key_in() -> None:
    ruleset = flag(rollout=0.0, rules=(Rule((GERMANS,), 100.0),))
    assert answer(ruleset, key=None, country="DE").active
    assert not answer(ruleset, key=None, country="FR").active


@pytest.mark.parametrize(
    ("settings", "circuit", "expected"),
    [
        (None, OPEN, None),
        (None, None, None),
        (SETTINGS, None, EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, Circuit(reset_generation=3), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, OPEN, EffectiveCircuit(State.OPEN, 0.0)),
        (SETTINGS, recovering(20.0), EffectiveCircuit(State.RECOVERING, 20.0)),
        (SETTINGS, replace(OPEN, reset_generation=2), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, replace(recovering(20.0), reset_generation=2), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, replace(OPEN, reset_generation=4), EffectiveCircuit(State.OPEN, 0.0)),
        (replace(SETTINGS, forced_open=True), None, EffectiveCircuit(State.OPEN, 0.0)),
        (replace(SETTINGS, forced_open=True), replace(OPEN, reset_generation=2), EffectiveCircuit(State.OPEN, 0.0)),
    ],
)
def test_a_circuit_value_counts_under_its_ruleset(
    settings: CircuitSettings | None, circuit: Circuit | None, expected: EffectiveCircuit | None
) -> None:
    assert effective_circuit(flag(circuit=settings), circuit) == expected


def test_a_flag_without_circuit_settings_says_no_state() -> None:
    assert answer(flag(circuit=None), OPEN) == Evaluation("new", True, Reason.SPLIT, None, 12)


@given(rulesets, st.none() | circuits(), contexts)
def test_an_answer_is_one_of_the_seven(ruleset: Ruleset, circuit: Circuit | None, context: Context) -> None:
    found = evaluate("new", ruleset, circuit, context)
    assert found == evaluate("new", ruleset, circuit, context)
    assert (found.flag, found.version) == ("new", ruleset.version)
    assert (found.circuit is None) == (ruleset.circuit is None)
    if found.reason in (Reason.DISABLED, Reason.CIRCUIT_OPEN, Reason.TARGETING_KEY_MISSING):
        assert not found.active
    assert (found.reason is Reason.DISABLED) == (not ruleset.active)
    if found.circuit is State.OPEN:
        assert not found.active
    if found.reason is Reason.TARGETING_MATCH:
        assert context.targeting_key in (ruleset.allow | ruleset.deny)


@given(rulesets, targeting_keys, attributes, percentages, percentages)
def test_who_is_in_stays_in_at_every_larger_rollout(
    ruleset: Ruleset, key: str, of_user: dict[str, object], rollout: float, other: float
) -> None:
    def at(share: float) -> bool:
        return evaluate("new", replace(ruleset, rollout=share), None, Context(key, of_user)).active

    assert at(min(rollout, other)) <= at(max(rollout, other))


@given(rulesets, targeting_keys, attributes, circuits())
def test_users_who_are_in_are_the_same_before_and_after_a_trip(
    ruleset: Ruleset, key: str, of_user: dict[str, object], circuit: Circuit
) -> None:
    before = evaluate("new", ruleset, None, Context(key, of_user))
    during = evaluate("new", ruleset, circuit, Context(key, of_user))
    after = evaluate("new", ruleset, replace(circuit, state=State.CLOSED, percentage=100.0), Context(key, of_user))
    assert before == after
    assert during.active <= before.active


@given(rulesets, targeting_keys)
def test_at_zero_nobody_and_at_one_hundred_everybody(ruleset: Ruleset, key: str) -> None:
    plain = replace(ruleset, active=True, rules=(), allow=frozenset(), deny=frozenset(), circuit=None)
    assert not evaluate("new", replace(plain, rollout=0.0), None, Context(key)).active
    assert evaluate("new", replace(plain, rollout=100.0), None, Context(key)).active
