"""Flags of every type of value, one for each way in which a flag can be answered, as rulesets and circuits.

`integer` and `float` are both flags of the type `number`: some of OpenFeature's SDKs ask for one or the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from tailslide_core.bucketing import bucket_of
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import Share, Value, ValueType, Variant, variant_for

ALLOWED = "amy"
DENIED = "dan"
MEMBER = "mia"
"""Of the segment `staff`."""
USERS = tuple(f"user-{number}" for number in range(200))
OWN: Mapping[str, str | int | float | bool] = {"team": "web", "ticket": 7, "share": 0.25, "beta": True}
"""The metadata of each flag."""


@dataclass(frozen=True)
class Kind:
    """What a caller asks for: the default it gives, and the values of the variants `none` (off), `one` and `other`."""

    type: ValueType
    default: Value
    none: Value
    one: Value
    other: Value

    def value(self, variant: str) -> Value:
        return {"none": self.none, "one": self.one, "other": self.other}[variant]


KINDS: Mapping[str, Kind] = {
    "boolean": Kind(ValueType.BOOLEAN, True, False, True, True),
    "string": Kind(ValueType.STRING, "default", "", 'grün, "<1 & 2>"\n', "null"),
    "integer": Kind(ValueType.NUMBER, 3, 0, 10, -(2**53)),
    # A whole number among them is a float all the same, also for SDKs that tell the two apart.
    "float": Kind(ValueType.NUMBER, 0.1, 0, 0.5, 2),
    "object": Kind(
        ValueType.OBJECT,
        {"default": True},
        {},
        {"images": True, "title": "größer", "sizes": [1, 2.5, None, "x"], "nested": {"a": {"b": ""}}},
        {"empty": [], "deep": [[{"a": [{}]}]]},
    ),
}


class Case(StrEnum):
    """What is special about a flag; with the kind it makes the flag's key."""

    STATIC = "Static"
    """All get `one`."""
    SPLIT = "Split"
    """Half get `one`, half `other`."""
    HALF = "Half"
    """Half get `one`, the others `none`; a list lets one user in and keeps another out."""
    RULES = "Rules"
    """A rule with a name for users in DE (all of them `other`), one without for the plan `pro` (half of them `one`)."""
    SEGMENT = "Segment"
    """A rule for users in the segment `staff`: all of them get `other`."""
    INACTIVE = "Inactive"
    OPEN = "Open"
    """Its circuit is open."""
    RECOVERING = "Recovering"
    """All get `one`, as far as its circuit has recovered: half of them."""
    DEPENDENT = "Dependent"
    """It requires the flag with the open circuit."""


def key(kind: str, case: Case) -> str:
    return f"{kind}.{case}"


KEYS = tuple(sorted(key(kind, case) for kind in KINDS for case in Case))
"""In the order of the bulk answer."""

ONE = (Share("one", 1),)
OTHER = (Share("other", 1),)
BOTH = (*ONE, *OTHER)
CIRCUITS = {
    Case.OPEN: Circuit(State.OPEN, 0.0, trips=1, generation=1),
    Case.RECOVERING: Circuit(State.RECOVERING, 50.0, trips=1, generation=2),
}


def ruleset(app: str, kind: str, case: Case) -> Ruleset:
    """Return one of the flags."""
    of = KINDS[kind]
    values = {"none": of.none, "one": of.one, "other": of.other}
    variants = tuple(Variant(name, value) for name, value in values.items())
    flag = key(kind, case)
    base = Ruleset(
        app,
        flag,
        1,
        active=case is not Case.INACTIVE,
        rollout=100.0,
        salt=flag,
        type=of.type,
        variants=variants,
        off_variant="none",
        split=ONE,
        metadata=tuple(OWN.items()),
    )
    match case:
        case Case.SPLIT:
            return replace(base, split=BOTH)
        case Case.HALF:
            return replace(base, rollout=50.0, allow=frozenset({ALLOWED}), deny=frozenset({DENIED}))
        case Case.RULES:
            germans = Rule((Condition("country", Operator.IN, ("DE",)),), 100.0, OTHER, "germans")
            payers = Rule((Condition("plan", Operator.EQUALS, ("pro",)),), 50.0)
            return replace(base, rules=(germans, payers))
        case Case.SEGMENT:
            staff = Rule((Condition("targetingKey", Operator.IN_SEGMENT, ("staff",)),), 100.0, OTHER, "staff")
            return replace(base, rules=(staff,))
        case Case.OPEN | Case.RECOVERING:
            return replace(base, circuit=CircuitSettings())
        case Case.DEPENDENT:
            return replace(base, requires=(Requirement(key(kind, Case.OPEN)),))
        case _:
            return base


def rulesets(app: str) -> list[Ruleset]:
    return [ruleset(app, kind, case) for kind in KINDS for case in Case]


def segments(app: str) -> list[Segment]:
    return [Segment(app, "staff", 1, include=frozenset({MEMBER}))]


def circuits() -> dict[str, Circuit]:
    """Return the circuits by flag."""
    return {key(kind, case): circuit for kind in KINDS for case, circuit in CIRCUITS.items()}


def user_who_gets(flag: str, variant: str) -> str:
    """Return a user whom the split of a flag gives a variant."""
    return next(user for user in USERS if variant_for(BOTH, flag, user) == variant)


def user_with_half(flag: str, *, inside: bool) -> str:
    """Return a user who is among the first half of the users of a flag, or is not."""
    return next(user for user in USERS if (bucket_of(flag, user) < 50_000) is inside)
