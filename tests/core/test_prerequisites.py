"""What becomes of a flag that requires others: unmet, met, or not to be said without a key."""

from typing import Any

import pytest

from tailslide_core.circuit import Circuit, State
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.preparation import MAX_CHAIN
from tailslide_core.ruleset import CircuitSettings, Requirement, Ruleset
from tailslide_core.variants import Share, ValueType, Variant

OPEN = Circuit(State.OPEN, 0.0, trips=1)
RECOVERING = Circuit(State.RECOVERING, 50.0, trips=1)
COLOURS: dict[str, Any] = {
    "type": ValueType.STRING,
    "variants": (Variant("blue", "#00f"), Variant("green", "#0f0"), Variant("red", "#f00")),
    "off_variant": "blue",
    "split": (Share("green", 1),),
}


def flag(key: str, *requires: str | Requirement, **changes: Any) -> Ruleset:
    """Return a flag that is on for everybody, unless told otherwise."""
    fields: dict[str, Any] = {"active": True, "rollout": 100.0, "salt": key, "circuit": CircuitSettings(), **changes}
    needs = tuple(Requirement(each) if isinstance(each, str) else each for each in requires)
    return Ruleset("shop", key, 1, requires=needs, **fields)


def ask(flags: FlagSet, key: str = "f", user: str | None = "u1", **of_user: object) -> Evaluation:
    return evaluate(key, flags, Context(user, of_user))


def app(*rulesets: Ruleset, **circuits: Circuit) -> FlagSet:
    return FlagSet({ruleset.key: ruleset for ruleset in rulesets}, circuits)


def unmet_by(evaluation: Evaluation) -> tuple[str | None, Reason | None] | None:
    """Return the prerequisite that an answer says is unmet, and why; None for another answer."""
    if evaluation.reason is not Reason.PREREQUISITE_FAILED:
        assert (evaluation.prerequisite, evaluation.prerequisite_reason) == (None, None)
        return None
    assert (evaluation.active, evaluation.is_error) == (False, False)
    return evaluation.prerequisite, evaluation.prerequisite_reason


BY_VARIANT: list[tuple[dict[str, Any], set[str] | None, bool]] = [
    # What the other flag gives, what is required of it, and whether that is met.
    ({}, None, True),
    ({"rollout": 0.0}, None, False),
    ({"rollout": 0.0}, {"off"}, True),
    ({"rollout": 0.0}, {"on", "off"}, True),
    ({}, {"on"}, True),
    ({}, {"off"}, False),
    ({}, {"elsewhere"}, False),
    ({"deny": frozenset({"u1"})}, None, False),
    ({"rollout": 0.0, "allow": frozenset({"u1"})}, None, True),
    (COLOURS, None, True),
    (COLOURS, {"green"}, True),
    (COLOURS, {"red"}, False),
    (COLOURS | {"split": (Share("blue", 1),)}, None, False),
    (COLOURS | {"split": (Share("blue", 1),)}, {"blue"}, True),
    (COLOURS | {"off_variant": "green", "split": (Share("blue", 1),)}, None, True),
]


@pytest.mark.parametrize(("other", "variants", "met"), BY_VARIANT, ids=range(len(BY_VARIANT)))
def test_a_prerequisite_is_met_by_the_variant_that_it_gives(
    other: dict[str, Any], variants: set[str] | None, met: bool
) -> None:
    needs = Requirement("api", None if variants is None else frozenset(variants))
    flags = app(flag("f", needs), flag("api", **other))
    found = ask(flags)
    assert found.active is met
    assert unmet_by(found) == (None if met else ("api", ask(flags, "api").reason))


def test_an_unknown_flag_gives_nothing_that_could_be_required() -> None:
    for needs in (Requirement("gone"), Requirement("gone", frozenset({"off", "on"}))):
        assert unmet_by(ask(app(flag("f", needs)))) == ("gone", Reason.FLAG_NOT_FOUND)


def test_an_inactive_flag_gives_its_off_variant() -> None:
    other = flag("api", active=False)
    assert unmet_by(ask(app(flag("f", "api"), other))) == ("api", Reason.DISABLED)
    assert ask(app(flag("f", Requirement("api", frozenset({"off"}))), other)).active


