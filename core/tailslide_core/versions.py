"""Versions as SemVer 2.0.0 orders them, and ranges of them as npm writes them."""

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.scalars import text_of

Version = tuple[object, ...]
"""A key that sorts as the version does."""

_PRERELEASE = r"(?!0[0-9]++(?![A-Za-z-]))[0-9A-Za-z-]++"  # without leading zeros where it is a number
_BUILD = r"[0-9A-Za-z-]++"
_VERSION = (  # possessive, so that it takes linear time
    r"v?(0|[1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,17}))?(?:\.(0|[1-9][0-9]{0,17}))?"
    rf"(?:-({_PRERELEASE}(?:\.{_PRERELEASE})*+))?(?:\+{_BUILD}(?:\.{_BUILD})*+)?"
)
_SEMVER = re.compile(_VERSION)
_RELEASE = (1,)
_BEFORE_PRERELEASES = (0, ())
"""Sorts below every pre-release of the same numbers, as `-0`, the lowest one, does or is."""


def parse_semver(text: str) -> Version | None:
    """Return a key that sorts as SemVer 2.0.0 §11 orders versions, or None when `text` is not a version.

    A leading `v` and a missing minor or patch number (taken as 0) are accepted; build metadata is ignored.
    """
    match = _SEMVER.fullmatch(text)
    return None if match is None else _key(*match.groups())


def _key(major: str, minor: str | None, patch: str | None, prerelease: str | None) -> Version:
    numbers = (int(major), int(minor or 0), int(patch or 0))
    if prerelease is None:
        return (*numbers, _RELEASE)
    # Numeric identifiers sort below alphanumeric ones, and a shorter list below a longer one that it begins. Without
    # leading zeros a longer number is a larger one, and no text is too long to be compared.
    identifiers = tuple((0, len(p), p) if p.isdigit() else (1, 0, p) for p in prerelease.split("."))
    return (*numbers, (0, identifiers))


def version_of(value: object) -> Version | None:
    """Return the version that a scalar says (the number 1.2 is 1.2.0); None if it does not say one."""
    text = text_of(value)
    return None if text is None else parse_semver(text)


_COMPARATOR = re.compile(rf"(\^|~|>=|<=|>|<|=)? *(?:{_VERSION})(?= |$) *")
_WILDCARD = re.compile(r"(?:^|[.^~<>=v ])[xX*]")

Comparator = tuple[Callable[[Version, Version], bool], Version]
Range = tuple[Comparator, ...]
"""Comparators that must all hold."""


def parse_range(text: str) -> Range:
    """Read a range: comparators with spaces between them, such as `^1.2`, `~1.2.3`, `>=1 <2` or `1.2`.

    What partial versions mean is npm's: https://github.com/npm/node-semver#ranges. Unlike there, a pre-release is in a
    range wherever the order of versions puts it. Raises `ContractError` on `values` if the text is not a range.
    """
    comparators: list[Comparator] = []
    position = 0
    stripped = text.strip(" ")
    while position < len(stripped):
        match = _COMPARATOR.match(stripped, position)
        found = None if match is None else _comparators(match)
        if match is None or found is None:
            break
        comparators += found
        position = match.end()
    if position < len(stripped) or not comparators:
        raise ContractError("values", f"expected {_hint(stripped)}, got {shown(text, 80)}")
    return tuple(comparators)


def _hint(text: str) -> str:
    if "||" in text:
        return "one value for each alternative instead of ||"
    if " - " in text:
        return "both ends of a range, such as >=1.2.3 <=2.3.4, instead of a hyphen between them"
    if _WILDCARD.search(text) is not None:
        return "a version without x and *, such as 1.2 instead of 1.2.x, and exists instead of * alone"
    return "a range of versions, such as ^1.2, ~1.2.3 or >=1 <2"


def _comparators(match: re.Match[str]) -> list[Comparator] | None:
    operator, *numbers, prerelease = match.groups()
    if prerelease is not None and numbers[2] is None:
        return None
    least = _key(numbers[0], numbers[1], numbers[2], prerelease)
    major = int(numbers[0])
    minor, patch = (None if number is None else int(number) for number in numbers[1:])
    if operator == "^":
        return [(ge, least), (lt, _after_caret(major, minor, patch))]
    if operator == "~":
        return [(ge, least), (lt, _after(major, minor, None))]
    if patch is not None:
        return [({"<": lt, "<=": le, ">": gt, ">=": ge}.get(operator, eq), least)]
    beyond = _after(major, minor, None)
    match operator:
        case ">=":
            return [(ge, least)]
        case ">":
            return [(ge, (*beyond[:3], _RELEASE))]
        case "<":
            return [(lt, (*least[:3], _BEFORE_PRERELEASES))]
        case "<=":
            return [(lt, beyond)]
        case _:
            return [(ge, least), (lt, beyond)]


def _after(major: int, minor: int | None, patch: int | None) -> Version:
    """Return what is above all versions that begin with these numbers, and at or below every other above them."""
    if minor is None:
        return (major + 1, 0, 0, _BEFORE_PRERELEASES)
    if patch is None:
        return (major, minor + 1, 0, _BEFORE_PRERELEASES)
    return (major, minor, patch + 1, _BEFORE_PRERELEASES)


def _after_caret(major: int, minor: int | None, patch: int | None) -> Version:
    """Return where `^` ends: at a change of the first number that is not 0, of those that are given."""
    if major > 0 or minor is None:
        return _after(major, None, None)
    if minor > 0 or patch is None:
        return _after(major, minor, None)
    return _after(major, minor, patch)


def is_in_range(version: Version, comparators: Range) -> bool:
    """Whether a version meets all comparators."""
    return all(compare(version, bound) for compare, bound in comparators)
