"""The JSON that processes exchange: rulesets, segments, marks, claims, leases, circuits and their events.

Reading is strict about what a field holds and lenient about fields it does not know: an unknown `schema` is refused,
an unknown field ignored, and an unknown text that is meant for people is read as unknown. Writing the same value gives
the same bytes. Each contract has a schema number of its own, raised when older readers could misunderstand a new
value. They are upgraded in the order Aerobat, sidecars, Tower, so a reader knows the older schemas, too; and whatever a
ruleset says that a reader does not understand, it understands that a flag is turned off (`turned_off`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.conditions import Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.fields import REQUIRED, Fields, read_object
from tailslide_core.naming import FlagId, check_app_key, check_flag_key
from tailslide_core.outcomes import StatusSet
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery, Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import ALL_ON, ON_OFF, Share, Split, Value, ValueType, Variant

RULESET_SCHEMA = 2
SEGMENT_SCHEMA = 1
MARK_SCHEMA = 1
CLAIM_SCHEMA = 1
LEASE_SCHEMA = 1
CIRCUIT_SCHEMA = 1
EVENT_SCHEMA = 1

Json = dict[str, object]

_SHARED_BYTES = 4_096
"""Settings that take more are not kept to be shared: they are not like others, and what is kept stays."""

_ON_OFF_JSON = {variant.key: variant.value for variant in ON_OFF}
_PLAIN: Json = {
    "type": ValueType.BOOLEAN,
    "variants": _ON_OFF_JSON,
    "off_variant": "off",
    "split": [{"variant": share.variant, "weight": share.weight} for share in ALL_ON],
    "bucket_by": None,
    "requires": [],
    "metadata": {},
}
"""What a boolean flag has that says nothing of these."""

_NOBODY: frozenset[str] = frozenset()
"""Shared, since each empty set takes as much memory as a small one."""


def decode_ruleset(data: bytes) -> Ruleset:
    """Read a ruleset; raise `ContractError` that names the field."""
    fields = _versioned(data, RULESET_SCHEMA)
    kind = fields.choice("type", ValueType, default=ValueType.BOOLEAN)
    named = _variants(fields)
    if named is None and kind is not ValueType.BOOLEAN:
        raise ContractError("variants", f"expected an object with values for a {kind} flag, but the field is missing")
    variants = ON_OFF if named is None else named
    off_variant = fields.string("off_variant", default="off" if named is None else REQUIRED)
    split = fields.within("split", lambda: _split(fields))
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
        split=_the_other(variants, off_variant) if split is None else split,
        bucket_by=fields.optional_string("bucket_by"),
        requires=tuple(fields.objects("requires", _requirement)),
        allow=frozenset(fields.strings("allow", default=())) or _NOBODY,
        deny=frozenset(fields.strings("deny", default=())) or _NOBODY,
        rules=tuple(fields.objects("rules", _rule)),
        circuit=fields.object("circuit", _shared_circuit_settings),
        metadata=tuple((fields.mapping("metadata") or {}).items()),
        updated_at=fields.string("updated_at", default=""),
    )


def _versioned(data: bytes, known: int) -> Fields:
    fields = read_object(data)
    schema = fields.integer("schema")
    if not 0 < schema <= known:
        raise ContractError(
            "schema", f"expected 1 to {known}, got {schema}; a newer version of Tailslide has written this"
        )
    return fields


@dataclass(frozen=True, slots=True)
class TurnedOff:
    """A flag that is turned off, whatever else its ruleset says."""

    flag_id: FlagId
    version: int


def turned_off(data: bytes) -> TurnedOff | None:
    """Read, of a ruleset that `decode_ruleset` refuses, that it turns its flag off; None when it does not.

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


def _variants(fields: Fields) -> tuple[Variant, ...] | None:
    values = fields.mapping("variants")
    if values is None or values == _ON_OFF_JSON:
        return None
    return tuple(Variant(key, value) for key, value in values.items())


