"""What scalars say as numbers and as texts: exactly, or nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_json, exact

from tailslide_core.scalars import comparable_text, is_unicode, number_of, says_number, text_of


@given(exact)
def test_a_number_reads_back_from_its_text(number: float) -> None:
    text = text_of(number)
    assert text is not None
    assert "e" not in text
    assert number_of(text) == number


@given(exact)
def test_the_text_of_a_number_has_the_fewest_digits(number: float) -> None:
    text = text_of(number)
    assert text is not None
    assert Decimal(text) == (Decimal(int(number)) if number == int(number) else Decimal(repr(number)))


@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_of_64_bits_are_exact(number: int) -> None:
    for value in (number, str(number), f"{number:+}", f"{'-' if number < 0 else ''}000{abs(number)}"):
        found = number_of(value)
        assert isinstance(found, int)
        assert found == number
    assert text_of(number) == str(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (5.5, "5.5"),
        (1e16, "10000000000000000"),
        (1e19, "10000000000000000000"),
        (1e-5, "0.00001"),
        (-1.5e-7, "-0.00000015"),
        (5e-324, f"0.{'0' * 323}5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2**64 - 1, "18446744073709551615"),
        (2**64, None),
        (1e20, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ([], None),
        ({}, None),
    ],
)
def test_texts(value: object, text: str | None) -> None:
    assert text_of(value) == text
    assert comparable_text(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("5", 5),
        ("+5", 5),
        ("-0", 0),
        ("007", 7),
        ("5.0", 5),
        ("1e1", 10),
        ("1E-2", 0.01),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
        ("0" * 5_000 + "7", 7),
        ("1." + "0" * 5_000, 1),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (1.8446744073709550e19, 18446744073709549568),
    ],
)
def test_numbers(value: object, number: float) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    "value",
    [
        *[2**64, -(2**63) - 1, 10**400, 2.0**64, -(2.0**63), 1e300, "18446744073709551616", "-9223372036854775809"],
        *["1e20", "-1e19", "-9223372036854775808.0", "1e999", "9" * 5_000, "1" + "0" * 20],
    ],
)
def test_what_is_beyond_64_bits_is_no_number_that_is_rounded(value: object) -> None:
    assert number_of(value) is None
    assert not isinstance(value, str) or says_number(value)
    assert isinstance(value, str) or text_of(value) is None


@pytest.mark.parametrize(
    "value",
    [
        *[True, False, None, "", "many", "1_000", " 5", "5 ", "5\n", "\u0665", "NaN", "inf", "0x10", "1,5", ".5", "5."],
        *["1e", "--5", "1e5.0", "5e", float("nan"), float("inf"), [], {}, "\ud800"],
    ],
)
def test_what_says_no_number(value: object) -> None:
    assert number_of(value) is None
    assert not isinstance(value, str) or not says_number(value)


@given(any_json)
def test_no_json_makes_them_fail(value: object) -> None:
    number, text, comparable = number_of(value), text_of(value), comparable_text(value)
    assert number is None or -(2**63) <= number < 2**64
    assert comparable is None or (comparable == text and is_unicode(comparable))


@pytest.mark.parametrize(
    ("text", "yes"), [("", True), ("x", True), ("é中😀", True), ("\ud800", False), ("a\udfffé", False)]
)
def test_lone_surrogates_are_no_unicode(text: str, yes: bool) -> None:
    assert is_unicode(text) is yes
    assert comparable_text(text) == (text if yes else None)
