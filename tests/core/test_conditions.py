"""What each operator says of an attribute, and how a condition comes to hold."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_json, attributes, conditions, exact, scalars, segment_keys, texts, times, versions

from tailslide_core.conditions import (
    NO_SEGMENTS,
    TARGETING_KEY,
    TEXT_OPERATORS,
    Attributes,
    Condition,
    Items,
    Membership,
    Operator,
    Scalar,
    Segments,
    any_of,
    number_of,
    text_of,
)
from tailslide_core.errors import ContractError
from tailslide_core.scalars import says_number

MISSING = object()
VALID: Mapping[str, Scalar] = {
    **dict.fromkeys(["before", "after"], "2026-11-28T12:00:00Z"),
    **{operator: "1.0.0" for operator in Operator if operator.startswith("semver")},
    "ip_in": "10.0.0.0/8",
}
"""A value that an operator takes; others take 1."""


class Group:
    """A segment that says what it is told to of each value."""

    def __init__(self, answers: Mapping[str | None, bool | None]) -> None:
        self.answers = answers
        self.asked: list[tuple[str | None, Attributes, str | None]] = []

    def has(self, values: Iterable[str | None], attributes: Attributes, targeting_key: str | None) -> bool | None:
        asked = list(values)
        self.asked += [(value, attributes, targeting_key) for value in asked]
        return any_of(self.answers.get(value, False) for value in asked)


def holds(
    operator: str, values: list[Scalar], value: object, *, negate: bool = False, ignore_case: bool = False
) -> bool:
    condition = Condition("a", Operator(operator), tuple(values), negate, ignore_case)
    return condition.holds({} if value is MISSING else {"a": value, "b": "other"}, None, NO_SEGMENTS)


def said(operator: str, values: list[Scalar], value: object, *, ignore_case: bool = False) -> bool | None:
    """Return what a comparison comes to: None where neither the condition nor its negation holds."""
    yes, no = (holds(operator, values, value, negate=negate, ignore_case=ignore_case) for negate in (False, True))
    assert not (yes and no)
    return True if yes else False if no else None


@pytest.mark.parametrize(
    ("operator", "values", "matching", "others", "unknown"),
    [
        ("in", ["DE", "FR"], ["DE", "FR"], ["de", "D", "", "DE ", "DEFR", 5, True], [None, {}, 2**64, "\ud800"]),
        ("in", [""], [""], ["x", 0, False], [None]),
        ("in", ["a", "a"], ["a"], ["b"], []),
        ("in", [5, "x"], [5, 5.0, "5", "5.0", "5e0", "x"], [6, "y", "five", True], [10**30, "1" + "0" * 30, "1e999"]),
        ("in", ["1.10"], ["1.10", 1.1], ["1.1", "1.100"], []),
        ("in", ["5", "5.50"], ["5", "5.50", 5, 5.0, 5.5], ["5.0", "5.5", 6], [2**64]),
        ("in", ["99999999999999999999"], ["99999999999999999999"], ["9"], [5, 1e20, 10**20 - 1]),
        ("equals", ["DE"], ["DE"], ["de", "DEU"], []),
        ("equals", ["é"], ["é"], ["e", "e\u0301"], []),
        ("not_in", ["DE", "FR"], ["GB", "", "de", 5], ["DE", "FR"], [None, [], {}][:1]),
        ("contains", ["an", "ri"], ["france", "ibiza-riga", "an"], ["AN", "", "a", 5], [None, {}, "an\ud800"]),
        ("contains", [5, True], [15, "x5", True, "is true"], [1, False], [2**64]),
        ("starts_with", ["int-", "qa"], ["int-1", "qa", "qa-x"], ["x-int-", "in"], [{}]),
        ("ends_with", ["@example.com"], ["me@example.com"], ["me@example.com.evil.test", "example.com"], [{}]),
        ("ends_with", [".5"], [0.5, "1.5"], [5, 0.55], []),
        ("lt", [18], [17, 17.999, -1, "17", "1e1"], [18, 18.0, "18", 19], ["many", True, None, -(10**30), "-1e20"]),
        ("le", [18], [18, "18.0", 17], [18.001, 19], []),
        ("gt", [18], [18.001, "19", 10**19], [18, 17, "18"], [10**30, "x"]),
        ("ge", [18], [18, "18", 19], [17.999, "17"], []),
        ("ge", ["18"], [18, "18"], [17], []),
        ("lt", [-0.5], [-1, "-0.75"], [0, -0.5], []),
        ("before", ["2026-11-28T12:00:00Z"], ["2026-11-28T12:30:00+01:00"], ["2026-11-28T12:00:00.0Z"], [5, "x", None]),
        ("after", ["2026-11-28T12:00:00Z"], ["2026-11-28T12:00:00.01Z"], ["2026-11-28t12:00:00z"], [1795363190, True]),
        ("ip_in", ["10.0.0.0/8", "::1"], ["10.1.2.3", "::ffff:10.0.0.1", "::1"], ["11.0.0.1", "::2"], [5, "x", None]),
        ("matches", ["^a", "z$"], ["abc", "xyz"], ["ba", "", 5], [None, {}, 2**64, "a\ud800"]),
        ("semver_eq", ["1.2.3"], ["1.2.3", "v1.2.3", "1.2.3+build.5"], ["1.2.4", "1.2.3-rc.1"], ["latest"]),
        ("semver_eq", ["1.2"], ["1.2", "1.2.0", 1.2], ["1.2.1"], [True, None, "1.2.3.4"]),
        ("semver_lt", ["2.0.0"], ["1.9.9", "2.0.0-rc.1", 1, "v1"], ["2.0.0", "2.0.0+x", "10.0.0"], ["", {}]),
        ("semver_le", ["2.0.0"], ["2.0.0", "2.0.0-a"], ["2.0.1"], []),
        ("semver_gt", ["1.9.0"], ["1.10.0", "2"], ["1.9.0", "1.9.0-rc"], []),
        ("semver_ge", ["1.9.0"], ["1.9.0", "1.10.0-a"], ["1.9.0-rc"], []),
        ("semver_in", ["^1.2", ">=3 <4"], ["1.9.0", "3.5", 3], ["2.0.0", "4.0.0-rc.1"], ["latest", True, None]),
        ("exists", [], ["", "x", 0, False, [], {}, ["x"], "\ud800", 10**30], [None, MISSING], []),
        ("exists", [True], ["", 0, [None]], [None, MISSING], []),
        ("exists", [False], [None, MISSING], ["", 0, [], {}], []),
    ],
)
def test_each_operator_matches_what_it_says(
    operator: str, values: list[Scalar], matching: list[object], others: list[object], unknown: list[object]
) -> None:
    assert [value for value in matching if said(operator, values, value) is not True] == []
    assert [value for value in others if said(operator, values, value) is not False] == []
    assert [value for value in unknown if said(operator, values, value) is not None] == []


@pytest.mark.parametrize(
    ("operator", "values", "matching", "others"),
    [
        ("in", ["Straße", "ÉCOLE", True, 5], ["STRAßE", "école", "TRUE", True, "5", 5], ["strasse", "false", 6]),
        ("equals", ["TRUE"], [True, "true", "True"], [False, 1]),
        ("in", ["1E3"], [1000, "1e3"], ["1000"]),
        ("not_in", ["de"], ["fr"], ["DE", "de"]),
        ("contains", ["Pro"], ["PROFI", "a pro", "Improve"], ["pr"]),
        ("contains", ["TRUE"], [True], [False]),
        ("starts_with", ["ÀB"], ["àbc", "ÀBC"], ["abc"]),
        ("ends_with", [".COM"], ["a.com", "a.Com"], ["a.com.x"]),
        ("matches", ["^pro$"], ["PRO", "pro"], ["prof"]),
        ("in", ["İ"], ["İ", "i\u0307"], ["i", "I"]),
    ],
)
def test_case_can_be_ignored(operator: str, values: list[Scalar], matching: list[object], others: list[object]) -> None:
    assert [value for value in matching if said(operator, values, value, ignore_case=True) is not True] == []
    assert [value for value in others if said(operator, values, value, ignore_case=True) is not False] == []
    assert [value for value in matching if said(operator, values, [value], ignore_case=True) is not True] == []
    assert [value for value in others if said(operator, values, [value], ignore_case=True) is not False] == []


@pytest.mark.parametrize("operator", sorted(set(Operator) - TEXT_OPERATORS))
def test_case_is_ignored_by_comparisons_of_text_alone(operator: str) -> None:
    with pytest.raises(ContractError, match=f"^ignore_case: expected to be left out for {operator}, which does not"):
        Condition("a", Operator(operator), (VALID.get(operator, 1),), ignore_case=True)


@pytest.mark.parametrize(
    ("value", "attribute", "equal"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, "1", True),
        ("1", 1, True),
        ("1", 1.0, True),
        (1.5, "1.5", True),
        (1, "1.0", True),
        ("1.0", 1, True),
        ("1.0", "1", False),
        ("1.10", "1.1", False),
        ("5", "5.0", False),
        (True, True, True),
        (True, "true", True),
        ("false", False, True),
        (True, 1, False),
        (1, True, False),
        (0, False, False),
        (True, "True", False),
        (True, "1", False),
        ("1", True, False),
        (0, -0.0, True),
        (2**63, str(2**63), True),
        (2**63, 2**63 + 1, False),
        (2**53, 2**53 + 1, False),
        (2.0**53, 2**53 + 1, False),
        (2.0**53, 2**53, True),
        ("9007199254740993", 9007199254740993, True),
        ("9007199254740993", 9007199254740992.0, False),
        (1e19, 10**19, True),
        (0.1, "0.1", True),
        (0.1, "0.10000000000000001", True),
        ("null", None, None),
        ("", None, None),
        (5, "five", False),
        (5, "", False),
    ],
)
def test_numbers_compare_as_numbers_and_texts_as_texts(value: Scalar, attribute: object, equal: bool | None) -> None:
    for values in ([value], ["x", value]):
        assert said("in", values, attribute) is equal
        assert said("equals", values, attribute) is equal
        assert said("in", values, [attribute]) is equal
        assert holds("not_in", values, attribute) is (equal is False)
        assert holds("not_in", values, attribute, negate=True) is (equal is True)


@pytest.mark.parametrize("operator", [o for o in Operator if o is not Operator.EXISTS])
@pytest.mark.parametrize("attribute", [MISSING, None, {"nested": "1.0.0"}, [[]], [{}], [None], [[["1"]]]])
@pytest.mark.parametrize("negate", [False, True])
def test_an_attribute_that_is_missing_or_no_scalar_never_matches(
    operator: str, attribute: object, negate: bool
) -> None:
    assert not holds(operator, [VALID.get(operator, "1")], attribute, negate=negate)


def test_of_a_list_one_item_must_match() -> None:
    assert holds("in", ["admin"], ["user", "admin"])
    assert holds("ge", [18], ["no number", 20])
    assert holds("semver_lt", ["2.0.0"], ("3.0.0", "1.0.0"))
    assert not holds("contains", ["x"], ["a", "b"])
    assert not holds("in", ["admin"], [])


def test_of_a_list_no_item_may_match_a_negated_condition_nor_be_unknown() -> None:
    assert holds("not_in", ["banned"], ["user", "admin"])
    assert holds("not_in", ["banned"], [])
    assert not holds("not_in", ["banned"], ["user", "banned"])
    assert not holds("not_in", ["banned"], ["user", None])
    assert holds("ge", [18], [5, "17"], negate=True)
    assert not holds("ge", [18], [5, "no number"], negate=True)
    assert holds("contains", ["x"], [], negate=True)
    assert not holds("in", [5], ["x", "1e999"], negate=True)
    assert not holds("in", ["5"], ["x", 10**30], negate=True)


@pytest.mark.parametrize(
    ("name", "of_user", "found"),
    [
        ("user.plan", {"user": {"plan": "pro"}}, True),
        ("user.plan", {"user.plan": "pro"}, True),
        ("user.plan", {"user.plan": "pro", "user": {"plan": "free"}}, True),
        ("user.plan", {"user.plan": "free", "user": {"plan": "pro"}}, False),
        ("user.plan", {"user.plan": None, "user": {"plan": "pro"}}, True),
        ("user.plan", {"user": {"plan": ["free", "pro"]}}, True),
        ("user.plan", {"user": [{"plan": "pro"}]}, None),
        ("user.plan", {"user": "pro"}, None),
        ("user.plan", {"user": {"plan": {"pro": "pro"}}}, None),
        ("user.plan", {"user": {"plan": None}}, None),
        ("user.plan", {"plan": "pro"}, None),
        ("a.b.c", {"a": {"b": {"c": "pro"}}}, True),
        ("a.b.c", {"a.b": {"c": "pro"}}, None),
        ("a.b.c", {"a": {"b.c": "pro"}}, None),
        ("a..b", {"a": {"": {"b": "pro"}}}, True),
        (".", {"": {"": "pro"}}, True),
        ("user", {"user": {"plan": "pro"}}, None),
    ],
)
def test_nested_attributes_are_reached_by_a_path(name: str, of_user: dict[str, object], found: bool | None) -> None:
    for negate in (False, True):
        condition = Condition(name, Operator.IN, ("pro",), negate)
        assert condition.holds(of_user, None, NO_SEGMENTS) is (found is not None and found is not negate)


def test_the_targeting_key_is_an_attribute_whatever_the_attributes_say() -> None:
    condition = Condition(TARGETING_KEY, Operator.STARTS_WITH, ("u",))
    other = {TARGETING_KEY: "u2"}
    assert condition.holds({}, "u1", NO_SEGMENTS)
    assert condition.holds({TARGETING_KEY: "x"}, "u1", NO_SEGMENTS)
    for missing in (None, ""):
        assert not condition.holds(other, missing, NO_SEGMENTS)
        assert not Condition(TARGETING_KEY, Operator.STARTS_WITH, ("u",), negate=True).holds(
            other, missing, NO_SEGMENTS
        )
        assert Condition(TARGETING_KEY, Operator.EXISTS, (False,)).holds(other, missing, NO_SEGMENTS)
    assert not Condition(TARGETING_KEY, Operator.IN, ("u1",), negate=True).holds({}, "\ud800", NO_SEGMENTS)
    assert Condition(TARGETING_KEY, Operator.EXISTS, ()).holds({}, "\ud800", NO_SEGMENTS)
    assert Condition(TARGETING_KEY, Operator.GE, (5,)).holds({}, "7", NO_SEGMENTS)


def in_segments(answers: list[bool | None], value: object = "v") -> bool | None:
    """Return what asking for segments comes to, of which each gives one of these answers."""
    segments: dict[str, Membership] = {f"s{at}": Group({"v": answer}) for at, answer in enumerate(answers)}
    keys = tuple(segments)
    yes = Condition("a", Operator.IN_SEGMENT, keys).holds({"a": value}, "u", segments)
    no = Condition("a", Operator.IN_SEGMENT, keys, negate=True).holds({"a": value}, "u", segments)
    assert not (yes and no)
    return True if yes else False if no else None


@given(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4))
def test_segments_are_any_of_those_named(answers: list[bool | None]) -> None:
    assert in_segments(answers) is any_of(answers)
    assert in_segments(answers, ["other", "v"]) is any_of(answers)
    assert in_segments(answers, []) is False


def test_a_segment_is_asked_with_the_text_of_the_attribute() -> None:
    group = Group({"5": True})
    segments: Segments = {"s": group}
    of_user = {"n": 5, "list": ["x", 5.0, {}], "user": {"id": 5}, "wrong": {}, "cut": "\ud800"}
    for name in ("n", "list", "user.id"):
        assert Condition(name, Operator.IN_SEGMENT, ("s",)).holds(of_user, "u", segments)
    for name in ("wrong", "cut", "missing"):
        assert not Condition(name, Operator.IN_SEGMENT, ("s",)).holds(of_user, "u", segments)
    assert Condition("list", Operator.IN_SEGMENT, ("s",)).holds({"list": Items([5])}, "u", segments)
    assert not Condition(TARGETING_KEY, Operator.IN_SEGMENT, ("s",)).holds(of_user, "u", segments)
    assert [value for value, _, _ in group.asked] == ["5", "x", "5", None, "5", None, None, None, "5", "u"]
    assert group.asked[0][1:] == (of_user, "u")


def test_an_unknown_segment_never_holds_negated_or_not() -> None:
    segments: Segments = {"s": Group({"u": True}), "t": Group({})}
    for negate in (False, True):
        assert not Condition(TARGETING_KEY, Operator.IN_SEGMENT, ("gone",), negate).holds({}, "u", segments)
        assert not Condition(TARGETING_KEY, Operator.IN_SEGMENT, ("t", "gone"), negate).holds({}, "u", segments)
    assert Condition(TARGETING_KEY, Operator.IN_SEGMENT, ("gone", "s")).holds({}, "u", segments)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        *[(o, [], "at least one value") for o in sorted(TEXT_OPERATORS)],
        ("ip_in", [], "at least one value"),
        ("semver_in", [], "at least one value"),
        ("in_segment", [], "the key of at least one segment"),
        ("in_segment", [5], "1 to 100 characters"),
        ("in_segment", [""], "1 to 100 characters"),
        ("in", [float("nan")], "strings, booleans or finite numbers from -9223372036854775808 to 18446744073709551615"),
        ("in", ["x", float("inf")], "finite numbers"),
        ("in", [2**64], "finite numbers from .* compared exactly, got 18446744073709551616"),
        ("not_in", [-(2**63) - 1], "finite numbers"),
        ("contains", [1e20], "finite numbers"),
        ("in", ["a\ud800"], "text without lone surrogates"),
        ("contains", ["a", ""], "no empty text for contains"),
        ("starts_with", [""], "no empty text for starts_with"),
        ("ends_with", [""], "no empty text for ends_with"),
        ("lt", [], "exactly one value for lt, a number"),
        ("lt", [1, 2], "exactly one value for lt, a number"),
        ("ge", ["many"], "exactly one value for ge, a number"),
        ("gt", [True], "exactly one value for gt, a number"),
        ("gt", [float("nan")], "expected numbers from -9223372036854775808 to 18446744073709551615"),
        ("gt", [2**64], "numbers from -9223372036854775808 to 18446744073709551615, which are compared exactly"),
        ("gt", ["1e30"], "numbers from -9223372036854775808 to 18446744073709551615"),
        ("before", [], "exactly one value for before, a time of RFC 3339 such as"),
        ("after", ["2026-11-28"], "exactly one value for after, a time of RFC 3339 such as"),
        ("before", [1795363190], "exactly one value for before, a time"),
        ("semver_eq", [], "exactly one value for semver_eq, a semantic version"),
        ("semver_lt", ["1.0.0", "2.0.0"], "exactly one value for semver_lt, a semantic version"),
        ("semver_ge", ["latest"], "exactly one value for semver_ge, a semantic version"),
        ("semver_in", [True], "a range of versions"),
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
    with pytest.raises(ContractError, match=r"^attribute: expected a name without lone surrogates"):
        Condition("a\udc00", Operator.EXISTS, ())


segment_maps = st.dictionaries(
    segment_keys, st.sampled_from([True, False, None]).map(lambda said: Group({"DE": True, None: said})), max_size=3
)


def negated(condition: Condition) -> Condition:
    return Condition(
        condition.attribute, condition.operator, condition.values, not condition.negate, condition.ignore_case
    )


comparable: Mapping[str, st.SearchStrategy[Scalar]] = {
    **dict.fromkeys(["lt", "le", "gt", "ge"], exact | exact.map(str)),
    **dict.fromkeys(["before", "after"], times),
    **{operator: versions for operator in Operator if operator.startswith("semver")},
    "ip_in": st.ip_addresses().map(str),
}
"""What operators can compare; others compare any scalar."""


@given(conditions, st.data(), segment_maps)
def test_negation_is_the_complement_wherever_the_result_is_known(
    condition: Condition, data: st.DataObject, segments: dict[str, Membership]
) -> None:
    value = data.draw(comparable.get(condition.operator, scalars))
    if condition.attribute == TARGETING_KEY:
        value = text_of(value) or "u"
    key = value if isinstance(value, str) else None
    holds, not_so = (
        each.holds({condition.attribute: value}, key, segments) for each in (condition, negated(condition))
    )
    if condition.operator is Operator.IN_SEGMENT:
        asked = [segments.get(str(name)) for name in condition.values]
        text = text_of(value)
        known = any_of(None if group is None else group.has([text], {}, None) for group in asked) is not None
    else:
        # Of the scalars that an operator compares one alone is unknown: a number beyond 64 bits that a text says.
        known = not isinstance(value, str) or not says_number(value) or number_of(value) is not None
    assert not (holds and not_so)
    assert holds or not_so or not known


@given(conditions, attributes, st.sampled_from([None, "", "u1", "DE"]), segment_maps)
def test_a_condition_and_its_negation_never_both_hold(
    condition: Condition, of_user: dict[str, object], key: str | None, segments: dict[str, Membership]
) -> None:
    holds, not_so = (each.holds(of_user, key, segments) for each in (condition, negated(condition)))
    assert not (holds and not_so)
    assert holds or not_so or condition.operator is not Operator.EXISTS


@given(conditions.filter(lambda condition: condition.operator is not Operator.EXISTS), st.booleans(), segment_maps)
def test_a_missing_attribute_matches_nothing(condition: Condition, null: bool, segments: dict[str, Membership]) -> None:
    of_user = {condition.attribute: None} if null else {"other": "x"}
    unknown: dict[str, Membership] = {key: Group({None: None}) for key in segments}
    for each in (condition, negated(condition)):
        assert not each.holds(of_user, None, unknown)


@given(conditions, st.dictionaries(st.sampled_from(["country", "user", "a", "user.plan"]), any_json), any_json)
def test_no_attribute_of_any_kind_makes_a_condition_fail(
    condition: Condition, of_user: dict[str, object], value: object
) -> None:
    key = value if isinstance(value, str) else None
    for given_ in (of_user, {condition.attribute: value}, {condition.attribute: [value, value]}):
        assert condition.holds(given_, key, NO_SEGMENTS) in (True, False)


@given(exact, exact)
def test_the_orderings_agree_with_each_other_and_are_exact(bound: float, attribute: float) -> None:
    assert holds("lt", [bound], attribute) is (attribute < bound)
    assert holds("gt", [bound], attribute) is (attribute > bound)
    assert holds("ge", [bound], attribute) is (attribute >= bound)
    assert holds("le", [bound], attribute) is (attribute <= bound)
    assert holds("equals", [bound], attribute) is (attribute == bound)


@given(st.integers(-(2**63), 2**64 - 2))
def test_neighbours_among_the_integers_of_64_bits_are_told_apart(number: int) -> None:
    for value, next_one in ((number, number + 1), (str(number), str(number + 1)), (number, str(number + 1))):
        assert holds("lt", [next_one], value)
        assert holds("gt", [value], next_one)
        assert said("equals", [number], next_one) is False
        assert said("equals", [next_one], number) is False


@given(texts.filter(bool), texts)
def test_text_operators_are_those_of_texts(part: str, text: str) -> None:
    assert said("contains", [part], text) is (part in text)
    assert said("starts_with", [part], text) is text.startswith(part)
    assert said("ends_with", [part], text) is text.endswith(part)
    for operator, plain in (("in", part == text), ("contains", part in text)):
        if plain:
            assert said(operator, [part], text, ignore_case=True) is True
    assert said("in", [part], text, ignore_case=True) is (part.lower() == text.lower())


@given(
    conditions, st.lists(st.one_of(scalars, st.none(), st.just("\ud800"), st.just(10**30)), max_size=4), segment_maps
)
def test_a_list_holds_as_its_items_do(
    condition: Condition, values: list[object], segments: dict[str, Membership]
) -> None:
    if condition.operator is Operator.EXISTS or condition.attribute == TARGETING_KEY:
        return
    plain = Condition(condition.attribute, condition.operator, condition.values, False, condition.ignore_case)
    opposite = negated(plain)

    def of(value: object) -> bool | None:
        of_user = {condition.attribute: value}
        yes, no = plain.holds(of_user, None, segments), opposite.holds(of_user, None, segments)
        if condition.operator is Operator.NOT_IN:
            yes, no = no, yes
        return True if yes else False if no else None

    expected = any_of(map(of, values))
    if not values and condition.operator is Operator.IN_SEGMENT and not segments.keys() >= set(condition.values):
        expected = None  # a segment that there is not is unknown even then
    for whole in (values, tuple(values), Items(values)):
        assert of(whole) is expected
