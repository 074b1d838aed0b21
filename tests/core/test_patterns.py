"""Regular expressions: RE2's syntax, within bounds, and nothing that a text can do to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_json, patterns

from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator, Scalar
from tailslide_core.errors import ContractError
from tailslide_core.patterns import MAX_CHARACTERS, MAX_INSTRUCTIONS, MAX_PATTERNS


def matches(values: list[Scalar], text: object, *, ignore_case: bool = False) -> bool:
    return Condition("a", Operator.MATCHES, tuple(values), ignore_case=ignore_case).holds(
        {"a": text}, None, NO_SEGMENTS
    )


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("b+", ["b", "abba", "xbx"], ["", "a", "B"]),
        ("^a.c$", ["abc", "a\x00c", "aéc", "a中c"], ["ac", "abcd", "a\nc"]),
        (r"^[^@\s]+@example\.(com|org)$", ["me@example.com"], ["me@example.com.test", "@example.org"]),
        (r"\pL", ["é", "Ж"], ["1", "!"]),
        ("é", ["née"], ["nee", "ne\u0301e"]),
        ("(?i)pro", ["PRO", "approve"], ["pr"]),
        ("(?P<year>[0-9]{4})-(?P<month>[0-9]{2})", ["on 2026-11"], ["26-11"]),
        ("", ["", "x"], []),
        (r"\x00", ["a\x00b"], ["ab"]),
        (r"^5\.5$", [5.5, "5.5"], [5]),
        ("^true$", [True, "true"], [False, 1]),
        ("^10000000000000000$", [1e16, 10**16], [1e15]),
        (r"(a+)+$", ["a" * 5_000], ["a" * 5_000 + "!"]),
        (r"\Qa.b", ["a.b"], ["axb"]),
    ],
)
def test_patterns_are_searched_anywhere(pattern: str, matching: list[object], others: list[object]) -> None:
    assert [value for value in matching if not matches([pattern], value)] == []
    assert [value for value in others if matches([pattern], value)] == []
    assert [value for value in others if not matches(["(?P<any>never)", pattern, pattern], value)] == others


def test_case_is_ignored_by_unicodes_simple_folding() -> None:
    assert matches(["^straße$"], "STRAßE", ignore_case=True)
    assert matches(["^école"], "ÉCOLE", ignore_case=True)
    assert matches(["(?-i:A)b"], "AB", ignore_case=True)
    assert not matches(["(?-i:A)b"], "ab", ignore_case=True)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"missing \): \("),
        ("a**", r"bad repetition operator: \*\*"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", r"invalid perl operator: \(\?="),
        ("(?<!a)b", "invalid (perl operator|named capture group)"),
        ("x{1001}", "invalid repetition size"),
        ("[z-a]", "invalid character class range: z-a"),
        ("é(", r"missing \): .*\("),
        (r"\p{Klingon}", "invalid character class range"),
        (r"\pL{1000}", "invalid repetition size|too large"),
        (r"\pL{100}", "pattern too large"),
    ],
)
def test_a_bad_pattern_is_refused_when_it_is_made_with_res_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ContractError, match=rf"^values: expected a regular expression in RE2 syntax, got .*: {reason}"):
        Condition("a", Operator.MATCHES, ("fine", pattern))


@pytest.mark.parametrize("pattern", [r"\C", r"a\\\C", r"\Qa\E\C", r"(?i)x\C+"])
def test_bytes_which_other_engines_do_not_know_are_no_part_of_a_pattern(pattern: str) -> None:
    with pytest.raises(ContractError, match=r"^values: expected a regular expression without \\C"):
        Condition("a", Operator.MATCHES, (pattern,))


@pytest.mark.parametrize(
    ("pattern", "text"), [(r"\\C", r"\C"), (r"\Q\C\E", r"\C"), (r"\Qa\C", r"a\C"), (r"\pLC", "aC")]
)
def test_what_only_looks_like_a_byte_is_none(pattern: str, text: str) -> None:
    assert matches([pattern], text)


@pytest.mark.parametrize("value", [5, True, "a\ud800"])
def test_what_is_no_pattern_is_refused(value: Scalar) -> None:
    with pytest.raises(ContractError, match=r"^values: expected a regular expression in RE2 syntax, got "):
        Condition("a", Operator.MATCHES, (value,))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "expected at least one value, got none"),
        (["x"] * (MAX_PATTERNS + 1), f"expected at most {MAX_PATTERNS} regular expressions, got {MAX_PATTERNS + 1}"),
        (
            ["x" * (MAX_CHARACTERS + 1)],
            f"expected regular expressions of at most {MAX_CHARACTERS} characters, got one of",
        ),
        ([r"\pL"] * 3, f"expected regular expressions of at most {MAX_INSTRUCTIONS} instructions together, got"),
        (
            [f"x{{900}}{number}" for number in range(4)],
            f"expected regular expressions of at most {MAX_INSTRUCTIONS} in",
        ),
    ],
)
def test_patterns_are_bounded(values: list[Scalar], problem: str) -> None:
    with pytest.raises(ContractError, match=f"^values: {problem}"):
        Condition("a", Operator.MATCHES, tuple(values))


def test_as_many_and_as_long_patterns_as_are_allowed() -> None:
    assert matches(["x" * MAX_CHARACTERS, "x" * MAX_CHARACTERS], "x" * MAX_CHARACTERS)
    assert matches([*[f"x{number}$" for number in range(MAX_PATTERNS - 1)], "y"], "y")
    assert matches([r"^\pL+ \pL+$"], "Ada Lovelace")


@given(st.lists(patterns, min_size=1, max_size=2), any_json, st.booleans())
def test_no_attribute_makes_a_pattern_fail(values: list[str], attribute: object, ignore_case: bool) -> None:
    assert matches(list(values), attribute, ignore_case=ignore_case) in (True, False)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        condition = Condition("a", Operator.MATCHES, (pattern,))
    except ContractError as error:
        refused = error
    else:
        assert condition.holds({"a": pattern}, None, NO_SEGMENTS) in (True, False)
        return
    assert refused.field == "values"
    assert str(refused).isprintable()
