"""Texts of people inside sentences: on one line, printable, not too long."""

MAX_REASON = 200
MAX_NAME = 100
_WITHOUT_GLYPH = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol that Unicode counts as printable, and of which nobody sees anything."""


def named(text: str, limit: int = MAX_NAME) -> str:
    """Return a name, or another text of somebody's, as it may stand in a sentence; cut off at `limit` characters."""
    seen = (char if char.isprintable() and char not in _WITHOUT_GLYPH else " " for char in text[: 4 * limit])
    line = " ".join("".join(seen).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def name_or(name: str | None, otherwise: str) -> str:
    """Return a name as it may stand in a sentence; `otherwise` where there is none, or nothing of it can be shown."""
    return (named(name) if name else "") or otherwise


def reason_of(text: str | None) -> str:
    """Return what a person has given as reason, with the colon before it; nothing where there is none."""
    line = "" if text is None else named(text, MAX_REASON)
    return f": “{line}”" if line else ""
