"""What people send about flags, and what they get to see: the fields and their JSON types.

The core checks ranges and relations; ranges are named here for the description alone. The defaults are here for
readers, too: a field that is not given is left out before the core sees it. The defaults of `split` and, except for a
boolean flag, of `off_variant` follow from the other fields.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticOmit, core_schema

from tailslide_core.errors import ContractError
from tailslide_core.naming import FLAG_KEY_PATTERN, FLAG_KEY_RULE, MAX_FLAG_KEY
from tailslide_core.operators import Operator
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import (
    CONFIDENCE,
    CONSECUTIVE_FAILURES,
    DELAY_MS,
    GUARD_MS,
    INCREMENT,
    INITIAL,
    INTERVAL_MS,
    MAX_METADATA,
    MAX_REQUIREMENTS,
    MIN_CALLS,
    PERCENT,
    SLOW_CALL_MS,
    WINDOW_MS,
    CircuitSettings,
    IntegerRange,
    LocalGuard,
    Range,
    Recovery,
)
from tailslide_core.variants import MAX_VARIANTS, MAX_WEIGHT, ValueType
from tailslide_tower.flag_states.models import FlagStateOut
from tailslide_tower.flags.about import (
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_OWNER,
    MAX_TAG,
    MAX_TAGS,
    Lifetime,
    date_of,
    tag_of,
)
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


def says(description: str, within: Range | IntegerRange | None = None, **more: Any) -> Any:
    """Return what the description of the API says of a field, and the core checks: `within`, `more` in JSON Schema."""
    extra = more if within is None else {"minimum": within.low, "maximum": within.high, **more}
    return Field(description=description, json_schema_extra=extra or None)


def one_line(text: str) -> str:
    """Return the text without spaces around it; raise `ValueError` unless it is one line of printable text."""
    text = text.strip()
    if not text or not text.isprintable():
        raise ValueError("expected a text on one line")
    return text


def _date(text: str) -> str:
    try:
        return date_of(text).isoformat()
    except ContractError as error:
        raise ValueError(error.problem) from None


TowersOwn = Annotated[None, refuse("expected to be left out: Tower sets it itself")]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(one_line)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION), STORABLE]
Owner = Annotated[str, Field(min_length=1, max_length=MAX_OWNER), AfterValidator(one_line)]
Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG), AfterValidator(tag_of)]
Date = Annotated[str, Field(json_schema_extra={"format": "date"}), AfterValidator(_date)]
Salt = Annotated[str, Field(min_length=1, max_length=200), STORABLE]
TargetingKey = Annotated[str, Field(min_length=1, max_length=500), STORABLE]
Attribute = Annotated[str, Field(max_length=200), STORABLE]
Value = Annotated[object, STORABLE]
Key = Annotated[str, Field(max_length=MAX_FLAG_KEY, json_schema_extra={"pattern": f"^{FLAG_KEY_PATTERN}$"}), STORABLE]
"""Of a flag, a variant or a rule that another field names; the core checks its form."""
MetadataName = Annotated[str, Field(min_length=1, max_length=100), STORABLE]


class ConditionFields(RequestBody):
    """One condition of a rule or a segment; only `in_segment` may do without an attribute."""

    attribute: Annotated[Attribute, says("The attribute's name, or a path into objects with dots.")] = "targetingKey"
    operator: Annotated[str, says("How the attribute is compared.", enum=[*Operator])]
    values: Annotated[list[Value], says("What it is compared with: strings, numbers, booleans; one has to match.")] = (
        Field(default_factory=list)
    )
    negate: Annotated[bool, says("Whether it holds when nothing matches; never for a missing attribute.")] = False
    ignore_case: Annotated[bool, says("Whether texts are compared in lower case.")] = False


class ShareFields(RequestBody):
    """How many of those who are in get a variant."""

    variant: Key
    weight: Annotated[int, says("Parts of the sum of all weights.", IntegerRange(0, MAX_WEIGHT))]


class RuleFields(RequestBody):
    """What users get for whom all conditions hold: a rollout and a split, or one variant for all of them.

    `rollout` has to be given unless `split` or `variant` is; without `split` the flag's counts.
    """

    when: Annotated[list[ConditionFields], says("All of them have to hold.", minItems=1)]
    rollout: Annotated[float, says("Percent of the users for whom the conditions hold.", PERCENT)] = 100.0
    split: Annotated[list[ShareFields] | None, says("What those who are in get; null is the flag's split.")] = None
    variant: Annotated[Key | None, says("In place of rollout and split: what all of them get.")] = None
    name: Annotated[Key | None, says("What answers and graphs call the rule; without one it is its place.")] = None


class RequirementFields(RequestBody):
    """A prerequisite: another flag of the app has to give the user one of these variants."""

    flag: Key
    variants: Annotated[list[Key] | None, says("null is any but that flag's off variant.")] = None


class RecoveryFields(RequestBody):
    """How a circuit lets users back in."""

    delay_ms: Annotated[
        int, says("How long it stays open at first; doubled with each further trip in a row.", DELAY_MS)
    ] = _RECOVERY.delay_ms
    max_delay_ms: Annotated[int, says("How long it stays open at most.", DELAY_MS)] = _RECOVERY.max_delay_ms
    initial: Annotated[float, says("Percent of the rollout in the first step.", INITIAL)] = _RECOVERY.initial
    increment: Annotated[
        float, says("Linear: points that a step adds. Exponential: percent that a step adds.", INCREMENT)
    ] = _RECOVERY.increment
    interval_ms: Annotated[int, says("Length of a step.", INTERVAL_MS)] = _RECOVERY.interval_ms
    profile: Annotated[str, says("How the percentage grows.", enum=[*RampProfile])] = RampProfile.LINEAR


class LocalGuardFields(RequestBody):
    """When a sidecar stops sending to the feature by itself."""

    consecutive_failures: Annotated[
        int, says("Calls in a row that found no connection, or lost it before an answer.", CONSECUTIVE_FAILURES)
    ] = _LOCAL_GUARD.consecutive_failures
    max_ms: Annotated[int, says("How long it sends nobody to the feature then, at most.", GUARD_MS)] = (
        _LOCAL_GUARD.max_ms
    )


class CircuitFields(RequestBody):
    """When a circuit opens, and how it recovers."""

    forced_open: Annotated[bool, says("Whether a person holds it open, whatever the calls say.")] = _CIRCUIT.forced_open
    window_ms: Annotated[int, says("The shortest time over which calls are judged.", WINDOW_MS)] = _CIRCUIT.window_ms
    long_window_ms: Annotated[
        int, says("The longest time over which calls are judged, for flags with few calls.", WINDOW_MS)
    ] = _CIRCUIT.long_window_ms
    min_calls: Annotated[int, says("Fewer calls are not judged.", MIN_CALLS)] = _CIRCUIT.min_calls
    confidence: Annotated[float, says("How certain it must be that the rate is above its threshold.", CONFIDENCE)] = (
        _CIRCUIT.confidence
    )
    error_threshold: Annotated[float, says("It opens when more than this percentage of calls fail.", PERCENT)] = (
        _CIRCUIT.error_threshold
    )
    failure_statuses: Annotated[
        list[object], says("Statuses of HTTP that count as failures: 503, 5xx, 500-504.", examples=[["5xx", 429]])
    ] = Field(default_factory=lambda: list[object](_CIRCUIT.failure_statuses.patterns))
    slow_call_ms: Annotated[
        int | None, says("A call that takes longer is slow; with slow_threshold.", SLOW_CALL_MS)
    ] = None
    slow_threshold: Annotated[float | None, says("It opens when more than this percentage are slow.", PERCENT)] = None
    recovery: Annotated[RecoveryFields | None, says("null: an open circuit waits for a person.")] = RecoveryFields()
    local_guard: Annotated[LocalGuardFields | None, says("null: sidecars wait for the verdict.")] = None
    reset_generation: Annotated[
        None, refuse("expected to be left out: Tower raises it when the flag is turned on or its circuit reset")
    ] = None


class FlagFields(RequestBody):
    """The fields of both a new flag and a change. In a change, a missing field stays as it is, inside `circuit` too.

    `variants`, `split`, `requires`, `metadata`, `tags` and `rules` are replaced whole.
    """

    name: Annotated[Name | None, says("What people call the flag; null is its key.")] = None
    description: Annotated[Description, says("What the flag is for.")] = ""
    tags: Annotated[list[Tag], says("For lists and searches; kept in lower case, sorted.")] = Field(
        default_factory=list, max_length=MAX_TAGS
    )
    owner: Annotated[Owner | None, says("Who is to be asked about it: a name, a team, an e-mail address.")] = None
    lifetime: Annotated[Literal["permanent", "temporary"], says("Whether the flag is meant to be removed one day.")] = (
        Lifetime.PERMANENT.value
    )
    expected_end: Annotated[Date | None, says("When a temporary flag is expected to be removed.")] = None
    active: Annotated[bool, says("Whether the flag is on. Turning it on resets its circuit.")] = False
    type: Annotated[str, Field(max_length=20), says("What kind of value the flag gives.", enum=[*ValueType])] = (
        ValueType.BOOLEAN
    )
    variants: Annotated[
        dict[Key, Value] | None,
        says("Values by name, all of the flag's type; null is on and off.", maxProperties=MAX_VARIANTS),
    ] = None
    off_variant: Annotated[Key, says("What users get who are out.")] = "off"
    split: Annotated[
        list[ShareFields] | None, says("What users get who are in; null is the one variant besides the off variant.")
    ] = None
    bucket_by: Annotated[Attribute | None, says("The attribute that users are bucketed by; null: targeting key.")] = (
        None
    )
    requires: Annotated[
        list[RequirementFields], says("Prerequisites, each of another flag.", maxItems=MAX_REQUIREMENTS)
    ] = Field(default_factory=list)
    metadata: Annotated[
        dict[MetadataName, Value],
        says("Strings, numbers and booleans that answers carry.", maxProperties=MAX_METADATA),
    ] = Field(default_factory=dict)
    rollout: Annotated[float, says("Percent of the users who are in, where no rule matches.", PERCENT)] = 100.0
    allow: Annotated[list[TargetingKey], says("Targeting keys that are in, whatever the rollout.")] = Field(
        default_factory=list
    )
    deny: Annotated[list[TargetingKey], says("Targeting keys that are out; before allow.")] = Field(
        default_factory=list
    )
    rules: Annotated[list[RuleFields], says("In order: the first of which all conditions hold decides.")] = Field(
        default_factory=list
    )
    circuit: Annotated[CircuitFields | None, says("null: the flag has no circuit.")] = CircuitFields()
    app: TowersOwn = None
    version: TowersOwn = None
    archived_at: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class FlagCreate(FlagFields):
    """A new flag. What is not given is as the app's `defaults` have it."""

    key: Annotated[str, says(f"The flag's key: {FLAG_KEY_RULE}.", pattern=f"^{FLAG_KEY_PATTERN}$")]
    salt: Annotated[Salt | None, says("Flags with the same salt have the same users in; null is the key.")] = None


