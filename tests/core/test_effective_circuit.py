from dataclasses import replace

import pytest

from tailslide_core.circuit import Circuit, State
from tailslide_core.effective_circuit import EffectiveCircuit, effective_circuit
from tailslide_core.ruleset import CircuitSettings, Ruleset

SETTINGS = CircuitSettings(reset_generation=3)
FORCED = replace(SETTINGS, forced_open=True)
OPEN = Circuit(State.OPEN, 0.0, trips=1, reset_generation=3)
RECOVERING = Circuit(State.RECOVERING, 20.0, trips=1, reset_generation=3)


@pytest.mark.parametrize(
    ("settings", "circuit", "expected"),
    [
        (None, OPEN, None),
        (None, None, None),
        (SETTINGS, None, EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, Circuit(reset_generation=3), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, OPEN, EffectiveCircuit(State.OPEN, 0.0)),
        (SETTINGS, RECOVERING, EffectiveCircuit(State.RECOVERING, 20.0)),
        (SETTINGS, replace(OPEN, reset_generation=2), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, replace(RECOVERING, reset_generation=2), EffectiveCircuit(State.CLOSED, 100.0)),
        (SETTINGS, replace(OPEN, reset_generation=4), EffectiveCircuit(State.OPEN, 0.0)),
        (FORCED, None, EffectiveCircuit(State.OPEN, 0.0)),
        (FORCED, RECOVERING, EffectiveCircuit(State.OPEN, 0.0)),
        (FORCED, replace(OPEN, reset_generation=2), EffectiveCircuit(State.OPEN, 0.0)),
    ],
)
def test_a_circuit_value_counts_under_its_ruleset(
    settings: CircuitSettings | None, circuit: Circuit | None, expected: EffectiveCircuit | None
) -> None:
    ruleset = Ruleset("checkout", "new", 12, active=True, rollout=100.0, salt="new", circuit=settings)
    assert effective_circuit(ruleset, circuit) == expected
