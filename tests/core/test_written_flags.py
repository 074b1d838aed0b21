"""What people may write of a flag is what Tower takes, field by field, and makes the same ruleset of."""

from dataclasses import replace
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from pydantic import BaseModel

from tailslide_core.errors import ContractError
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.written_flags import (
    NOTED_FIELDS,
    check_flag_names,
    check_segment_names,
    new_ruleset,
    new_segment,
)
from tailslide_tower.flags.flag import created
from tailslide_tower.flags.models import (
    CircuitFields,
    ConditionFields,
    FlagCreate,
    LocalGuardFields,
    RecoveryFields,
    RequirementFields,
    RuleFields,
    ShareFields,
)
from tailslide_tower.segments.models import SegmentCreate

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
CONDITION = {"attribute": "country", "operator": "in", "values": ["DE"]}


def accepts(check: Any, written: dict[str, Any]) -> bool:
    try:
        check(written)
    except ContractError:
        return False
    return True


def fields_of(model: type[BaseModel]) -> set[str]:
    """The fields that a request may have, without those that Tower refuses because it sets them itself."""
    refused = {name for name, field in model.model_fields.items() if field.annotation is type(None)}
    return set(model.model_fields) - refused


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (FlagCreate, lambda inner: inner),
        (CircuitFields, lambda inner: {"circuit": inner}),
        (RecoveryFields, lambda inner: {"circuit": {"recovery": inner}}),
        (LocalGuardFields, lambda inner: {"circuit": {"local_guard": inner}}),
        (RuleFields, lambda inner: {"rules": [inner]}),
        (ConditionFields, lambda inner: {"rules": [{"when": [inner]}]}),
        (ShareFields, lambda inner: {"rules": [{"split": [inner]}]}),
        (ShareFields, lambda inner: {"split": [inner]}),
        (RequirementFields, lambda inner: {"requires": [inner]}),
    ],
)
def test_a_flag_has_the_fields_that_tower_takes_and_no_others(model: type[BaseModel], place: Any) -> None:
    names = fields_of(model) | {"app", "version", "reset_generation", "created_at", "nonsense"}
    known = {name for name in names if accepts(check_flag_names, place({name: None}))}
    assert known == fields_of(model)


def test_a_segment_has_the_fields_that_tower_takes_and_no_others() -> None:
    names = fields_of(SegmentCreate) | {"app", "version", "nonsense"}
    known = {name for name in names if accepts(check_segment_names, {name: None})}
    assert known == fields_of(SegmentCreate)
    assert not accepts(check_segment_names, {"when": [{**CONDITION, "nonsense": 1}]})


FLAGS: list[dict[str, Any]] = [
    {},
    {"active": True, "rollout": 25, "salt": "s", "allow": ["ada"], "deny": ["bob"]},
    {"salt": None, "circuit": None},
    {"circuit": {"recovery": {"delay_ms": 5}, "local_guard": {"max_ms": 500}, "failure_statuses": [500, "503-504"]}},
    {"circuit": {"recovery": None, "slow_call_ms": 5, "slow_threshold": 50}},
    {"type": "string", "variants": {"on": "x", "off": "y"}, "off_variant": "off"},
    {"requires": [{"flag": "other", "variants": ["on"]}], "bucket_by": "company", "metadata": {"ticket": "A-1"}},
    {"rules": [{"when": [CONDITION], "variant": "on", "name": "germans"}, {"when": [CONDITION], "rollout": 5}]},
]
DEFAULTS: list[dict[str, Any]] = [
    {},
    {"active": True, "rollout": 10, "circuit": {"window_ms": 500, "recovery": {"delay_ms": 7}}},
    {"type": "number", "variants": {"a": 1, "b": 2.5}, "off_variant": "a"},
    {
        "variants": {"on": True, "off": False, "also": True},
        "split": [{"variant": "also", "weight": 1}],
        "rules": [{"when": [CONDITION], "variant": "also"}],
    },
]


