"""The rules of evaluation in their order, each against the ones after it; prerequisites are `test_prerequisites`.

Single cases are golden vectors in `conformance`.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attributes, circuits, contexts, percentages, rulesets, targeting_keys

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset
from tailslide_core.variants import Share, Split, ValueType, Variant, variant_for

GERMANS = Condition("country", Operator.IN, ("DE",))
ADULTS = Condition("age", Operator.GE, (18,))
BETA = Condition("beta", Operator.EQUALS, (True,))
SETTINGS = CircuitSettings(reset_generation=3)
CLOSED = Circuit(reset_generation=3)
OPEN = Circuit(State.OPEN, 0.0, trips=1, reset_generation=3)
COLOURS = (Variant("blue", "#00f"), Variant("green", "#0f0"), Variant("red", "#f00"))
OF_COLOURS: dict[str, Any] = {"type": ValueType.STRING, "variants": COLOURS, "off_variant": "blue"}
HALVES: Split = (Share("green", 1), Share("red", 1))
CONTROLLED: Split = (Share("green", 1), Share("blue", 1))
ONLY_OFF: Split = (Share("blue", 1),)


def flag(**changes: Any) -> Ruleset:
    base = Ruleset("checkout", "new", 12, True, 100.0, "new", circuit=SETTINGS)
    return replace(base, **changes)


def recovering(percentage: float) -> Circuit:
    return Circuit(State.RECOVERING, percentage, trips=1, reset_generation=3)


def answer(
    ruleset: Ruleset | None, circuit: Circuit | None = None, key: str | None = "u1", **of_user: object
) -> Evaluation:
    flags = FlagSet({} if ruleset is None else {"new": ruleset}, {} if circuit is None else {"new": circuit})
    return evaluate("new", flags, Context(key, of_user))


def user_with(variant: str, split: Split, salt: str = "new") -> str:
    """Return a user to whom a split gives a variant."""
    return next(f"user-{n}" for n in range(1_000) if variant_for(split, salt, f"user-{n}") == variant)


def said(evaluation: Evaluation) -> tuple[str | None, bool, Reason, str | None]:
    return evaluation.variant, evaluation.active, evaluation.reason, evaluation.rule


OFF = Evaluation("new", False, Reason.DISABLED, "off", False, State.CLOSED, 12)


def test_1_an_unknown_flag_comes_before_all() -> None:
    assert answer(None, OPEN) == Evaluation("new", False, Reason.FLAG_NOT_FOUND, is_error=True)


def test_2_a_flag_that_is_off_comes_before_circuit_and_targeting() -> None:
    ruleset = flag(active=False, allow=frozenset({"u1"}))
    assert answer(ruleset, OPEN) == replace(OFF, circuit=State.OPEN)
    assert answer(ruleset, None, key=None).reason is Reason.DISABLED


def test_3_an_open_circuit_comes_before_targeting() -> None:
    ruleset = flag(allow=frozenset({"u1"}), rules=(Rule((GERMANS,), 100.0),))
    assert answer(ruleset, OPEN, country="DE") == replace(OFF, reason=Reason.CIRCUIT_OPEN, circuit=State.OPEN)
    forced = replace(ruleset, circuit=replace(SETTINGS, forced_open=True))
    for circuit in (None, Circuit(), recovering(50), OPEN):
        assert answer(forced, circuit).reason is Reason.CIRCUIT_OPEN


def test_5_deny_comes_before_allow_and_both_before_the_rules() -> None:
    both = flag(allow=frozenset({"u1"}), deny=frozenset({"u1"}), rules=(Rule((GERMANS,), 100.0),))
    assert answer(both, country="DE") == replace(OFF, reason=Reason.TARGETING_MATCH)
    allowed = flag(rollout=0.0, allow=frozenset({"u1"}), rules=(Rule((GERMANS,), 0.0),))
    assert said(answer(allowed, country="DE")) == ("on", True, Reason.TARGETING_MATCH, None)
    assert answer(allowed, recovering(0.001)).active


def test_5_an_empty_key_is_nobody_even_when_it_is_listed() -> None:
    assert answer(flag(rollout=50.0, allow=frozenset({""})), key="").reason is Reason.TARGETING_KEY_MISSING
    assert answer(flag(deny=frozenset({""})), key="").active


@pytest.mark.parametrize("variant", ["green", "red"])
def test_5_who_is_on_the_allow_list_gets_a_variant_by_the_flag_s_split(variant: str) -> None:
    user = user_with(variant, HALVES)
    rules = (Rule((GERMANS,), 100.0, (Share("red", 1),)),)
    listed = flag(rollout=0.0, split=HALVES, allow=frozenset({user}), rules=rules, **OF_COLOURS)
    for circuit in (None, recovering(0.001)):
        found = answer(listed, circuit, user, country="DE")
        assert said(found) == (variant, True, Reason.TARGETING_MATCH, None)
        assert found.value == {v.key: v.value for v in COLOURS}[variant]


@pytest.mark.parametrize(("of_user", "variant"), [({"company": "acme"}, None), ({}, "blue"), ({"company": ""}, "blue")])
def test_5_who_is_listed_still_needs_what_the_split_goes_by(of_user: dict[str, object], variant: str | None) -> None:
    listed = flag(split=HALVES, allow=frozenset({"u1"}), bucket_by="company", **OF_COLOURS)
    found = answer(listed, None, "u1", **of_user)
    if variant is None:
        expected = variant_for(HALVES, "new", "acme")
        assert said(found) == (expected, True, Reason.TARGETING_MATCH, None)
    else:
        assert said(found) == (variant, False, Reason.TARGETING_KEY_MISSING, None)
        assert found.is_error
    assert answer(replace(listed, split=(Share("red", 1),)), None, "u1").variant == "red"


def test_5_a_control_group_on_the_allow_list_is_not_active() -> None:
    user = user_with("blue", CONTROLLED)
    listed = flag(split=CONTROLLED, allow=frozenset({user}), **OF_COLOURS)
    assert said(answer(listed, None, user)) == ("blue", False, Reason.TARGETING_MATCH, None)


@pytest.mark.parametrize(
    ("of_user", "rollout", "rule"),
    [
        ({}, 25.0, None),
        ({"country": "FR"}, 25.0, None),
        ({"country": "DE"}, 50.0, "germans"),
        ({"country": "DE", "age": 20}, 75.0, "1"),
        ({"country": "FR", "age": 20}, 25.0, None),
        ({"beta": True}, 0.0, "3"),
        ({"beta": True, "country": "DE"}, 50.0, "germans"),
    ],
)
def test_6_the_first_rule_whose_conditions_all_hold_gives_its_rollout(
    of_user: dict[str, object], rollout: float, rule: str | None
) -> None:
    ruleset = flag(
        rollout=25.0,
        rules=(
            Rule((GERMANS, ADULTS), 75.0),
            Rule((GERMANS,), 50.0, name="germans"),
            Rule((BETA,), 0.0),
            Rule((BETA,), 100.0),
        ),
    )
    for number in range(50):
        found = answer(ruleset, None, f"user-{number}", **of_user)
        assert found.active == is_in(bucket_of("new", f"user-{number}"), rollout, 100.0)
        assert found.rule == rule
        assert found.reason is (Reason.SPLIT if rollout else Reason.TARGETING_MATCH)


def test_6_a_rule_may_have_a_split_of_its_own_or_one_variant() -> None:
    user = user_with("red", HALVES)
    ruleset = flag(
        rollout=0.0,
        split=HALVES,
        rules=(Rule((BETA,), split=(Share("green", 1),)), Rule((GERMANS,), 100.0), Rule((ADULTS,), 100.0, ONLY_OFF)),
        **OF_COLOURS,
    )
    assert said(answer(ruleset, None, user)) == ("blue", False, Reason.STATIC, None)
    assert said(answer(ruleset, None, user, beta=True)) == ("green", True, Reason.TARGETING_MATCH, "1")
    assert said(answer(ruleset, None, user, country="DE")) == ("red", True, Reason.SPLIT, "2")
    assert said(answer(ruleset, None, user, age=20)) == ("blue", False, Reason.TARGETING_MATCH, "3")
    # One variant for all whom a rule matches is needed of no key; while a circuit recovers it is.
    assert said(answer(ruleset, None, None, beta=True)) == ("green", True, Reason.TARGETING_MATCH, "1")
    assert said(answer(ruleset, recovering(99.0), None, beta=True)) == (
        "blue", False, Reason.TARGETING_KEY_MISSING, "1"
    )  # fmt: skip
    assert said(answer(ruleset, recovering(99.0), None, age=20)) == ("blue", False, Reason.TARGETING_MATCH, "3")


KEYLESS: list[tuple[dict[str, Any], Circuit | None, tuple[str, Reason] | bool]] = [
    # Of a question without a key: what is answered, or whether the missing key is an error.
    ({"rollout": 100.0}, None, ("on", Reason.STATIC)),
    ({"rollout": 100.0, "circuit": None}, None, ("on", Reason.STATIC)),
    ({"rollout": 0.0}, None, ("off", Reason.STATIC)),
    ({"rollout": 0.0}, recovering(50), ("off", Reason.STATIC)),
    ({"rollout": 99.999}, None, True),
    ({"rollout": 0.001}, None, True),
    ({"rollout": 100.0}, recovering(99.9), False),
    ({"rollout": 50.0}, recovering(99.9), False),
    ({"rollout": 100.0}, recovering(100), ("on", Reason.STATIC)),
    ({"rollout": 50.0}, recovering(100), True),
    ({"rollout": 100.0, "allow": frozenset({"u"}), "deny": frozenset({"v"})}, None, ("on", Reason.STATIC)),
    ({"rollout": 50.0, "split": (Share("off", 1),)}, None, ("off", Reason.STATIC)),
    ({"rollout": 50.0, "split": (Share("off", 1), Share("on", 0))}, recovering(5), ("off", Reason.STATIC)),
    ({"split": (Share("on", 1), Share("off", 0))}, None, ("on", Reason.STATIC)),
    ({"split": (Share("on", 1), Share("off", 1))}, None, True),
    ({"split": HALVES, **OF_COLOURS}, None, True),
    ({"split": HALVES, **OF_COLOURS}, recovering(50), False),
    ({"split": HALVES, "rollout": 0.0, **OF_COLOURS}, None, ("blue", Reason.STATIC)),
    ({"rollout": 50.0, "rules": (Rule((GERMANS,), 100.0),)}, None, ("on", Reason.TARGETING_MATCH)),
    ({"rollout": 50.0, "rules": (Rule((GERMANS,), 0.0),)}, None, ("off", Reason.TARGETING_MATCH)),
    ({"rollout": 50.0, "rules": (Rule((GERMANS,), 100.0),)}, recovering(50), False),
    ({"rollout": 100.0, "rules": (Rule((GERMANS,), 50.0),)}, None, True),
    ({"rollout": 50.0, "rules": (Rule((ADULTS,), 100.0),)}, None, True),
    ({"rollout": 100.0, "rules": (Rule((ADULTS,), 50.0),)}, None, ("on", Reason.STATIC)),
    ({"rollout": 100.0, "bucket_by": "company"}, None, ("on", Reason.STATIC)),
]


@pytest.mark.parametrize("key", [None, ""])
@pytest.mark.parametrize(("changes", "circuit", "expected"), KEYLESS, ids=range(len(KEYLESS)))
def test_8_the_key_is_needed_only_where_it_decides(
    key: str | None, changes: dict[str, Any], circuit: Circuit | None, expected: tuple[str, Reason] | bool
) -> None:
    found = answer(flag(**changes), circuit, key, country="DE")
    if isinstance(expected, tuple):
        assert (found.variant, found.reason, found.is_error) == (*expected, False)
    else:
        assert (found.reason, found.active) == (Reason.TARGETING_KEY_MISSING, False)
        assert found.variant == changes.get("off_variant", "off")
        assert found.is_error is expected, "while a circuit recovers it is an answer"


@pytest.mark.parametrize(
    ("by", "of_user", "hashed"),
    [
        ("company", {"company": "acme"}, "acme"),
        ("company", {"company": 5}, "5"),
        ("company", {"company": 5.0}, "5"),
        ("company", {"company": True}, "true"),
        ("targetingKey", {}, "u1"),
        ("company", {}, None),
        ("company", {"company": ""}, None),
        ("company", {"company": None}, None),
        ("company", {"company": ["acme"]}, None),
        ("company", {"company": {"name": "acme"}}, None),
    ],
)
def test_8_a_flag_may_go_by_another_attribute_than_the_targeting_key(
    by: str, of_user: dict[str, object], hashed: str | None
) -> None:
    for rollout in (1.0, 50.0, 99.0):
        found = answer(flag(rollout=rollout, split=HALVES, bucket_by=by, **OF_COLOURS), None, "u1", **of_user)
        if hashed is None:
            assert (found.variant, found.reason, found.is_error) == ("blue", Reason.TARGETING_KEY_MISSING, True)
        else:
            is_let_in = is_in(bucket_of("new", hashed), rollout, 100.0)
            assert found.reason is Reason.SPLIT
            assert found.variant == (variant_for(HALVES, "new", hashed) if is_let_in else "blue")


def test_8_lists_hold_targeting_keys_whatever_the_flag_goes_by() -> None:
    ruleset = flag(rollout=50.0, bucket_by="company", allow=frozenset({"u1"}), deny=frozenset({"acme"}))
    assert said(answer(ruleset, None, "u1", company="acme")) == ("on", True, Reason.TARGETING_MATCH, None)
    assert answer(ruleset, None, "acme", company="x").reason is Reason.TARGETING_MATCH


@given(rulesets, targeting_keys, percentages)
def test_9_the_bucket_is_compared_with_what_the_circuit_leaves_of_the_rollout(
    ruleset: Ruleset, key: str, percentage: float
) -> None:
    plain = replace(
        ruleset,
        active=True,
        circuit=SETTINGS,
        allow=frozenset(),
        deny=frozenset(),
        rules=(),
        requires=(),
        bucket_by=None,
    )
    chosen = variant_for(plain.split, plain.salt, key)
    for circuit, share in ((None, 100.0), (CLOSED, 100.0), (recovering(percentage), percentage)):
        found = answer(plain, circuit, key)
        is_let_in = is_in(bucket_of(plain.salt, key), plain.rollout, share)
        assert found.variant == (chosen if is_let_in else plain.off_variant)
        assert found.active == (found.variant != plain.off_variant)
        assert found.reason in {Reason.SPLIT, Reason.STATIC}


def test_10_a_control_group_is_in_and_not_active() -> None:
    controlled = flag(split=CONTROLLED, **OF_COLOURS)
    assert said(answer(controlled, None, user_with("green", CONTROLLED))) == ("green", True, Reason.SPLIT, None)
    assert said(answer(controlled, None, user_with("blue", CONTROLLED))) == ("blue", False, Reason.SPLIT, None)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ValueType.BOOLEAN, [False, True]),
        (ValueType.STRING, ["", "x"]),
        (ValueType.NUMBER, [0, 2]),
        (ValueType.OBJECT, [{}, {"a": [1]}]),
    ],
)
def test_an_answer_has_the_value_of_its_variant_and_what_the_flag_says_of_itself(
    kind: ValueType, values: list[Any]
) -> None:
    variants = tuple(Variant(f"v{index}", value) for index, value in enumerate(values))
    metadata = (("ticket", "SHOP-12"), ("cost", 1.5))
    ruleset = flag(type=kind, variants=variants, off_variant="v0", split=(Share("v1", 1),), metadata=metadata)
    for changes, index in (({}, 1), ({"active": False}, 0), ({"rollout": 0.0}, 0)):
        found = answer(replace(ruleset, **changes))
        assert (found.variant, found.active, found.metadata) == (f"v{index}", index == 1, metadata)
        assert found.value is values[index]


def test_a_flag_whose_off_variant_is_on_is_off_when_it_gives_that() -> None:
    inverted = flag(off_variant="on", split=(Share("off", 1),))
    assert said(answer(inverted)) == ("off", True, Reason.STATIC, None)
    assert said(answer(inverted, OPEN)) == ("on", False, Reason.CIRCUIT_OPEN, None)
    assert answer(inverted, OPEN).value is True


def test_a_flag_without_circuit_settings_says_no_state() -> None:
    assert answer(flag(circuit=None), OPEN) == Evaluation("new", True, Reason.STATIC, "on", True, None, 12)


@given(rulesets, st.none() | circuits(), contexts)
def test_an_answer_follows_the_rules(ruleset: Ruleset, circuit: Circuit | None, context: Context) -> None:
    flags = FlagSet({"new": replace(ruleset, key="new")}, {} if circuit is None else {"new": circuit})
    found = evaluate("new", flags, context)
    assert found == evaluate("new", flags, context)
    assert (found.flag, found.version, found.metadata) == ("new", ruleset.version, ruleset.metadata)
    assert (found.circuit is None) == (ruleset.circuit is None)
    assert found.variant in {ruleset.off_variant, *(share.variant for share in ruleset.split)} | {
        share.variant for rule in ruleset.rules for share in rule.split or ()
    }
    assert found.active == (found.variant != ruleset.off_variant)
    assert (found.reason is Reason.DISABLED) == (not ruleset.active)
    if found.reason in (Reason.DISABLED, Reason.CIRCUIT_OPEN, Reason.TARGETING_KEY_MISSING):
        assert not found.active
    if found.circuit is State.OPEN:
        assert not found.active
    if found.reason is Reason.TARGETING_MATCH and found.rule is None:
        assert context.targeting_key in (ruleset.allow | ruleset.deny)
    if found.is_error:
        assert found.reason is Reason.TARGETING_KEY_MISSING
        assert found.circuit is not State.RECOVERING or circuit is None or circuit.percentage == 100
    is_asked = ruleset.active and found.circuit is not State.OPEN
    if is_asked and ruleset.requires and all(requirement.flag != "new" for requirement in ruleset.requires):
        assert found.reason is Reason.PREREQUISITE_FAILED, "there is no other flag"
        assert (found.prerequisite, found.prerequisite_reason) == (ruleset.requires[0].flag, Reason.FLAG_NOT_FOUND)


def variant_at(ruleset: Ruleset, context: Context, circuit: Circuit | None = None, **changes: Any) -> str | None:
    flags = FlagSet({"new": replace(ruleset, key="new", **changes)}, {} if circuit is None else {"new": circuit})
    return evaluate("new", flags, context).variant


@given(rulesets, targeting_keys, attributes, percentages, percentages)
def test_a_rising_rollout_moves_nobody_between_variants_nor_out(
    ruleset: Ruleset, key: str, of_user: dict[str, object], rollout: float, other: float
) -> None:
    context = Context(key, of_user)
    before = variant_at(ruleset, context, rollout=min(rollout, other))
    after = variant_at(ruleset, context, rollout=max(rollout, other))
    assert before in {ruleset.off_variant, after}
    for index, rule in enumerate(ruleset.rules):
        low, high = (
            (*ruleset.rules[:index], replace(rule, rollout=share), *ruleset.rules[index + 1 :])
            for share in (min(rollout, other), max(rollout, other))
        )
        before, after = (variant_at(ruleset, context, rules=rules) for rules in (low, high))
        assert before in {ruleset.off_variant, after}


@given(rulesets, targeting_keys, attributes, percentages, percentages)
def test_a_recovering_circuit_moves_nobody_between_variants_nor_out(
    ruleset: Ruleset, key: str, of_user: dict[str, object], percentage: float, other: float
) -> None:
    context = Context(key, of_user)
    ruleset = replace(ruleset, circuit=SETTINGS)
    open_, low, high, closed = (
        variant_at(ruleset, context, circuit)
        for circuit in (OPEN, recovering(min(percentage, other)), recovering(max(percentage, other)), CLOSED)
    )
    off = ruleset.off_variant
    assert open_ == off
    assert low in {off, high}
    assert high in {off, closed}
    assert closed == variant_at(ruleset, context)


@given(rulesets, targeting_keys, attributes, circuits())
def test_answers_are_the_same_before_and_after_a_trip(
    ruleset: Ruleset, key: str, of_user: dict[str, object], circuit: Circuit
) -> None:
    before = answer(ruleset, None, key, **of_user)
    during = answer(ruleset, circuit, key, **of_user)
    after = answer(ruleset, replace(circuit, state=State.CLOSED, percentage=100.0), key, **of_user)
    assert before == after
    assert during.active <= before.active


@given(rulesets, targeting_keys)
def test_at_zero_nobody_and_at_one_hundred_everybody(ruleset: Ruleset, key: str) -> None:
    plain = replace(
        ruleset, active=True, rules=(), allow=frozenset(), deny=frozenset(), circuit=None, requires=(), bucket_by=None
    )
    assert not answer(replace(plain, rollout=0.0), None, key).active
    assert answer(replace(plain, rollout=100.0), None, key).variant == variant_for(plain.split, plain.salt, key)
