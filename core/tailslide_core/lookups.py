"""Looking an attribute up among the values of a condition: `in`, `not_in` and `equals`.

Two texts compare as texts. Where at least one side is a JSON number both compare as numbers, and a boolean is equal to
the same boolean and to its name. A value that is a text may be any text; one that says a number beyond 64 bits (an
identifier of 21 digits, say) equals that text alone.
"""

from tailslide_core.attributes import Items
from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.scalars import NUMBERS, Scalar, is_unicode, number_of, says_number

_NAMES = {"true": True, "false": False}


def check_scalars(values: tuple[Scalar, ...]) -> None:
    """Raise `ContractError` unless there are values and all of them can be compared exactly."""
    if not values:
        raise ContractError("values", "expected at least one value, got none")
    for value in values:
        if isinstance(value, str):
            if not is_unicode(value):
                raise ContractError("values", f"expected text without lone surrogates, got {shown(value, 80)}")
        elif not isinstance(value, bool) and number_of(value) is None:
            expected = f"expected strings, booleans or finite {NUMBERS}, which are compared exactly"
            raise ContractError("values", f"{expected}, got {shown(value, 80)}")


class Lookup:
    """The values of a condition by what equals them."""

    __slots__ = ("booleans", "has_too_large", "ignore_case", "json_numbers", "numbers", "texts")

    def __init__(self, values: tuple[Scalar, ...], *, ignore_case: bool) -> None:
        """Raise `ContractError` on values that cannot be compared."""
        check_scalars(values)
        texts = {value.lower() if ignore_case else value for value in values if isinstance(value, str)}
        booleans = {value for value in values if isinstance(value, bool)}
        self.ignore_case = ignore_case
        self.json_numbers = frozenset(
            value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
        )
        self.booleans = frozenset(booleans | {_NAMES[text] for text in texts if text in _NAMES})
        said = {text: number_of(text) for text in texts if says_number(text)}
        self.numbers = self.json_numbers | {number for number in said.values() if number is not None}
        self.has_too_large = None in said.values()
        """Whether a text says a number that is too large to be compared: it is unknown whether a number equals it."""
        self.texts = frozenset(texts | {name for name, value in _NAMES.items() if value in booleans})

    def of_one(self, value: object) -> bool | None:
        """Whether one value is among the condition's values; None if it cannot be compared."""
        if isinstance(value, str):
            if (value.lower() if self.ignore_case else value) in self.texts:
                return True
            if self.json_numbers and (said := self._says(value)) is not False:
                return said
            return False if value.isascii() or is_unicode(value) else None
        if isinstance(value, bool):
            return value in self.booleans
        number = number_of(value)
        if number is None:
            return None
        return True if number in self.numbers else None if self.has_too_large else False

    def _says(self, text: str) -> bool | None:
        number = number_of(text)
        if number is None:
            return None if says_number(text) else False
        return number in self.json_numbers

    def of_items(self, items: Items) -> bool | None:
        """Whether one of the items is among the values; None if none is but one cannot be compared."""
        texts, numbers, booleans, unknown = items.kinds
        if not self.texts.isdisjoint(items.lowered if self.ignore_case else texts):
            return True
        if numbers:
            if not self.numbers.isdisjoint(numbers):
                return True
            unknown = unknown or self.has_too_large
        if booleans and not self.booleans.isdisjoint(booleans):
            return True
        if self.json_numbers and texts:
            said = items.said
            if not self.json_numbers.isdisjoint(said.numbers):
                return True
            unknown = unknown or said.too_large
        return None if unknown else False
