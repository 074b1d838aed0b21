"""The work of a question: never less than what evaluating it takes, and known without evaluating anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attribute_names, conditions, scalars

from tailslide_core.comparisons import Test
from tailslide_core.conditions import LOOKUPS, NO_SEGMENTS, Condition, Items, Operator, Scalar, text_of
from tailslide_core.ruleset import Rule, Ruleset
from tailslide_core.work import FREE_CHARACTERS, NO_DEMANDS, Demand, Demands, Total, demand_of, demands_of, work_of

lists = st.lists(scalars, max_size=30)
A_VALUE: dict[Operator, Scalar] = {
    **dict.fromkeys([Operator.LT, Operator.LE, Operator.GT, Operator.GE], 5),
    **dict.fromkeys([Operator.BEFORE, Operator.AFTER], "2026-11-28T12:00:00Z"),
    Operator.IP_IN: "10.0.0.0/8",
}
RULESET = Ruleset("a", "f", 1, active=True, rollout=100.0, salt="f")


def of_rules(*when: Condition) -> Demands:
    return demands_of(replace(RULESET, rules=tuple(Rule((condition,), 50.0) for condition in when)))


@given(st.lists(conditions, min_size=1, max_size=10), attribute_names, lists)
def test_no_fewer_units_than_comparisons(when: list[Condition], attribute: str, values: list[object]) -> None:
    compared = 0
    for condition in when:
        test = condition._test
        if test is None:
            continue

        def counted(item: object, test: Test = test) -> bool | None:
            nonlocal compared
            compared += 1
            return test(item)

        object.__setattr__(condition, "_test", counted)
        if condition.attribute == attribute and condition.operator in LOOKUPS:
            compared += min(len(condition.values), len(set(map(repr, values))))
        condition.holds({attribute: Items(values)}, None, NO_SEGMENTS)
    work, _ = work_of(of_rules(*when), [(attribute, values)])
    # The first item of a list is as free as a scalar is.
    assert compared <= work + len(when)


@given(
    st.lists(conditions, max_size=10),
    attribute_names,
    scalars.filter(lambda value: len(text_of(value) or "") <= FREE_CHARACTERS),
)
def test_short_scalars_cost_nothing_however_many_conditions(
    when: list[Condition], attribute: str, value: object
) -> None:
    assert work_of(of_rules(*when), [(attribute, value)])[0] == 0


@given(st.lists(conditions, max_size=10), attribute_names, lists, scalars)
def test_more_items_and_more_conditions_are_never_less_work(
    when: list[Condition], attribute: str, values: list[object], another: object
) -> None:
    demands = of_rules(*when)
    work, _ = work_of(demands, [(attribute, values)])
    assert work_of(demands, [(attribute, [*values, another])])[0] >= work
    assert work_of(of_rules(*when[1:]), [(attribute, values)])[0] <= work
    assert work_of(demands, [(attribute, Items(values))])[0] == work


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(conditions, max_size=2)), max_size=10))
def test_the_total_is_the_sum_however_flags_come_and_go(changes: list[tuple[str, list[Condition]]]) -> None:
    total, held = Total(), dict[str, Demands]()
    for flag, when in changes:
        after = of_rules(*when)
        total.replace(held.get(flag, NO_DEMANDS), after)
        held[flag] = after
    expected: dict[str, Demand] = {}
    for demands in held.values():
        for attribute, demand in demands.by_attribute.items():
            expected[attribute] = expected.get(attribute, Demand()) + demand
    assert total.demands.by_attribute == expected
    assert set(total.demands.paths) == {name for name in expected if "." in name}


@pytest.mark.parametrize("operator", [operator for operator in Operator if operator is not Operator.EXISTS])
def test_every_operator_has_a_price_for_long_lists(operator: Operator) -> None:
    condition = Condition("a", operator, (A_VALUE.get(operator, "1.0.0"),))
    assert demand_of(condition).work(["x"] * 1_000) >= 1_000


@pytest.mark.parametrize("operator", [Operator.CONTAINS, Operator.LT, Operator.SEMVER_LT])
def test_operators_that_read_a_text_in_whole_have_a_price_for_long_ones(operator: Operator) -> None:
    condition = Condition("a", operator, ("1",))
    assert demand_of(condition).work("x" * FREE_CHARACTERS) == 0
    assert 10 * demand_of(condition).work("x" * 10_000) <= demand_of(condition).work("x" * 100_000) * 1.1
    assert demand_of(condition).work("x" * 10_000) >= 150


def test_the_attribute_that_costs_most_is_named() -> None:
    demands = of_rules(Condition("a", Operator.LT, (5,)), Condition("b", Operator.LT, (5,)))
    assert work_of(demands, [("a", ["1"] * 5), ("b", ["1"] * 10), ("c", ["1"] * 1_000)])[1] == "b"


LONG = {
    "ascii": "ab" * 5_000,
    "wide": "éß" * 5_000,
    "expanding": "\u0130" * 10_000,
    "digits": "0" * 10_000,
    "fraction": "1." + "1" * 10_000,
    "version": "1.0.0-" + "1." * 5_000 + "a",
    "time": "2026-11-28T12:00:00." + "0" * 10_000 + "Z",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize(
    ("condition", "least"),
    [
        (Condition("a", Operator.IN, (5,)), 10),
        (Condition("a", Operator.IN, ("x",), ignore_case=True), 2),
        (Condition("a", Operator.CONTAINS, ("xy",)), 9),
        (Condition("a", Operator.MATCHES, ("[ab]*a[ab]{100}c",)), 2_000),
        (Condition("a", Operator.LT, (5,)), 10),
        (Condition("a", Operator.BEFORE, ("2026-11-28T12:00:00Z",)), 10),
        (Condition("a", Operator.SEMVER_IN, ("^1",)), 150),
    ],
)
def test_what_reads_a_text_in_whole_is_paid_for_its_length(condition: Condition, least: int, text: str) -> None:
    demand = demand_of(condition)
    parts = (len(text) - FREE_CHARACTERS) // 64
    assert demand.work(text) >= least * parts
    assert demand.work([text]) >= least * parts
    assert demand.work(text) >= demand.work("x" * len(text))
    if condition.ignore_case and not text.isascii():
        assert demand.work(text) >= 80 * parts


def test_a_pattern_costs_by_its_program_and_the_bytes_of_the_text() -> None:
    short, long = (demand_of(Condition("a", Operator.MATCHES, (pattern,))) for pattern in ("ab", "(?:ab){100}"))
    text = "x" * 10_000
    assert long.work(text) >= 30 * short.work(text)
    assert short.work("é" * 10_000) >= 4 * short.work(text)
    assert short.work("x" * FREE_CHARACTERS) == long.work("x" * FREE_CHARACTERS) == 0


def test_a_number_that_is_long_when_it_is_written_is_paid_for_as_one() -> None:
    demand = demand_of(Condition("a", Operator.MATCHES, ("x",)))
    assert demand.work(5e-324) > 0
    assert [number for number in (0, 0.0, 5, 1e19, 0.1, 1e-7) if demand.work(number)] == []


def test_paths_are_told_from_names() -> None:
    demands = of_rules(
        Condition("user.plan", Operator.IN, ("pro",)),
        Condition("user.plan", Operator.CONTAINS, ("pro",)),
        Condition("plan", Operator.IN, ("pro",)),
        Condition("a.b", Operator.EXISTS, ()),
    )
    assert set(demands.by_attribute) == {"user.plan", "plan"}
    assert demands.paths == {"user.plan": ("user", "plan")}
    total = Total()
    total.replace(NO_DEMANDS, demands)
    total.replace(NO_DEMANDS, of_rules(Condition("user.plan", Operator.IN, ("free",))))
    assert total.demands.paths == demands.paths
    total.replace(demands, NO_DEMANDS)
    assert total.demands.paths == demands.paths
    total.replace(of_rules(Condition("user.plan", Operator.IN, ("free",))), NO_DEMANDS)
    assert total.demands == NO_DEMANDS
