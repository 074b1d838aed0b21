from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailslide_core.errors import ContractError
from tailslide_core.preparation import MAX_CHAIN
from tailslide_core.relations import Requirements, check_each, check_requirements, requiring
from tailslide_core.ruleset import Requirement, Ruleset

ALL = {key: ["on", "off"] for key in "abcdefgh"}


def flag(key: str, *requires: str | tuple[str, str]) -> Ruleset:
    requirements = tuple(
        Requirement(other) if isinstance(other, str) else Requirement(other[0], frozenset({other[1]}))
        for other in requires
    )
    return Ruleset("shop", key, 1, active=True, rollout=100.0, salt=key, requires=requirements)


def requirements(**required: str) -> Requirements:
    return {key: dict.fromkeys(others) for key, others in required.items()}


def refused(ruleset: Ruleset, others: Requirements) -> tuple[str, str]:
    with pytest.raises(ContractError) as caught:
        check_requirements(ruleset, ALL, others)
    return caught.value.field, caught.value.problem


def test_flags_that_there_are_can_be_required() -> None:
    check_requirements(flag("a", "b", ("c", "off")), ALL, requirements(b="cd", d="e"))
    check_requirements(flag("a"), {}, {})


def test_a_flag_or_a_variant_that_there_is_not_is_named() -> None:
    assert refused(flag("a", "b", "x"), {}) == ("requires[1].flag", 'expected a flag of the app, got "x"')
    assert refused(flag("a", ("b", "blue")), {}) == (
        "requires[0].variants",
        'expected variants of "b" (off, on), got "blue"',
    )


def test_a_cycle_is_shown() -> None:
    assert refused(flag("a", "a"), {}) == ("requires[0].flag", "expected no cycle, got a → a")
    assert refused(flag("a", "c", "b"), requirements(b="a")) == ("requires[1].flag", "expected no cycle, got a → b → a")
    assert refused(flag("a", "b"), requirements(b="cd", c="e", d="f", f="g", e="a")) == (
        "requires[0].flag",
        "expected no cycle, got a → b → c → e → a",
    )


def test_what_a_flag_required_before_does_not_count() -> None:
    check_requirements(flag("a", "c"), ALL, requirements(a="b", c="b"))
    check_requirements(flag("b", "c"), ALL, requirements(c="de", b="c"))


def test_a_cycle_among_others_does_no_harm() -> None:
    assert refused(flag("a", "b"), requirements(b="c", c="b"))[0] == "requires", "that is a row without an end"
    check_requirements(flag("a", "d"), ALL, requirements(b="c", c="b"))


@given(st.integers(0, MAX_CHAIN), st.integers(0, MAX_CHAIN))
def test_a_row_is_as_long_as_both_sides_of_a_flag(above: int, below: int) -> None:
    keys = [f"f{n}" for n in range(above + 1 + below)]
    others = {key: {required: None} for key, required in pairwise(keys)}
    one = flag(keys[above], *([keys[above + 1]] if below else []))
    in_a_row = above + 1 + below
    variants = {key: ["on"] for key in keys}
    if in_a_row <= MAX_CHAIN:
        check_requirements(one, variants, others)
    else:
        with pytest.raises(ContractError, match=f"at most {MAX_CHAIN} flags in a row .*, got {in_a_row}$"):
            check_requirements(one, variants, others)


def test_who_requires_a_variant_by_name() -> None:
    others: Requirements = {
        "x": {"a": ["on"]},
        "b": {"a": ["on", "off"], "c": None},
        "y": {"a": None},
        "z": {"c": ["on"]},
    }
    assert requiring("a", {"on"}, others) == ["b", "x"]
    assert requiring("a", {"off", "other"}, others) == ["b"]
    assert requiring("d", {"on"}, others) == []


def outcome(check: Callable[[], None]) -> str | None:
    try:
        check()
    except ContractError as error:
        return str(error)
    return None


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefx"), max_size=3, unique=True)))
def test_all_flags_of_an_app_at_once_are_held_to_the_same(required: dict[str, list[str]]) -> None:
    rulesets = {key: flag(key, *others) for key, others in required.items()}
    variants = {key: ["on", "off"] for key in rulesets}
    check = check_each(rulesets)
    for key, ruleset in rulesets.items():
        others = {other: dict.fromkeys(names) for other, names in required.items() if other != key}
        alone = partial(check_requirements, ruleset, variants, others)
        assert outcome(partial(check, ruleset)) == outcome(alone)
