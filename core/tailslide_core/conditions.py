"""Conditions of targeting rules: one attribute of the context, one operator, the values to compare it with.

A comparison is true, false or unknown. It is unknown where the attribute is missing, null, or of a kind that the
operator cannot compare, and then the condition does not hold, negated or not: a rule speaks of users whose attribute is
known. Only `exists` asks for absence. How each operator compares is in `comparisons`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from tailslide_core.attributes import TARGETING_KEY as TARGETING_KEY
from tailslide_core.attributes import Attributes as Attributes
from tailslide_core.attributes import Items as Items
from tailslide_core.attributes import at_path, path_of
from tailslide_core.comparisons import Compiled, Test, compile_comparison
from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.lookups import Lookup
from tailslide_core.naming import check_flag_key
from tailslide_core.operators import LOOKUPS as LOOKUPS
from tailslide_core.operators import TEXT_OPERATORS as TEXT_OPERATORS
from tailslide_core.operators import WRITING
from tailslide_core.operators import Operator as Operator
from tailslide_core.scalars import Scalar as Scalar
from tailslide_core.scalars import comparable_text, is_unicode
from tailslide_core.scalars import number_of as number_of
from tailslide_core.scalars import text_of as text_of
from tailslide_core.versions import parse_semver as parse_semver


class Membership(Protocol):
    """A segment, as conditions use it."""

    def has(self, values: Iterable[str | None], attributes: Attributes, targeting_key: str | None) -> bool | None:
        """Whether a user is in the segment by any of `values`, texts to look up in its lists; None if unknown.

        A value is None if the attribute is missing, or is not a text, a number or a boolean.
        """
        ...


Segments = Mapping[str, Membership]
"""By key."""
NO_SEGMENTS: Segments = MappingProxyType({})


def any_of(results: Iterable[bool | None]) -> bool | None:
    """Return whether any of several comparisons is true; None where none is, and one is unknown."""
    unknown = False
    for result in results:
        if result:
            return True
        if result is None:
            unknown = True
    return None if unknown else False


@dataclass(frozen=True, slots=True)
class Condition:
    """`attribute` `operator` `values`, negated or not.

    Holds when the attribute, or one of its items, compares true with a value; when negated, if it is known that none
    does. `not_in` is `in` negated. The orderings (`lt`, `before`, `semver_ge`, …) take exactly one value. `exists`
    takes none, `[true]`, or `[false]` for absence, and looks at a list as a whole. `in_segment` takes keys of segments.

    `attribute` is a name, or a path of names with dots between them into nested objects; a name with dots comes before
    the path. `targetingKey` is the targeting key. With `ignore_case` texts compare in lower case.
    Raises `ContractError` that names the field for what does not fit.
    """

    attribute: str
    operator: Operator
    values: tuple[Scalar, ...]
    negate: bool = False
    ignore_case: bool = False
    _test: Test | None = field(init=False, repr=False, compare=False)
    """The comparison of one value; None for `in_segment`."""
    _lookup: Lookup | None = field(init=False, repr=False, compare=False)
    """What whole lists are looked up in, of the operators that do."""
    _writes: bool = field(init=False, repr=False, compare=False)
    _size: int = field(init=False, repr=False, compare=False)
    _wanted: bool = field(init=False, repr=False, compare=False)
    """What the comparison must come to for the condition to hold."""
    _path: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _is_plain: bool = field(init=False, repr=False, compare=False)
    """Whether it asks for one attribute by its name, and for nothing else."""

    def __post_init__(self) -> None:
        if not self.attribute:
            raise ContractError("attribute", "expected the name of an attribute, got an empty string")
        if not is_unicode(self.attribute):
            problem = f"expected a name without lone surrogates, got {shown(self.attribute, 80)}"
            raise ContractError("attribute", problem)
        if self.ignore_case and self.operator not in TEXT_OPERATORS:
            problem = f"expected to be left out for {self.operator}, which does not compare text"
            raise ContractError("ignore_case", problem)
        compiled = Compiled(None)
        if self.operator is Operator.IN_SEGMENT:
            _check_segments(self.values)
        else:
            compiled = compile_comparison(self.operator, self.values, ignore_case=self.ignore_case)
        path = path_of(self.attribute)
        is_plain = not path and self.attribute != TARGETING_KEY and compiled.test is not None
        object.__setattr__(self, "_test", compiled.test)
        object.__setattr__(self, "_lookup", compiled.lookup)
        object.__setattr__(self, "_writes", self.operator in WRITING)
        object.__setattr__(self, "_size", compiled.size)
        object.__setattr__(self, "_wanted", self.negate is (self.operator is Operator.NOT_IN))
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_is_plain", is_plain)

    @property
    def size(self) -> int:
        """What one comparison takes, in a measure of the operator's own; see `Compiled`."""
        return self._size

    def holds(self, attributes: Attributes, targeting_key: str | None, segments: Segments) -> bool:
        """Whether the condition is true of a user, in an app with these segments."""
        value = attributes.get(self.attribute) if self._is_plain else self._found(attributes, targeting_key)
        test = self._test
        if test is None:
            return self._in_segments(value, attributes, targeting_key, segments) is self._wanted
        if value.__class__ is str:
            return test(value) is self._wanted
        if isinstance(value, list | tuple):
            value = Items(value)
        if value.__class__ is not Items or self.operator is Operator.EXISTS:
            return test(value) is self._wanted
        if self._lookup is not None:
            return self._lookup.of_items(value) is self._wanted
        return any_of(map(test, value.written if self._writes else value.values)) is self._wanted

    def value_in(self, attributes: Attributes, targeting_key: str | None) -> object:
        """Return the value of the attribute that the condition asks for; None where it is missing."""
        return self._found(attributes, targeting_key)

    def _found(self, attributes: Attributes, targeting_key: str | None) -> object:
        if self.attribute == TARGETING_KEY:
            return targeting_key or None
        value = attributes.get(self.attribute)
        return at_path(attributes, self._path) if value is None and self._path else value

    def _in_segments(
        self, value: object, attributes: Attributes, targeting_key: str | None, segments: Segments
    ) -> bool | None:
        if isinstance(value, list | tuple):
            value = Items(value)
        texts = value.written if isinstance(value, Items) else (comparable_text(value),)
        if len(self.values) == 1:  # as most are, and a generator costs as much as the look-up
            segment = segments.get(str(self.values[0]))
            return None if segment is None else segment.has(texts, attributes, targeting_key)
        asked = [segments.get(str(key)) for key in self.values]
        return any_of(None if segment is None else segment.has(texts, attributes, targeting_key) for segment in asked)


def _check_segments(values: tuple[Scalar, ...]) -> None:
    if not values:
        raise ContractError("values", "expected the key of at least one segment, got none")
    for value in values:
        check_flag_key("values", value)
