"""Versions and their ranges, held against SemVer's own examples and npm's."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import semver_ranges, versions

from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.versions import is_in_range, parse_range, parse_semver


def holds(operator: str, values: list[str], value: str) -> bool:
    return Condition("a", Operator(operator), tuple(values)).holds({"a": value}, None, NO_SEGMENTS)


# SemVer 2.0.0 §11, its own example put between its neighbours; and §9 on numeric identifiers.
ASCENDING = [
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.9.0",
    "0.10.0",
    "1.0.0-0",
    "1.0.0-9",
    "1.0.0-10",
    "1.0.0-99999999999999999999999",
    "1.0.0--",
    "1.0.0-0a",
    "1.0.0-A",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "10.0.0",
]


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(ASCENDING)))
def test_versions_order_as_semver_says(lower: str, higher: str) -> None:
    assert holds("semver_lt", [higher], lower)
    assert holds("semver_le", [higher], lower)
    assert holds("semver_gt", [lower], higher)
    assert holds("semver_ge", [lower], higher)
    assert not holds("semver_eq", [lower], higher)
    assert not holds("semver_lt", [lower], higher)


def test_the_order_of_versions_is_total() -> None:
    shuffled = ASCENDING[::-2] + ASCENDING[::2]
    assert sorted(shuffled, key=lambda text: parse_semver(text) or ()) == sorted(shuffled, key=ASCENDING.index)


@pytest.mark.parametrize("text", ["1.0.0+a", "1.0.0+a.b-c.001", "v1.0.0", "1.0", "1", "1+x"])
def test_build_metadata_a_leading_v_and_missing_zeros_make_no_difference(text: str) -> None:
    assert parse_semver(text) == parse_semver("1.0.0")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "latest",
        "1.",
        ".1",
        "1.2.3.4",
        "01.0.0",
        "1.02.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0+a..b",
        " 1.0.0",
        "1.0.0\n",
        "-1.0.0",
        "1.0.0-é",
        "\u0661.0.0",
        "V1.0.0",
        "1.0.0-rc_1",
        "9" * 19,
    ],
)
def test_what_is_no_version_is_refused_and_matches_nothing(text: str) -> None:
    assert parse_semver(text) is None
    assert not any(holds(f"semver_{order}", ["1.0.0"], text) for order in ("eq", "lt", "le", "gt", "ge"))


def test_a_version_of_any_length_is_compared() -> None:
    long, longer = f"1.0.0-{'9' * 10_000}", f"1.0.0-1{'0' * 10_000}"
    assert holds("semver_lt", ["1.0.0"], longer)
    assert holds("semver_gt", [long], longer)


def is_in(text: str, version: str) -> bool:
    parsed = parse_semver(version)
    assert parsed is not None
    return is_in_range(parsed, parse_range(text))


# What npm documents (https://github.com/npm/node-semver#advanced-range-syntax): each range, and what it is short for.
SHORT_FOR = [
    ("~1.2.3", ">=1.2.3 <1.3.0-0"),
    ("~1.2", ">=1.2.0 <1.3.0-0"),
    ("~1", ">=1.0.0 <2.0.0-0"),
    ("~0.2.3", ">=0.2.3 <0.3.0-0"),
    ("~0.2", ">=0.2.0 <0.3.0-0"),
    ("~0", ">=0.0.0 <1.0.0-0"),
    ("~1.2.3-beta.2", ">=1.2.3-beta.2 <1.3.0-0"),
    ("^1.2.3", ">=1.2.3 <2.0.0-0"),
    ("^0.2.3", ">=0.2.3 <0.3.0-0"),
    ("^0.0.3", ">=0.0.3 <0.0.4-0"),
    ("^1.2.3-beta.2", ">=1.2.3-beta.2 <2.0.0-0"),
    ("^0.0.3-beta", ">=0.0.3-beta <0.0.4-0"),
    ("^1.2", ">=1.2.0 <2.0.0-0"),
    ("^0.0", ">=0.0.0 <0.1.0-0"),
    ("^0.1", ">=0.1.0 <0.2.0-0"),
    ("^1", ">=1.0.0 <2.0.0-0"),
    ("^0", ">=0.0.0 <1.0.0-0"),
    ("1", ">=1.0.0 <2.0.0-0"),
    ("1.2", ">=1.2.0 <1.3.0-0"),
    ("=1.2", ">=1.2.0 <1.3.0-0"),
    (">1", ">=2.0.0"),
    (">1.2", ">=1.3.0"),
    (">=1", ">=1.0.0"),
    ("<2", "<2.0.0-0"),
    ("<1.2", "<1.2.0-0"),
    ("<=1", "<2.0.0-0"),
    ("<=1.2", "<1.3.0-0"),
    (">=1 <2", ">=1.0.0 <2.0.0-0"),
    ("> 1.2.3  <= 2.0.0", ">1.2.3 <=2.0.0"),
    (" ^ v1.2 ", "^1.2.0"),
    ("1.2.3+build", "=1.2.3"),
]
NEAR = [
    f"{major}.{minor}.{patch}{rest}"
    for major, minor, patch in itertools.product(range(4), range(4), range(5))
    for rest in ("-0", "-alpha", "-beta", "-beta.2", "-beta.3", "")
]


@pytest.mark.parametrize(("short", "long"), SHORT_FOR)
def test_a_range_is_short_for_what_npm_says(short: str, long: str) -> None:
    assert [version for version in NEAR if is_in(short, version) is not is_in(long, version)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", ["1.2.0", "1.9.9", "1.3.0-rc.1", "v1.2"], ["1.1.9", "2.0.0", "2.0.0-0", "1.2.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.3.0-0", "0.2.2"]),
        ("^0.0.3", ["0.0.3", "0.0.3+x"], ["0.0.4", "0.0.4-0", "0.0.2"]),
        ("~1.2.3", ["1.2.3", "1.2.99"], ["1.3.0", "1.3.0-0", "1.2.2"]),
        ("<2", ["1.99.99", "0.0.0-0"], ["2.0.0-0", "2.0.0-rc.1", "2.0.0"]),
        ("<2.0.0", ["2.0.0-rc.1", "1.0.0"], ["2.0.0"]),
        ("<=2.0.0", ["2.0.0", "2.0.0-rc.1"], ["2.0.1-0"]),
        (">1", ["2.0.0"], ["1.9.9", "2.0.0-rc.1"]),
        ("1.2.3", ["1.2.3", "v1.2.3+5"], ["1.2.3-0", "1.2.4"]),
        (">=1.0.0-rc.1", ["1.0.0-rc.1", "1.0.0-rc.2", "1.0.0"], ["1.0.0-beta"]),
    ],
)
def test_ranges(text: str, inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside if not is_in(text, version)] == []
    assert [version for version in outside if is_in(text, version)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a range of versions, such as"),
        (" ", "a range of versions, such as"),
        ("latest", "a range of versions"),
        (">=", "a range of versions"),
        ("1.2-rc.1", "a range of versions"),
        ("^1.2.3.4", "a range of versions"),
        (">=1,<2", "a range of versions"),
        (">=1<2", "a range of versions"),
        ("=>1", "a range of versions"),
        ("01", "a range of versions"),
        ("1.0.0-01", "a range of versions"),
        ("1\n", "a range of versions"),
        ("^1 || ^2", r"one value for each alternative instead of \|\|"),
        ("1.2.3 - 2.3.4", "both ends of a range, such as >=1.2.3 <=2.3.4"),
        ("1.x", "a version without x and"),
        ("*", "a version without x and"),
        ("^1.2.X", "a version without x and"),
        (">=x", "a version without x and"),
    ],
)
def test_what_is_no_range_is_refused_with_what_to_write(text: str, expected: str) -> None:
    with pytest.raises(ContractError, match=f"^values: expected {expected}"):
        Condition("a", Operator.SEMVER_IN, ("1.0.0", text))


def test_a_version_is_in_any_of_several_ranges() -> None:
    assert holds("semver_in", ["^1", "^3.1"], "3.2.0")
    assert not holds("semver_in", ["^1", "^3.1"], "2.0.0")
    assert Condition("a", Operator.SEMVER_IN, (1.2,)).holds({"a": 1.2}, None, NO_SEGMENTS)


@given(semver_ranges, versions)
def test_a_range_reads_and_holds_as_its_comparators_do(text: str, version: str) -> None:
    assert is_in(f"{text} >=0.0.0-0", version) is is_in(text, version)
    assert is_in(f"{text} {text}", version) is is_in(text, version)


@given(st.text(st.sampled_from("^~<>=v012.- x*|a+"), max_size=12))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    try:
        assert parse_range(text)
    except ContractError as error:
        refused = error
    else:
        return
    assert refused.field == "values"
