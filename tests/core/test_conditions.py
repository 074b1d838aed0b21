import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attributes, conditions, finite, scalars, texts

from tailslide_core.conditions import NO_SEGMENTS, Condition, Items, Operator, Scalar, number_of, parse_semver, text_of
from tailslide_core.errors import ContractError

MISSING = object()


def holds(operator: str, values: list[Scalar], value: object) -> bool:
    condition = Condition("a", Operator(operator), tuple(values))
    return condition.holds({} if value is MISSING else {"a": value, "b": "other"}, None, NO_SEGMENTS)


@pytest.mark.parametrize(
    ("operator", "values", "matching", "others"),
    [
        ("in", ["DE", "FR"], ["DE", "FR"], ["de", "D", "", "DE ", "DEFR"]),
        ("in", [""], [""], ["x"]),
        ("in", ["a", "a"], ["a"], ["b"]),
        ("equals", ["DE"], ["DE"], ["de", "DEU"]),
        ("equals", ["é"], ["é"], ["e", "e\u0301"]),
        ("not_in", ["DE", "FR"], ["GB", "", "de"], ["DE", "FR"]),
        ("contains", ["an", "ri"], ["france", "ibiza-riga", "an"], ["AN", "", "a"]),
        ("starts_with", ["int-", "qa"], ["int-1", "qa", "qa-x"], ["x-int-", "in"]),
        ("ends_with", ["@example.com"], ["me@example.com"], ["me@example.com.evil.test", "example.com"]),
        ("lt", [18], [17, 17.999, -1, "17", "1e1"], [18, 18.0, "18", 19]),
        ("le", [18], [18, "18.0", 17], [18.001, 19]),
        ("gt", [18], [18.001, "19", 10**30], [18, 17, "18"]),
        ("ge", [18], [18, "18", 19], [17.999, "17"]),
        ("ge", ["18"], [18, "18"], [17]),
        ("lt", [-0.5], [-1, "-0.75"], [0, -0.5]),
        ("semver_eq", ["1.2.3"], ["1.2.3", "v1.2.3", "1.2.3+build.5"], ["1.2.4", "1.2.3-rc.1"]),
        ("semver_eq", ["1.2"], ["1.2", "1.2.0", 1.2], ["1.2.1"]),
        ("semver_lt", ["2.0.0"], ["1.9.9", "2.0.0-rc.1", 1, "v1"], ["2.0.0", "2.0.0+x", "10.0.0"]),
        ("semver_le", ["2.0.0"], ["2.0.0", "2.0.0-a"], ["2.0.1"]),
        ("semver_gt", ["1.9.0"], ["1.10.0", "2"], ["1.9.0", "1.9.0-rc"]),
        ("semver_ge", ["1.9.0"], ["1.9.0", "1.10.0-a"], ["1.9.0-rc"]),
    ],
)
def test_each_operator_matches_what_it_says(
    operator: str, values: list[Scalar], matching: list[object], others: list[object]
) -> None:
    assert [value for value in matching if not holds(operator, values, value)] == []
    assert [value for value in others if holds(operator, values, value)] == []


@pytest.mark.parametrize(
    ("value", "attribute", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, "1", True),
        ("1", 1, True),
        (1.5, "1.5", True),
        (1, "1.0", False),
        ("1.0", 1, False),
        (True, True, True),
        (True, "true", True),
        ("false", False, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (True, "True", False),
        (0, -0.0, True),
        (2**63, str(2**63), True),
        (1e20, 10**20, True),
        ("null", None, False),
        ("", None, False),
    ],
)
def test_numbers_and_booleans_compare_by_what_they_say(value: Scalar, attribute: object, equal: bool) -> None:
    assert holds("equals", [value], attribute) is equal
    assert holds("in", ["x", value], attribute) is equal
    assert holds("not_in", [value], attribute) is (not equal and attribute is not None)


@pytest.mark.parametrize(
    "attribute", [True, False, "", "many", "1_000", " 5", "5 ", "\u0665", "NaN", "inf", "0x10", "1,5", {}]
)
def test_what_says_no_number_is_neither_above_nor_below(attribute: object) -> None:
    assert not any(holds(operator, [0], attribute) for operator in ("lt", "le", "gt", "ge"))


@pytest.mark.parametrize("attribute", [float("nan"), float("inf"), -float("inf"), "1e999", 10**400, "9" * 5000])
def test_a_number_without_a_finite_value_is_neither_above_nor_below(attribute: object) -> None:
    assert number_of(attribute) is None
    assert not any(holds(operator, [0], attribute) for operator in ("lt", "le", "gt", "ge"))


@pytest.mark.parametrize("operator", [o for o in Operator if o is not Operator.EXISTS])
@pytest.mark.parametrize("attribute", [MISSING, None, {"nested": "1.0.0"}, [[]], [{}], [None]])
def test_an_attribute_that_is_missing_or_no_scalar_never_matches(operator: str, attribute: object) -> None:
    assert not holds(operator, ["1.0.0"] if operator.startswith("semver") else ["1"], attribute)


@pytest.mark.parametrize("attribute", [None, MISSING])
def test_exists_asks_for_presence_or_absence(attribute: object) -> None:
    assert not holds("exists", [], attribute)
    assert not holds("exists", [True], attribute)
    assert holds("exists", [False], attribute)


