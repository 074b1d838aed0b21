"""What a caller says about a user, and where in it a condition finds its attribute."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tailslide_core.scalars import comparable_text, is_unicode, number_of, says_number

Attributes = Mapping[str, object]
"""By name: scalars, lists of scalars (as they are, or as `Items`; one item must match), and objects of these."""

TARGETING_KEY = "targetingKey"
"""The name under which conditions ask for the targeting key, whatever the attributes say."""


def path_of(name: str) -> tuple[str, ...]:
    """Return the path that a name with dots stands for, split at every dot; none for other names."""
    return tuple(name.split(".")) if "." in name else ()


def at_path(attributes: Attributes, path: tuple[str, ...]) -> object:
    """Return the value at the end of a path through objects, never through lists; None if it leads nowhere."""
    value: object = attributes.get(path[0])
    for name in path[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def text_at(name: str, attributes: Attributes, targeting_key: str | None) -> str | None:
    """Return how the attribute with a name, or at a path, is written; None if it is missing or not a scalar."""
    if name == TARGETING_KEY:
        return targeting_key or None
    value = attributes.get(name)
    if value is None and "." in name:
        value = at_path(attributes, path_of(name))
    return comparable_text(value)


class Kinds(NamedTuple):
    """The items of a list by kind, for looking them up."""

    texts: frozenset[str]
    numbers: frozenset[int | float]
    booleans: frozenset[bool]
    unknown: bool
    """Whether any item is of none of these kinds."""


class Said(NamedTuple):
    """The numbers that the texts of a list say."""

    numbers: frozenset[int | float]
    too_large: bool
    """Whether any text says a number that is too large to be compared."""


class Items:
    """A list as the value of an attribute; its items are converted once for all conditions on it."""

    __slots__ = ("_kinds", "_lowered", "_said", "_written", "values")

    def __init__(self, values: Sequence[object]) -> None:
        self.values = values
        self._kinds: Kinds | None = None
        self._lowered: frozenset[str] | None = None
        self._said: Said | None = None
        self._written: list[str | None] | None = None

    @property
    def kinds(self) -> Kinds:
        """The items by kind."""
        if self._kinds is None:
            self._kinds = _kinds(self.values)
        return self._kinds

    @property
    def lowered(self) -> frozenset[str]:
        """The texts in lower case."""
        if self._lowered is None:
            self._lowered = frozenset(map(str.lower, self.kinds.texts))
        return self._lowered

    @property
    def said(self) -> Said:
        """The numbers that the texts say."""
        if self._said is None:
            said = set(map(number_of, self.kinds.texts))
            too_large = None in said and any(number_of(t) is None and says_number(t) for t in self.kinds.texts)
            self._said = Said(frozenset(number for number in said if number is not None), too_large)
        return self._said

    @property
    def written(self) -> list[str | None]:
        """The items as texts, see `comparable_text`."""
        if self._written is None:
            self._written = list(map(comparable_text, self.values))
        return self._written

    def __repr__(self) -> str:
        return f"Items({len(self.values)})"


def _kinds(values: Sequence[object]) -> Kinds:
    texts: set[str] = set()
    numbers: set[int | float] = set()
    booleans: set[bool] = set()
    unknown = False
    for value in values:
        if isinstance(value, str):
            if value.isascii() or is_unicode(value):
                texts.add(value)
            else:
                unknown = True
        elif isinstance(value, bool):
            booleans.add(value)
        elif (number := number_of(value)) is not None:
            numbers.add(number)
        else:
            unknown = True
    return Kinds(frozenset(texts), frozenset(numbers), frozenset(booleans), unknown)
