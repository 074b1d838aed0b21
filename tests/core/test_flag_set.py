"""All flags of an app as values change: the result equals a rebuilt set, and only what has to be is rebuilt."""

from dataclasses import replace

from app_strategies import APP, CONTEXTS, FLAGS, SEGMENTS, Change, changes, flag_sets
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.evaluation import Context, Evaluation, Known, decide, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment

OPEN = Circuit(State.OPEN, 0.0, trips=1)


def answers(flags: FlagSet) -> list[Evaluation]:
    return [evaluate(flag, flags, context) for flag in FLAGS for context in CONTEXTS]


def required(flags: FlagSet, flag: str) -> set[str]:
    ruleset = flags.rulesets.get(flag)
    return set() if ruleset is None else {requirement.flag for requirement in ruleset.requires}


def used(flags: FlagSet, flag: str) -> set[str]:
    ruleset = flags.rulesets.get(flag)
    conditions = [] if ruleset is None else [condition for rule in ruleset.rules for condition in rule.when]
    return {str(key) for condition in conditions if condition.operator == "in_segment" for key in condition.values}


def reachable(flags: FlagSet, flag: str) -> set[str]:
    """Return the flags that a flag requires, directly or through others; itself only if it is in a cycle."""
    found: set[str] = set()
    waiting = required(flags, flag)
    while waiting:
        found |= waiting
        waiting = {further for each in waiting for further in required(flags, each)} - found
    return found


def check_indexes(flags: FlagSet) -> None:
    for flag in FLAGS:
        requiring = {other for other in flags.rulesets if flag in required(flags, other)}
        assert flags._required_by.get(flag, set()) == requiring
        prepared = flags.prepared(flag)
        assert (prepared is None) == (flag not in flags.rulesets)
        assert prepared is None or prepared.is_required == bool(requiring)
        unknown = flags.unknown_prerequisites().get(flag)
        assert unknown == (sorted(requiring) if requiring and flag not in flags.rulesets else None)
    for segment in SEGMENTS:
        using = {flag for flag in flags.rulesets if segment in used(flags, flag)}
        assert flags._used_by.get(segment, set()) == using
        unknown = flags.unknown_segments().get(segment)
        assert unknown == (sorted(using) if using and segment not in flags.segments else None)


@given(flag_sets(), st.lists(changes(), max_size=5))
def test_after_any_changes_all_is_as_if_made_anew(flags: FlagSet, steps: list[Change]) -> None:
    for step in steps:
        before = {flag: flags.prepared(flag) for flag in FLAGS}
        order = step.apply(flags)

        assert answers(flags) == answers(FlagSet(flags.rulesets, flags.circuits, flags.segments))
        check_indexes(flags)
        # Exactly what may have changed is new, each once.
        direct = step.rulesets.keys() | step.circuits.keys()
        direct |= {flag for flag in flags.rulesets if used(flags, flag) & step.segments.keys()}
        affected = direct | {flag for flag in flags.rulesets if reachable(flags, flag) & direct}
        assert sorted(order) == sorted(affected)
        for flag in FLAGS:
            assert flag in affected or flags.prepared(flag) is before[flag]
        # What a flag requires comes before it, unless they require each other.
        for place, flag in enumerate(order):
            for later in order[place + 1 :]:
                assert later not in required(flags, flag) or flag in reachable(flags, later)


@given(flag_sets(), st.permutations(FLAGS))
def test_what_is_known_of_a_question_changes_no_answer_to_it(flags: FlagSet, order: list[str]) -> None:
    for context in CONTEXTS:
        known: Known = {}
        for flag in order:
            prepared = flags.prepared(flag)
            if prepared is not None:
                alone = decide(prepared, context.targeting_key, context.attributes)
                assert decide(prepared, context.targeting_key, context.attributes, known) is alone


@given(flag_sets())
def test_the_order_of_flags_in_an_app_changes_no_answer(flags: FlagSet) -> None:
    backwards = FlagSet(dict(reversed(flags.rulesets.items())), flags.circuits, flags.segments)
    assert answers(flags) == answers(backwards)


