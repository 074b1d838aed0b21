r"""Bodies with half a surrogate pair, or a number beyond all doubles, are read; all others as ever."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_json

from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator
from tailslide_core.scalars import is_unicode
from tailslide_sidecar.ofrep import ErrorCode, OfrepError, read_context
from tailslide_sidecar.surrogates import loads


def test_one_text_that_is_no_unicode_costs_only_itself() -> None:
    key, attributes = read_context(
        rb'{"context": {"targetingKey": "u\udc00", "name": "A\ud83d", "country": "DE", "n\udfff": 1, '
        rb'"tags": ["\ud800", "x"]}}'
    )
    assert key == "u\udc00"
    assert attributes == {"name": "A\ud83d", "country": "DE", "tags": ["\ud800", "x"]}
    assert Condition("country", Operator.IN, ("DE",)).holds(attributes, key, NO_SEGMENTS)
    assert Condition("tags", Operator.IN, ("x",)).holds(attributes, key, NO_SEGMENTS)
    for negate in (False, True):
        assert not Condition("name", Operator.STARTS_WITH, ("A",), negate).holds(attributes, key, NO_SEGMENTS)
        assert not Condition("tags", Operator.IN, ("y",), negate).holds(attributes, key, NO_SEGMENTS)


@pytest.mark.parametrize(
    "number", [b"1e400", b"-1E+999", b"1" * 400, b"-" + b"9" * 5_000, b"1" + b"0" * 310 + b".5", b"12345e305"]
)
@pytest.mark.parametrize("beside", [b"", rb', "cut": "\ud800"'])
def test_one_number_that_is_too_large_costs_only_itself(number: bytes, beside: bytes) -> None:
    key, attributes = read_context(
        b'{"context": {"targetingKey": "u", "age": ' + number + b', "country": "DE"' + beside + b"}}"
    )
    assert key == "u"
    assert Condition("country", Operator.IN, ("DE",)).holds(attributes, key, NO_SEGMENTS)
    for operator, value in ((Operator.IN, 5), (Operator.GT, 5), (Operator.CONTAINS, "1"), (Operator.SEMVER_GT, "1")):
        for negate in (False, True):
            assert not Condition("age", operator, (value,), negate).holds(attributes, key, NO_SEGMENTS)
    assert Condition("age", Operator.EXISTS, ()).holds(attributes, key, NO_SEGMENTS)


@pytest.mark.parametrize(
    "rest",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[" * 5_000,
        b'{"a":' * 5_000,
        b"1,",
        b'"\xff"',
        b'"\x01"',
        b"01",
        b'"\\ud80"',
    ],
)
def test_what_is_no_json_beside_it_is_refused(rest: bytes) -> None:
    with pytest.raises(OfrepError, match=r"^expected a JSON object: ") as caught:
        read_context(rb'{"context": {"a": "\ud800", "b": ' + rest + b"}}")
    assert caught.value.code is ErrorCode.PARSE_ERROR


@given(any_json.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)))
def test_bodies_are_read_as_without_it(value: object) -> None:
    """Of integers beyond 64 bits orjson makes doubles; those too large for doubles it does not read."""
    written = json.dumps(value)
    try:
        plain = orjson.loads(written)
    except orjson.JSONDecodeError:
        plain = None
    if plain is not None or value is None:
        beside = loads(f'["\\ud800", {written}]'.encode())
        assert beside == ["\ud800", plain]


@given(st.dictionaries(st.text(st.characters(categories=["Cs", "L"]), max_size=3), st.text(max_size=3)))
def test_of_a_name_that_is_given_twice_the_last_counts(names: dict[str, str]) -> None:
    written = ",".join(f"{json.dumps(name)}:{json.dumps(text)}" for name, text in [*names.items(), *names.items()])
    expected = {name: text for name, text in names.items() if is_unicode(name)}
    assert loads(f'{{"z":"\\ud800",{written}}}'.encode() if names else b'{"z":"\\ud800"}') == {
        "z": "\ud800",
        **expected,
    }