def test_what_depends_on_an_open_circuit_is_off_too_and_says_why() -> None:
    flags = app(flag("f", "api"), flag("api", "base"), flag("base"), base=OPEN)
    assert unmet_by(ask(flags, "api")) == ("base", Reason.CIRCUIT_OPEN)
    assert unmet_by(ask(flags)) == ("api", Reason.PREREQUISITE_FAILED)
    assert ask(flags).circuit is State.CLOSED, "the answer names its own circuit"
    del flags.circuits["base"]
    flags.refresh(["base"])
    assert ask(flags).active


def test_while_a_prerequisite_recovers_it_is_met_for_those_who_are_let_in() -> None:
    flags = app(flag("f", "api"), flag("api"), api=RECOVERING)
    users = [f"user-{n}" for n in range(50)]
    let_in = {user for user in users if ask(flags, "api", user).active}
    assert 0 < len(let_in) < len(users)
    for user in users:
        assert unmet_by(ask(flags, "f", user)) == (None if user in let_in else ("api", Reason.SPLIT))
    assert unmet_by(ask(flags, user=None)) == ("api", Reason.TARGETING_KEY_MISSING)


@pytest.mark.parametrize(("circuits", "is_error"), [({}, True), ({"f": RECOVERING}, False)])
def test_without_a_key_it_cannot_be_said_whether_a_bucket_would_meet_it(
    circuits: dict[str, Circuit], is_error: bool
) -> None:
    flags = app(flag("f", "api"), flag("api", rollout=50.0), **circuits)
    found = ask(flags, user=None)
    assert (found.variant, found.reason, found.is_error) == ("off", Reason.TARGETING_KEY_MISSING, is_error)
    assert found.prerequisite is None
    assert ask(app(flag("f", "api"), flag("api")), user=None).active


def test_the_first_in_the_list_that_is_unmet_is_named() -> None:
    off, other = flag("b", rollout=0.0), flag("c", active=False)
    on = flag("a")
    assert unmet_by(ask(app(flag("f", "a", "b", "c"), on, off, other))) == ("b", Reason.STATIC)
    assert unmet_by(ask(app(flag("f", "a", "c", "b"), on, off, other))) == ("c", Reason.DISABLED)
    assert unmet_by(ask(app(flag("f", "a", "gone", "b"), on, off, other))) == ("gone", Reason.FLAG_NOT_FOUND)
    by_user = flag("d", deny=frozenset({"u1"}))
    assert unmet_by(ask(app(flag("f", "d", "b"), by_user, off))) == ("d", Reason.TARGETING_MATCH)
    assert unmet_by(ask(app(flag("f", "d", "b"), by_user, off), user="u2")) == ("b", Reason.STATIC)


@pytest.mark.parametrize("order", [("half", "dark"), ("dark", "half")])
def test_what_is_unmet_comes_before_what_cannot_be_said(order: tuple[str, str]) -> None:
    dark = flag("dark", rollout=50.0, deny=frozenset({"x"}), active=False)
    flags = app(flag("f", *order), flag("half", rollout=50.0), dark)
    assert unmet_by(ask(flags, user=None)) == ("dark", Reason.DISABLED)


def test_off_and_open_come_before_prerequisites_and_lists_after() -> None:
    dark = flag("api", active=False)
    listed = frozenset({"u1"})
    assert ask(app(flag("f", "api", active=False), dark)).reason is Reason.DISABLED
    assert ask(app(flag("f", "api"), dark, f=OPEN)).reason is Reason.CIRCUIT_OPEN
    assert unmet_by(ask(app(flag("f", "api", allow=listed), dark))) == ("api", Reason.DISABLED)
    assert unmet_by(ask(app(flag("f", "api", deny=listed), dark))) == ("api", Reason.DISABLED)


ANY = frozenset({"on", "off"})
CYCLES: list[dict[str, list[str | Requirement]]] = [
    {"f": ["f"]},
    {"f": [Requirement("f", ANY)]},
    {"f": ["g"], "g": ["f"]},
    {"f": [Requirement("g", ANY)], "g": [Requirement("f", ANY)]},
    {"f": ["g"], "g": ["h"], "h": ["f"]},
    {"f": ["on", "g"], "g": ["h"], "h": ["f", "on"]},
    {"f": ["g", "h"], "g": ["h"], "h": ["g", "f"]},
]


