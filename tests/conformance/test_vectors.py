"""Runs the golden vectors against the core, and holds that they do not come from it.

The expected buckets are those of the MurmurHash3 below, which is written out from Austin Appleby's description of the
algorithm and checked against its published verification value; who is in is decided in exact decimal arithmetic.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tailslide_core.bucketing import bucket_of, is_in
from tailslide_core.contracts import decode_circuit, decode_ruleset
from tailslide_core.evaluation import Context, evaluate

HERE = Path(__file__).parent
BUCKETING: dict[str, Any] = json.loads((HERE / "bucketing.json").read_text(encoding="utf-8"), parse_float=Decimal)
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


@pytest.mark.parametrize("case", named(EVALUATION["cases"]))
def test_the_core_answers_as_the_vectors_of_evaluation_say(case: dict[str, Any]) -> None:
    ruleset = None if case["ruleset"] is None else decode_ruleset(orjson.dumps(case["ruleset"]))
    circuit = None if case["circuit"] is None else decode_circuit(orjson.dumps(case["circuit"]))
    context = Context(case["context"].get("targeting_key"), case["context"].get("attributes", {}))
    found = evaluate(case["flag"], ruleset, circuit, context)
    assert {
        "active": found.active,
        "reason": found.reason,
        "circuit": found.circuit,
        "version": found.version,
    } == case["expected"]


def test_every_rule_of_the_design_has_vectors() -> None:
    assert {case["rule"] for case in EVALUATION["cases"]} == {1, 2, 3, 4, 5, 6, 7}
