"""Runs the golden vectors against the core, and holds that they do not come from it.

The expected buckets are those of the MurmurHash3 below, which is written out from Austin Appleby's description of the
algorithm and checked against its published verification value; who is in is decided in exact decimal arithmetic, and
which variant a split gives in integers.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import orjson
import pytest

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.conditions import Operator
from tailslide_core.contracts import decode_circuit
from tailslide_core.errors import ContractError
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.fields import read_object
from tailslide_core.flag_contracts import condition, decode_ruleset, decode_segment
from tailslide_core.flag_set import FlagSet
from tailslide_core.variants import Share, variant_for

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "evaluation.md"
BUCKETING: dict[str, Any] = json.loads((HERE / "bucketing.json").read_text(encoding="utf-8"), parse_float=Decimal)
CONDITIONS: dict[str, Any] = json.loads((HERE / "conditions.json").read_text(encoding="utf-8"))
EVALUATION: dict[str, Any] = json.loads((HERE / "evaluation.json").read_text(encoding="utf-8"))

_32_BITS = 0xFFFFFFFF


def rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _32_BITS


def murmur3_x86_32(data: bytes, seed: int) -> int:
    """Return MurmurHash3_x86_32 of `data`, unsigned: https://github.com/aappleby/smhasher, public domain."""
    state = seed
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little")
        state ^= rotated(block * 0xCC9E2D51 & _32_BITS, 15) * 0x1B873593 & _32_BITS
        state = (rotated(state, 13) * 5 + 0xE6546B64) & _32_BITS
    rest = int.from_bytes(data[whole:], "little")
    state ^= rotated(rest * 0xCC9E2D51 & _32_BITS, 15) * 0x1B873593 & _32_BITS
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & _32_BITS
    state = (state ^ state >> 13) * 0xC2B2AE35 & _32_BITS
    return state ^ state >> 16


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [
        (b"", 0, 0x00000000),
        (b"", 1, 0x514E28B7),
        (b"", 0xFFFFFFFF, 0x81F16F39),
        (b"\xff\xff\xff\xff", 0, 0x76293B50),
        (b"\x21\x43\x65\x87", 0, 0xF55B516B),
        (b"\x21\x43\x65\x87", 0x5082EDEE, 0x2362F9DE),
        (b"\x21\x43\x65", 0, 0x7E4A8634),
        (b"\x21\x43", 0, 0xA0F7B07A),
        (b"\x21", 0, 0x72661CF4),
        (b"\x00\x00\x00\x00", 0, 0x2362F9DE),
    ],
)
def test_the_hash_has_its_published_values(data: bytes, seed: int, expected: int) -> None:
    assert murmur3_x86_32(data, seed) == expected


def test_the_hash_has_its_published_verification_value() -> None:
    # SMHasher's VerificationTest: keys 0, 0 1, 0 1 2 … under falling seeds, and the hash of all their hashes.
    hashes = b"".join(murmur3_x86_32(bytes(range(n)), 256 - n).to_bytes(4, "little") for n in range(256))
    assert murmur3_x86_32(hashes, 0) == 0xB0F57EE3


def named(cases: list[dict[str, Any]]) -> list[Any]:
    assert len({case["name"] for case in cases}) == len(cases), "each case has a name of its own"
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", named(BUCKETING["users"]))
def test_the_vectors_of_bucketing_are_those_of_the_algorithm(case: dict[str, Any]) -> None:
    data = f"{case['salt']}:{case['targeting_key']}".encode()
    assert murmur3_x86_32(data, 0) == case["hash"]
    assert case["hash"] % 100_000 == case["bucket"]


@pytest.mark.parametrize("case", named(BUCKETING["users"]))
def test_the_core_puts_users_into_the_buckets_of_the_vectors(case: dict[str, Any]) -> None:
    assert bucket_of(case["salt"], case["targeting_key"]) == case["bucket"]