@pytest.mark.parametrize("requires", CYCLES, ids=range(len(CYCLES)))
def test_a_cycle_is_harmless_and_all_in_it_are_off(requires: dict[str, list[str | Requirement]]) -> None:
    flags = app(flag("on"), *(flag(key, *needs) for key, needs in requires.items()))
    for _ in range(3):
        for key, needs in requires.items():
            first = needs[0] if isinstance(needs[0], str) else needs[0].flag
            for user in ("u1", None):
                assert unmet_by(ask(flags, key, user)) == (first, Reason.PREREQUISITE_FAILED)
        flags.refresh(requires)
    assert ask(flags, "on").active


def test_what_merely_depends_on_a_cycle_is_in_none() -> None:
    cycle = [flag("a", "b"), flag("b", "a")]
    below = flag("below", "a")
    off = flag("off", Requirement("a", frozenset({"off"})))
    flags = app(below, off, *cycle, flag("further", "off"))
    for _ in range(25):  # it stays so, however often it is worked out
        assert unmet_by(ask(flags, "below")) == ("a", Reason.PREREQUISITE_FAILED)
        assert ask(flags, "off").active
        assert ask(flags, "further").active
        flags.refresh(["a"])


def test_a_cycle_that_is_broken_is_none_any_more() -> None:
    flags = app(flag("f", "g"), flag("g", "f"))
    flags.rulesets["g"] = flag("g")
    flags.refresh(["g"])
    assert ask(flags).active
    flags.rulesets["g"] = flag("g", "f")
    flags.refresh(["g"])
    assert unmet_by(ask(flags)) == ("g", Reason.PREREQUISITE_FAILED)
    del flags.rulesets["g"]
    flags.refresh(["g"])
    assert unmet_by(ask(flags)) == ("g", Reason.FLAG_NOT_FOUND)


def chain(length: int, **of_last: Any) -> FlagSet:
    """Return flags 0, 1, …, of which each requires the next."""
    links = [flag(str(place), str(place + 1)) for place in range(length - 1)]
    return app(*links, flag(str(length - 1), **of_last))


@pytest.mark.parametrize("of_last", [{}, {"allow": frozenset({"u1"}), "rollout": 0.0}])
def test_a_chain_may_be_so_long_and_no_longer(of_last: dict[str, Any]) -> None:
    assert ask(chain(MAX_CHAIN, **of_last), "0").active
    longer = chain(MAX_CHAIN + 1, **of_last)
    assert unmet_by(ask(longer, "0")) == ("1", Reason.PREREQUISITE_FAILED)
    assert ask(longer, "1").active


@pytest.mark.parametrize("of_last", [{}, {"allow": frozenset({"u1"}), "rollout": 0.0}])
def test_a_chain_of_all_flags_of_an_app_is_answered(of_last: dict[str, Any]) -> None:
    length = 10_000
    flags = chain(length, **of_last)
    assert unmet_by(ask(flags, "0")) == ("1", Reason.PREREQUISITE_FAILED)
    assert ask(flags, str(length - MAX_CHAIN)).active
    assert len(flags.refresh([str(length - 1)])) == length
    del flags.rulesets[str(length - 1)]
    flags.refresh([str(length - 1)])
    assert unmet_by(ask(flags, str(length - 2))) == (str(length - 1), Reason.FLAG_NOT_FOUND)


def test_a_cycle_of_all_flags_of_an_app_is_answered() -> None:
    length = 10_000
    flags = app(*(flag(str(place), str((place + 1) % length)) for place in range(length)))
    assert unmet_by(ask(flags, "0")) == ("1", Reason.PREREQUISITE_FAILED)
    assert len(flags.refresh(["5"])) == length


def test_flags_that_share_their_prerequisites_are_not_asked_for_each_way_to_them() -> None:
    """Nineteen layers of twenty flags, each of which requires all of the next layer: 20¹⁹ ways."""
    width, depth = 20, MAX_CHAIN - 1
    layers = [
        flag(f"{layer}.{place}", *(f"{layer + 1}.{other}" for other in range(width)) if layer + 1 < depth else ())
        for layer in range(depth)
        for place in range(width)
    ]
    last = {f"{depth - 1}.{place}" for place in range(width)}
    by_user = [flag(each.key, rollout=0.0, allow=frozenset({"u1"})) if each.key in last else each for each in layers]
    flags = app(flag("f", "0.0"), *by_user)
    assert ask(flags).active
    assert unmet_by(ask(flags, user="u2")) == ("0.0", Reason.PREREQUISITE_FAILED)
