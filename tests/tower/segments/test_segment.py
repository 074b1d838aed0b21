from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import decode_segment, encode_segment
from tailslide_core.segment import MAX_MEMBERS
from tailslide_core.written_flags import MAX_SEGMENT_BYTES
from tailslide_tower.segments.models import SegmentChange, SegmentCreate, SegmentMembers
from tailslide_tower.segments.segment import (
    KeptSegment,
    changed,
    created,
    recreated,
    row_of,
    segment_of,
    with_members,
)

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
CONDITION = {"attribute": "country", "operator": "in", "values": ["DE"]}
MANY = [f"{n:040}" for n in range(MAX_MEMBERS)]


def new(**fields: Any) -> KeptSegment:
    return created("shop", SegmentCreate.model_validate({"key": "vip", **fields}), NOW)


def change(kept: KeptSegment, **fields: Any) -> KeptSegment:
    return changed(kept, SegmentChange.model_validate(fields), LATER)


def refused(**fields: Any) -> tuple[str, str]:
    with pytest.raises(ContractError) as caught:
        new(**fields)
    return caught.value.field, caught.value.problem


def test_a_segment_as_the_api_shows_it() -> None:
    kept = new(include=["b", "a", "a"], exclude=["c"], when=[CONDITION], description="Our best")
    assert kept.json() == {
        "app": "shop",
        "key": "vip",
        "version": 1,
        "description": "Our best",
        "include": ["a", "b"],
        "exclude": ["c"],
        "when": [CONDITION],
        "created_at": "2026-11-22T10:00:00.000Z",
        "updated_at": "2026-11-22T10:00:00.000Z",
        "warnings": [],
    }
    assert segment_of(row_of(kept)) == kept
    assert decode_segment(encode_segment(kept.segment)) == kept.segment


def test_a_change_says_what_is_new_and_leaves_the_rest() -> None:
    kept = new(include=["a"], when=[CONDITION])
    after = change(kept, include=["b"])
    assert (after.version, after.updated_at, after.created_at) == (2, LATER, NOW)
    assert after.segment.updated_at == "2026-11-22T10:05:00.000Z"
    assert (after.segment.include, after.segment.when) == (frozenset({"b"}), kept.segment.when)
    assert change(after, description="x").version == 3


@pytest.mark.parametrize("fields", [{}, {"include": ["a", "b"]}, {"include": ["b", "a", "a"]}, {"description": ""}])
def test_a_change_that_says_nothing_new_is_none(fields: dict[str, Any]) -> None:
    kept = new(include=["a", "b"])
    assert change(kept, **fields) is kept


def test_a_change_from_one_to_true_is_one() -> None:
    kept = new(when=[CONDITION | {"values": [1]}])
    assert change(kept, when=[CONDITION | {"values": [True]}]).version == 2


def test_a_new_segment_with_the_key_of_a_deleted_one_goes_on_from_there() -> None:
    assert recreated(new(), 7).version == 8


def test_as_many_members_as_may_be_and_one_more() -> None:
    assert len(new(include=MANY).segment.include) == MAX_MEMBERS
    assert refused(include=MANY, exclude=["x"]) == (
        "include",
        f"expected at most {MAX_MEMBERS} members in both lists together, got {MAX_MEMBERS + 1}",
    )
    assert refused(include=["x", "y"], exclude=MANY)[0] == "exclude"
    assert len(new(include=[*MANY, *MANY]).segment.include) == MAX_MEMBERS, "who is named twice is one member"


def test_members_are_added_and_taken_off() -> None:
    kept = new(include=["a", "b"], exclude=["x"])
    after = with_members(kept, SegmentMembers(add=["c", "a"], remove=["b", "z"]), LATER)
    assert (after.version, sorted(after.segment.include), sorted(after.segment.exclude)) == (2, ["a", "c"], ["x"])
    after = with_members(kept, SegmentMembers(list="exclude", remove=["x"]), LATER)
    assert (sorted(after.segment.include), sorted(after.segment.exclude)) == (["a", "b"], [])
    assert with_members(kept, SegmentMembers(add=["a"], remove=["z"]), LATER) is kept
    for request, field in ((SegmentMembers(add=["c"], remove=["c"]), "remove"), (SegmentMembers(add=MANY), "include")):
        with pytest.raises(ContractError) as caught:
            with_members(kept, request, LATER)
        assert caught.value.field == field


def test_a_segment_that_no_message_can_carry_is_refused_with_its_size() -> None:
    field, problem = refused(include=[f"{n:0200}" for n in range(5_000)])
    assert field == "body"
    assert problem.startswith(f"expected a segment of at most {MAX_SEGMENT_BYTES} bytes as JSON, got 101")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": "_vip"}, "key"),
        ({"key": "vip."}, "key"),
        ({"when": [CONDITION | {"operator": "like"}]}, "when[0].operator"),
        ({"when": [CONDITION, CONDITION | {"values": []}]}, "when[1].values"),
    ],
)
def test_what_the_core_does_not_allow_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    assert refused(**fields)[0] == field
