from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import decode_ruleset, encode_ruleset
from tailslide_core.ruleset import CircuitSettings, Recovery
from tailslide_core.written_flags import MAX_RULESET_BYTES
from tailslide_tower.flags.about import About
from tailslide_tower.flags.flag import (
    SANE_NUMBER,
    Flag,
    archived,
    because_of_defaults,
    changed,
    circuit_reset,
    created,
    duplicated,
    flag_of,
    recreated,
    reset_above,
    restored,
    row_of,
    toggled,
)
from tailslide_tower.flags.models import FlagChange, FlagCreate

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
RULE = {"when": [{"attribute": "country", "operator": "in", "values": ["DE"]}], "rollout": 100}


def new(**fields: Any) -> Flag:
    return created("checkout", FlagCreate.model_validate({"key": "new-checkout", **fields}), NOW)


def change(flag: Flag, **fields: Any) -> Flag:
    return changed(flag, FlagChange.model_validate(fields), LATER)


def circuit_of(flag: Flag) -> CircuitSettings:
    assert flag.ruleset.circuit is not None
    return flag.ruleset.circuit


def test_a_new_flag_is_off_for_everybody_to_come_with_a_circuit_as_the_core_has_it() -> None:
    flag = new()
    assert (flag.version, flag.ruleset.active, flag.ruleset.rollout) == (1, False, 100.0)
    assert (flag.ruleset.salt, flag.about) == ("new-checkout", About("new-checkout"))
    assert flag.ruleset.circuit == CircuitSettings()
    assert flag.ruleset.updated_at == "2026-11-22T10:00:00.000Z"


def test_a_new_flag_as_the_api_shows_it() -> None:
    flag = new(description="The new checkout", active=True, rollout=25, allow=["b", "a", "a"], rules=[RULE])
    shown = flag.json()
    assert shown["description"] == "The new checkout"
    assert (shown["allow"], shown["rollout"], shown["version"]) == (["a", "b"], 25.0, 1)
    assert shown["rules"] == [{"when": RULE["when"], "rollout": 100.0}]
    assert (shown["created_at"], shown["updated_at"]) == ("2026-11-22T10:00:00.000Z",) * 2
    assert "schema" not in shown


def test_a_circuit_that_is_given_in_part_has_defaults_for_the_rest() -> None:
    flag = new(circuit={"error_threshold": 10, "recovery": {"initial": 20}})
    assert flag.ruleset.circuit == CircuitSettings(error_threshold=10.0, recovery=Recovery(initial=20.0))


def test_a_flag_without_a_circuit_and_a_circuit_without_recovery() -> None:
    assert new(circuit=None).ruleset.circuit is None
    assert circuit_of(new(circuit={"recovery": None})).recovery is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"key": "_new"}, "key"),
        ({"key": "new..one"}, "key"),
        ({"rollout": 100.1}, "rollout"),
        ({"rollout": -1}, "rollout"),
        ({"rules": [{"when": [], "rollout": 5}]}, "rules[0].when"),
        ({"rules": [RULE, {**RULE, "rollout": 101}]}, "rules[1].rollout"),
        (
            {"rules": [{"when": [{"attribute": "a", "operator": "like", "values": ["x"]}], "rollout": 5}]},
            "rules[0].when[0].operator",
        ),
        (
            {"rules": [{"when": [{"attribute": "a", "operator": "lt", "values": ["x"]}], "rollout": 5}]},
            "rules[0].when[0].values",
        ),
        ({"circuit": {"error_threshold": 101}}, "circuit.error_threshold"),
        ({"circuit": {"failure_statuses": ["5xx", "6xx"]}}, "circuit.failure_statuses[1]"),
        ({"circuit": {"slow_call_ms": 500}}, "circuit.slow_threshold"),
        ({"circuit": {"recovery": {"initial": 0}}}, "circuit.recovery.initial"),
        ({"circuit": {"recovery": {"profile": "cubic"}}}, "circuit.recovery.profile"),
    ],
)
def test_what_the_core_does_not_allow_is_refused_by_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        new(**fields)
    assert caught.value.field == field
    if "key" not in fields:
        with pytest.raises(ContractError) as caught:
            change(new(), **fields)
        assert caught.value.field == field


