from collections.abc import Callable
from typing import Any

import orjson
import pytest
from contract_samples import (
    CIRCUIT,
    CLAIM,
    EVENT,
    LEASE,
    MARK,
    PRESENCE,
    REMOVED,
    RULESET,
    SEGMENT,
    WHOLE_RULESET,
    changed,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import circuits, flag_ids, rulesets, segments, transitions

from tailslide_core import flag_contracts
from tailslide_core.breach import TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.conditions import NO_SEGMENTS
from tailslide_core.contracts import (
    CircuitEvent,
    Claim,
    Lease,
    Mark,
    decode_circuit,
    decode_claim,
    decode_event,
    decode_lease,
    decode_mark,
    encode_circuit,
    encode_claim,
    encode_event,
    encode_lease,
    encode_mark,
)
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import decode_ruleset, decode_segment, encode_ruleset, encode_segment
from tailslide_core.naming import FlagId
from tailslide_core.presence import decode_presence
from tailslide_core.ramp import RampProfile
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Recovery, Ruleset
from tailslide_core.segment import Segment

SAMPLES: dict[str, tuple[dict[str, Any], Callable[[bytes], object]]] = {
    "ruleset": (RULESET, decode_ruleset),
    "whole ruleset": (WHOLE_RULESET, decode_ruleset),
    "segment": (SEGMENT, decode_segment),
    "circuit": (CIRCUIT, decode_circuit),
    "event": (EVENT, decode_event),
    "mark": (MARK, decode_mark),
    "claim": (CLAIM, decode_claim),
    "lease": (LEASE, decode_lease),
    "presence": (PRESENCE, decode_presence),
}
NEWEST = dict.fromkeys(SAMPLES, 1) | {"ruleset": 2, "whole ruleset": 2}
"""The newest schema of each contract that is understood."""
every_contract = pytest.mark.parametrize(("value", "decode"), SAMPLES.values(), ids=SAMPLES)
Decode = Callable[[bytes], object]


def test_the_designs_ruleset_is_read_field_by_field() -> None:
    flag = decode_ruleset(orjson.dumps(RULESET))
    assert (flag.app, flag.key, flag.version, flag.active, flag.rollout) == ("checkout", "new-checkout", 12, True, 25.0)
    assert (flag.salt, set(flag.allow), set(flag.deny)) == ("new-checkout", {"u1"}, set())
    assert flag.rules[0].when[0].holds({"country": "DE"}, None, NO_SEGMENTS)
    assert flag.rules[0].rollout == 100.0
    circuit = flag.circuit
    assert circuit is not None
    assert (circuit.forced_open, circuit.reset_generation, circuit.min_calls) == (False, 3, 10)
    assert (circuit.window_ms, circuit.long_window_ms, circuit.confidence) == (10_000, 600_000, 0.95)
    assert (circuit.error_threshold, circuit.slow_call_ms, circuit.slow_threshold) == (50.0, 500, 80.0)
    assert 503 in circuit.failure_statuses
    assert circuit.recovery == Recovery(30_000, 600_000, 10.0, 10.0, 5_000, RampProfile.LINEAR)
    assert flag.updated_at == "2026-11-22T10:00:00Z"


def test_the_designs_circuit_is_read_field_by_field() -> None:
    circuit = decode_circuit(orjson.dumps(CIRCUIT))
    assert (circuit.state, circuit.percentage, circuit.trips) == (State.RECOVERING, 20.0, 2)
    assert (circuit.generation, circuit.reset_generation) == (9, 3)
    assert (circuit.since_ms, circuit.next_ms) == (1_795_363_190_302, 1_795_363_195_302)
    assert circuit.reason is not None
    assert (circuit.reason.rule, circuit.reason.observed) == (TripRule.ERROR_RATE, 62.0)
    assert (circuit.reason.lower_bound, circuit.reason.threshold) == (53.1, 50.0)
    assert (circuit.reason.calls, circuit.reason.window_ms) == (141, 10_000)


def test_the_designs_values_are_written_as_they_are_given() -> None:
    assert orjson.loads(encode_ruleset(decode_ruleset(orjson.dumps(RULESET)))) == RULESET
    assert orjson.loads(encode_ruleset(decode_ruleset(orjson.dumps(WHOLE_RULESET)))) == WHOLE_RULESET
    assert orjson.loads(encode_segment(decode_segment(orjson.dumps(SEGMENT)))) == SEGMENT
    assert orjson.loads(encode_circuit(decode_circuit(orjson.dumps(CIRCUIT)))) == CIRCUIT
    assert orjson.loads(encode_event(decode_event(orjson.dumps(EVENT)))) == EVENT


def test_a_segment_is_read_field_by_field() -> None:
    segment = decode_segment(orjson.dumps(SEGMENT))
    assert (segment.app, segment.key, segment.version) == ("checkout", "Beta.users", 3)
    assert (set(segment.include), set(segment.exclude)) == ({"u1", "u2"}, {"u3"})
    assert [condition.attribute for condition in segment.when] == ["country"]
    assert str(segment.segment_id) == "checkout._segments.Beta.users"


def test_texts_for_people_that_are_new_are_read_as_unknown() -> None:
    circuit = decode_circuit(changed(CIRCUIT, ["reason", "rule"], "bad_luck"))
    assert circuit.reason is not None
    assert circuit.reason.rule is TripRule.UNKNOWN
    assert decode_circuit(encode_circuit(circuit)) == circuit
    event = decode_event(changed(EVENT, ["signal"], "boredom"))
    assert event.transition.signal is Signal.UNKNOWN
    event = decode_event(changed(EVENT, ["after", "reason", "rule"], "bad_luck"))
    assert event.transition.after.reason == circuit.reason


@given(rulesets)
def test_a_ruleset_is_read_back_as_it_was_written(ruleset: Ruleset) -> None:
    data = encode_ruleset(ruleset)
    assert decode_ruleset(data) == ruleset
    # To Python 1, 1.0 and True are equal; to a condition they are not.
    assert encode_ruleset(decode_ruleset(data)) == data


@given(segments)
def test_a_segment_is_read_back_as_it_was_written(segment: Segment) -> None:
    data = encode_segment(segment)
    assert decode_segment(data) == segment
    assert encode_segment(decode_segment(data)) == data


@given(circuits())
def test_a_circuit_is_read_back_as_it_was_written(circuit: Circuit) -> None:
    data = encode_circuit(circuit)
    assert decode_circuit(data) == circuit
    assert encode_circuit(decode_circuit(data)) == data


@given(flag_ids, transitions)
def test_an_event_is_read_back_as_it_was_written(flag_id: FlagId, transition: Transition) -> None:
    event = CircuitEvent(flag_id, transition)
    assert decode_event(encode_event(event)) == event


def test_a_claim_is_read_back_as_it_was_written() -> None:
    claim = Claim("3f2a", 7, "127.0.0.1:5432/flags")
    assert orjson.loads(encode_claim(claim)) == CLAIM
    assert decode_claim(encode_claim(claim)) == claim


def test_a_mark_is_read_back_as_it_was_written() -> None:
    mark = Mark(at_ms=1_795_363_190_302, keys=12)
    assert orjson.loads(encode_mark(mark)) == MARK
    assert decode_mark(encode_mark(mark)) == mark


def test_a_lease_is_written_as_it_is_read() -> None:
    lease = Lease("host-1a2b3c", 1_795_363_190_302)
    assert orjson.loads(encode_lease(lease)) == LEASE
    assert decode_lease(encode_lease(lease)) == lease


def test_the_order_of_a_set_does_not_show_in_the_bytes() -> None:
    ids = [f"u{n}" for n in range(50)]
    one = decode_ruleset(changed(RULESET, ["allow"], ids))
    other = decode_ruleset(changed(RULESET, ["allow"], [*reversed(ids), "u1"]))
    assert encode_ruleset(one) == encode_ruleset(other)


@pytest.mark.parametrize("contract", SAMPLES)
@pytest.mark.parametrize("ahead", [1, 999, None])
def test_a_schema_that_is_newer_than_the_contract_s_own_is_refused(contract: str, ahead: int | None) -> None:
    (value, decode), newest = SAMPLES[contract], NEWEST[contract]
    schema = 0 if ahead is None else newest + ahead
    expected = "1" if newest == 1 else f"1 to {newest}"
    with pytest.raises(ContractError, match=rf"^schema: expected {expected}, got {schema}; ") as caught:
        decode(changed(value, ["schema"], schema))
    assert caught.value.field == "schema"
    assert orjson.loads(orjson.dumps(value))["schema"] == newest, "the sample is of the newest schema"


def test_a_ruleset_of_the_first_schema_is_read() -> None:
    assert decode_ruleset(changed(RULESET, ["schema"], 1)) == decode_ruleset(orjson.dumps(RULESET))


@every_contract
@pytest.mark.parametrize("schema", [REMOVED, None, True, 1.0, "1"])
def test_a_schema_is_an_integer(value: dict[str, Any], decode: Decode, schema: object) -> None:
    with pytest.raises(ContractError, match=r"^schema: expected an integer"):
        decode(changed(value, ["schema"], schema))


@every_contract
@given(name=st.text(st.characters(exclude_categories=["Cs"])), content=st.none() | st.integers(0, 9) | st.text("ab"))
def test_an_unknown_field_is_ignored(value: dict[str, Any], decode: Decode, name: str, content: object) -> None:
    assert decode(orjson.dumps({name: content} | value)) == decode(orjson.dumps(value))


@pytest.mark.parametrize(
    "path", [["rules", 0], ["rules", 0, "when", 0], ["circuit"], ["circuit", "recovery"], ["circuit", "local_guard"]]
)
def test_an_unknown_field_is_ignored_at_any_depth(path: list[str | int]) -> None:
    assert decode_ruleset(changed(RULESET, [*path, "new_field"], {"a": [1]})) == decode_ruleset(orjson.dumps(RULESET))


@every_contract
@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff\xfe", b'{"schema":1', b"{}{}", b"[" * 3000])
def test_what_is_no_object_is_refused(value: dict[str, Any], decode: Decode, data: bytes) -> None:
    with pytest.raises(ContractError):
        decode(data)


WRONG_RULESETS: list[tuple[list[str | int], object, str]] = [
    (["app"], REMOVED, "app"),
    (["app"], "Checkout", "app"),
    (["app"], 5, "app"),
    (["key"], "", "key"),
    (["key"], "a..b", "key"),
    (["key"], "_a", "key"),
    (["version"], "12", "version"),
    (["version"], True, "version"),
    (["version"], 12.0, "version"),
    (["version"], -1, "version"),
    (["version"], 2**64 - 1, "version"),
    (["active"], 1, "active"),
    (["active"], REMOVED, "active"),
    (["rollout"], 100.001, "rollout"),
    (["rollout"], True, "rollout"),
    (["rollout"], "25", "rollout"),
    (["rollout"], None, "rollout"),
    (["salt"], REMOVED, "salt"),
    (["salt"], 5, "salt"),
    (["allow"], "u1", "allow"),
    (["allow"], None, "allow"),
    (["allow"], ["u1", 2], "allow[1]"),
    (["deny"], [None], "deny[0]"),
    (["deny"], {"u1": True}, "deny"),
    (["rules"], {}, "rules"),
    (["rules"], [5], "rules[0]"),
    (["rules", 0, "rollout"], REMOVED, "rules[0].rollout"),
    (["rules", 0, "rollout"], 101, "rules[0].rollout"),
    (["rules", 0, "when"], [], "rules[0].when"),
    (["rules", 0, "when"], REMOVED, "rules[0].when"),
    (["rules", 0, "when", 0], "country", "rules[0].when[0]"),
    (["rules", 0, "when", 0, "attribute"], "", "rules[0].when[0].attribute"),
    (["rules", 0, "when", 0, "operator"], "resembles", "rules[0].when[0].operator"),
    (["rules", 0, "when", 0, "values"], "DE", "rules[0].when[0].values"),
    (["rules", 0, "when", 0, "values"], [], "rules[0].when[0].values"),
    (["rules", 0, "when", 0, "values"], ["DE", None], "rules[0].when[0].values[1]"),
    (["rules", 0, "when", 0, "values"], [{"a": 1}], "rules[0].when[0].values[0]"),
    (["circuit"], [], "circuit"),
    (["circuit", "forced_open"], "no", "circuit.forced_open"),
    (["circuit", "forced_open"], None, "circuit.forced_open"),
    (["circuit", "reset_generation"], -1, "circuit.reset_generation"),
    (["circuit", "window_ms"], 10_000.0, "circuit.window_ms"),
    (["circuit", "window_ms"], 0, "circuit.window_ms"),
    (["circuit", "long_window_ms"], 500, "circuit.long_window_ms"),
    (["circuit", "min_calls"], 0, "circuit.min_calls"),
    (["circuit", "confidence"], 1, "circuit.confidence"),
    (["circuit", "error_threshold"], -5, "circuit.error_threshold"),
    (["circuit", "failure_statuses"], None, "circuit.failure_statuses"),
    (["circuit", "failure_statuses"], "5xx", "circuit.failure_statuses"),
    (["circuit", "failure_statuses"], ["5xx", "oops"], "circuit.failure_statuses[1]"),
    (["circuit", "slow_call_ms"], None, "circuit.slow_call_ms"),
    (["circuit", "slow_threshold"], REMOVED, "circuit.slow_threshold"),
    (["circuit", "slow_threshold"], True, "circuit.slow_threshold"),
    (["circuit", "local_guard"], True, "circuit.local_guard"),
    (["circuit", "local_guard", "consecutive_failures"], 0, "circuit.local_guard.consecutive_failures"),
    (["circuit", "local_guard", "max_ms"], 99, "circuit.local_guard.max_ms"),
    (["circuit", "recovery"], 5, "circuit.recovery"),
    (["circuit", "recovery", "initial"], 0, "circuit.recovery.initial"),
    (["circuit", "recovery", "increment"], "10", "circuit.recovery.increment"),
    (["circuit", "recovery", "max_delay_ms"], 1, "circuit.recovery.max_delay_ms"),
    (["circuit", "recovery", "interval_ms"], 99, "circuit.recovery.interval_ms"),
    (["circuit", "recovery", "profile"], "steep", "circuit.recovery.profile"),
    (["updated_at"], 5, "updated_at"),
]
WRONG_SEGMENTS: list[tuple[list[str | int], object, str]] = [
    (["app"], "Checkout", "app"),
    (["key"], "_beta", "key"),
    (["key"], REMOVED, "key"),
    (["version"], -1, "version"),
    (["version"], REMOVED, "version"),
    (["include"], "u1", "include"),
    (["include"], ["u1", 5], "include[1]"),
    (["exclude"], None, "exclude"),
    (["exclude", 0], None, "exclude[0]"),
    (["when"], {}, "when"),
    (["when", 0, "operator"], "resembles", "when[0].operator"),
    (["when", 0, "values"], [], "when[0].values"),
    (["updated_at"], 5, "updated_at"),
]
WRONG_CIRCUITS: list[tuple[list[str | int], object, str]] = [
    (["state"], "half-open", "state"),
    (["state"], REMOVED, "state"),
    (["percentage"], 100.1, "percentage"),
    (["percentage"], -0.1, "percentage"),
    (["percentage"], False, "percentage"),
    (["trips"], -1, "trips"),
    (["generation"], 1.5, "generation"),
    (["generation"], REMOVED, "generation"),
    (["reset_generation"], "3", "reset_generation"),
    (["since_ms"], -1, "since_ms"),
    (["next_ms"], "soon", "next_ms"),
    (["reason"], [], "reason"),
    (["reason", "rule"], 5, "reason.rule"),
    (["reason", "observed"], None, "reason.observed"),
    (["reason", "calls"], 1.5, "reason.calls"),
]
WRONG_EVENTS: list[tuple[list[str | int], object, str]] = [
    (["app"], "", "app"),
    (["flag"], "a b", "flag"),
    (["flag"], REMOVED, "flag"),
    (["signal"], None, "signal"),
    (["at_ms"], None, "at_ms"),
    (["before"], None, "before"),
    (["after"], REMOVED, "after"),
    (["after", "state"], 5, "after.state"),
    (["before", "reason", "window_ms"], True, "before.reason.window_ms"),
]
WRONG_MARKS: list[tuple[list[str | int], object, str]] = [
    (["at_ms"], REMOVED, "at_ms"),
    (["at_ms"], -1, "at_ms"),
    (["keys"], REMOVED, "keys"),
    (["keys"], 1.5, "keys"),
    (["keys"], -1, "keys"),
]


@pytest.mark.parametrize(
    ("contract", "path", "new", "field"),
    [
        *[("ruleset", *wrong) for wrong in WRONG_RULESETS],
        *[("segment", *wrong) for wrong in WRONG_SEGMENTS],
        *[("circuit", *wrong) for wrong in WRONG_CIRCUITS],
        *[("event", *wrong) for wrong in WRONG_EVENTS],
        *[("mark", *wrong) for wrong in WRONG_MARKS],
        ("lease", ["worker"], "a.b", "worker"),
        ("lease", ["since_ms"], -1, "since_ms"),
    ],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, list) else None,
)
def test_a_wrong_field_is_named_with_its_path(contract: str, path: list[str | int], new: object, field: str) -> None:
    value, decode = SAMPLES[contract]
    with pytest.raises(ContractError) as caught:
        decode(changed(value, path, new))
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: expected ")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("path", "read", "default"),
    [
        (["allow"], lambda flag: flag.allow, frozenset()),
        (["deny"], lambda flag: flag.deny, frozenset()),
        (["rules"], lambda flag: flag.rules, ()),
        (["circuit"], lambda flag: flag.circuit, None),
        (["updated_at"], lambda flag: flag.updated_at, ""),
        (["circuit", "min_calls"], lambda flag: flag.circuit.min_calls, CircuitSettings().min_calls),
        (["circuit", "failure_statuses"], lambda f: f.circuit.failure_statuses, CircuitSettings().failure_statuses),
        (["circuit", "local_guard"], lambda flag: flag.circuit.local_guard, None),
        (["circuit", "local_guard", "max_ms"], lambda flag: flag.circuit.local_guard.max_ms, LocalGuard().max_ms),
        (["circuit", "recovery"], lambda flag: flag.circuit.recovery, Recovery()),
        (["circuit", "recovery", "initial"], lambda flag: flag.circuit.recovery.initial, Recovery().initial),
    ],
)
def test_what_may_be_missing_has_its_default(
    path: list[str | int], read: Callable[[Any], object], default: object
) -> None:
    assert read(decode_ruleset(changed(RULESET, path, REMOVED))) == default


