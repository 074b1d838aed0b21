"""Regular expressions in RE2's syntax, searched in time linear in the text, within bounds of memory.

RE2 can run untrusted patterns: it never backtracks. It searches with an automaton whose states it makes as it goes and
keeps in bounded memory. Where they do not fit it goes through all of them at once, which takes up to 9 ns (on a core
of 2020) for each byte of the text and each instruction of the pattern; `work` prices it so.
"""

import re
from functools import lru_cache
from typing import Protocol, cast

import re2

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.scalars import Scalar, is_unicode

MAX_PATTERNS = 20
"""Of one condition."""
MAX_CHARACTERS = 1_000
"""Of one pattern."""
MAX_INSTRUCTIONS = 3_000
"""Of all patterns of a condition together. A letter is about one, `\\pL` about 1,200."""
MAX_MEMORY_BYTES = 131_072
"""What RE2 may use for one pattern. Measured: 3 KiB for a usual one, up to 50 KiB after texts made to fill it."""

_KEPT = 1_024
"""Patterns that are kept to be shared by conditions that are alike."""


class Pattern(Protocol):
    """A compiled pattern, as far as it is used here."""

    programsize: int

    def search(self, text: bytes) -> object | None:
        """Return the first match anywhere in a text; None where there is none."""
        ...


class Patterns:
    """Patterns of which one must be found in a text."""

    __slots__ = ("_compiled", "instructions")

    def __init__(self, values: tuple[Scalar, ...], *, ignore_case: bool) -> None:
        """Raise `ContractError` on `values` if one of them is not a pattern, or if they exceed the bounds."""
        if not values:
            raise ContractError("values", "expected at least one value, got none")
        if len(values) > MAX_PATTERNS:
            raise ContractError("values", f"expected at most {MAX_PATTERNS} regular expressions, got {len(values)}")
        self._compiled = tuple(_checked(value, ignore_case) for value in values)
        self.instructions = sum(compiled.programsize for compiled in self._compiled)
        if self.instructions > MAX_INSTRUCTIONS:
            raise ContractError(
                "values",
                f"expected regular expressions of at most {MAX_INSTRUCTIONS} instructions together, got "
                f"{self.instructions}; make repetitions such as x{{1,1000}} and classes such as \\pL fewer",
            )

    def found_in(self, text: str) -> bool:
        """Whether any pattern is found anywhere in a text, which has no lone surrogates."""
        data = text.encode()
        return any(compiled.search(data) is not None for compiled in self._compiled)


def _checked(value: Scalar, ignore_case: bool) -> Pattern:
    if not isinstance(value, str) or not is_unicode(value):
        raise ContractError("values", f"expected a regular expression in RE2 syntax, got {shown(value, 80)}")
    if len(value) > MAX_CHARACTERS:
        problem = f"expected regular expressions of at most {MAX_CHARACTERS} characters, got one of {len(value)}"
        raise ContractError("values", problem)
    if _has_byte_escape(value):
        problem = rf"expected a regular expression without \C, which is a part of a character, got {shown(value, 80)}"
        raise ContractError("values", problem)
    try:
        return _compile(value, ignore_case)
    except re2.error as error:
        reason = _reason(error)
    raise ContractError("values", f"expected a regular expression in RE2 syntax, got {shown(value, 80)}: {reason}")


_TOKEN = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|[^\\]+", re.DOTALL)
"""Quoted text, one escape, or what is neither."""


def _has_byte_escape(pattern: str) -> bool:
    r"""Whether a pattern has `\C`, any byte of UTF-8: others than RE2 (Go's `regexp`, for one) do not know it."""
    return r"\C" in pattern and r"\C" in _TOKEN.findall(pattern)


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else b""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return shown(text, 120)[1:-1]


@lru_cache(maxsize=_KEPT)
def _compile(pattern: str, ignore_case: bool) -> Pattern:
    options = re2.Options()
    options.max_mem = MAX_MEMORY_BYTES
    options.log_errors = False
    options.case_sensitive = not ignore_case
    options.never_capture = True  # nothing reads what a group has matched, and finding that out takes longer
    return cast(Pattern, re2.compile(pattern.encode(), options))