def test_a_flag_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(ContractError, match="expected a flag of at most"):
        new(allow=[f"{n:0500}" for n in range(MAX_RULESET_BYTES // 500)])


def test_a_change_says_what_is_new_and_leaves_the_rest() -> None:
    flag = new(rollout=5, allow=["u1"], circuit={"error_threshold": 10, "recovery": {"initial": 20}})
    after = change(flag, rollout=50, circuit={"forced_open": True, "recovery": {"increment": 5}})
    assert (after.version, after.updated_at, after.created_at) == (2, LATER, NOW)
    assert (after.ruleset.rollout, after.ruleset.allow) == (50.0, frozenset({"u1"}))
    assert after.ruleset.circuit == CircuitSettings(
        forced_open=True, error_threshold=10.0, recovery=Recovery(initial=20.0, increment=5.0)
    )


def test_recovery_that_is_given_in_part_where_there_was_none_has_defaults_for_the_rest() -> None:
    after = change(new(circuit={"recovery": None}), circuit={"recovery": {"initial": 20}})
    assert circuit_of(after).recovery == Recovery(initial=20.0)


@pytest.mark.parametrize("fields", [{}, {"rollout": 100}, {"active": False}, {"circuit": {}}, {"description": ""}])
def test_a_change_that_says_nothing_new_is_none(fields: dict[str, Any]) -> None:
    flag = new()
    assert change(flag, **fields) is flag


def test_turning_on_resets_the_circuit_and_turning_off_does_not() -> None:
    flag = new()
    on = toggled(flag, None, LATER)
    assert (on.ruleset.active, on.version, circuit_of(on).reset_generation) == (True, 2, 1)
    assert toggled(on, True, LATER) is on
    off = toggled(on, None, LATER)
    assert (off.ruleset.active, off.version, circuit_of(off).reset_generation) == (False, 3, 1)
    assert circuit_of(change(off, active=True)).reset_generation == 2


def test_a_person_resets_the_circuit() -> None:
    after = circuit_reset(new(active=True), LATER)
    assert (after.version, circuit_of(after).reset_generation, after.reset_generation) == (2, 1, 1)


def test_a_circuit_that_is_added_again_starts_anew() -> None:
    without = change(circuit_reset(new(), LATER), circuit=None)
    assert without.ruleset.circuit is None
    assert circuit_of(change(without, circuit={})).reset_generation == 2


def test_a_new_flag_with_the_key_of_a_deleted_one_goes_on_from_there() -> None:
    flag = recreated(new(), version=7, reset_generation=3)
    assert (flag.version, flag.reset_generation, circuit_of(flag).reset_generation) == (8, 4, 4)


flag_fields = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
        "active": st.booleans(),
        "rollout": st.floats(0, 100),
        "allow": st.lists(st.text("abc", min_size=1, max_size=3), max_size=4),
        "rules": st.just([RULE]),
        "bucket_by": st.none() | st.text("abc", min_size=1, max_size=3),
        "metadata": st.dictionaries(
            st.text("abc", min_size=1, max_size=2), st.text("abc") | st.booleans() | st.integers(0, 3), max_size=3
        ),
        "requires": st.lists(
            st.fixed_dictionaries({"flag": st.sampled_from("xyz")}, optional={"variants": st.just(["on"])}),
            max_size=2,
            unique_by=lambda requirement: str(requirement["flag"]),
        ),
        "split": st.sampled_from([None, [{"variant": "on", "weight": 2}, {"variant": "off", "weight": 1}]]),
        "circuit": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "forced_open": st.booleans(),
                "error_threshold": st.floats(0, 100),
                "failure_statuses": st.lists(st.sampled_from(["5xx", "429", 500, "500-504"]), max_size=3),
                "recovery": st.none() | st.fixed_dictionaries({}, optional={"initial": st.floats(1, 100)}),
            },
        ),
    },
)