@pytest.mark.parametrize("case", named(BUCKETING["thresholds"]))
def test_the_core_lets_in_whom_decimal_arithmetic_lets_in(case: dict[str, Any]) -> None:
    rollout, percentage = Decimal(case["rollout"]), Decimal(case["percentage"])
    for bucket in case["in"]:
        assert bucket < rollout * percentage / 100 * 1000
        assert is_in(bucket, float(rollout), float(percentage))
    for bucket in case["out"]:
        assert not bucket < rollout * percentage / 100 * 1000
        assert not is_in(bucket, float(rollout), float(percentage))


def variant_of(split: list[dict[str, Any]], bucket: int) -> str:
    """Return the variant that a split gives to a bucket, in the integers of docs/evaluation.md."""
    total = sum(share["weight"] for share in split)
    so_far = 0
    for share in split:
        so_far += share["weight"]
        if bucket * total < 100_000 * so_far:
            return str(share["variant"])
    raise AssertionError("a bucket is below the sum of all weights")


@pytest.mark.parametrize("case", named(BUCKETING["splits"]))
def test_the_core_splits_as_integer_arithmetic_does(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    split = tuple(Share(**share) for share in case["split"])
    for variant, buckets in case["variants"].items():
        for bucket in buckets:
            assert variant_of(case["split"], bucket) == variant
            monkeypatch.setattr("tailslide_core.variants.bucket_of", lambda salt, key, bucket=bucket: bucket)
            assert variant_for(split, "any", "any") == variant


@pytest.mark.parametrize("case", named(CONDITIONS["cases"]))
def test_the_core_holds_conditions_as_the_vectors_say(case: dict[str, Any]) -> None:
    segments = {value["key"]: decode_segment(orjson.dumps(value)) for value in case.get("segments", [])}
    written = case["condition"]
    plain = condition(read_object(json.dumps(written).encode()))
    negated = condition(read_object(json.dumps({**written, "negate": True}).encode()))
    for said, expected in {"true": (True, False), "false": (False, True), "unknown": (False, False)}.items():
        for context in case[said]:
            asked = context.get("attributes", {}), context.get("targeting_key"), segments
            found = plain.holds(*asked), negated.holds(*asked)
            assert found == expected, f"expected {said} of {context!a}"


@pytest.mark.parametrize("case", named(CONDITIONS["refused"]))
def test_the_core_refuses_conditions_as_the_vectors_say(case: dict[str, Any]) -> None:
    with pytest.raises(ContractError) as refused:
        condition(read_object(json.dumps(case["condition"]).encode()))
    assert refused.value.field.partition("[")[0] == case["field"]


DECODERS: dict[str, Callable[[bytes], object]] = {
    "ruleset": decode_ruleset,
    "segment": decode_segment,
    "circuit": decode_circuit,
}


@pytest.mark.parametrize("case", named(EVALUATION["refused"]))
def test_the_core_refuses_values_as_the_vectors_say(case: dict[str, Any]) -> None:
    (kind,) = DECODERS.keys() & case.keys()
    with pytest.raises(ContractError) as refused:
        DECODERS[kind](json.dumps(case[kind]).encode())
    assert re.split(r"[.\[]", refused.value.field)[0] == case["field"]


@pytest.mark.parametrize("case", named(EVALUATION["cases"]))
def test_the_core_answers_as_the_vectors_of_evaluation_say(case: dict[str, Any]) -> None:
    flags = FlagSet(
        {value["key"]: decode_ruleset(orjson.dumps(value)) for value in case["rulesets"]},
        {key: decode_circuit(orjson.dumps(value)) for key, value in case["circuits"].items()},
        {value["key"]: decode_segment(orjson.dumps(value)) for value in case["segments"]},
    )
    context = Context(case["context"].get("targeting_key"), case["context"].get("attributes", {}))
    found = evaluate(case["flag"], flags, context)
    assert {
        "active": found.active,
        "variant": found.variant,
        "value": found.value,
        "reason": found.reason,
        "circuit": found.circuit,
        "version": found.version,
        "rule": found.rule,
        "prerequisite": found.prerequisite,
        "prerequisite_reason": found.prerequisite_reason,
        "error": found.is_error,
    } == case["expected"]
    assert isinstance(found.value, bool) == isinstance(case["expected"]["value"], bool), "true is equal to 1 in Python"


def key_of(case: dict[str, Any], ruleset: dict[str, Any]) -> object:
    """Return what the user of a case is bucketed by."""
    name = ruleset.get("bucket_by")
    if name is None or name == "targetingKey":
        return case["context"]["targeting_key"]
    attributes = case["context"]["attributes"]
    return attributes[name] if name in attributes else reduce(dict.__getitem__, name.split("."), attributes)


def asked_ruleset(case: dict[str, Any]) -> dict[str, Any]:
    return next(ruleset for ruleset in case["rulesets"] if ruleset["key"] == case["flag"])


# How a number is written, by which some are bucketed, is not a matter of buckets.
BY_BUCKET = [
    case
    for case in EVALUATION["cases"]
    if case["expected"]["reason"] == "SPLIT" and isinstance(key_of(case, asked_ruleset(case)), str)
]


@pytest.mark.parametrize("case", named(BY_BUCKET))
def test_the_vectors_of_evaluation_have_the_buckets_of_the_algorithm(case: dict[str, Any]) -> None:
    expected, ruleset = case["expected"], asked_ruleset(case)
    key = key_of(case, ruleset)
    rules = {rule.get("name", str(place)): rule for place, rule in enumerate(ruleset.get("rules", []), 1)}
    rule = {} if expected["rule"] is None else rules[expected["rule"]]
    whole = "variant" in rule or "split" in rule
    rollout = rule.get("rollout", 100 if whole else ruleset["rollout"])
    percentage = case["circuits"][case["flag"]]["percentage"] if expected["circuit"] == "recovering" else 100
    off_variant = ruleset.get("off_variant", "off")
    others = [variant for variant in ruleset.get("variants", {"on": True, "off": False}) if variant != off_variant]
    split = rule.get("split", ruleset.get("split", [{"variant": others[0], "weight": 1}]))
    if "variant" in rule:
        split = [{"variant": rule["variant"], "weight": 1}]

    def bucket(text: str) -> int:
        return murmur3_x86_32(text.encode("utf-8", "replace"), 0) % 100_000

    if bucket(f"{ruleset['salt']}:{key}") < Decimal(str(rollout)) * Decimal(str(percentage)) / 100 * 1000:
        assert expected["variant"] == variant_of(split, bucket(f"{ruleset['salt']}:split:{key}"))
    else:
        assert expected["variant"] == off_variant


def test_every_point_of_the_order_has_vectors() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## The order")[2].partition("**The circuit.**")[0]
    points = {int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)}
    assert {case["rule"] for case in EVALUATION["cases"]} == points == set(range(1, 11))


def test_every_operator_has_vectors_of_all_kinds() -> None:
    for operator in Operator:
        cases = [case for case in CONDITIONS["cases"] if case["condition"]["operator"] == operator]
        for said in {"true", "false", "unknown"} - ({"unknown"} if operator is Operator.EXISTS else set()):
            assert any(case[said] for case in cases), f"{operator} has no context of which it says {said}"
        assert any(case["condition"].get("operator") == operator for case in CONDITIONS["refused"]), operator


def test_every_row_of_the_table_of_ranges_has_vectors() -> None:
    rows = PAGE.read_text(encoding="utf-8").partition("| comparator | means |")[2].partition("\n\n")[0]
    comparators = {text for row in rows.splitlines()[2:] for text in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert len(comparators) > 20
    asked = {text for case in CONDITIONS["cases"] for text in case["condition"]["values"]}
    assert comparators <= asked
