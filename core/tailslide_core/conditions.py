"""Conditions of targeting rules: one attribute of the context, one operator, the values to compare it with.

An attribute that is missing, or of a kind that the operator cannot compare, never matches, not even `not_in`: a rule
speaks of users whose attribute is known. Only `exists` with the value false asks for absence.
Attributes may come from a query string, where all is text, so numbers and booleans compare by what they say.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown

Scalar = str | int | float | bool
Attributes = Mapping[str, object]
"""What a caller says of a user: scalars, or lists of scalars (as they are, or as `Items`), of which one must match."""


class Operator(StrEnum):
    """How a condition compares."""

    IN = "in"
    NOT_IN = "not_in"
    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    SEMVER_EQ = "semver_eq"
    SEMVER_LT = "semver_lt"
    SEMVER_LE = "semver_le"
    SEMVER_GT = "semver_gt"
    SEMVER_GE = "semver_ge"
    EXISTS = "exists"


LOOKUPS = frozenset({Operator.IN, Operator.NOT_IN, Operator.EQUALS})
"""Operators that look the text of an attribute up among their values."""

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""Numbers as JSON and query strings have them; `float` alone would take `1_000`, ` 5 ` and Arabic digits too."""

_PRERELEASE = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    r"v?(0|[1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,17}))?(?:\.(0|[1-9][0-9]{0,17}))?"
    rf"(?:-({_PRERELEASE}(?:\.{_PRERELEASE})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def parse_semver(text: str) -> tuple[object, ...] | None:
    """Return a key that sorts as SemVer 2.0.0 §11 orders versions, or None when `text` is not a version.

    A leading `v` and a missing minor or patch number (taken as 0) are accepted; build metadata is ignored.
    """
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    major, minor, patch = (int(part or 0) for part in match.group(1, 2, 3))
    if match[4] is None:
        return (major, minor, patch, (1,))
    # Numeric identifiers sort below alphanumeric ones, and a shorter list below a longer one that it begins. Without
    # leading zeros a longer number is a larger one, and no text is too long to be compared.
    identifiers = tuple((0, len(p), p) if p.isdigit() else (1, 0, p) for p in match[4].split("."))
    return (major, minor, patch, (0, identifiers))


def text_of(value: object) -> str | None:
    """Return how a scalar is written in a query string (`true`, `5`, `5.5`); None for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def number_of(value: object) -> float | None:
    """Return the finite number that a scalar says; None for anything else, booleans included."""
    if isinstance(value, bool) or (isinstance(value, str) and _NUMBER.fullmatch(value) is None):
        return None
    if isinstance(value, int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None
    return None


def _version_of(value: object) -> tuple[object, ...] | None:
    text = text_of(value)
    return None if text is None else parse_semver(text)


Test = Callable[[object], bool]


def attribute_text(name: str, attributes: Attributes, targeting_key: str | None) -> str | None:
    """Placeholder until conditions are whole."""
    return targeting_key if name == "targetingKey" else text_of(attributes.get(name))


class Items:
    """A list as the value of an attribute; what it says as texts is worked out once for all conditions on it."""

    __slots__ = ("_texts", "values")

    def __init__(self, values: Sequence[object]) -> None:
        self.values = values
        self._texts: frozenset[str | None] | None = None

    @property
    def texts(self) -> frozenset[str | None]:
        """The texts of all items; None is among them where an item is no scalar."""
        if self._texts is None:
            self._texts = frozenset(map(text_of, self.values))
        return self._texts

    def __repr__(self) -> str:
        return f"Items({len(self.values)})"


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute` `operator` `values`. Holds when the attribute, or one of its items, compares true with a value.

    `not_in` holds when no item is among the values. The orderings (`lt`, `semver_ge`, …) take exactly one value.
    `exists` takes none, `[true]`, or `[false]` for absence.
    """

    attribute: str
    operator: Operator
    values: tuple[Scalar, ...]
    _test: Test = field(init=False, repr=False, compare=False)
    _among: frozenset[str] | None = field(init=False, repr=False, compare=False)
    """The texts that items are looked up in, of the operators that do no more than that."""

    def __post_init__(self) -> None:
        if not self.attribute:
            raise ContractError("attribute", "expected the name of an attribute, got an empty string")
        object.__setattr__(self, "_test", _compile(self.operator, self.values))
        texts = (text for value in self.values if (text := text_of(value)) is not None)
        object.__setattr__(self, "_among", frozenset(texts) if self.operator in LOOKUPS else None)

    def holds(
        self, attributes: Attributes, targeting_key: str | None = None, segments: Mapping[str, object] | None = None
    ) -> bool:
        """Whether the condition is true of a user with these attributes."""
        value = attributes.get(self.attribute)
        if value.__class__ is Items:
            return self._holds_for(value)
        if isinstance(value, list | tuple):
            return self._holds_for(Items(value))
        return self._test(value)

    def _holds_for(self, items: Items) -> bool:
        if self.operator is Operator.EXISTS:
            return self._test(items)
        among = self._among
        if among is None:
            return any(map(self._test, items.values))
        if self.operator is Operator.NOT_IN:
            return None not in items.texts and among.isdisjoint(items.texts)
        return not among.isdisjoint(items.texts)


