import json
from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, Fields, read_object, shown


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "does not parse"),
        (b"{", "does not parse"),
        (b'{"a": NaN}', "does not parse"),
        (b'{"a": 1e400}', "does not parse"),
        (b'{"a": "\\ud800"}', "does not parse"),
        (b'{"a": "\xff"}', "does not parse"),
        (b'{"a": 1}{', "does not parse"),
        (b"[" * 5000 + b"]" * 5000, "does not parse"),
        (b"[]", "got []"),
        (b"null", "got null"),
        (b"true", "got true"),
        (b'"text"', 'got "text"'),
        (b"7", "got 7"),
    ],
)
def test_what_is_no_json_object_is_refused(data: bytes, got: str) -> None:
    with pytest.raises(ContractError, match=r"^value: expected a JSON object") as caught:
        read_object(data)
    assert got in str(caught.value)


def test_the_last_of_repeated_fields_counts() -> None:
    assert read_object(b'{"a": 1, "a": 2}').integer("a") == 2


Read = Callable[[Fields], object]

READERS: dict[str, Read] = {
    "a string": lambda f: f.string("x"),
    "true or false": lambda f: f.boolean("x"),
    "an integer": lambda f: f.integer("x"),
    f"an integer from 0 to {MAX_INTEGER}": lambda f: f.integer("x", low=0),
    "a number": lambda f: f.number("x"),
    "a number from 0 to 100": lambda f: f.number("x", low=0, high=100),
    "a list": lambda f: list(f.strings("x")),
}


@pytest.mark.parametrize("expected", READERS)
def test_a_missing_field_is_named_with_what_was_expected(expected: str) -> None:
    with pytest.raises(ContractError) as caught:
        READERS[expected](Fields({"y": 1}))
    assert str(caught.value) == f"x: expected {expected}, but the field is missing"


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [
        ("a string", ["", "x"], [None, 1, True, [], {}]),
        ("true or false", [True, False], [None, 0, 1, "true", []]),
        ("an integer", [0, -5, 2**53, -(2**53)], [None, 1.0, 1.5, True, "1", []]),
        (f"an integer from 0 to {MAX_INTEGER}", [0, 2**53], [-1, False, 0.0, "0", 2**53 + 1, 2**64 - 1, 10**5_000]),
        ("a number", [0, -1.5, 2**53, 1e-300], [None, True, "1", [], {}]),
        ("a number from 0 to 100", [0, 100, 33.3], [-0.1, 100.1, float("nan"), float("inf"), True, "5", 2**64]),
        ("a list", [[], ["a"]], [None, "abc", {}, 5]),
    ],
)
def test_a_field_of_another_kind_is_named_with_what_came(expected: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        assert READERS[expected](Fields({"x": value})) == value
    for value in bad:
        with pytest.raises(ContractError, match=rf"^x: expected {expected}, got ") as caught:
            READERS[expected](Fields({"x": value}))
        assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("value", "got"),
    [(None, "null"), (True, "true"), (False, "false"), ([1], "[1]"), ({"a": None}, '{"a": null}'), (1.5, "1.5")],
)
def test_an_error_says_in_json_what_came(value: object, got: str) -> None:
    with pytest.raises(ContractError) as caught:
        Fields({"x": value}).string("x")
    assert caught.value.problem == f"expected a string, got {got}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(json_values)
def test_shown_is_json_that_can_be_printed(value: object) -> None:
    text = shown(value, 1_000_000)
    assert text.isprintable()
    assert json.loads(text) == value


@given(json_values, st.integers(2, 80))
def test_shown_is_bounded_and_says_where_it_was_cut(value: object, limit: int) -> None:
    whole, text = shown(value, 1_000_000), shown(value, limit)
    assert len(text) <= limit
    assert text == whole or (text.endswith("…") and whole.startswith(text[:-1]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\ud800\n\x9b\u202e", r'"\ud800\n\u009b\u202e"'),
        ((1, None), "[1, null]"),
        (Colour.RED, '"red"'),
        (date(2026, 11, 28), '"2026-11-28"'),
        (2**600, "an integer of 601 bits"),
        ({1: True}, '{"1": true}'),
    ],
)
def test_shown_says_what_is_no_json_too(value: object, text: str) -> None:
    assert shown(value) == text


