"""Runs the vectors of recovery against the core, and holds that they do not come from it: steps are those of exact
decimal arithmetic. The dashboard's own tests run the same file.
"""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from tailslide_core.circuit import delay_ms
from tailslide_core.ramp import FULL, RampProfile, next_percentage
from tailslide_core.ruleset import Recovery

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("ramp.json").read_text(encoding="utf-8"))


def named(cases: list[dict[str, Any]]) -> list[Any]:
    assert len({case["name"] for case in cases}) == len(cases), "each case has a name of its own"
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", named(VECTORS["ramps"]))
def test_the_steps_of_the_vectors_are_those_of_decimal_arithmetic(case: dict[str, Any]) -> None:
    increment = Decimal(str(case["increment"]))
    steps = [Decimal(str(case["initial"]))]
    while True:
        grown = steps[-1] + increment if case["profile"] == "linear" else steps[-1] * (1 + increment / 100)
        following = grown.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)
        if following >= 100:
            break
        steps.append(following)
    assert [float(step) for step in steps] == case["steps"]


@pytest.mark.parametrize("case", named(VECTORS["ramps"]))
def test_the_core_recovers_in_the_steps_of_the_vectors(case: dict[str, Any]) -> None:
    steps = [float(case["initial"])]
    while (following := next_percentage(steps[-1], case["increment"], RampProfile(case["profile"]))) < FULL:
        steps.append(following)
    assert steps == case["steps"]


@pytest.mark.parametrize("case", named(VECTORS["delays"]))
def test_the_core_waits_for_the_delays_of_the_vectors(case: dict[str, Any]) -> None:
    recovery = Recovery(delay_ms=case["delay_ms"], max_delay_ms=case["max_delay_ms"])
    for after in case["after"]:
        assert delay_ms(recovery, after["trips"]) == after["delay_ms"]
