"""The value that goes out for a variant."""

import pytest

from tailslide_core.variants import Value, Variant, value_of

NESTED = {"a": [1, {"b": 2}]}


def variants(*values: Value) -> list[Variant]:
    return [Variant(str(index), value) for index, value in enumerate(values)]


@pytest.mark.parametrize("value", [True, False, "", "a", 0, -(2**53), 0.5, {}, NESTED], ids=repr)
def test_a_value_is_as_the_ruleset_has_it(value: Value) -> None:
    given = value_of(variants("another", value), "1")
    assert given is value


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_whole_numbers_beside_one_with_a_fraction_are_floats(fraction: float) -> None:
    mixed = variants(2, fraction, 2**53)
    given = [value_of(mixed, variant.key) for variant in mixed]
    assert given == [2, fraction, 2**53]
    assert [type(value) for value in given] == [float, float, float]


def test_numbers_inside_of_objects_are_left_as_they_are() -> None:
    given = value_of(variants({"a": 0.5}, NESTED), "1")
    assert given is NESTED
