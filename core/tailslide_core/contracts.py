"""The JSON that processes exchange, to bytes and back. That of rulesets and segments is in `flag_contracts`.

Reading is strict about what a field holds and lenient about fields it does not know: an unknown `schema` is refused,
an unknown field ignored, and an unknown text that is meant for people is read as unknown. Writing the same value gives
the same bytes. Each contract has a schema number of its own, raised when older readers could misunderstand a new
value. Parts are upgraded in the order Aerobat, sidecars, Tower, so a reader knows the older schemas, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.errors import ContractError
from tailslide_core.fields import Fields, read_object
from tailslide_core.naming import FlagId, check_app_key, check_flag_key

MARK_SCHEMA = 1
CLAIM_SCHEMA = 1
LEASE_SCHEMA = 1
CIRCUIT_SCHEMA = 1
EVENT_SCHEMA = 1

Json = dict[str, object]


def versioned(data: bytes, known: int) -> Fields:
    """Read a value whose schema is at most `known`; raise `ContractError` for another one."""
    fields = read_object(data)
    schema = fields.integer("schema")
    if not 0 < schema <= known:
        expected = "1" if known == 1 else f"1 to {known}"
        raise ContractError(
            "schema", f"expected {expected}, got {schema}; a newer version of Tailslide has written this"
        )
    return fields


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
    fields = versioned(data, MARK_SCHEMA)
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
    fields = versioned(data, CLAIM_SCHEMA)
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
    fields = versioned(data, LEASE_SCHEMA)
    return Lease(check_app_key("worker", fields.string("worker")), fields.integer("since_ms", low=0))


def decode_circuit(data: bytes) -> Circuit:
    """Read a circuit; raise `ContractError` that names the field."""
    return _circuit(versioned(data, CIRCUIT_SCHEMA))


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
    fields = versioned(data, EVENT_SCHEMA)
    before, after = fields.object("before", _circuit), fields.object("after", _circuit)
    if before is None or after is None:
        raise ContractError("before" if before is None else "after", "expected a circuit, got null")
    return CircuitEvent(
        FlagId(check_app_key("app", fields.string("app")), check_flag_key("flag", fields.string("flag"))),
        Transition(
            fields.choice("signal", Signal, unknown=Signal.UNKNOWN), fields.integer("at_ms", low=0), before, after
        ),
    )