@pytest.mark.parametrize("attribute", ["", "x", 0, False, [], {}, ["x"]])
def test_whatever_is_not_null_exists(attribute: object) -> None:
    assert holds("exists", [], attribute)
    assert holds("exists", [True], attribute)
    assert not holds("exists", [False], attribute)


def test_of_a_list_one_item_must_match() -> None:
    assert holds("in", ["admin"], ["user", "admin"])
    assert holds("ge", [18], ["no number", 20])
    assert holds("semver_lt", ["2.0.0"], ("3.0.0", "1.0.0"))
    assert not holds("contains", ["x"], ["a", "b"])
    assert not holds("in", ["admin"], [])


def test_of_a_list_no_item_may_be_among_the_values_of_not_in() -> None:
    assert holds("not_in", ["banned"], ["user", "admin"])
    assert not holds("not_in", ["banned"], ["user", "banned"])
    assert not holds("not_in", ["banned"], ["user", None])
    assert holds("not_in", ["banned"], [])


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        *[(o, [], "at least one value") for o in ("in", "not_in", "equals", "contains", "starts_with", "ends_with")],
        ("in", [float("nan")], "finite numbers"),
        ("in", ["x", float("inf")], "finite numbers"),
        ("lt", [], "exactly one value, a number, for lt"),
        ("lt", [1, 2], "exactly one value, a number, for lt"),
        ("ge", ["many"], "exactly one value, a number, for ge"),
        ("gt", [True], "exactly one value, a number, for gt"),
        ("gt", [float("nan")], "exactly one value, a number, for gt"),
        ("semver_eq", [], "exactly one value, a semantic version, for semver_eq"),
        ("semver_lt", ["1.0.0", "2.0.0"], "exactly one value, a semantic version"),
        ("semver_ge", ["latest"], "exactly one value, a semantic version"),
        ("exists", [True, False], r"\[\], \[true\] or \[false\]"),
        ("exists", ["true"], r"\[\], \[true\] or \[false\]"),
        ("exists", [1], r"\[\], \[true\] or \[false\]"),
        ("exists", [0.0], r"\[\], \[true\] or \[false\]"),
    ],
)
def test_values_that_do_not_fit_the_operator_are_refused(operator: str, values: list[Scalar], expected: str) -> None:
    with pytest.raises(ContractError, match=expected) as caught:
        Condition("a", Operator(operator), tuple(values))
    assert caught.value.field == "values"


def test_an_attribute_has_a_name() -> None:
    with pytest.raises(ContractError, match=r"^attribute: expected the name of an attribute"):
        Condition("", Operator.EXISTS, ())


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


@given(finite | st.integers(-(2**63), 2**64))
def test_a_number_reads_back_from_its_text(number: float) -> None:
    text = text_of(number)
    assert text is not None
    assert float(text) == float(number)


@given(conditions, attributes)
def test_a_condition_never_fails_on_an_attribute(condition: Condition, of_user: dict[str, object]) -> None:
    assert condition.holds(of_user, None, NO_SEGMENTS) in (True, False)


@given(st.lists(scalars, min_size=1, max_size=3), scalars)
def test_in_and_not_in_divide_the_scalars(values: list[Scalar], attribute: Scalar) -> None:
    assert holds("in", values, attribute) is not holds("not_in", values, attribute)


@given(finite, finite)
def test_the_orderings_agree_with_each_other(bound: float, attribute: float) -> None:
    assert holds("lt", [bound], attribute) is not holds("ge", [bound], attribute)
    assert holds("gt", [bound], attribute) is not holds("le", [bound], attribute)
    assert not (holds("lt", [bound], attribute) and holds("gt", [bound], attribute))


@given(texts, texts)
def test_text_operators_are_those_of_texts(part: str, text: str) -> None:
    assert holds("contains", [part], text) is (part in text)
    assert holds("starts_with", [part], text) is text.startswith(part)
    assert holds("ends_with", [part], text) is text.endswith(part)


def test_lone_surrogates_are_text_like_any_other() -> None:
    assert holds("equals", ["\ud800"], "\ud800")
    assert not holds("semver_lt", ["1.0.0"], "\ud800")
    assert not holds("lt", [1], "\ud800")


@given(conditions, st.lists(scalars, max_size=4))
def test_a_list_holds_as_its_items_do(condition: Condition, values: list[Scalar]) -> None:
    holds = [condition.holds({condition.attribute: value}, None, NO_SEGMENTS) for value in values]
    if condition.operator is Operator.EXISTS:
        expected = condition.values != (False,)
    else:
        expected = all(holds) if condition.operator is Operator.NOT_IN else any(holds)
    assert condition.holds({condition.attribute: values}, None, NO_SEGMENTS) is expected
    assert condition.holds({condition.attribute: Items(values)}, None, NO_SEGMENTS) is expected
    assert condition.holds({condition.attribute: tuple(values)}, None, NO_SEGMENTS) is expected


@pytest.mark.parametrize("item", [None, {}, []])
def test_what_is_no_scalar_is_neither_in_nor_not_in(item: object) -> None:
    for operator in (Operator.IN, Operator.NOT_IN):
        assert not Condition("a", operator, ("x",)).holds({"a": [item]}, None, NO_SEGMENTS)
    assert not Condition("a", Operator.NOT_IN, ("x",)).holds({"a": ["y", item]}, None, NO_SEGMENTS)
    assert Condition("a", Operator.IN, ("x",)).holds({"a": ["x", item]}, None, NO_SEGMENTS)