def flag(key: str, *requires: str, segment: str | None = None) -> Ruleset:
    rules = () if segment is None else (Rule((Condition("targetingKey", Operator.IN_SEGMENT, (segment,)),)),)
    rollout = 100.0 if segment is None else 0.0
    needs = tuple(Requirement(other) for other in requires)
    return Ruleset(APP, key, 1, True, rollout, key, requires=needs, rules=rules, circuit=CircuitSettings())


def app(*flags: Ruleset) -> FlagSet:
    return FlagSet({each.key: each for each in flags})


def is_on(flags: FlagSet, key: str, user: str = "u1") -> bool:
    return evaluate(key, flags, Context(user)).active


def test_a_change_makes_all_new_that_depend_on_it_prerequisites_first() -> None:
    flags = app(flag("d", "c"), flag("c", "b"), flag("b", "a"), flag("a"), flag("e"))
    flags.circuits["a"] = OPEN
    assert flags.refresh(["a"]) == ["a", "b", "c", "d"]
    assert [is_on(flags, key) for key in "abcde"] == [False] * 4 + [True]
    del flags.circuits["a"]
    assert flags.refresh(["a"]) == ["a", "b", "c", "d"]
    assert [is_on(flags, key) for key in "abcde"] == [True] * 5
    assert flags.refresh() == []


def test_a_change_of_a_segment_makes_new_what_asks_for_it_and_what_depends_on_that() -> None:
    flags = app(flag("f", "g"), flag("g", segment="vip"), flag("h", segment="other"))
    assert flags.unknown_segments() == {"other": ["h"], "vip": ["g"]}
    assert not is_on(flags, "f")
    flags.segments["vip"] = Segment(APP, "vip", 1, frozenset({"u1"}))
    assert flags.refresh(segments=["vip"]) == ["g", "f"]
    assert is_on(flags, "f")
    assert not is_on(flags, "f", "u2")
    assert flags.unknown_segments() == {"other": ["h"]}
    del flags.segments["vip"]
    assert flags.refresh(segments=["vip"]) == ["g", "f"]
    assert not is_on(flags, "f")


def test_a_flag_that_comes_is_required_by_those_that_waited_for_it() -> None:
    flags = app(flag("f", "g"))
    assert flags.unknown_prerequisites() == {"g": ["f"]}
    flags.rulesets["g"] = flag("g")
    assert flags.refresh(["g"]) == ["g", "f"]
    assert is_on(flags, "f")
    held = flags.prepared("g")
    assert held is not None
    assert held.is_required
    flags.rulesets["f"] = flag("f")
    assert flags.refresh(["f"]) == ["f"]
    after = flags.prepared("g")
    assert after is held, "another flag's requirement is no change of this one"
    assert not after.is_required
    assert "g" not in flags._required_by


def test_what_is_not_known_may_be_named() -> None:
    flags = app(flag("f"))
    assert flags.refresh(["nothing"], ["nobody"]) == ["nothing"]
    assert flags.prepared("nothing") is None


def test_many_flags_that_ask_for_one_segment_are_made_new_together() -> None:
    flags = app(*(flag(f"f{number}", segment="vip") for number in range(2_000)))
    flags.segments["vip"] = Segment(APP, "vip", 1, frozenset(f"user-{number}" for number in range(10_000)))
    assert len(flags.refresh(segments=["vip"])) == 2_000
    assert is_on(flags, "f7", "user-9999")
    assert not is_on(flags, "f7", "user-10000")


def test_segments_are_asked_for_whatever_else_a_rule_asks() -> None:
    flags = app(replace(flag("f", segment="vip"), rollout=50.0))
    vip = Segment(APP, "vip", 1, frozenset({"u1"}), frozenset({"u2"}), (Condition("country", Operator.IN, ("DE",)),))
    flags.segments["vip"] = vip
    flags.refresh(segments=["vip"])
    for context, rule in [
        (Context("u1"), "1"),
        (Context("u3"), None),
        (Context("u3", {"country": "DE"}), "1"),
        (Context("u2", {"country": "DE"}), None),
        (Context(None, {"country": "DE"}), None),  # somebody who could be excluded
        (Context(None), None),
    ]:
        found = evaluate("f", flags, context)
        assert (found.rule, found.is_error) == (rule, context.targeting_key is None)
