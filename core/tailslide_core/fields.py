"""Reading a JSON object field by field, with errors that name the field.

Pydantic does this at the edges, where people write; what processes send each other is read here, without its weight
in the sidecar's hot path and without an import of it in the core.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import orjson

from tailslide_core.errors import ContractError

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)

REQUIRED = object()
"""As a default: the field has to be there."""

MAX_INTEGER = 2**53
"""Versions, generations, times and counts are at most this, wherever they are read: every reader of JSON has it exactly
(RFC 8259 section 6), and what is reckoned with it stays far within 64 bits."""


def is_integer(value: object, low: int, high: int) -> bool:
    """Whether `value` is an integer, which a boolean is not, and `low` ≤ value ≤ `high`."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(value: object, low: float, high: float) -> bool:
    """Whether `value` is a finite number, which a boolean is not, and `low` ≤ value ≤ `high`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return low <= value <= high and not math.isinf(value)


def read_object(data: bytes) -> "Fields":
    """Parse one JSON object; raise `ContractError` when it is none."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ContractError("value", f"expected a JSON object, got what does not parse ({error})") from error
    if not isinstance(value, dict):
        raise ContractError("value", f"expected a JSON object, got {shown(value)}")
    return Fields(value)


def shown(value: object, limit: int = 60) -> str:
    """Return a value as JSON would say it, for a message, in at most `limit` characters.

    What is cut off is marked with "…". What cannot be printed (control characters, lone surrogates, marks that turn
    the direction of text) is escaped, so that the message can be logged and sent on. Costs no more than `limit` asks
    for, however large the value.
    """
    text = ""
    for piece in _pieces(value, limit):
        text += piece
        if len(text) > limit:
            return text[: limit - 1] + "…"
    return text


def _pieces(value: object, limit: int) -> Iterator[str]:
    match value:
        case None | bool():
            yield "null" if value is None else "true" if value else "false"
        case str():
            yield _escaped(value[: limit + 1])
        case int():
            # Python refuses to write out thousands of digits.
            yield str(value) if value.bit_length() < 512 else f"an integer of {value.bit_length()} bits"
        case float():
            yield json.dumps(value)
        case Mapping():
            yield from _joined("{", (_pair(str(name), item, limit) for name, item in value.items()), "}")
        case list() | tuple() | set() | frozenset():
            yield from _joined("[", (_pieces(item, limit) for item in value), "]")
        case _:
            # YAML knows dates, for instance.
            yield _escaped(str(value)[: limit + 1])


def _pair(name: str, value: object, limit: int) -> Iterator[str]:
    yield f"{_escaped(name[: limit + 1])}: "
    yield from _pieces(value, limit)


def _joined(opening: str, items: Iterable[Iterator[str]], closing: str) -> Iterator[str]:
    yield opening
    for index, item in enumerate(items):
        if index:
            yield ", "
        yield from item
    yield closing


def _escaped(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)


