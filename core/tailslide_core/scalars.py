r"""Texts, numbers and booleans: what a scalar says as a text and as a number, exactly.

Numbers are those that every reader of JSON can have exactly: integers of 64 bits, signed or not, and doubles between
them. A larger number cannot be compared at all; it is never rounded. Texts are those that UTF-8 can
write: JSON may carry half a surrogate pair (`"\ud800"`), which no other text equals or contains.
"""

import re

Scalar = str | int | float | bool

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1
NUMBERS = f"numbers from {MIN_INTEGER} to {MAX_INTEGER}"
"""The numbers that are compared, in the words of an error."""

_NUMBER = re.compile(r"([+-]?)(?=[0-9])0*+([0-9]*+)(\.[0-9]++)?([eE][+-]?[0-9]++)?")
"""Numbers as JSON and query strings have them; `float` alone would take `1_000`, ` 5 ` and Arabic digits too.

Possessive, so that it takes linear time.
"""
_MOST_DIGITS = 20
"""Of a 64-bit integer. Longer ones are not even read, because reading them takes more than linear time."""


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can write a text: whether it has no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def says_number(text: str) -> bool:
    """Whether a text is written as a number, of whatever size."""
    return _NUMBER.fullmatch(text) is not None


def number_of(value: object) -> int | float | None:
    """Return the number that a scalar is or, being a text, says; None for anything else, booleans included.

    Exact: a number beyond 64 bits is None. So is the double -2^63, as which some readers give the integers just below.
    A text with neither fraction nor exponent is an integer, others are the nearest double.
    """
    if isinstance(value, str):
        return _number_in(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if MIN_INTEGER <= value <= MAX_INTEGER else None
    if isinstance(value, float):
        return value if MIN_INTEGER < value < 2.0**64 else None
    return None


def _number_in(text: str) -> int | float | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits, fraction, exponent = match.groups()
    if fraction is not None or exponent is not None:
        return number_of(float(text))
    if len(digits) > _MOST_DIGITS:
        return None
    return number_of(int(f"{sign}{digits or 0}"))


def text_of(value: object) -> str | None:
    """Return how a scalar is written in a query string (`true`, `5`, `5.5`); None for anything that is not a scalar.

    Whole numbers are written as digits alone, others with the fewest digits that read back as the same double, never
    with an exponent. None too for a number that is not exact, see `number_of`.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    number = number_of(value)
    if number is None:
        return None
    if isinstance(number, int) or number.is_integer():
        return str(int(number))
    return _decimal(repr(number))


def _decimal(written: str) -> str:
    """Return a number between whole ones, as `repr` writes it, without the exponent, which is negative then."""
    digits, exponent, power = written.partition("e-")
    if not exponent:
        return written
    sign = "-" if digits.startswith("-") else ""
    return f"{sign}0.{'0' * (int(power) - 1)}{digits.lstrip('-').replace('.', '')}"


def comparable_text(value: object) -> str | None:
    """Return how a scalar is written, as `text_of`; None too for a text that UTF-8 cannot write."""
    text = text_of(value)
    return text if text is None or text.isascii() or is_unicode(text) else None
