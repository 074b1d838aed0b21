"""The JSON in which processes exchange flags: rulesets and segments, to bytes and back.

`contracts` says how values are read, and what schema numbers are for. A reader that cannot read the rest of a ruleset
can still read that it turns its flag off (`turned_off`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from tailslide_core.conditions import TARGETING_KEY, Condition, Operator
from tailslide_core.contracts import Json, versioned
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, read_object
from tailslide_core.naming import FlagId, check_app_key, check_flag_key
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import FULL, RampProfile
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import (
    ALL_ON,
    ON_OFF,
    Share,
    Split,
    Value,
    ValueType,
    Variant,
    check_variant,
    check_variants,
    choices,
)

RULESET_SCHEMA = 2
SEGMENT_SCHEMA = 1

_SHARED_BYTES = 4_096
"""Larger settings are not kept for sharing: few flags have the same ones, and kept settings are never freed early."""

_PLAIN: Json = {"type": ValueType.BOOLEAN, "bucket_by": None, "requires": [], "metadata": {}}
"""The values of a flag that does not set these."""

_NOBODY: frozenset[str] = frozenset()
"""Shared, since each empty set takes as much memory as a small one."""


def decode_ruleset(data: bytes) -> Ruleset:
    """Read a ruleset; raise `ContractError` that names the field."""
    fields = versioned(data, RULESET_SCHEMA)
    kind = fields.choice("type", ValueType, default=ValueType.BOOLEAN)
    variants = _variants(fields, kind)
    off_variant = _off_variant(fields, kind, variants)
    split = _split(fields)
    if split is None:
        split = _the_other(variants, off_variant)
    if variants is not ON_OFF or kind is not ValueType.BOOLEAN:
        check_variants(kind, variants)  # before rules, which name them
    return Ruleset(
        app=fields.string("app"),
        key=fields.string("key"),
        version=fields.integer("version", low=0),
        active=fields.boolean("active"),
        rollout=fields.number("rollout"),
        salt=fields.string("salt"),
        type=kind,
        variants=variants,
        off_variant=off_variant,
        split=split,
        bucket_by=fields.optional_string("bucket_by"),
        requires=tuple(fields.objects("requires", _requirement)),
        allow=frozenset(fields.strings("allow", default=())) or _NOBODY,
        deny=frozenset(fields.strings("deny", default=())) or _NOBODY,
        rules=tuple(fields.objects("rules", lambda rule: _rule(rule, variants))),
        circuit=fields.object("circuit", _shared_circuit_settings),
        metadata=tuple((fields.mapping("metadata") or {}).items()),
        updated_at=fields.string("updated_at", default=""),
    )


@dataclass(frozen=True, slots=True)
class TurnedOff:
    """A flag that is turned off, whatever else its ruleset says."""

    flag_id: FlagId
    version: int


def turned_off(data: bytes) -> TurnedOff | None:
    """Read from a ruleset that `decode_ruleset` refuses that it turns its flag off; None if it does not.

    This holds for every schema to come: `app`, `key`, `version` and `active` keep their places and their meaning.
    """
    try:
        fields = read_object(data)
        if fields.boolean("active"):
            return None
        flag_id = FlagId(check_app_key("app", fields.string("app")), check_flag_key("key", fields.string("key")))
        return TurnedOff(flag_id, fields.integer("version", low=0))
    except ContractError:
        return None


def _variants(fields: Fields, kind: ValueType) -> tuple[Variant, ...]:
    values = fields.mapping("variants")
    if values is None:
        if kind is not ValueType.BOOLEAN:
            problem = f"expected an object with values for a {kind} flag, but the field is missing"
            raise ContractError("variants", problem)
        return ON_OFF
    variants = tuple(Variant(key, value) for key, value in values.items())
    return ON_OFF if variants == ON_OFF and _are_on_off(variants) else variants


def _are_on_off(variants: tuple[Variant, ...]) -> bool:
    """Whether these are the default variants, in any order. In Python 1 equals True."""
    values = {variant.key: variant.value for variant in variants}
    return len(values) == len(ON_OFF) and values.get("on") is True and values.get("off") is False


def _off_variant(fields: Fields, kind: ValueType, variants: tuple[Variant, ...]) -> str:
    if fields.has("off_variant") or _are_on_off(variants):
        return fields.string("off_variant", default="off")
    # Values of another type come first: a flag that says neither has most likely forgotten its type.
    check_variants(kind, variants)
    raise ContractError("off_variant", f"expected one of {choices(variants)}, but the field is missing")


def _the_other(variants: tuple[Variant, ...], off_variant: str) -> Split:
    """Return the default split: everybody gets the one variant that is not the off variant."""
    if variants is ON_OFF and off_variant == "off":
        return ALL_ON
    check_variant("off_variant", off_variant, variants)
    others = [variant for variant in variants if variant.key != off_variant]
    if len(others) > 1:
        raise ContractError("split", f"expected weights over {choices(others)}, but the field is missing")
    return (Share(others[0].key if others else off_variant, 1),)


def _split(fields: Fields) -> Split | None:
    if not fields.is_given("split"):
        return None
    split = tuple(fields.objects("split", _share))
    return ALL_ON if split == ALL_ON else split


def _share(fields: Fields) -> Share:
    return Share(fields.string("variant"), fields.integer("weight", low=0))


def _requirement(fields: Fields) -> Requirement:
    variants = frozenset(fields.strings("variants")) if fields.is_given("variants") else None
    return Requirement(fields.string("flag"), variants)


def _rule(fields: Fields, variants: tuple[Variant, ...]) -> Rule:
    when = tuple(fields.objects("when", condition))
    name = fields.optional_string("name")
    if fields.is_given("variant"):
        for other in ("rollout", "split"):
            if fields.is_given(other):
                raise ContractError("variant", f"expected either variant or {other}, got both")
        variant = fields.string("variant")
        check_variant("variant", variant, variants)  # an error of the split would name a field that nobody wrote
        return Rule(when, split=(Share(variant, 1),), name=name)
    split = _split(fields)
    if split is None and not fields.has("rollout"):
        raise ContractError("rollout", "expected a number, since the rule has neither split nor variant")
    return Rule(when, fields.number("rollout", default=100.0), split, name)


def condition(fields: Fields) -> Condition:
    """Read one condition of a rule."""
    operator = fields.choice("operator", Operator)
    attribute = (
        fields.string("attribute", TARGETING_KEY) if operator is Operator.IN_SEGMENT else fields.string("attribute")
    )
    return Condition(
        attribute,
        operator,
        tuple(fields.scalars("values")),
        negate=fields.boolean("negate", default=False),
        ignore_case=fields.boolean("ignore_case", default=False),
    )


def _shared_circuit_settings(fields: Fields) -> CircuitSettings:
    """Read the settings of a circuit, equal ones only once: most flags of an app have one of a few settings."""
    try:
        data = fields.as_json()
    except orjson.JSONEncodeError:  # because of an unknown field, which is ignored
        return circuit_settings(fields)
    return circuit_settings(fields) if len(data) > _SHARED_BYTES else _circuit_settings_of(data)


@lru_cache(maxsize=1024)
def _circuit_settings_of(data: bytes) -> CircuitSettings:
    return circuit_settings(read_object(data))


def circuit_settings(fields: Fields) -> CircuitSettings:
    """Read the settings of a circuit; what is missing has its default."""
    default = CircuitSettings()
    statuses = fields.within("failure_statuses", lambda: StatusSet.parse(fields.items("failure_statuses")))
    return CircuitSettings(
        forced_open=fields.boolean("forced_open", default=default.forced_open),
        reset_generation=fields.integer("reset_generation", default=default.reset_generation),
        window_ms=fields.integer("window_ms", default=default.window_ms),
        long_window_ms=fields.integer("long_window_ms", default=default.long_window_ms),
        min_calls=fields.integer("min_calls", default=default.min_calls),
        confidence=fields.number("confidence", default=default.confidence),
        error_threshold=fields.number("error_threshold", default=default.error_threshold),
        failure_statuses=statuses if fields.has("failure_statuses") else default.failure_statuses,
        slow_call_ms=fields.optional_integer("slow_call_ms"),
        slow_threshold=fields.optional_number("slow_threshold"),
        recovery=fields.object("recovery", _recovery) if fields.has("recovery") else default.recovery,
        local_guard=fields.object("local_guard", _local_guard),
    )


def _recovery(fields: Fields) -> Recovery:
    default = Recovery()
    return Recovery(
        delay_ms=fields.integer("delay_ms", default=default.delay_ms),
        max_delay_ms=fields.integer("max_delay_ms", default=default.max_delay_ms),
        initial=fields.number("initial", default=default.initial),
        increment=fields.number("increment", default=default.increment),
        interval_ms=fields.integer("interval_ms", default=default.interval_ms),
        profile=fields.choice("profile", RampProfile, default=default.profile),
    )


def _local_guard(fields: Fields) -> LocalGuard:
    default = LocalGuard()
    return LocalGuard(
        consecutive_failures=fields.integer("consecutive_failures", default=default.consecutive_failures),
        max_ms=fields.integer("max_ms", default=default.max_ms),
    )


def ruleset_json(ruleset: Ruleset, *, whole: bool = False) -> Json:
    """Return a ruleset as it is written, before it becomes bytes.

    What a flag does not need is left out, unless it is to be `whole`, for people; then rules are as they write them.
    """
    language: Json = {
        "type": ruleset.type,
        "variants": {variant.key: _plain_json(variant.value) for variant in ruleset.variants},
        "off_variant": ruleset.off_variant,
        "split": _split_json(ruleset.split),
        "bucket_by": ruleset.bucket_by,
        "requires": [_requirement_json(requirement) for requirement in ruleset.requires],
        "metadata": dict(ruleset.metadata),
    }
    if not whole:
        needless = {name for name, value in _PLAIN.items() if language[name] == value}
        # The default of each of these depends on the ones before it.
        if ruleset.variants == ON_OFF and ruleset.type is ValueType.BOOLEAN:
            needless.add("variants")
            if ruleset.off_variant == "off":
                needless.add("off_variant")
                if ruleset.split == ALL_ON:
                    needless.add("split")
        language = {name: value for name, value in language.items() if name not in needless}
    return {
        "schema": RULESET_SCHEMA,
        "app": ruleset.app,
        "key": ruleset.key,
        "version": ruleset.version,
        "active": ruleset.active,
        "rollout": ruleset.rollout,
        "salt": ruleset.salt,
        **language,
        "allow": sorted(ruleset.allow),
        "deny": sorted(ruleset.deny),
        "rules": [_rule_json(rule, whole=whole) for rule in ruleset.rules],
        "circuit": None if ruleset.circuit is None else circuit_settings_json(ruleset.circuit),
        "updated_at": ruleset.updated_at,
    }


def _plain_json(value: Value) -> Value:
    return dict(value) if isinstance(value, Mapping) else value


def _split_json(split: Split) -> list[Json]:
    return [{"variant": share.variant, "weight": share.weight} for share in split]


def _requirement_json(requirement: Requirement) -> Json:
    variants = None if requirement.variants is None else sorted(requirement.variants)
    return {"flag": requirement.flag, "variants": variants}


def _rule_json(rule: Rule, *, whole: bool) -> Json:
    written: Json = {"when": [_condition_json(c) for c in rule.when]}
    if whole and rule.rollout == FULL and rule.split is not None and rule.split == (Share(rule.split[0].variant, 1),):
        written["variant"] = rule.split[0].variant
    else:
        written["rollout"] = rule.rollout
        if rule.split is not None:
            written["split"] = _split_json(rule.split)
    if rule.name is not None:
        written["name"] = rule.name
    return written


def _condition_json(condition: Condition) -> Json:
    written: Json = {
        "attribute": condition.attribute,
        "operator": condition.operator,
        "values": list(condition.values),
    }
    if condition.negate:
        written["negate"] = True
    if condition.ignore_case:
        written["ignore_case"] = True
    return written


def circuit_settings_json(settings: CircuitSettings) -> Json:
    """Return the settings of a circuit as they are written."""
    recovery, guard = settings.recovery, settings.local_guard
    return {
        "forced_open": settings.forced_open,
        "reset_generation": settings.reset_generation,
        "window_ms": settings.window_ms,
        "long_window_ms": settings.long_window_ms,
        "min_calls": settings.min_calls,
        "confidence": settings.confidence,
        "error_threshold": settings.error_threshold,
        "failure_statuses": list(settings.failure_statuses.patterns),
        "slow_call_ms": settings.slow_call_ms,
        "slow_threshold": settings.slow_threshold,
        "recovery": None
        if recovery is None
        else {
            "delay_ms": recovery.delay_ms,
            "max_delay_ms": recovery.max_delay_ms,
            "initial": recovery.initial,
            "increment": recovery.increment,
            "interval_ms": recovery.interval_ms,
            "profile": recovery.profile,
        },
        "local_guard": None
        if guard is None
        else {"consecutive_failures": guard.consecutive_failures, "max_ms": guard.max_ms},
    }


def encode_ruleset(ruleset: Ruleset) -> bytes:
    """Write a ruleset."""
    return orjson.dumps(ruleset_json(ruleset))


def decode_segment(data: bytes) -> Segment:
    """Read a segment; raise `ContractError` that names the field."""
    fields = versioned(data, SEGMENT_SCHEMA)
    return Segment(
        app=fields.string("app"),
        key=fields.string("key"),
        version=fields.integer("version", low=0),
        include=frozenset(fields.strings("include", default=())) or _NOBODY,
        exclude=frozenset(fields.strings("exclude", default=())) or _NOBODY,
        when=tuple(fields.objects("when", condition)),
        updated_at=fields.string("updated_at", default=""),
    )


def segment_json(segment: Segment) -> Json:
    """Return a segment as it is written, before it becomes bytes."""
    return {
        "schema": SEGMENT_SCHEMA,
        "app": segment.app,
        "key": segment.key,
        "version": segment.version,
        "include": sorted(segment.include),
        "exclude": sorted(segment.exclude),
        "when": [_condition_json(c) for c in segment.when],
        "updated_at": segment.updated_at,
    }


def encode_segment(segment: Segment) -> bytes:
    """Write a segment."""
    return orjson.dumps(segment_json(segment))
