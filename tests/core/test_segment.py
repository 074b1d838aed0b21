from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attributes, segments, targeting_keys

from tailslide_core.conditions import Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.naming import SegmentId
from tailslide_core.segment import Segment

GERMANS = Condition("country", Operator.IN, ("DE",))
ADULTS = Condition("age", Operator.GE, (18,))
DE: dict[str, object] = {"country": "DE"}


def segment(include: str = "", exclude: str = "", *when: Condition) -> Segment:
    return Segment("shop", "vip", 1, frozenset(include.split()), frozenset(exclude.split()), when)


@pytest.mark.parametrize(
    ("group", "value", "of_user", "expected"),
    [
        # Lists.
        (segment(), "u1", {}, False),
        (segment("u1 u2"), "u1", {}, True),
        (segment("u1 u2"), "u3", {}, False),
        (segment("u1 u2", "u1"), "u1", {}, False),
        (segment("u1 u2", "u1"), "u2", {}, True),
        (segment("", "u1"), "u2", {}, False),
        # Conditions, of which all have to hold.
        (segment("", "", GERMANS), "u1", DE, True),
        (segment("", "", GERMANS), "u1", {"country": "FR"}, False),
        (segment("", "", GERMANS, ADULTS), "u1", DE, False),
        (segment("", "", GERMANS, ADULTS), "u1", DE | {"age": 20}, True),
        # Lists come first.
        (segment("u1", "", GERMANS), "u1", {"country": "FR"}, True),
        (segment("u1", "", GERMANS), "u2", DE, True),
        (segment("", "u1", GERMANS), "u1", DE, False),
        (segment("", "u1", GERMANS), "u2", DE, True),
        # Nobody is known to ask: what the lists would say of them is unknown.
        (segment(), None, {}, False),
        (segment("u1"), None, {}, None),
        (segment("", "u1"), None, {}, None),
        (segment("", "", GERMANS), None, DE, True),
        (segment("", "", GERMANS), None, {}, False),
        (segment("u1", "", GERMANS), None, DE, True),
        (segment("u1", "", GERMANS), None, {}, None),
        (segment("", "u1", GERMANS), None, DE, None),
    ],
)
def test_who_is_in_a_segment(
    group: Segment, value: str | None, of_user: dict[str, object], expected: bool | None
) -> None:
    assert group.has([value], of_user, value) is expected


@given(segments, attributes, targeting_keys)
def test_what_is_said_without_a_value_holds_for_every_value(
    group: Segment, of_user: dict[str, object], value: str
) -> None:
    known = group.has([None], of_user, None)
    if known is not None:
        assert group.has([value], of_user, None) is known


@given(segments, st.none() | targeting_keys, attributes)
def test_a_value_is_in_or_out_and_the_excluded_are_out(
    group: Segment, value: str | None, of_user: dict[str, object]
) -> None:
    found = group.has([value], of_user, value)
    assert (found is None) <= (value is None)
    if value in group.exclude:
        assert found is False
    elif value in group.include:
        assert found is True


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"app": "Shop"}, "app"),
        ({"key": "_vip"}, "key"),
        ({"version": -1}, "version"),
        ({"version": 2**53 + 1}, "version"),
    ],
)
def test_a_segment_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        replace(segment(), **changes)
    assert caught.value.field == field


def test_a_segment_knows_its_id() -> None:
    assert segment().segment_id == SegmentId("shop", "vip")
