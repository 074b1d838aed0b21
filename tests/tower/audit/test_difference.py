"""The difference of two states says all there is to say, and as little as possible."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_tower.audit.difference import ABSENT, Change, ListChange, applied, difference

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 0.5, 1.0]) | st.sampled_from("abc")
NAMES = st.sampled_from(["a", "b", "a.b", "", "[0]"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
STATES = st.dictionaries(NAMES, VALUES, max_size=4)


def plain(state: object) -> bytes:
    return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)


@given(before=STATES, after=STATES)
def test_difference_applied_gives_the_state_after(before: dict[str, Any], after: dict[str, Any]) -> None:
    untouched = plain(before)
    assert plain(applied(difference(before, after), before)) == plain(after)
    assert plain(before) == untouched


@given(state=STATES)
def test_nothing_is_different_from_itself(state: dict[str, Any]) -> None:
    assert difference(state, orjson.loads(plain(state))) == []


@given(before=STATES, after=STATES)
def test_every_change_changes_something(before: dict[str, Any], after: dict[str, Any]) -> None:
    places = [change.path for change in difference(before, after)]
    assert len(set(places)) == len(places)
    for change in difference(before, after):
        if isinstance(change, ListChange):
            assert change.removed or change.added
        else:
            assert ABSENT in (change.before, change.after) or plain(change.before) != plain(change.after)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"rollout": 25.0},
            {"rollout": 50.0},
            [{"field": "rollout", "path": ["rollout"], "before": 25.0, "after": 50.0}],
        ),
        (
            {"circuit": {"recovery": {"delay_ms": 1, "initial": 10.0}, "min_calls": 10}},
            {"circuit": {"recovery": {"delay_ms": 2, "initial": 10.0}, "min_calls": 20}},
            [
                {
                    "field": "circuit.recovery.delay_ms",
                    "path": ["circuit", "recovery", "delay_ms"],
                    "before": 1,
                    "after": 2,
                },
                {"field": "circuit.min_calls", "path": ["circuit", "min_calls"], "before": 10, "after": 20},
            ],
        ),
        (
            {"allow": ["a", "b", "c"]},
            {"allow": ["a", "c", "d", "e"]},
            [{"field": "allow", "path": ["allow"], "removed": ["b"], "added": ["d", "e"]}],
        ),
        (
            {"allow": ["a", "b"]},
            {"allow": ["b", "a"]},
            [{"field": "allow", "path": ["allow"], "before": ["a", "b"], "after": ["b", "a"]}],
        ),
        (
            {"rules": [{"rollout": 5.0}, {"rollout": 6.0}]},
            {"rules": [{"rollout": 5.0}, {"rollout": 7.0}]},
            [{"field": "rules[1].rollout", "path": ["rules", 1, "rollout"], "before": 6.0, "after": 7.0}],
        ),
        (
            {"rules": [{"rollout": 5.0}]},
            {"rules": [{"rollout": 5.0}, {"rollout": 7.0}]},
            [{"field": "rules", "path": ["rules"], "removed": [], "added": [{"rollout": 7.0}]}],
        ),
        ({"circuit": None}, {"circuit": {}}, [{"field": "circuit", "path": ["circuit"], "before": None, "after": {}}]),
        ({}, {"name": None}, [{"field": "name", "path": ["name"], "after": None}]),
        ({"name": None}, {}, [{"field": "name", "path": ["name"], "before": None}]),
        ({"value": 1}, {"value": True}, [{"field": "value", "path": ["value"], "before": 1, "after": True}]),
    ],
)
def test_difference_names_places(before: dict[str, Any], after: dict[str, Any], expected: list[object]) -> None:
    changes = difference(before, after)
    assert [change.json() for change in changes] == expected
    assert [change.field for change in changes] == [each["field"] for each in expected]  # type: ignore[index]


def test_a_change_of_many_users_takes_a_moment() -> None:
    before = {"allow": [f"user-{number}" for number in range(20_000)]}
    after = {"allow": [*before["allow"][1:], "user-new"]}
    assert difference(before, after) == [ListChange(("allow",), ["user-0"], ["user-new"])]
    assert isinstance(difference(before, {"allow": before["allow"][::-1]})[0], Change)