def _compile(operator: Operator, values: tuple[Scalar, ...]) -> Test:
    """Prepare the comparison, so that evaluating it costs one call; raise `ContractError` on values that do not fit."""
    if operator is Operator.EXISTS:
        return _compile_exists(values)
    if operator in _ORDERINGS:
        return _compile_ordering(operator, values)
    if not values:
        raise ContractError("values", "expected at least one value, got none")
    texts = tuple(text for value in values if (text := text_of(value)) is not None)
    if len(texts) != len(values):
        raise ContractError("values", "expected strings, finite numbers or booleans")
    return _compile_text(operator, texts)


def _compile_exists(values: tuple[Scalar, ...]) -> Test:
    if not values or (len(values) == 1 and values[0] is True):
        return lambda value: value is not None
    if len(values) == 1 and values[0] is False:
        return lambda value: value is None
    raise ContractError("values", f"expected [], [true] or [false] for exists, got {shown(values, 80)}")


def _compile_text(operator: Operator, texts: tuple[str, ...]) -> Test:
    among = frozenset(texts)

    def in_(value: object) -> bool:
        return text_of(value) in among

    def not_in(value: object) -> bool:
        return (text := text_of(value)) is not None and text not in among

    def contains(value: object) -> bool:
        return (text := text_of(value)) is not None and any(part in text for part in texts)

    def starts_with(value: object) -> bool:
        return (text := text_of(value)) is not None and text.startswith(texts)

    def ends_with(value: object) -> bool:
        return (text := text_of(value)) is not None and text.endswith(texts)

    return {
        Operator.IN: in_,
        Operator.EQUALS: in_,
        Operator.NOT_IN: not_in,
        Operator.CONTAINS: contains,
        Operator.STARTS_WITH: starts_with,
        Operator.ENDS_WITH: ends_with,
    }[operator]


def _less(left: object, right: object) -> bool:
    return left < right  # type: ignore[operator, no-any-return] # both sides come from the same parser, so they order


_ORDERINGS: Mapping[Operator, tuple[Callable[[object], object | None], Callable[[object, object], bool], str]] = {
    Operator.LT: (number_of, _less, "a number"),
    Operator.LE: (number_of, lambda a, b: not _less(b, a), "a number"),
    Operator.GT: (number_of, lambda a, b: _less(b, a), "a number"),
    Operator.GE: (number_of, lambda a, b: not _less(a, b), "a number"),
    Operator.SEMVER_EQ: (_version_of, lambda a, b: a == b, "a semantic version"),
    Operator.SEMVER_LT: (_version_of, _less, "a semantic version"),
    Operator.SEMVER_LE: (_version_of, lambda a, b: not _less(b, a), "a semantic version"),
    Operator.SEMVER_GT: (_version_of, lambda a, b: _less(b, a), "a semantic version"),
    Operator.SEMVER_GE: (_version_of, lambda a, b: not _less(a, b), "a semantic version"),
}


def _compile_ordering(operator: Operator, values: tuple[Scalar, ...]) -> Test:
    parse, compare, expected = _ORDERINGS[operator]
    bound = parse(values[0]) if len(values) == 1 else None
    if bound is None:
        raise ContractError(
            "values", f"expected exactly one value, {expected}, for {operator}, got {shown(values, 80)}"
        )

    def test(value: object) -> bool:
        parsed = parse(value)
        return parsed is not None and compare(parsed, bound)

    return test