class Fields:
    """The fields of one JSON object."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the field is there, even if it is null."""
        return name in self._values

    def is_given(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def as_json(self) -> bytes:
        """Return the object as JSON; the same bytes for the same fields in the same order.

        Raises `orjson.JSONEncodeError` where it is nested deeper than is written, though it could be read.
        """
        return orjson.dumps(self._values)

    def _get(self, name: str, expected: str, default: object) -> object:
        if name in self._values:
            return self._values[name]
        if default is REQUIRED:
            raise ContractError(name, f"expected {expected}, but the field is missing")
        return default

    def string(self, name: str, default: object = REQUIRED) -> str:
        """Read a string."""
        value = self._get(name, "a string", default)
        if not isinstance(value, str):
            raise ContractError(name, f"expected a string, got {shown(value)}")
        return value

    def boolean(self, name: str, default: object = REQUIRED) -> bool:
        """Read true or false."""
        value = self._get(name, "true or false", default)
        if not isinstance(value, bool):
            raise ContractError(name, f"expected true or false, got {shown(value)}")
        return value

    def integer(self, name: str, default: object = REQUIRED, *, low: int | None = None) -> int:
        """Read an integer: from `low`, or from `-MAX_INTEGER`, to `MAX_INTEGER`."""
        expected = "an integer" if low is None else f"an integer from {low} to {MAX_INTEGER}"
        value = self._get(name, expected, default)
        if isinstance(value, int) and is_integer(value, -MAX_INTEGER if low is None else low, MAX_INTEGER):
            return value
        if low is None and isinstance(value, int) and not isinstance(value, bool):
            expected = f"an integer from {-MAX_INTEGER} to {MAX_INTEGER}"
        raise ContractError(name, f"expected {expected}, got {shown(value)}")

    def number(
        self, name: str, default: object = REQUIRED, *, low: float | None = None, high: float = MAX_INTEGER
    ) -> float:
        """Read a number: from `low`, or from `-MAX_INTEGER`, to `high`."""
        expected = "a number" if low is None else f"a number from {low:.16g} to {high:.16g}"
        value = self._get(name, expected, default)
        if isinstance(value, int | float) and is_number(value, -high if low is None else low, high):
            return float(value)
        if low is None and isinstance(value, int | float) and not isinstance(value, bool):
            expected = f"a number from {-high:.16g} to {high:.16g}"
        raise ContractError(name, f"expected {expected}, got {shown(value)}")

    def optional_integer(self, name: str, *, low: int | None = None) -> int | None:
        """Read an integer as `integer` does, or null, which a missing field counts as."""
        return None if self._values.get(name) is None else self.integer(name, low=low)

    def optional_number(self, name: str) -> float | None:
        """Read a number, or null, which a missing field counts as."""
        return None if self._values.get(name) is None else self.number(name)

    def optional_string(self, name: str) -> str | None:
        """Read a string, or null, which a missing field counts as."""
        return None if self._values.get(name) is None else self.string(name)

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Read an object as it is, or null, which a missing field counts as."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, dict):
            raise ContractError(name, f"expected an object or null, got {shown(value)}")
        return value

    def choice(
        self, name: str, choices: type[Choice], default: object = REQUIRED, *, unknown: Choice | None = None
    ) -> Choice:
        """Read one of the values of an enumeration; any other text is `unknown`, where that is given."""
        text = self.string(name, default)
        try:
            return choices(text)
        except ValueError:
            if unknown is not None:
                return unknown
            raise ContractError(name, f"expected one of {', '.join(choices)}, got {shown(text)}") from None

    def items(self, name: str, default: object = ()) -> list[object]:
        """Read a list of anything."""
        value = self._get(name, "a list", default)
        if not isinstance(value, list | tuple):
            raise ContractError(name, f"expected a list, got {shown(value)}")
        return list(value)

    def strings(self, name: str, default: object = REQUIRED) -> Iterator[str]:
        """Read a list of strings."""
        for index, item in enumerate(self.items(name, default)):
            if not isinstance(item, str):
                raise ContractError(f"{name}[{index}]", f"expected a string, got {shown(item)}")
            yield item

    def scalars(self, name: str) -> Iterator[str | int | float | bool]:
        """Read a list of strings, numbers and booleans; a missing field is an empty list."""
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, str | int | float):
                raise ContractError(f"{name}[{index}]", f"expected a string, a number or a boolean, got {shown(item)}")
            yield item

    def object(self, name: str, read: Callable[["Fields"], T]) -> T | None:
        """Read an object through `read`, or null, which a missing field counts as."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ContractError(name, f"expected an object or null, got {shown(value)}")
        return self.within(name, lambda: read(Fields(value)))

    def objects(self, name: str, read: Callable[["Fields"], T]) -> Iterator[T]:
        """Read a list of objects, each through `read`; a missing field is an empty list."""
        for index, item in enumerate(self.items(name)):
            if not isinstance(item, dict):
                raise ContractError(f"{name}[{index}]", f"expected an object, got {shown(item)}")
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
