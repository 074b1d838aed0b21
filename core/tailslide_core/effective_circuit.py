"""The state of a circuit that applies under a ruleset."""

from dataclasses import dataclass

from tailslide_core.circuit import Circuit, State
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class EffectiveCircuit:
    """The state that applies, and the percentage of users let in."""

    state: State
    percentage: float


_CLOSED = EffectiveCircuit(State.CLOSED, FULL)
_OPEN = EffectiveCircuit(State.OPEN, 0.0)


def effective_circuit(ruleset: Ruleset, circuit: Circuit | None) -> EffectiveCircuit | None:
    """Return what a circuit value counts as now; None for a flag without a circuit.

    Forced open counts as open whatever Aerobat has said; a verdict from before a person's reset counts as closed.
    """
    settings = ruleset.circuit
    if settings is None:
        return None
    if settings.forced_open:
        return _OPEN
    if circuit is None or circuit.reset_generation < settings.reset_generation or circuit.state is State.CLOSED:
        return _CLOSED
    if circuit.state is State.OPEN:
        return _OPEN
    return EffectiveCircuit(State.RECOVERING, circuit.percentage)
