"""Whatever stands under a key: a value that can be written and read again, or a `ContractError`; nothing else ever."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import orjson
import pytest
from contract_samples import CIRCUIT, CLAIM, EVENT, LEASE, MARK, RULESET, SEGMENT, WHOLE_RULESET
from hypothesis import example, given
from hypothesis import strategies as st

from tailslide_core.contracts import (
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
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.flag_contracts import decode_ruleset, decode_segment, encode_ruleset, encode_segment


class Contract(NamedTuple):
    """One kind of value: a good one, and its functions."""

    sample: dict[str, Any]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


CONTRACTS = {
    "ruleset": Contract(RULESET, decode_ruleset, encode_ruleset),
    "whole ruleset": Contract(WHOLE_RULESET, decode_ruleset, encode_ruleset),
    "segment": Contract(SEGMENT, decode_segment, encode_segment),
    "circuit": Contract(CIRCUIT, decode_circuit, encode_circuit),
    "event": Contract(EVENT, decode_event, encode_event),
    "lease": Contract(LEASE, decode_lease, encode_lease),
    "mark": Contract(MARK, decode_mark, encode_mark),
    "claim": Contract(CLAIM, decode_claim, encode_claim),
}

Path = tuple[str | int, ...]


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Yield where anything stands in a value, the whole left out."""
    if path:
        yield path
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for name, item in items:
        yield from paths(item, (*path, name))


PLACES = [(name, path) for name, contract in CONTRACTS.items() for path in paths(contract.sample)]


def put(sample: dict[str, Any], path: Path, raw: bytes) -> bytes:
    """Return a value as JSON, with these bytes in the place of what stands at `path`."""
    changed = orjson.loads(orjson.dumps(sample))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "here it is"
    return orjson.dumps(changed).replace(b'"here it is"', raw)


integers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, MAX_INTEGER, MAX_INTEGER + 1, 2**63, 2**64 - 1, 2**64, 2**70, 10**400, -(2**63)]),
)
numbers = st.one_of(
    integers.map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e999", "-1e999", "1e308", "-0", "-0.0", "5e-324", "1E400", "NaN", "Infinity", "01", "1."]),
).map(str.encode)
strings = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(orjson.dumps),
    st.sampled_from([b'"open"', b'"5xx"', b'"\\ud800"', b'"\\u0000"', b'"\xff"', b'"' + b"x" * 5_000 + b'"']),
)
constants = st.sampled_from([b"null", b"true", b"false", b"", b"{", b"]"])


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


deep = st.one_of(
    st.integers(1, 2_000).map(nested),
    st.integers(1, 1_100).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth),
)
names = st.sampled_from([b'"a"', b'"state"', b'"when"', b'"recovery"', b'"window_ms"', b'"schema"'])
raw_json = st.recursive(
    st.one_of(numbers, strings, constants, deep),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: b"[" + b",".join(items) + b"]"),
        st.lists(st.tuples(names, inner), max_size=4).map(  # names may be there twice
            lambda pairs: b"{" + b",".join(name + b":" + item for name, item in pairs) + b"}"
        ),
    ),
    max_leaves=8,
)


def read_and_written_again(contract: Contract, data: bytes) -> None:
    """Check that bytes are refused as they should be, or come to a value that stays the same on its way."""
    try:
        value = contract.decode(data)
    except ContractError:
        return
    assert contract.decode(contract.encode(value)) == value


@given(place=st.sampled_from(PLACES), raw=raw_json)
@example(place=("ruleset", ("circuit", "failure_statuses", 0)), raw=nested(1_000))
@example(place=("ruleset", ("circuit", "recovery")), raw=b'{"a":' + nested(300) + b"}")
@example(place=("circuit", ("generation",)), raw=b"18446744073709551615")
@example(place=("circuit", ("since_ms",)), raw=b"9e18")
@example(place=("circuit", ("reason", "observed")), raw=b"1e308")
@example(place=("mark", ("keys",)), raw=b"9223372036854775808")
@example(place=("lease", ("since_ms",)), raw=b"1180591620717411303424")
def test_any_json_under_any_field_is_a_value_or_a_contract_error(place: tuple[str, Path], raw: bytes) -> None:
    name, path = place
    read_and_written_again(CONTRACTS[name], put(CONTRACTS[name].sample, path, raw))


@given(name=st.sampled_from(sorted(CONTRACTS)), raw=raw_json, field=st.sampled_from([b'"new_field"', b'"circuit"']))
def test_a_further_field_or_one_given_twice_is_a_value_or_a_contract_error(name: str, raw: bytes, field: bytes) -> None:
    contract = CONTRACTS[name]
    data = orjson.dumps(contract.sample)
    read_and_written_again(contract, data[:-1] + b"," + field + b":" + raw + b"}")


@given(name=st.sampled_from(sorted(CONTRACTS)), data=st.binary(max_size=200) | raw_json)
def test_any_bytes_are_a_value_or_a_contract_error(name: str, data: bytes) -> None:
    read_and_written_again(CONTRACTS[name], data)


@given(name=st.sampled_from(sorted(CONTRACTS)), data=st.data())
def test_any_damage_to_a_good_value_leaves_a_value_or_a_contract_error(name: str, data: st.DataObject) -> None:
    contract = CONTRACTS[name]
    good = bytearray(orjson.dumps(contract.sample))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    read_and_written_again(contract, bytes(good))


def integer_fields() -> Iterator[tuple[str, Path]]:
    for name, path in PLACES:
        value: Any = CONTRACTS[name].sample
        for step in path:
            value = value[step]
        # Metadata may be any number.
        ignored = (path[-1] == "schema" and len(path) > 1) or path[0] == "metadata"
        if isinstance(value, int) and not isinstance(value, bool) and not ignored:
            yield name, path


@pytest.mark.parametrize("raw", [b"9007199254740993", b"9223372036854775808", b"18446744073709551615", b"9e18", b"-1"])
@pytest.mark.parametrize(("name", "path"), list(integer_fields()), ids=lambda part: str(part))
def test_every_integer_has_its_bounds(name: str, path: Path, raw: bytes) -> None:
    contract = CONTRACTS[name]
    with pytest.raises(ContractError) as caught:
        contract.decode(put(contract.sample, path, raw))
    named = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    assert caught.value.field == named.removeprefix(".")