def test_an_empty_circuit_object_is_all_defaults() -> None:
    assert decode_ruleset(changed(RULESET, ["circuit"], {})).circuit == CircuitSettings()


def test_recovery_null_is_no_recovery() -> None:
    circuit = decode_ruleset(changed(RULESET, ["circuit", "recovery"], None)).circuit
    assert circuit is not None
    assert circuit.recovery is None


def test_numbers_of_any_size_are_read_or_refused_and_never_crash() -> None:
    big = b'{"attribute":"a","operator":"lt","values":[%s]}'
    for number, refusal in [
        (b"9223372036854775808", None),
        (b"18446744073709551615", None),
        (b"18446744073709551616", r"^rules\[0\]\.when\[0\]\.values: expected numbers from -9223372036854775808 to "),
        (b"-9223372036854775809", r"^rules\[0\]\.when\[0\]\.values: expected numbers from -9223372036854775808 to "),
        (b"1e308", r"^rules\[0\]\.when\[0\]\.values: expected numbers from -9223372036854775808 to "),
        (b"1e309", r"^value: expected a JSON object"),
    ]:
        data = orjson.dumps(RULESET | {"rules": [{"when": [0], "rollout": 5}]}).replace(
            b"[0]", b"[" + big % number + b"]"
        )
        if refusal is None:
            assert encode_ruleset(decode_ruleset(data))
        else:
            with pytest.raises(ContractError, match=refusal):
                decode_ruleset(data)