class FlagDefaults(FlagFields):
    """What a new flag of an app has where its maker says nothing: any of its fields but those that are its alone."""

    key: Annotated[None, refuse("expected to be left out: each flag has a key of its own")] = None
    name: Annotated[None, refuse("expected to be left out: each flag has a name of its own")] = None
    salt: Annotated[None, refuse("expected to be left out: all flags would have the same users in")] = None
    requires: Annotated[None, refuse("expected to be left out: prerequisites are each flag's own")] = None  # type: ignore[assignment] # a list in a flag; it is here only to be refused
    expected_end: Annotated[None, refuse("expected to be left out: each flag has an end of its own")] = None


class FlagChange(FlagFields):
    """A change of a flag, which keeps its key and its type."""

    key: Annotated[None, refuse("expected to be left out: a flag keeps its key; make another flag instead")] = None
    salt: Annotated[Salt, says("Another salt gives other users the feature.")] = ""


class Toggle(RequestBody):
    """Turn a flag on or off; without `active`, the other way round."""

    active: bool = False


class Archive(RequestBody):
    """Archive a flag or an app."""

    force: Annotated[bool, says("Whether it is archived though something has asked for it lately.")] = False


class Duplicate(RequestBody):
    """Where the copy of a flag goes; what is missing is as it is. One of the two has to differ."""

    app: Annotated[str | None, says("The key of the app that gets the copy.")] = None
    key: Annotated[str | None, says("The key of the copy.", pattern=f"^{FLAG_KEY_PATTERN}$")] = None


class RuleOut(BaseModel):
    """A rule: a rollout with or without a split, or one variant for all."""

    when: list[ConditionFields]
    rollout: float = Field(default=100.0, description="Not there beside `variant`.")
    split: list[ShareFields] | None = None
    variant: str | None = None
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
    name: str
    description: str
    tags: list[str]
    owner: str | None
    lifetime: Lifetime
    expected_end: str | None = Field(json_schema_extra={"format": "date"})
    archived_at: str | None = Field(description="Since when sidecars do not get the flag; null: they do.")
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
    """A page of flags."""

    flags: list[FlagOut]
    next: str | None = Field(description="Where to go on (`after`), null at the end.")
