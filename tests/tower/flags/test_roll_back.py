"""Rolling a flag back: whatever it was, it is that again; its version and its circuit go on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_tower.flags.flag import Flag, changed, circuit_reset, created, rolled_back, toggled
from tailslide_tower.flags.models import FlagChange, FlagCreate

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["", "The new checkout"]),
        "name": st.sampled_from(["Checkout", "New checkout"]),
        "tags": st.lists(st.sampled_from(["beta", "payments"]), unique=True),
        "active": st.booleans(),
        "rollout": st.sampled_from([0.0, 5.0, 100.0]),
        "salt": st.sampled_from(["a", "b"]),
        "allow": st.lists(st.sampled_from(["u1", "u2"]), unique=True),
        "metadata": st.dictionaries(st.sampled_from(["ticket", "n"]), st.sampled_from([1, 1.0, True, "x"])),
        "rules": st.sampled_from(
            [
                [],
                [{"when": [{"attribute": "a", "operator": "in", "values": ["u1"]}], "variant": "on"}],
                [{"when": [{"attribute": "a", "operator": "in", "values": [1]}], "rollout": 5.0, "name": "n"}],
            ]
        ),
        "circuit": st.sampled_from(
            [None, {"error_threshold": 20.0}, {"recovery": None}, {"forced_open": True, "recovery": {"initial": 50.0}}]
        ),
    },
)


def state(flag: Flag) -> dict[str, Any]:
    """Return what a flag says, apart from what each version has to itself."""
    shown: dict[str, Any] = orjson.loads(orjson.dumps(flag.json()))
    for name in ("version", "updated_at", "created_at"):
        del shown[name]
    if shown["circuit"] is not None:
        del shown["circuit"]["reset_generation"]
    return shown


def logged(flag: Flag) -> dict[str, Any]:
    """Return a flag as the log gives it back."""
    kept: dict[str, Any] = orjson.loads(orjson.dumps(flag.json()))
    return kept


def made(**fields: Any) -> Flag:
    return created("shop", FlagCreate.model_validate({"key": "one", **fields}), NOW)


@given(first=CHANGES, changes=st.lists(CHANGES, max_size=4))
def test_rolled_back_flag_is_what_it_was(first: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    flag = then = changed(made(), FlagChange.model_validate(first), NOW)
    for fields in changes:
        flag = changed(flag, FlagChange.model_validate(fields), LATER)
    rolled = rolled_back(flag, logged(then), LATER)
    assert state(rolled) == state(then)
    assert orjson.dumps(state(rolled)["metadata"]) == orjson.dumps(state(then)["metadata"])
    assert rolled.created_at == flag.created_at
    assert rolled.reset_generation >= flag.reset_generation
    if rolled is flag:
        assert state(flag) == state(then)
    else:
        assert rolled.version == flag.version + 1
        assert rolled.updated_at == LATER


def test_flag_that_is_turned_on_by_it_starts_with_a_closed_circuit() -> None:
    on = toggled(made(), True, NOW)
    off = circuit_reset(toggled(on, False, NOW), NOW)
    rolled = rolled_back(off, logged(on), LATER)
    assert rolled.ruleset.active
    assert rolled.reset_generation == off.reset_generation + 1
    assert rolled.ruleset.circuit is not None
    assert rolled.ruleset.circuit.reset_generation == rolled.reset_generation


def test_what_an_old_version_did_not_have_has_its_default() -> None:
    flag = made(tags=["beta"], owner="payments", rollout=5, circuit={"local_guard": {"max_ms": 500}})
    old = {"app": "shop", "key": "one", "version": 1, "active": True, "rollout": 25.0, "circuit": {"min_calls": 7}}
    rolled = rolled_back(flag, old, LATER)
    assert rolled.ruleset.rollout == 25.0
    assert (rolled.about.tags, rolled.about.owner, rolled.about.name) == ((), None, "one")
    assert rolled.ruleset.circuit is not None
    assert (rolled.ruleset.circuit.min_calls, rolled.ruleset.circuit.local_guard) == (7, None)


def test_version_of_another_type_is_refused() -> None:
    flag = made()
    with pytest.raises(ContractError, match="boolean") as refused:
        rolled_back(flag, logged(flag) | {"type": "string"}, LATER)
    assert refused.value.field == "version"
