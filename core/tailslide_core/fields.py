"""Reading a JSON object field by field, with errors that name the field.

Pydantic does this at the edges, where people write; what processes send each other is read here, without its weight
in the sidecar's hot path and without an import of it in the core.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import TypeVar

import orjson

from tailslide_core.conditions import Scalar
from tailslide_core.errors import ContractError

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

_REQUIRED = object()


def read_object(data: bytes) -> "Fields":
    """Parse one JSON object; raise `ContractError` when it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ContractError("value", f"expected a JSON object, got what does not parse ({error})") from error
    if not isinstance(value, dict):
        raise ContractError("value", f"expected a JSON object, got {_kind(value)}")
    return Fields(value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return f"{value!r:.60}"
        case list():
            return "a list"
        case _:
            return "an object"


class Fields:
    """The fields of one JSON object."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the field is there, be it null."""
        return name in self._values

    def as_json(self) -> bytes:
        """Return the object as JSON; the same bytes for the same fields in the same order."""
        return orjson.dumps(self._values)

    def _get(self, name: str, expected: str, default: object) -> object:
        if name in self._values:
            return self._values[name]
        if default is _REQUIRED:
            raise ContractError(name, f"expected {expected}, but the field is missing")
        return default

    def string(self, name: str, default: object = _REQUIRED) -> str:
        """Read a string."""
        value = self._get(name, "a string", default)
        if not isinstance(value, str):
            raise ContractError(name, f"expected a string, got {_kind(value)}")
        return value

    def boolean(self, name: str, default: object = _REQUIRED) -> bool:
        """Read true or false."""
        value = self._get(name, "true or false", default)
        if not isinstance(value, bool):
            raise ContractError(name, f"expected true or false, got {_kind(value)}")
        return value

    def integer(self, name: str, default: object = _REQUIRED, *, low: int | None = None) -> int:
        """Read an integer, at least `low`."""
        expected = "an integer" if low is None else f"an integer of at least {low}"
        value = self._get(name, expected, default)
        if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
            raise ContractError(name, f"expected {expected}, got {_kind(value)}")
        return value

    def number(
        self, name: str, default: object = _REQUIRED, *, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """Read a number from `low` to `high`."""
        expected = "a number" if math.isinf(low) else f"a number from {low:g} to {high:g}"
        value = self._get(name, expected, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ContractError(name, f"expected {expected}, got {_kind(value)}")
        return float(value)

    def optional_integer(self, name: str) -> int | None:
        """Read an integer, or null, which a missing field counts as."""
        return None if self._values.get(name) is None else self.integer(name)

    def optional_number(self, name: str) -> float | None:
        """Read a number, or null, which a missing field counts as."""
        return None if self._values.get(name) is None else self.number(name)

    def choice(self, name: str, choices: type[Choice], default: object = _REQUIRED) -> Choice:
        """Read one of the values of an enumeration."""
        text = self.string(name, default)
        try:
            return choices(text)
        except ValueError:
            raise ContractError(name, f"expected one of {', '.join(choices)}, got {text!r:.60}") from None

    def items(self, name: str, default: object = ()) -> list[object]:
        """Read a list of anything."""
        value = self._get(name, "a list", default)
        if not isinstance(value, list | tuple):
            raise ContractError(name, f"expected a list, got {_kind(value)}")
        return list(value)

    def strings(self, name: str, default: object = _REQUIRED) -> Iterator[str]:
        """Read a list of strings."""
        for index, item in enumerate(self.items(name, default)):
            if not isinstance(item, str):
                raise ContractError(f"{name}[{index}]", f"expected a string, got {_kind(item)}")
            yield item

    def scalars(self, name: str) -> Iterator[Scalar]:
        """Read a list of strings, numbers and booleans; a missing field is an empty list."""
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, str | int | float):
                raise ContractError(f"{name}[{index}]", f"expected a string, a number or a boolean, got {_kind(item)}")
            yield item

    def object(self, name: str, read: Callable[["Fields"], T]) -> T | None:
        """Read an object through `read`, or null, which a missing field counts as."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ContractError(name, f"expected an object or null, got {_kind(value)}")
        return self.within(name, lambda: read(Fields(value)))

    def objects(self, name: str, read: Callable[["Fields"], T]) -> Iterator[T]:
        """Read a list of objects, each through `read`; a missing field is an empty list."""
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, dict):
                raise ContractError(f"{name}[{index}]", f"expected an object, got {_kind(item)}")
            yield self.within(f"{name}[{index}]", partial(read, Fields(item)))

    @staticmethod
    def within(name: str, read: Callable[[], T]) -> T:
        """Call `read`, and name `name` as the parent in its errors."""
        try:
            return read()
        except ContractError as error:
            if error.field == name:
                raise
            raise error.within(name) from error
