"""How each operator compares one value of an attribute with the values of a condition, compiled when it is made.

A comparison gives True, False, or None if it is unknown: the value is missing, or of a kind that the operator does
not compare.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.lookups import Lookup, check_scalars
from tailslide_core.networks import Networks, address_of
from tailslide_core.operators import LOOKUPS, Operator
from tailslide_core.patterns import Patterns
from tailslide_core.scalars import NUMBERS, Scalar, comparable_text, number_of, says_number, text_of
from tailslide_core.times import time_of
from tailslide_core.versions import is_in_range, parse_range, version_of

Test = Callable[[object], bool | None]


class Compiled(NamedTuple):
    """A comparison, ready to be made."""

    test: Test | None
    lookup: Lookup | None = None
    """What whole lists are looked up in, of the operators that look up."""
    size: int = 0
    """What one comparison takes, in a measure of the operator's own: instructions, prefixes, comparators."""


def compile_comparison(operator: Operator, values: tuple[Scalar, ...], *, ignore_case: bool) -> Compiled:
    """Prepare the comparison of any operator but `in_segment`; raise `ContractError` on values that do not fit."""
    if operator in LOOKUPS:
        lookup = Lookup(values, ignore_case=ignore_case)
        return Compiled(lookup.of_one, lookup)
    if operator in _ORDERINGS:
        return Compiled(_ordering(operator, values))
    if operator in _PARTS:
        return Compiled(_PARTS[operator](_parts(operator, values, ignore_case), ignore_case))
    match operator:
        case Operator.EXISTS:
            return Compiled(_exists(values))
        case Operator.MATCHES:
            patterns = Patterns(values, ignore_case=ignore_case)
            return Compiled(_matches(patterns), size=patterns.instructions)
        case Operator.IP_IN:
            _check_any(values)
            networks = Networks(values)
            return Compiled(_ip_in(networks), size=networks.prefixes)
        case Operator.SEMVER_IN:
            return _semver_in(values)
        case _:
            raise ValueError(f"{operator} compares nothing by itself")


def _check_any(values: tuple[Scalar, ...]) -> None:
    if not values:
        raise ContractError("values", "expected at least one value, got none")


def _exists(values: tuple[Scalar, ...]) -> Test:
    if not values or (len(values) == 1 and values[0] is True):
        return lambda value: value is not None
    if len(values) == 1 and values[0] is False:
        return lambda value: value is None
    raise ContractError("values", f"expected [], [true] or [false] for exists, got {shown(values, 80)}")


def _parts(operator: Operator, values: tuple[Scalar, ...], ignore_case: bool) -> tuple[str, ...]:
    check_scalars(values)
    texts = tuple(text for value in values if (text := text_of(value)) is not None)
    if "" in texts:
        raise ContractError("values", f"expected no empty text for {operator}, since it is in every text")
    return tuple(text.lower() for text in texts) if ignore_case else texts


def _read(value: object, ignore_case: bool) -> str | None:
    text = comparable_text(value)
    return text.lower() if ignore_case and text is not None else text


def _contains(parts: tuple[str, ...], ignore_case: bool) -> Test:
    def contains_it(value: object) -> bool | None:
        text = _read(value, ignore_case)
        return None if text is None else parts[0] in text

    if len(parts) == 1:
        return contains_it

    def contains(value: object) -> bool | None:
        text = _read(value, ignore_case)
        return None if text is None else any(part in text for part in parts)

    return contains


def _starts_with(parts: tuple[str, ...], ignore_case: bool) -> Test:
    def starts_with(value: object) -> bool | None:
        text = _read(value, ignore_case)
        return None if text is None else text.startswith(parts)

    return starts_with


def _ends_with(parts: tuple[str, ...], ignore_case: bool) -> Test:
    def ends_with(value: object) -> bool | None:
        text = _read(value, ignore_case)
        return None if text is None else text.endswith(parts)

    return ends_with


_PARTS: Mapping[Operator, Callable[[tuple[str, ...], bool], Test]] = {
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
    Operator.ENDS_WITH: _ends_with,
}


def _matches(patterns: Patterns) -> Test:
    def matches(value: object) -> bool | None:
        text = comparable_text(value)
        return None if text is None else patterns.found_in(text)

    return matches


def _ip_in(networks: Networks) -> Test:
    def ip_in(value: object) -> bool | None:
        address = address_of(value)
        return None if address is None else address in networks

    return ip_in


def _semver_in(values: tuple[Scalar, ...]) -> Compiled:
    _check_any(values)
    ranges = tuple(parse_range(text_of(value) or "") for value in values)

    def semver_in(value: object) -> bool | None:
        version = version_of(value)
        return None if version is None else any(is_in_range(version, comparators) for comparators in ranges)

    return Compiled(semver_in, size=sum(map(len, ranges)))


_Ordering = tuple[Callable[[object], object | None], Callable[[Any, Any], bool], str]
"""How a value is read, how two compare that the same reader has read, and what is expected."""
_NUMBER, _TIME, _VERSION = "a number", "a time of RFC 3339 such as 2026-11-28T17:00:00Z", "a semantic version"
_ORDERINGS: Mapping[Operator, _Ordering] = {
    Operator.LT: (number_of, operator.lt, _NUMBER),
    Operator.LE: (number_of, operator.le, _NUMBER),
    Operator.GT: (number_of, operator.gt, _NUMBER),
    Operator.GE: (number_of, operator.ge, _NUMBER),
    Operator.BEFORE: (time_of, operator.lt, _TIME),
    Operator.AFTER: (time_of, operator.gt, _TIME),
    Operator.SEMVER_EQ: (version_of, operator.eq, _VERSION),
    Operator.SEMVER_LT: (version_of, operator.lt, _VERSION),
    Operator.SEMVER_LE: (version_of, operator.le, _VERSION),
    Operator.SEMVER_GT: (version_of, operator.gt, _VERSION),
    Operator.SEMVER_GE: (version_of, operator.ge, _VERSION),
}


def _is_number(value: Scalar) -> bool:
    return (
        says_number(value) if isinstance(value, str) else isinstance(value, int | float) and not isinstance(value, bool)
    )


def _ordering(operator: Operator, values: tuple[Scalar, ...]) -> Test:
    read, compare, expected = _ORDERINGS[operator]
    bound = read(values[0]) if len(values) == 1 else None
    if bound is None and read is number_of and len(values) == 1 and _is_number(values[0]):
        raise ContractError("values", f"expected {NUMBERS}, which are compared exactly, got {shown(values[0], 80)}")
    if bound is None:
        problem = f"expected exactly one value for {operator}, {expected}, got {shown(values, 80)}"
        raise ContractError("values", problem)

    def test(value: object) -> bool | None:
        found = read(value)
        return None if found is None else compare(found, bound)

    return test
