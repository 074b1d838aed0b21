"""What people say of flags: which fields there are, and their JSON types. Ranges and relations are the core's to check.

The defaults are shown here for readers; a field that is not said is left out before the core sees it.
"""

from typing import Annotated

from pydantic import BeforeValidator, Field

from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery
from tailslide_tower.requests import STORABLE, RequestBody

_CIRCUIT = CircuitSettings()
_RECOVERY = Recovery()
_LOCAL_GUARD = LocalGuard()


def _refuse(reason: str) -> BeforeValidator:
    def refuse(value: object) -> object:
        raise ValueError(reason)

    return BeforeValidator(refuse)


TowersOwn = Annotated[None, _refuse("expected to be left out: Tower sets it itself")]
Description = Annotated[str, Field(max_length=2000), STORABLE]
Salt = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
TargetingKey = Annotated[str, Field(min_length=1, max_length=500), STORABLE]
Attribute = Annotated[str, Field(max_length=200), STORABLE]
Value = Annotated[object, STORABLE]


class ConditionFields(RequestBody):
    """One condition of a rule."""

    attribute: Attribute
    operator: str
    values: list[Value] = Field(default_factory=list)


class RuleFields(RequestBody):
    """A rollout of its own for users of whom all conditions hold."""

    when: list[ConditionFields]
    rollout: float


class RecoveryFields(RequestBody):
    """How a circuit lets users back in."""

    delay_ms: int = _RECOVERY.delay_ms
    max_delay_ms: int = _RECOVERY.max_delay_ms
    initial: float = _RECOVERY.initial
    increment: float = _RECOVERY.increment
    interval_ms: int = _RECOVERY.interval_ms
    profile: str = RampProfile.LINEAR


class LocalGuardFields(RequestBody):
    """When a sidecar stops sending to the feature by itself."""

    consecutive_failures: int = _LOCAL_GUARD.consecutive_failures
    max_ms: int = _LOCAL_GUARD.max_ms


class CircuitFields(RequestBody):
    """When a circuit opens, and how it recovers; `recovery: null` waits for a person."""

    forced_open: bool = _CIRCUIT.forced_open
    window_ms: int = _CIRCUIT.window_ms
    long_window_ms: int = _CIRCUIT.long_window_ms
    min_calls: int = _CIRCUIT.min_calls
    confidence: float = _CIRCUIT.confidence
    error_threshold: float = _CIRCUIT.error_threshold
    failure_statuses: list[object] = Field(default_factory=lambda: list[object](_CIRCUIT.failure_statuses.patterns))
    slow_call_ms: int | None = None
    slow_threshold: float | None = None
    recovery: RecoveryFields | None = RecoveryFields()
    local_guard: LocalGuardFields | None = None
    reset_generation: Annotated[
        None, _refuse("expected to be left out: Tower raises it when the flag is turned on or its circuit reset")
    ] = None


class FlagFields(RequestBody):
    """What both a new flag and a change may say. In a change, what is missing stays, inside `circuit` too."""

    description: Description = ""
    active: bool = False
    rollout: float = 100.0
    allow: list[TargetingKey] = Field(default_factory=list)
    deny: list[TargetingKey] = Field(default_factory=list)
    rules: list[RuleFields] = Field(default_factory=list)
    circuit: CircuitFields | None = CircuitFields()
    app: TowersOwn = None
    version: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class FlagCreate(FlagFields):
    """A new flag. The salt is its key unless it is to bucket users as another flag does."""

    key: str
    salt: Salt | None = None


class FlagChange(FlagFields):
    """A change of a flag."""

    key: Annotated[None, _refuse("expected to be left out: a flag keeps its key; make another flag instead")] = None
    salt: Salt = ""


class Toggle(RequestBody):
    """Turn a flag on or off; without `active`, the other way round."""

    active: bool = False
