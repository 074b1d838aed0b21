from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from tailslide_core.conditions import Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import CircuitSettings, Recovery, Rule, Ruleset, check_integer, check_number

GERMANS = Condition("country", Operator.IN, ("DE",))


def ruleset(**changes: Any) -> Ruleset:
    base = Ruleset("checkout", "new", version=1, active=True, rollout=25.0, salt="new")
    return replace(base, **changes)


@pytest.mark.parametrize("value", [0, 100, 0.0, 100.0, 0.001, 33.3, -0.0])
def test_a_number_in_range_passes(value: float) -> None:
    check_number("rollout", value, 0, 100)


@pytest.mark.parametrize(
    "value", [-0.001, 100.0000001, float("nan"), float("inf"), -float("inf"), 10**400, True, False, None, "50", [50]]
)
def test_a_number_out_of_range_or_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(ContractError, match=r"^rollout: expected a number from 0 to 100, got ") as caught:
        check_number("rollout", value, 0, 100)
    assert len(str(caught.value)) < 120


def test_a_refused_number_is_shown_as_it_is() -> None:
    with pytest.raises(ContractError, match=r"from 0\.5 to 0\.999999999, got 0\.9999999999$"):
        check_number("confidence", 0.9999999999, 0.5, 0.999999999)


@pytest.mark.parametrize("value", [-1, 11, 2**70, 5.0, True, None, "5", float("nan")])
def test_an_integer_out_of_range_or_of_another_kind_is_refused(value: Any) -> None:
    with pytest.raises(ContractError, match=r"^version: expected an integer from 0 to 10, got "):
        check_integer("version", value, 0, 10)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"app": "Checkout"}, "app"),
        ({"app": ""}, "app"),
        ({"key": "a..b"}, "key"),
        ({"key": "x" * 101}, "key"),
        ({"version": -1}, "version"),
        ({"version": 2**53 + 1}, "version"),
        ({"version": True}, "version"),
        ({"rollout": 100.001}, "rollout"),
        ({"rollout": -1}, "rollout"),
        ({"rollout": float("nan")}, "rollout"),
    ],
)
def test_a_ruleset_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        ruleset(**changes)
    assert caught.value.field == field


def test_a_ruleset_knows_its_flag_id_and_never_changes() -> None:
    flag = ruleset()
    assert flag.flag_id == FlagId("checkout", "new")
    with pytest.raises(FrozenInstanceError):
        flag.rollout = 100.0  # type: ignore[misc] # that it cannot be assigned is what this shows


def test_a_rule_has_a_condition_and_a_rollout() -> None:
    assert Rule((GERMANS,), 0).rollout == 0
    with pytest.raises(ContractError, match=r"^when: expected at least one condition"):
        Rule((), 50)
    with pytest.raises(ContractError, match=r"^rollout: expected a number from 0 to 100"):
        Rule((GERMANS,), 101)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"reset_generation": -1}, "reset_generation"),
        ({"window_ms": 249}, "window_ms"),
        ({"window_ms": 10_000.0}, "window_ms"),
        ({"window_ms": 86_400_001, "long_window_ms": 86_400_001}, "window_ms"),
        ({"long_window_ms": 9_999}, "long_window_ms"),
        ({"min_calls": 0}, "min_calls"),
        ({"min_calls": True}, "min_calls"),
        ({"confidence": 0.49}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
        ({"error_threshold": 100.1}, "error_threshold"),
        ({"error_threshold": float("nan")}, "error_threshold"),
        ({"slow_call_ms": 500}, "slow_threshold"),
        ({"slow_threshold": 80.0}, "slow_call_ms"),
        ({"slow_call_ms": 0, "slow_threshold": 80.0}, "slow_call_ms"),
        ({"slow_call_ms": 500, "slow_threshold": -1.0}, "slow_threshold"),
    ],
)
def test_circuit_settings_check_themselves(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        CircuitSettings(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"delay_ms": -1}, "delay_ms"),
        ({"delay_ms": 86_400_001, "max_delay_ms": 86_400_001}, "delay_ms"),
        ({"max_delay_ms": 29_999}, "max_delay_ms"),
        ({"initial": 0}, "initial"),
        ({"initial": 100.1}, "initial"),
        ({"increment": 0}, "increment"),
        ({"increment": float("inf")}, "increment"),
        ({"interval_ms": 99}, "interval_ms"),
        ({"interval_ms": 1e4}, "interval_ms"),
    ],
)
def test_a_recovery_checks_itself(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ContractError) as caught:
        Recovery(**changes)
    assert caught.value.field == field


def test_the_error_of_one_of_a_pair_names_the_missing_one() -> None:
    with pytest.raises(
        ContractError, match=r"^slow_threshold: expected a number, since slow_call_ms is set; set both or neither"
    ):
        CircuitSettings(slow_call_ms=500)
