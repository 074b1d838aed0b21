"""A flag's variants: named values of one type, and how users who are in are split over them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.bucketing import BUCKETS, bucket_of
from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER, is_integer, is_number, shown
from tailslide_core.naming import check_flag_key

MAX_VARIANTS = 100
MAX_WEIGHT = 1_000_000
MAX_DEPTH = 32
"""Of objects and lists inside a value."""

Value = bool | str | int | float | Mapping[str, object]


class ValueType(StrEnum):
    """What kind of value a flag gives."""

    BOOLEAN = "boolean"
    STRING = "string"
    NUMBER = "number"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class Variant:
    """A value by its name."""

    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class Share:
    """How many of those who are in get a variant: `weight` parts of the sum of all weights, an integer."""

    variant: str
    weight: int


Split = tuple[Share, ...]

ON_OFF = (Variant("on", True), Variant("off", False))
"""The variants of a boolean flag that names none."""
ALL_ON: Split = (Share("on", 1),)


def check_variants(kind: ValueType, variants: Sequence[Variant]) -> None:
    """Raise `ContractError` unless these can be a flag's variants."""
    if not 0 < len(variants) <= MAX_VARIANTS:
        raise ContractError("variants", f"expected 1 to {MAX_VARIANTS} variants, got {len(variants)}")
    for variant in variants:
        check_flag_key("variants", variant.key)
        if not _is_value(kind, variant.value):
            problem = f"expected {_EXPECTED[kind]}, since type is {kind}, got {shown(variant.value)}"
            raise ContractError(f"variants.{variant.key}", problem)
    if len({variant.key for variant in variants}) < len(variants):
        raise ContractError("variants", "expected each variant once")


_EXPECTED = {
    ValueType.BOOLEAN: "true or false",
    ValueType.STRING: "a string",
    ValueType.NUMBER: f"a number from {-MAX_INTEGER} to {MAX_INTEGER}",
    ValueType.OBJECT: f"an object, at most {MAX_DEPTH} deep, with numbers from {-MAX_INTEGER} to {MAX_INTEGER}",
}


def _is_value(kind: ValueType, value: object) -> bool:
    match kind:
        case ValueType.BOOLEAN:
            return isinstance(value, bool)
        case ValueType.STRING:
            return isinstance(value, str)
        case ValueType.NUMBER:
            return is_exact_number(value)
        case ValueType.OBJECT:
            return isinstance(value, Mapping) and _is_json(value, MAX_DEPTH)


def is_exact_number(value: object) -> bool:
    """Whether a value is a number (a boolean is not) that every reader of JSON reads exactly."""
    # A larger double is a whole number, too, and some decoders read larger integers as one.
    return is_number(value, -MAX_INTEGER, MAX_INTEGER)


def _is_json(value: object, depth: int) -> bool:
    """Whether JSON can hold a value so that every reader reads it exactly (RFC 8259 section 6)."""
    if value is None or isinstance(value, str | bool):
        return True
    if isinstance(value, Mapping):
        return depth > 0 and all(isinstance(key, str) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, list | tuple):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return is_exact_number(value)


def check_variant(field: str, key: str, variants: Sequence[Variant]) -> None:
    """Raise `ContractError` on `field` unless one of these variants has this key."""
    if all(variant.key != key for variant in variants):
        raise ContractError(field, f"expected one of {choices(variants)}, got {shown(key, 80)}")


def choices(variants: Iterable[Variant]) -> str:
    """Return the keys of variants for a message, in quotes, since people have chosen them."""
    return shown(sorted(variant.key for variant in variants), 200).strip("[]")


def check_split(split: Split, variants: Sequence[Variant]) -> None:
    """Raise `ContractError` on `split` unless it is one over these variants."""
    if not split:
        raise ContractError("split", "expected at least one variant with its weight, got none")
    known = {variant.key for variant in variants}
    for index, share in enumerate(split):
        if share.variant not in known:
            raise ContractError(
                f"split[{index}].variant", f"expected one of {choices(variants)}, got {shown(share.variant, 80)}"
            )
        if not is_integer(share.weight, 0, MAX_WEIGHT):
            raise ContractError(
                f"split[{index}].weight", f"expected an integer from 0 to {MAX_WEIGHT}, got {shown(share.weight, 40)}"
            )
    if len({share.variant for share in split}) < len(split):
        raise ContractError("split", "expected each variant once")
    if not any(share.weight for share in split):
        raise ContractError("split", "expected a weight above 0, got none")


def value_of(variants: Sequence[Variant], key: str) -> Value:
    """Return the value of the variant with this key, which is one of them.

    If one number of a flag has a fraction (`0.5`, `1.0`), a whole one is returned as a float too. OpenFeature's SDK for
    Python tells integers from floats, and would otherwise give the users with the whole number their default.
    """
    value = next(variant.value for variant in variants if variant.key == key)
    if type(value) is int and any(isinstance(variant.value, float) for variant in variants):
        return float(value)
    return value


def only_variant(split: Split) -> str | None:
    """Return the variant that everybody who is in gets; None if there are several."""
    given = [share.variant for share in split if share.weight]
    return given[0] if len(given) == 1 else None


def variant_for(split: Split, salt: str, key: str) -> str:
    """Return the variant of a user who is in.

    By a separate hash, of `<salt>:split:<key>`, so that no user changes variants when a rollout or a circuit moves.
    Integers decide: the first variant for which `bucket * sum of weights < sum of the weights so far * 100000`.
    """
    place = bucket_of(f"{salt}:split", key) * sum(share.weight for share in split)
    below = 0
    for share in split:
        below += share.weight * BUCKETS
        if place < below:
            return share.variant
    raise AssertionError("a bucket is always below the sum of all weights")  # what check_split has made sure of
