"""The answer to "is this flag on for this user?": a pure function of the ruleset, the circuit and the context."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import NO_SEGMENTS, Attributes
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


class Context(NamedTuple):
    """Who asks. An empty targeting key is as good as none.

    A tuple: one is made for every question, and that costs a third of a frozen dataclass.
    """

    targeting_key: str | None = None
    attributes: Attributes = MappingProxyType({})


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


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One of the few ways in which a known flag can be answered: those below, and no others.

    Compared and hashed by identity, so that what follows from a decision is looked up at no cost.
    """

    active: bool
    reason: Reason


DISABLED = Decision(False, Reason.DISABLED)
CIRCUIT_OPEN = Decision(False, Reason.CIRCUIT_OPEN)
DENIED = Decision(False, Reason.TARGETING_MATCH)
ALLOWED = Decision(True, Reason.TARGETING_MATCH)
LET_IN = Decision(True, Reason.SPLIT)
LEFT_OUT = Decision(False, Reason.SPLIT)
KEY_MISSING = Decision(False, Reason.TARGETING_KEY_MISSING)
DECISIONS = (DISABLED, CIRCUIT_OPEN, DENIED, ALLOWED, LET_IN, LEFT_OUT, KEY_MISSING)


def decide(
    ruleset: Ruleset, effective: EffectiveCircuit | None, targeting_key: str | None, attributes: Attributes
) -> Decision:
    """Decide for one user; the first of the design's rules that applies answers.

    `effective` is `effective_circuit` of the flag, which whoever asks often keeps. Returns one of `DECISIONS`, the
    same object each time, so that what follows from it can be looked up.
    """
    if not ruleset.active:
        return DISABLED
    percentage = FULL
    if effective is not None:
        if effective.state is State.OPEN:
            return CIRCUIT_OPEN
        percentage = effective.percentage
    if not targeting_key:
        everybody = percentage == FULL == rollout_for(ruleset, attributes)
        return LET_IN if everybody else KEY_MISSING
    if targeting_key in ruleset.deny:
        return DENIED
    if targeting_key in ruleset.allow:
        return ALLOWED
    rollout = rollout_for(ruleset, attributes) if ruleset.rules else ruleset.rollout
    if rollout == FULL == percentage:
        return LET_IN  # whatever the bucket: nothing is hashed for what is on for everybody
    return LET_IN if is_in(bucket_of(ruleset.salt, targeting_key), rollout, percentage) else LEFT_OUT


def evaluate(flag: str, ruleset: Ruleset | None, circuit: Circuit | None, context: Context) -> Evaluation:
    """Answer for one flag and one user."""
    if ruleset is None:
        return Evaluation(flag, active=False, reason=Reason.FLAG_NOT_FOUND)
    effective = effective_circuit(ruleset, circuit)
    decision = decide(ruleset, effective, context.targeting_key, context.attributes)
    state = None if effective is None else effective.state
    return Evaluation(flag, decision.active, decision.reason, state, ruleset.version)


def rollout_for(ruleset: Ruleset, attributes: Mapping[str, object]) -> float:
    """Return the rollout, in percent, of the first rule whose conditions all hold, else the flag's own."""
    for rule in ruleset.rules:
        if all(condition.holds(attributes, None, NO_SEGMENTS) for condition in rule.when):
            return rule.rollout
    return ruleset.rollout