@given(flag_fields, st.lists(flag_fields, max_size=4))
def test_whatever_is_done_to_a_flag_it_is_kept_and_published_as_it_is_and_its_numbers_never_go_back(
    first: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    flag = new(**first)
    for fields in changes:
        after = change(flag, **fields)
        assert after.version == flag.version + (after != flag)
        assert after.reset_generation >= flag.reset_generation
        flag = after
        assert flag_of(row_of(flag)) == flag
        assert decode_ruleset(encode_ruleset(flag.ruleset)) == flag.ruleset


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_a_reset_above_a_verdict_counts_over_it_and_never_goes_back(own: int, verdict: int) -> None:
    flag = replace(new(), reset_generation=own)
    after = reset_above(flag, verdict)
    if verdict >= SANE_NUMBER:
        assert after is flag, "a broken number must not spread to the flag"
    else:
        assert after.reset_generation == max(own, verdict + 1)
        assert after.version == flag.version


DEFAULTS: dict[str, Any] = {
    "type": "string",
    "variants": {"a": "A", "b": "B"},
    "off_variant": "a",
    "rules": [{"when": RULE["when"], "variant": "b"}],
    "circuit": {"min_calls": 50, "recovery": {"initial": 1.0}},
}


def with_defaults(**fields: Any) -> Flag:
    request = FlagCreate.model_validate({"key": "new-checkout", **fields})
    return created("checkout", request, NOW, DEFAULTS)


def test_what_is_not_given_is_as_the_defaults_have_it() -> None:
    flag = with_defaults(circuit={"recovery": {"increment": 5}})
    assert [variant.key for variant in flag.ruleset.variants] == ["a", "b"]
    assert (circuit_of(flag).min_calls, circuit_of(flag).recovery) == (50, Recovery(initial=1.0, increment=5.0))
    assert with_defaults(circuit=None).ruleset.circuit is None


def test_other_variants_leave_nothing_of_the_defaults_that_names_theirs() -> None:
    for fields in ({"type": "boolean"}, {"type": "boolean", "variants": None}):
        flag = with_defaults(**fields)
        assert (flag.ruleset.off_variant, flag.ruleset.rules) == ("off", ())
    flag = with_defaults(variants={"c": "C", "d": "D"}, off_variant="d")
    assert (flag.ruleset.off_variant, flag.ruleset.rules, circuit_of(flag).min_calls) == ("d", (), 50)


def test_an_error_of_a_default_says_whose_it_is() -> None:
    error = ContractError("rules[0].when", "expected more")
    request = FlagCreate.model_validate({"key": "a", "rollout": 5})
    assert "the app's defaults" in because_of_defaults(error, request, DEFAULTS).problem
    assert because_of_defaults(error, request, {}) is error
    own = FlagCreate.model_validate({"key": "a", "rules": []})
    assert because_of_defaults(error, own, DEFAULTS) is error


def test_a_copy_is_off_and_its_circuit_starts_anew() -> None:
    flag = circuit_reset(new(active=True, salt="shared", name="New checkout"), LATER)
    copy = duplicated(flag, "desk", "first", LATER)
    assert (copy.ruleset.active, copy.ruleset.salt, copy.about.name) == (False, "shared", "New checkout")
    assert (copy.version, copy.reset_generation, circuit_of(copy).reset_generation) == (1, 0, 0)
    assert duplicated(new(), "desk", "first", LATER).ruleset.salt == "first"


def test_an_archived_flag_comes_back_newer_with_its_circuit_closed() -> None:
    flag = new(active=True)
    gone = archived(flag, LATER)
    assert (gone.version, gone.archived_at, gone.ruleset.active) == (2, LATER, True)
    assert archived(gone, LATER) is gone
    back = restored(gone, LATER)
    assert (back.version, back.archived_at, back.reset_generation) == (3, None, 1)
    assert circuit_of(back).reset_generation == 1
    assert restored(back, LATER) is back
