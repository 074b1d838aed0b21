import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import splits_over, targeting_keys, texts, variants_of

from tailslide_core.bucketing import BUCKETS, bucket_of
from tailslide_core.errors import ContractError
from tailslide_core.variants import (
    ON_OFF,
    Share,
    Split,
    ValueType,
    Variant,
    check_split,
    check_variant,
    check_variants,
    only_variant,
    variant_for,
)

THREE = (Variant("a", 1), Variant("b", 2), Variant("c", 3))


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"inner": value}
    return value


GOOD: list[tuple[ValueType, list[Any]]] = [
    (ValueType.BOOLEAN, [True, False]),
    (ValueType.STRING, ["", "blue", "é\n", "x" * 10_000]),
    (ValueType.NUMBER, [0, -1, 1.5, -0.0, 2.0**53, 2**53, -(2**53)]),
    (ValueType.OBJECT, [{}, {"a": None, "b": [1, 2.5, "x", True, {"c": []}]}, nested(32)]),
]
BAD: list[tuple[ValueType, list[object]]] = [
    (ValueType.BOOLEAN, [0, 1, "true", None, 1.0]),
    (ValueType.STRING, [5, True, None, ["a"]]),
    (ValueType.NUMBER, [True, "5", None, math.nan, math.inf, -math.inf, 2**53 + 1, -(2**53) - 1]),
    (
        ValueType.OBJECT,
        [[], None, "a", 5, {"a": math.nan}, {"a": [2**53 + 1]}, {"a": {5: 1}}, {"a": {1, 2}}, nested(33)],
    ),
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in GOOD for value in values])
def test_a_value_of_its_type_is_taken(kind: ValueType, value: Any) -> None:
    check_variants(kind, [Variant("v", value)])


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in BAD for value in values])
def test_any_other_value_is_refused_by_its_variant(kind: ValueType, value: Any) -> None:
    with pytest.raises(ContractError, match=r"^variants\.v: expected ") as caught:
        check_variants(kind, [Variant("ok", dict(GOOD)[kind][0]), Variant("v", value)])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("variants", "problem"),
    [
        ([], r"^variants: expected 1 to 100 variants, got 0$"),
        ([Variant(f"v{n}", n) for n in range(101)], r"^variants: expected 1 to 100 variants, got 101$"),
        ([Variant("_v", 1)], r"^variants: expected 1 to 100 characters"),
        ([Variant("a", 1), Variant("b", 2), Variant("a", 3)], r"^variants: expected each variant once"),
    ],
)
def test_variants_that_are_none_are_refused(variants: list[Variant], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        check_variants(ValueType.NUMBER, variants)


def test_the_off_variant_is_one_of_them() -> None:
    check_variant("off_variant", "b", THREE)
    for other in ("off", "B", ""):
        with pytest.raises(ContractError, match=r'^off_variant: expected one of "a", "b", "c", got '):
            check_variant("off_variant", other, THREE)


@pytest.mark.parametrize(
    ("split", "field"),
    [
        ((), "split"),
        ((Share("a", 0), Share("b", 0)), "split"),
        ((Share("a", 1), Share("b", 1), Share("a", 1)), "split"),
        ((Share("a", 1), Share("d", 1)), "split[1].variant"),
        ((Share("a", -1),), "split[0].weight"),
        ((Share("a", 1), Share("b", 1_000_001)), "split[1].weight"),
        ((Share("a", 0.5),), "split[0].weight"),  # type: ignore[arg-type] # which is what this shows
        ((Share("a", True),), "split[0].weight"),
    ],
)
def test_a_split_that_is_none_is_refused(split: Split, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_split(split, THREE)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("weights", "only"),
    [({"a": 1}, "a"), ({"a": 0, "b": 3}, "b"), ({"a": 1, "b": 1}, None), ({"a": 1, "b": 0, "c": 2}, None)],
)
def test_one_variant_is_all_that_a_split_gives_whose_other_weights_are_0(
    weights: dict[str, int], only: str | None
) -> None:
    assert only_variant(tuple(Share(variant, weight) for variant, weight in weights.items())) == only


@given(st.sampled_from(ValueType).flatmap(variants_of).flatmap(splits_over), texts, targeting_keys)
def test_a_split_gives_one_of_its_variants_whose_weight_is_above_0(split: Split, salt: str, key: str) -> None:
    given_variant = variant_for(split, salt, key)
    assert {share.variant: share.weight for share in split}[given_variant] > 0
    assert only_variant(split) in {None, given_variant}


@given(st.sampled_from(ValueType).flatmap(variants_of).flatmap(splits_over), st.integers(2, 9), texts, targeting_keys)
def test_only_the_proportions_of_weights_count(split: Split, factor: int, salt: str, key: str) -> None:
    larger = tuple(Share(share.variant, share.weight * factor) for share in split)
    assert variant_for(larger, salt, key) == variant_for(split, salt, key)
    without = tuple(share for share in split if share.weight)
    assert variant_for(without, salt, key) == variant_for(split, salt, key)


def bounds_of(split: Split) -> list[int]:
    """Return at which bucket each share ends, worked out with integers only."""
    total, below, bounds = sum(share.weight for share in split), 0, []
    for share in split:
        below += share.weight
        bounds.append(-(-below * BUCKETS // total))
    return bounds


@pytest.mark.parametrize(
    ("weights", "bounds"),
    [
        ((1, 1), [50000, 100000]),
        ((1, 2), [33334, 100000]),
        ((1, 1, 1), [33334, 66667, 100000]),
        ((99, 1), [99000, 100000]),
        ((0, 1), [0, 100000]),
        ((1, 999999), [1, 100000]),
    ],
)
def test_buckets_are_shared_out_in_order(weights: tuple[int, ...], bounds: list[int]) -> None:
    split = tuple(Share(variant.key, weight) for variant, weight in zip(THREE, weights, strict=False))
    assert bounds_of(split) == bounds
    for user in range(2_000):
        bucket = bucket_of("salt:split", f"user-{user}")
        expected = next(share.variant for share, bound in zip(split, bounds, strict=True) if bucket < bound)
        assert variant_for(split, "salt", f"user-{user}") == expected


@given(st.integers(1, 100), st.integers(1, 100), texts, targeting_keys)
def test_who_has_the_first_variant_keeps_it_as_its_weight_grows(weight: int, more: int, salt: str, key: str) -> None:
    before = variant_for((Share("a", weight), Share("b", 100)), salt, key)
    after = variant_for((Share("a", weight + more), Share("b", 100)), salt, key)
    assert (before, after) != ("a", "b")


def test_a_boolean_flag_is_on_or_off() -> None:
    check_variants(ValueType.BOOLEAN, ON_OFF)
    assert [(variant.key, variant.value) for variant in ON_OFF] == [("on", True), ("off", False)]