def _the_other(variants: tuple[Variant, ...], off_variant: str) -> Split:
    """Return the split of a flag that has none: all get the one variant that is not the off variant."""
    if variants is ON_OFF and off_variant == "off":
        return ALL_ON
    others = [variant.key for variant in variants if variant.key != off_variant]
    if len(others) != 1:
        raise ContractError("split", f"expected weights over {', '.join(others)}, but the field is missing")
    return (Share(others[0], 1),)


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


def _rule(fields: Fields) -> Rule:
    when = tuple(fields.objects("when", condition))
    name = fields.optional_string("name")
    if fields.is_given("variant"):
        for other in ("rollout", "split"):
            if fields.is_given(other):
                raise ContractError("variant", f"expected to be left out, since {other} is given, too")
        return Rule(when, split=(Share(fields.string("variant"), 1),), name=name)
    split = fields.within("split", lambda: _split(fields))
    rollout = fields.number("rollout") if split is None else fields.number("rollout", default=100.0)
    return Rule(when, rollout, split, name)


def condition(fields: Fields) -> Condition:
    """Read one condition of a rule."""
    return Condition(fields.string("attribute"), fields.choice("operator", Operator), tuple(fields.scalars("values")))


def _shared_circuit_settings(fields: Fields) -> CircuitSettings:
    """Read the settings of a circuit, those that are alike once: most flags of an app have one of a few."""
    try:
        data = fields.as_json()
    except orjson.JSONEncodeError:  # by a field that we do not know, and ignore
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

    What a flag does not need is left out, unless it is to be `whole`, for people.
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
        language = {name: value for name, value in language.items() if value != _PLAIN[name]}
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
        "rules": [_rule_json(rule) for rule in ruleset.rules],
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


def _rule_json(rule: Rule) -> Json:
    written: Json = {"when": [_condition_json(c) for c in rule.when], "rollout": rule.rollout}
    if rule.split is not None:
        written["split"] = _split_json(rule.split)
    if rule.name is not None:
        written["name"] = rule.name
    return written


def _condition_json(condition: Condition) -> Json:
    return {
        "attribute": condition.attribute,
        "operator": condition.operator,
        "values": list(condition.values),
    }


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
    fields = _versioned(data, SEGMENT_SCHEMA)
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


@dataclass(frozen=True, slots=True)
class Mark:
    """Tower's word that the bucket of rulesets held all of an app's flags, and of deleted ones nothing but deletions.

    `keys` is how many keys of flags the bucket had for the app then, those of deletions included: a bucket with fewer
    has lost some since. `at_ms` is the database's time, Unix milliseconds, when Tower compared the two; of two marks of
    an app the later one is of the later comparison.
    """

    at_ms: int
    keys: int


def mark_json(mark: Mark) -> Json:
    """Return a mark as it is written, before it becomes bytes."""
    return {"schema": MARK_SCHEMA, "at_ms": mark.at_ms, "keys": mark.keys}


def encode_mark(mark: Mark) -> bytes:
    """Write a mark."""
    return orjson.dumps(mark_json(mark))


def decode_mark(data: bytes) -> Mark:
    """Read a mark; raise `ContractError` that names the field."""
    fields = _versioned(data, MARK_SCHEMA)
    return Mark(fields.integer("at_ms", low=0), fields.integer("keys", low=0))


@dataclass(frozen=True, slots=True)
class Claim:
    """Which database fills the bucket of rulesets. Towers write only while theirs is that one.

    `database` is the identity that a database gives itself. `comparisons` is how many times it had been compared with
    a bucket by then; a database that has counted fewer is an older copy. `address` is for people.
    """

    database: str
    comparisons: int
    address: str = ""


def encode_claim(claim: Claim) -> bytes:
    """Write a claim."""
    return orjson.dumps(
        {
            "schema": CLAIM_SCHEMA,
            "database": claim.database,
            "comparisons": claim.comparisons,
            "address": claim.address,
        }
    )


