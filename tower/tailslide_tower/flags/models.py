"""What people send about flags: the fields and their JSON types. The core checks ranges and relations.

The defaults are here for readers; a field that is not given is left out before the core sees it. The defaults of
`split` and, except for a boolean flag, of `off_variant` follow from the other fields.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticOmit, core_schema

from tailslide_core.naming import MAX_FLAG_KEY
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery
from tailslide_core.variants import ValueType
from tailslide_tower.flag_states.models import FlagStateOut
from tailslide_tower.requests import STORABLE, RequestBody

_CIRCUIT = CircuitSettings()
_RECOVERY = Recovery()
_LOCAL_GUARD = LocalGuard()


@dataclass(frozen=True, slots=True)
class refuse:  # noqa: N801 # stands in annotations, as pydantic's own do
    """Refuses every value of a field, which the description leaves out."""

    reason: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let pydantic refuse."""

        def refuse_value(value: object) -> object:
            raise ValueError(self.reason)

        return core_schema.no_info_before_validator_function(refuse_value, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        """Leave the field out."""
        raise PydanticOmit


TowersOwn = Annotated[None, refuse("expected to be left out: Tower sets it itself")]
Description = Annotated[str, Field(max_length=2000), STORABLE]
Salt = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
TargetingKey = Annotated[str, Field(min_length=1, max_length=500), STORABLE]
Attribute = Annotated[str, Field(max_length=200), STORABLE]
Value = Annotated[object, STORABLE]
Key = Annotated[str, Field(max_length=MAX_FLAG_KEY), STORABLE]
"""Of a flag, a variant or a rule that another field names; the core checks its form."""
MetadataName = Annotated[str, Field(min_length=1, max_length=100), STORABLE]


class ConditionFields(RequestBody):
    """One condition of a rule or a segment; only `in_segment` may do without an attribute."""

    attribute: Attribute = "targetingKey"
    operator: str
    values: list[Value] = Field(default_factory=list)
    negate: bool = False
    ignore_case: bool = False


class ShareFields(RequestBody):
    """How many of those who are in get a variant."""

    variant: Key
    weight: int


class RuleFields(RequestBody):
    """What users get for whom all conditions hold: a rollout and a split, or one variant for all of them.

    `rollout` has to be given unless `split` or `variant` is; without `split` the flag's counts.
    """

    when: list[ConditionFields]
    rollout: float = 100.0
    split: list[ShareFields] | None = None
    variant: Key | None = None
    name: Key | None = None


class RequirementFields(RequestBody):
    """A prerequisite: `variants` null is any but that flag's off variant."""

    flag: Key
    variants: list[Key] | None = None


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
        None, refuse("expected to be left out: Tower raises it when the flag is turned on or its circuit reset")
    ] = None


class FlagFields(RequestBody):
    """The fields of both a new flag and a change. In a change, a missing field stays as it is, inside `circuit` too.

    `variants`, `split`, `requires`, `metadata` and `rules` are replaced whole. `variants` null means `on` and `off`,
    for a boolean flag; `split` null gives everybody who is in the one variant that is not the off variant.
    """

    description: Description = ""
    active: bool = False
    type: Annotated[str, Field(max_length=20)] = ValueType.BOOLEAN
    variants: dict[Key, Value] | None = None
    off_variant: Key = "off"
    split: list[ShareFields] | None = None
    bucket_by: Attribute | None = None
    requires: list[RequirementFields] = Field(default_factory=list)
    metadata: dict[MetadataName, Value] = Field(default_factory=dict)
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
    """A change of a flag, which keeps its key and its type."""

    key: Annotated[None, refuse("expected to be left out: a flag keeps its key; make another flag instead")] = None
    salt: Salt = ""


class Toggle(RequestBody):
    """Turn a flag on or off; without `active`, the other way round."""

    active: bool = False


class RuleOut(BaseModel):
    """A rule, as it is shown."""

    when: list[ConditionFields]
    rollout: float
    split: list[ShareFields] | None = None
    name: str | None = None


class RecoveryOut(BaseModel):
    """How a circuit lets users back in."""

    delay_ms: int
    max_delay_ms: int
    initial: float
    increment: float
    interval_ms: int
    profile: RampProfile


class CircuitOut(BaseModel):
    """When a circuit opens, and how it recovers."""

    forced_open: bool
    reset_generation: int
    window_ms: int
    long_window_ms: int
    min_calls: int
    confidence: float
    error_threshold: float
    failure_statuses: list[str | int]
    slow_call_ms: int | None
    slow_threshold: float | None
    recovery: RecoveryOut | None
    local_guard: LocalGuardFields | None = None


class FlagOut(BaseModel):
    """A flag, as it is shown."""

    app: str
    key: str
    description: str
    active: bool
    type: ValueType
    variants: dict[str, Any]
    off_variant: str
    split: list[ShareFields]
    bucket_by: str | None
    requires: list[RequirementFields]
    metadata: dict[str, Any]
    rollout: float
    salt: str
    allow: list[str]
    deny: list[str]
    rules: list[RuleOut]
    circuit: CircuitOut | None
    version: int
    created_at: str
    updated_at: str
    warnings: list[str] = Field(description="What is allowed, and probably not meant.")
    state: FlagStateOut


class FlagList(BaseModel):
    """A page of flags. `next` is where to go on (`after`), null at the end."""

    flags: list[FlagOut]
    next: str | None