@pytest.mark.parametrize("given", FLAGS)
@pytest.mark.parametrize("defaults", DEFAULTS)
def test_a_written_flag_is_the_ruleset_that_tower_makes(given: dict[str, Any], defaults: dict[str, Any]) -> None:
    by_tower = outcome(lambda: created("shop", FlagCreate.model_validate({"key": "f", **given}), NOW, defaults).ruleset)
    assert outcome(lambda: new_ruleset("shop", "f", given, defaults)) == by_tower


def outcome(make: Any) -> Ruleset | str:
    """What comes of it, without the time, which only Tower notes."""
    try:
        ruleset: Ruleset = make()
    except ContractError as error:
        return str(error)
    return replace(ruleset, updated_at="")


def test_a_flag_that_says_nothing_is_off_with_the_usual_circuit() -> None:
    assert new_ruleset("shop", "f", {}) == Ruleset("shop", "f", 1, False, 100.0, "f", circuit=CircuitSettings())


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"rolout": 5}, "rolout: unknown field; did you mean rollout?"),
        ({"circuit": {"forced": True}}, "circuit.forced: unknown field; did you mean forced_open?"),
        ({"circuit": {"recovery": {"delay": 5}}}, "circuit.recovery.delay: unknown field; did you mean delay_ms?"),
        (
            {"requires": [{"zzz": 1}]},
            "requires[0].zzz: unknown field; expected one of flag, variants",
        ),
        (
            {"rules": [{}, {"when": [{**CONDITION, "value": 1}]}]},
            "rules[1].when[0].value: unknown field; did you mean values?",
        ),
    ],
)
def test_an_unknown_field_is_named_with_what_was_probably_meant(written: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ContractError) as error:
        check_flag_names(written)
    assert str(error.value) == sentence


def test_what_is_no_object_is_left_to_the_reader() -> None:
    check_flag_names({"rules": [5], "split": "x", "circuit": 7, "requires": None})
    with pytest.raises(ContractError, match=r"^requires: expected a list, got null$"):
        new_ruleset("shop", "f", {"requires": None})


def test_what_no_reader_takes_is_refused_where_it_is() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2_000):
        deep = {"a": deep}
    with pytest.raises(ContractError, match=r"^body: expected what JSON can hold"):
        new_ruleset("shop", "f", {"variants": {"on": deep}})
    with pytest.raises(ContractError, match=r"^metadata.rule: expected another name"):
        new_ruleset("shop", "f", {"metadata": {"rule": "x"}})


@pytest.mark.parametrize(("number", "told"), [(inf, "Infinity"), (-inf, "-Infinity"), (nan, "NaN")])
@pytest.mark.parametrize(
    ("given", "field"),
    [
        (
            lambda x: {"type": "object", "variants": {"a": {"limits": [1, {"per day": x}]}}},
            "variants.a.limits[1].per day",
        ),
        (lambda x: {"type": "object", "variants": {"a": {"b\n": x}}}, 'variants.a."b\\n"'),
        (lambda x: {"rollout": x}, "rollout"),
        (lambda x: {"metadata": {"cost": x}}, "metadata.cost"),
        (lambda x: {"rules": [{"when": [CONDITION | {"values": ["DE", x]}]}]}, "rules[0].when[0].values[1]"),
    ],
)
def test_a_number_that_json_does_not_have_is_refused_where_it_is(
    given: Any, field: str, number: float, told: str
) -> None:
    with pytest.raises(ContractError) as error:
        new_ruleset("shop", "f", given(number))
    assert (error.value.field, error.value.problem) == (field, f"expected a finite number, got {told}")


def test_a_segment_as_it_is_written() -> None:
    segment = new_segment("shop", "beta", {"include": ["ada"], "when": [CONDITION]})
    assert (segment.app, segment.key, segment.version, segment.include) == ("shop", "beta", 1, frozenset({"ada"}))
    with pytest.raises(ContractError, match=r"^include: expected at most 10000 members in both lists together"):
        new_segment("shop", "beta", {"include": [str(n) for n in range(10_001)]})
    with pytest.raises(ContractError, match=r"^when\[0\]\.values\[0\]: expected a finite number, got Infinity$"):
        new_segment("shop", "beta", {"when": [CONDITION | {"values": [inf]}]})


def test_notes_are_fields_of_a_flag() -> None:
    check_flag_names(dict.fromkeys(NOTED_FIELDS))