def test_shown_does_not_work_through_what_it_cuts_off() -> None:
    class Endless(list[object]):
        def __iter__(self) -> Iterator[object]:
            return repeat("x")

    nested: object = Endless()
    for _ in range(5_000):
        nested = [nested]
    assert shown(Endless(), 12) == '["x", "x", …'
    assert shown(nested, 5) == "[[[[…"


HUGE = pytest.param(10**5_000, id="5001 digits")
BOTH_WAYS = f"from -{MAX_INTEGER} to {MAX_INTEGER}"


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**64 - 1, HUGE])
def test_an_integer_that_is_too_large_is_refused_by_its_bound(value: int) -> None:
    for read in (Fields({"x": value}).integer, Fields({"x": value}).optional_integer):
        with pytest.raises(ContractError, match=rf"^x: expected an integer {BOTH_WAYS}, got "):
            read("x")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300, 2**53 + 1, HUGE])
def test_a_number_that_is_too_large_or_none_is_refused_by_its_bound(value: float) -> None:
    for read in (Fields({"x": value}).number, Fields({"x": value}).optional_number):
        with pytest.raises(ContractError, match=rf"^x: expected a number {BOTH_WAYS}, got "):
            read("x")


def test_what_came_is_quoted_shortened() -> None:
    with pytest.raises(ContractError) as caught:
        Fields({"x": "y" * 100_000}).integer("x")
    assert len(str(caught.value)) < 120


def test_a_number_comes_out_as_a_float() -> None:
    assert isinstance(Fields({"x": 5}).number("x"), float)


def test_defaults_stand_in_for_missing_fields_and_not_for_null() -> None:
    assert Fields({}).integer("x", default=5) == 5
    assert Fields({}).choice("x", Colour, default=Colour.RED) is Colour.RED
    assert list(Fields({}).scalars("x")) == []
    with pytest.raises(ContractError, match=r"^x: expected an integer, got null$"):
        Fields({"x": None}).integer("x", default=5)


def test_optional_fields_may_be_null_or_missing() -> None:
    for fields in (Fields({}), Fields({"x": None})):
        assert fields.optional_integer("x") is None
        assert fields.optional_number("x") is None
        assert fields.object("x", lambda inner: inner) is None
    assert Fields({"x": 5}).optional_integer("x") == 5
    assert Fields({"x": 5.5}).optional_number("x") == 5.5
    with pytest.raises(ContractError, match=r'^x: expected an integer, got "5"$'):
        Fields({"x": "5"}).optional_integer("x")


def test_has_tells_null_from_missing() -> None:
    assert Fields({"x": None}).has("x")
    assert not Fields({}).has("x")


def test_a_choice_lists_the_choices() -> None:
    assert Fields({"x": "blue"}).choice("x", Colour) is Colour.BLUE
    with pytest.raises(ContractError, match=r'^x: expected one of red, blue, got "RED"$'):
        Fields({"x": "RED"}).choice("x", Colour)


@pytest.mark.parametrize(
    ("read", "value", "field"),
    [
        (lambda f: list(f.strings("x")), ["a", 1], "x[1]"),
        (lambda f: list(f.scalars("x")), ["a", 1, None], "x[2]"),
        (lambda f: list(f.scalars("x")), [[]], "x[0]"),
        (lambda f: list(f.objects("x", lambda inner: inner)), [{}, []], "x[1]"),
        (lambda f: list(f.objects("x", lambda inner: inner.string("y"))), [{"y": "a"}, {"y": 1}], "x[1].y"),
        (lambda f: f.object("x", lambda inner: list(inner.strings("y"))), {"y": [1]}, "x.y[0]"),
        (lambda f: f.object("x", lambda inner: inner), [], "x"),
    ],
)
def test_an_error_inside_a_list_or_an_object_has_its_path(read: Read, value: object, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(Fields({"x": value}))
    assert caught.value.field == field
