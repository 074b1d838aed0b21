"""The answer to "is this flag on for this user?": a pure function of the ruleset, the circuit and the context."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Attributes
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import Ruleset


class Reason(StrEnum):
    """Why the answer is what it is."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    DISABLED = "DISABLED"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"


@dataclass(frozen=True, slots=True)
class Context:
    """Who asks. An empty targeting key is as good as none."""

    targeting_key: str | None = None
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer for one flag and one user.

    `circuit` is the state that applied, None for a flag without a circuit; `version` is the ruleset's, None for an
    unknown flag.
    """

    flag: str
    active: bool
    reason: Reason
    circuit: State | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class EffectiveCircuit:
    """What a circuit value comes to under a ruleset: the state, and the percentage of users let in."""

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


def evaluate(flag: str, ruleset: Ruleset | None, circuit: Circuit | None, context: Context) -> Evaluation:
    """Answer for one flag and one user; the first of the design's seven rules that applies answers."""
    if ruleset is None:
        return Evaluation(flag, active=False, reason=Reason.FLAG_NOT_FOUND)
    effective = effective_circuit(ruleset, circuit)
    state = None if effective is None else effective.state
    if not ruleset.active:
        return Evaluation(flag, False, Reason.DISABLED, state, ruleset.version)
    if state is State.OPEN:
        return Evaluation(flag, False, Reason.CIRCUIT_OPEN, state, ruleset.version)
    key = context.targeting_key or None
    if key is not None:
        if key in ruleset.deny:
            return Evaluation(flag, False, Reason.TARGETING_MATCH, state, ruleset.version)
        if key in ruleset.allow:
            return Evaluation(flag, True, Reason.TARGETING_MATCH, state, ruleset.version)
    rollout = rollout_for(ruleset, context.attributes)
    percentage = FULL if effective is None else effective.percentage
    if key is not None:
        active = is_in(bucket_of(ruleset.salt, key), rollout, percentage)
        return Evaluation(flag, active, Reason.SPLIT, state, ruleset.version)
    if rollout == FULL == percentage:
        return Evaluation(flag, True, Reason.SPLIT, state, ruleset.version)
    return Evaluation(flag, False, Reason.TARGETING_KEY_MISSING, state, ruleset.version)


def rollout_for(ruleset: Ruleset, attributes: Mapping[str, object]) -> float:
    """Return the rollout, in percent, of the first rule whose conditions all hold, else the flag's own."""
    for rule in ruleset.rules:
        if all(condition.holds(attributes) for condition in rule.when):
            return rule.rollout
    return ruleset.rollout
