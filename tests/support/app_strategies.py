"""Hypothesis strategies for all flags of a small app: few keys, so that flags require each other and share segments."""

from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.evaluation import Context
from tailslide_core.flag_set import FlagSet
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import ALL_ON, Share

T = TypeVar("T")
APP = "shop"
FLAGS = ("a", "a.b", "B", "c", "d", "e")
SEGMENTS = ("beta", "Staff")
USERS = ("u1", "u2", "u3", "u4")
CONTEXTS = [
    Context(user, attributes)
    for user in (*USERS, None)
    for attributes in ({}, {"country": "DE"}, {"country": "DE", "company": "acme"})
]

flag_keys = st.sampled_from(FLAGS)
segment_keys = st.sampled_from(SEGMENTS)
users = st.frozensets(st.sampled_from(USERS), max_size=2)
germans = st.just(Condition("country", Operator.IN, ("DE",)))
in_segments = st.builds(
    Condition,
    st.sampled_from(["targetingKey", "company"]),
    st.just(Operator.IN_SEGMENT),
    st.lists(segment_keys, min_size=1, max_size=2, unique=True).map(tuple),
    st.booleans(),
)
splits = st.sampled_from([ALL_ON, (Share("on", 1), Share("off", 1)), (Share("off", 1),)])
rollouts = st.sampled_from([0.0, 50.0, 100.0])
rules = st.builds(Rule, st.tuples(in_segments | germans), rollouts, st.none() | splits)
requirements = st.builds(
    Requirement, flag_keys, st.none() | st.sampled_from([frozenset({"on"}), frozenset({"off"}), frozenset({"other"})])
)
settings = st.none() | st.builds(CircuitSettings, forced_open=st.sampled_from([False, False, False, True]))


@st.composite
def rulesets_of(draw: st.DrawFn, key: str) -> Ruleset:
    """Draw a flag of the app."""
    return Ruleset(
        APP,
        key,
        draw(st.integers(0, 9)),
        active=draw(st.sampled_from([True, True, True, False])),
        rollout=draw(rollouts),
        salt=key,
        split=draw(splits),
        bucket_by=draw(st.sampled_from([None, None, "company"])),
        requires=tuple(draw(st.lists(requirements, max_size=2, unique_by=lambda requirement: requirement.flag))),
        allow=draw(users),
        deny=draw(users),
        rules=tuple(draw(st.lists(rules, max_size=2))),
        circuit=draw(settings),
    )


circuits = st.sampled_from(
    [
        Circuit(),
        Circuit(State.OPEN, 0.0, trips=1),
        *(Circuit(State.RECOVERING, share, trips=1) for share in (30.0, 100.0)),
    ]
)


def segments_of(key: str) -> st.SearchStrategy[Segment]:
    """Draw a segment of the app."""
    when = st.just(()) | st.tuples(germans)
    return st.builds(Segment, st.just(APP), st.just(key), st.integers(0, 9), users, users, when)


@dataclass(frozen=True)
class Change:
    """New values, None for those that go."""

    rulesets: dict[str, Ruleset | None]
    circuits: dict[str, Circuit | None]
    segments: dict[str, Segment | None]

    def apply(self, flags: FlagSet) -> list[str]:
        """Change the values, and return what the flags say is new."""
        _put(flags.rulesets, self.rulesets)
        _put(flags.circuits, self.circuits)
        _put(flags.segments, self.segments)
        return flags.refresh(self.rulesets.keys() | self.circuits.keys(), self.segments)


def _put(values: dict[str, T], changed: dict[str, T | None]) -> None:
    for key, value in changed.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draw a change of any number of flags, circuits and segments at once."""
    some = st.lists(flag_keys, max_size=3, unique=True)
    return Change(
        {key: draw(st.none() | rulesets_of(key) | rulesets_of(key) | rulesets_of(key)) for key in draw(some)},
        {key: draw(st.none() | circuits) for key in draw(st.lists(flag_keys, max_size=1))},
        {key: draw(st.none() | segments_of(key)) for key in draw(st.lists(segment_keys, max_size=1))},
    )


@st.composite
def flag_sets(draw: st.DrawFn) -> FlagSet:
    """Draw an app with most of its flags."""
    return FlagSet(
        {key: draw(rulesets_of(key)) for key in draw(st.lists(flag_keys, min_size=2, unique=True))},
        {key: draw(circuits) for key in draw(st.lists(flag_keys, max_size=3, unique=True))},
        {key: draw(segments_of(key)) for key in draw(st.lists(segment_keys, unique=True))},
    )