def test_a_condition_says_no_more_than_it_must() -> None:
    plain = {"attribute": "a", "operator": "in", "values": ["x"]}
    more = plain | {"negate": True, "ignore_case": True}
    for written, expected in [
        (plain, plain),
        (more, more),
        (plain | {"negate": False, "ignore_case": False}, plain),
        (
            {"operator": "in_segment", "values": ["s"]},
            plain | {"operator": "in_segment", "values": ["s"], "attribute": "targetingKey"},
        ),
    ]:
        data = orjson.dumps(RULESET | {"rules": [{"when": [written], "rollout": 5}]})
        assert orjson.loads(encode_ruleset(decode_ruleset(data)))["rules"][0]["when"] == [expected]
    for name in ("negate", "ignore_case"):
        with pytest.raises(ContractError, match=rf"^rules\[0\]\.when\[0\]\.{name}: expected true or false, got 1$"):
            decode_ruleset(orjson.dumps(RULESET | {"rules": [{"when": [plain | {name: 1}], "rollout": 5}]}))


def test_settings_that_are_unlike_all_others_are_not_kept() -> None:
    flag_contracts._circuit_settings_of.cache_clear()
    sizes = []
    for number in range(3):
        decode_ruleset(changed(RULESET, ["circuit", "new_field"], "x" * 100_000 + str(number)))
        sizes.append(flag_contracts._circuit_settings_of.cache_info().currsize)
        decode_ruleset(orjson.dumps(RULESET))
        sizes.append(flag_contracts._circuit_settings_of.cache_info().currsize)
    assert sizes == [0, 1, 1, 1, 1, 1]