def decode_claim(data: bytes) -> Claim:
    """Read a claim; raise `ContractError` that names the field."""
    fields = _versioned(data, CLAIM_SCHEMA)
    return Claim(
        fields.string("database"), fields.integer("comparisons", low=0), fields.string("address", default="")[:300]
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """An Aerobat's word that it lives, renewed again and again; `worker` is its id, `since_ms` when it started."""

    worker: str
    since_ms: int


def encode_lease(lease: Lease) -> bytes:
    """Write a lease."""
    return orjson.dumps({"schema": LEASE_SCHEMA, "worker": lease.worker, "since_ms": lease.since_ms})


def decode_lease(data: bytes) -> Lease:
    """Read a lease; raise `ContractError` that names the field."""
    fields = _versioned(data, LEASE_SCHEMA)
    return Lease(check_app_key("worker", fields.string("worker")), fields.integer("since_ms", low=0))


def decode_circuit(data: bytes) -> Circuit:
    """Read a circuit; raise `ContractError` that names the field."""
    return _circuit(_versioned(data, CIRCUIT_SCHEMA))


def _circuit(fields: Fields) -> Circuit:
    return Circuit(
        state=fields.choice("state", State),
        percentage=fields.number("percentage", low=0, high=100),
        trips=fields.integer("trips", low=0),
        generation=fields.integer("generation", low=0),
        reset_generation=fields.integer("reset_generation", low=0),
        since_ms=fields.integer("since_ms", low=0),
        next_ms=fields.optional_integer("next_ms", low=0),
        reason=fields.object("reason", _trip_reason),
    )


def _trip_reason(fields: Fields) -> TripReason:
    return TripReason(
        rule=fields.choice("rule", TripRule, unknown=TripRule.UNKNOWN),
        observed=fields.number("observed"),
        lower_bound=fields.number("lower_bound"),
        threshold=fields.number("threshold"),
        calls=fields.integer("calls", low=0),
        window_ms=fields.integer("window_ms", low=0),
    )


def circuit_json(circuit: Circuit) -> Json:
    """Return a circuit as it is written, before it becomes bytes."""
    reason = circuit.reason
    return {
        "schema": CIRCUIT_SCHEMA,
        "state": circuit.state,
        "percentage": circuit.percentage,
        "trips": circuit.trips,
        "generation": circuit.generation,
        "reset_generation": circuit.reset_generation,
        "since_ms": circuit.since_ms,
        "next_ms": circuit.next_ms,
        "reason": None
        if reason is None
        else {
            "rule": reason.rule,
            "observed": reason.observed,
            "lower_bound": reason.lower_bound,
            "threshold": reason.threshold,
            "calls": reason.calls,
            "window_ms": reason.window_ms,
        },
    }


def encode_circuit(circuit: Circuit) -> bytes:
    """Write a circuit."""
    return orjson.dumps(circuit_json(circuit))


@dataclass(frozen=True, slots=True)
class CircuitEvent:
    """A transition of one flag's circuit, as it is published on the events stream."""

    flag_id: FlagId
    transition: Transition


def encode_event(event: CircuitEvent) -> bytes:
    """Write an event: the circuit before and after, and the signal that moved it."""
    transition = event.transition
    body: Mapping[str, object] = {
        "schema": EVENT_SCHEMA,
        "app": event.flag_id.app,
        "flag": event.flag_id.flag,
        "signal": transition.signal,
        "at_ms": transition.at_ms,
        "before": circuit_json(transition.before),
        "after": circuit_json(transition.after),
    }
    return orjson.dumps(body)


def decode_event(data: bytes) -> CircuitEvent:
    """Read an event; raise `ContractError` that names the field."""
    fields = _versioned(data, EVENT_SCHEMA)
    before, after = fields.object("before", _circuit), fields.object("after", _circuit)
    if before is None or after is None:
        raise ContractError("before" if before is None else "after", "expected a circuit, got null")
    return CircuitEvent(
        FlagId(check_app_key("app", fields.string("app")), check_flag_key("flag", fields.string("flag"))),
        Transition(
            fields.choice("signal", Signal, unknown=Signal.UNKNOWN), fields.integer("at_ms", low=0), before, after
        ),
    )
