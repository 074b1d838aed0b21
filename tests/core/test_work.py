"""The work of a question: never less than what evaluating it takes, and known without evaluating anything."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import attribute_names, conditions, scalars

from tailslide_core.comparisons import Test
from tailslide_core.conditions import LOOKUPS, NO_SEGMENTS, Condition, Items, Operator
from tailslide_core.ruleset import Rule, Ruleset
from tailslide_core.work import FREE_CHARACTERS, NO_DEMANDS, Demand, Demands, Total, demand_of, demands_of, work_of

lists = st.lists(scalars, max_size=30)
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


@given(st.lists(conditions, max_size=10), attribute_names, scalars.filter(lambda value: abs(hash(value)) < 10**15))
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


@pytest.mark.parametrize("operator", [operator for operator in Operator if operator is not Operator.EXISTS])
def test_every_operator_has_a_price_for_long_lists(operator: Operator) -> None:
    value = "1.0.0" if operator.startswith("semver") else 5
    condition = Condition("a", operator, (value,))
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
