"""What a flag can say beyond yes and no, as Tower takes it, keeps it and changes it."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.ruleset import RESERVED_METADATA
from tailslide_core.variants import ON_OFF, Share, ValueType
from tailslide_tower.flags.flag import Flag, changed, created, flag_of, row_of
from tailslide_tower.flags.models import FlagChange, FlagCreate

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
WHEN = [{"attribute": "country", "operator": "in", "values": ["DE"]}]
COLOURS: dict[str, Any] = {
    "type": "string",
    "variants": {"none": "", "green": "#0f0", "blue": "#00f"},
    "off_variant": "none",
    "split": [{"variant": "green", "weight": 3}, {"variant": "blue", "weight": 1}],
}


def new(**fields: Any) -> Flag:
    return created("shop", FlagCreate.model_validate({"key": "one", **fields}), NOW)


def change(flag: Flag, **fields: Any) -> Flag:
    return changed(flag, FlagChange.model_validate(fields), NOW)


def refused(ask: Any) -> ContractError:
    with pytest.raises(ContractError) as caught:
        ask()
    return caught.value


def in_the_database(flag: Flag) -> Flag:
    """Return the flag as it comes back from columns of JSON, of which those of type `jsonb` sort names."""
    row = row_of(flag)
    for column in ("split", "requires", "allow", "deny", "rules", "circuit"):
        row[column] = json.loads(json.dumps(row[column], sort_keys=True))
    for column in ("variants", "metadata"):
        row[column] = orjson.loads(orjson.dumps(row[column]))
    return flag_of(row)


def test_a_boolean_flag_needs_none_of_it_and_is_shown_with_all_of_it() -> None:
    flag = new()
    assert flag.ruleset.variants is ON_OFF
    shown = flag.json()
    assert shown["type"] == "boolean"
    assert shown["variants"] == {"on": True, "off": False}
    assert (shown["off_variant"], shown["split"]) == ("off", [{"variant": "on", "weight": 1}])
    assert (shown["bucket_by"], shown["requires"], shown["metadata"], shown["warnings"]) == (None, [], {}, [])
    assert b"variants" not in encode_ruleset(flag.ruleset)


def test_all_that_a_flag_can_say_is_kept_as_it_was_said() -> None:
    rules = [
        {"when": WHEN, "rollout": 5.0, "split": [{"variant": "blue", "weight": 1}], "name": "germans"},
        {"when": WHEN, "variant": "green"},
    ]
    flag = new(**COLOURS, bucket_by="company", metadata={"z": 1, "a": True}, rules=rules, requires=[{"flag": "a.B"}])
    shown = flag.json()
    assert {name: shown[name] for name in COLOURS} == COLOURS
    assert list(shown["variants"]) == ["none", "green", "blue"]  # type: ignore[call-overload] # it is an object
    assert (shown["bucket_by"], list(shown["metadata"].items())) == ("company", [("z", 1), ("a", True)])  # type: ignore[attr-defined]
    assert shown["requires"] == [{"flag": "a.B", "variants": None}]
    assert shown["rules"] == rules
    kept = in_the_database(flag)
    assert kept == flag
    assert encode_ruleset(kept.ruleset) == encode_ruleset(flag.ruleset)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": "colour"}, "type"),
        ({"type": "string"}, "variants"),
        ({"type": "string", "variants": {"a": 1, "b": ""}, "off_variant": "a"}, "variants.a"),
        ({"variants": {"on": 1, "off": 0}, "off_variant": "off"}, "variants.on"),
        ({"variants": {"a..b": True, "b": False}, "off_variant": "b"}, "variants"),
        ({"variants": {"yes": True, "no": False}}, "off_variant"),
        ({"off_variant": "none"}, "off_variant"),
        ({"variants": {"a": True, "b": True, "c": True}, "off_variant": "none"}, "off_variant"),
        ({**COLOURS, "split": None}, "split"),
        ({"split": [{"variant": "blue", "weight": 1}]}, "split[0].variant"),
        ({"split": [{"variant": "on", "weight": 0}]}, "split"),
        ({"split": []}, "split"),
        ({"bucket_by": ""}, "bucket_by"),
        ({"requires": [{"flag": "_a"}]}, "requires[0].flag"),
        ({"requires": [{"flag": "a", "variants": []}]}, "requires[0].variants"),
        ({"requires": [{"flag": "a"}, {"flag": "a"}]}, "requires"),
        ({"metadata": {"a": None}}, "metadata.a"),
        ({"metadata": {"a": []}}, "metadata.a"),
        ({"metadata": {str(n): n for n in range(51)}}, "metadata"),
        ({"rules": [{"when": WHEN}]}, "rules[0].rollout"),
        ({"rules": [{"when": WHEN, "rollout": 5, "variant": "on"}]}, "rules[0].variant"),
        ({"rules": [{"when": WHEN, "variant": "blue"}]}, "rules[0].variant"),
        ({"rules": [{"when": WHEN, "rollout": 1, "name": "a"}, {"when": WHEN, "rollout": 1, "name": "a"}]}, None),
        *(({"metadata": {name: "x"}}, f"metadata.{name}") for name in sorted(RESERVED_METADATA)),
    ],
)
def test_what_does_not_fit_is_refused_by_field(fields: dict[str, Any], field: str | None) -> None:
    assert refused(lambda: new(**fields)).field == field or field is None


def test_a_flag_keeps_its_type() -> None:
    flag = new(**COLOURS)
    error = refused(lambda: change(flag, type="number", variants={"none": 0}))
    assert (error.field, error.problem) == (
        "type",
        "expected string: a flag keeps its type; make another flag instead",
    )
    assert change(flag, type="string") is flag
    assert change(flag, type="string", rollout=5).ruleset.type is ValueType.STRING


def test_variants_are_changed_as_a_whole_and_what_names_one_has_to_fit() -> None:
    flag = new(**COLOURS, rules=[{"when": WHEN, "variant": "blue"}])
    more = {**COLOURS["variants"], "red": "#f00"}
    after = change(flag, variants=more)
    assert [variant.key for variant in after.ruleset.variants] == ["none", "green", "blue", "red"]
    assert after.ruleset.split == flag.ruleset.split, "a split that was given stays"
    fewer = {"none": "", "green": "#0f0"}
    assert refused(lambda: change(flag, variants=fewer)).field == "rules[0].variant"
    split = [{"variant": "green", "weight": 1}]
    assert refused(lambda: change(flag, variants=fewer, split=split)).field == "rules[0].variant"
    assert change(flag, variants=fewer, split=split, rules=[]).ruleset.split == (Share("green", 1),)
    assert refused(lambda: change(flag, variants={"blue": "#00f", "green": "#0f0"})).field == "off_variant"
    assert refused(lambda: change(flag, variants=None)).field == "variants"


def test_a_split_that_gives_all_the_only_other_variant_goes_on_doing_so() -> None:
    flag = new()
    renamed = change(flag, variants={"yes": True, "no": False}, off_variant="no")
    assert renamed.ruleset.split == (Share("yes", 1),)
    assert change(renamed, off_variant="yes").ruleset.split == (Share("no", 1),)
    assert change(renamed, variants=None, off_variant="off").ruleset == change(flag, rollout=100).ruleset.__class__(
        app="shop",
        key="one",
        version=3,
        active=False,
        rollout=100.0,
        salt="one",
        circuit=flag.ruleset.circuit,
        updated_at=renamed.ruleset.updated_at,
    )
    # Where there are several others, it stays.
    three = change(flag, variants={"on": True, "off": False, "also": True})
    assert three.ruleset.split == (Share("on", 1),)
    # And null asks for it by name.
    assert refused(lambda: change(three, split=None)).field == "split"
    assert change(flag, off_variant="on", split=[{"variant": "on", "weight": 1}]).ruleset.split == (Share("on", 1),)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"metadata": {"a": 1}}, {"metadata": {"a": True}}),
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1.0}}),
        (
            {"rules": [{"when": [{"attribute": "a", "operator": "in", "values": [1]}], "rollout": 1}]},
            {"rules": [{"when": [{"attribute": "a", "operator": "in", "values": [True]}], "rollout": 1}]},
        ),
        (
            {"type": "object", "variants": {"a": {"x": [1]}, "b": {}}, "off_variant": "b"},
            {"variants": {"a": {"x": [True]}, "b": {}}},
        ),
    ],
)
def test_a_change_of_what_python_takes_for_equal_is_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    flag = new(**before)
    assert change(flag, **after).version == 2


def test_text_that_the_database_cannot_store_is_refused_however_deep_it_stands() -> None:
    for value in ({"a": ["b\0"]}, {"a\0": 1}):
        with pytest.raises(ValueError, match=r"U\+0000"):
            FlagCreate.model_validate({"key": "one", "type": "object", "variants": {"a": value}, "off_variant": "a"})


def test_flags_that_differ_only_by_case_are_told() -> None:
    assert new().json(["ONE", "One"])["warnings"] == [
        'the app has a flag "ONE" too, which differs only by upper and lower case',
        'the app has a flag "One" too, which differs only by upper and lower case',
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-(2**53), 2**53)
    | st.text("abc", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.dictionaries(st.text("xyz", max_size=3), values), min_size=2),
    st.data(),
)
def test_any_objects_come_back_from_the_database_as_they_were(variants: dict[str, Any], data: st.DataObject) -> None:
    off = data.draw(st.sampled_from(sorted(variants)))
    split = [{"variant": variant, "weight": 1} for variant in data.draw(st.permutations(sorted(variants)))]
    flag = new(type="object", variants=variants, off_variant=off, split=split)
    kept = in_the_database(flag)
    assert encode_ruleset(kept.ruleset) == encode_ruleset(flag.ruleset)
    assert change(kept, variants=variants) is kept


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"variants": {"on": "yes", "off": "no"}},
            'variants.on: expected true or false, since type is boolean, got "yes"',
        ),
        ({"variants": {"a": True, "b": False}}, 'off_variant: expected one of "a", "b", but the field is missing'),
        ({"rules": [{"when": WHEN, "variant": "green"}]}, 'rules[0].variant: expected one of "off", "on", got "green"'),
        (
            {"rules": [{"when": WHEN}]},
            "rules[0].rollout: expected a number, since the rule has neither split nor variant",
        ),
        (
            {"rules": [{"when": WHEN, "variant": "on", "rollout": 5}]},
            "rules[0].variant: expected either variant or rollout, got both",
        ),
        (
            {"rules": [{"when": WHEN, "variant": "on", "name": "2"}, {"when": WHEN, "variant": "on"}]},
            'rules[1].name: expected a name that no other rule has, got "2"; an unnamed rule is called by its place',
        ),
        (
            {"rules": [{"when": WHEN, "variant": "on", "name": "a"}, {"when": WHEN, "variant": "on", "name": "a"}]},
            'rules[1].name: expected a name that no other rule has, got "a"',
        ),
    ],
)
def test_common_mistakes_are_told_by_the_field_that_was_written(fields: dict[str, Any], message: str) -> None:
    assert str(refused(lambda: new(**fields))) == message
