"""Numbers as people read them: percentages, counts with their noun, and spans of time."""

import math

_UNITS = ((86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
_DAYS_FROM_MS = 2 * 86_400_000
"""Hours are counted until there are two days: nobody says "1 day" of 47 hours."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 call`, `4,210 calls`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def percent(value: float) -> str:
    """Return a percentage that a person has set, 0 to 100, exactly: `25%`, `0.5%`, `12.345%`."""
    if not math.isfinite(value):
        return "an unknown part"
    if 0 < value < 0.001:
        return "less than 0.001%"
    if 99.999 < value < 100:
        return "more than 99.999%"
    return f"{_plain(value, 3)}%"


def share(value: float, apart_from: float | None = None) -> str:
    """Return a percentage that was measured, 0 to 100, to one decimal: `62%`, `1.2%`, `less than 0.1%`.

    With more decimals where it would otherwise seem equal to the threshold that it is `apart_from`.
    """
    if not math.isfinite(value):
        return "an unknown part"
    if 0 < value < 0.05:
        return "less than 0.1%"
    if 99.95 <= value < 100:
        return "more than 99.9%"
    decimals = 1
    if apart_from is not None and value != apart_from:
        while decimals < 3 and _plain(value, decimals) == _plain(apart_from, decimals):
            decimals += 1
    return f"{_plain(value, decimals)}%"


def _plain(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def exact_span(span_ms: int) -> str:
    """Return the length of a window or a delay as it was set: `250 ms`, `10 s`, `7.5 min`, `2 h`."""
    if span_ms < 1000:
        return f"{span_ms} ms"
    for unit_ms, name in ((3_600_000, "h"), (60_000, "min")):
        if span_ms >= 2 * unit_ms or span_ms == unit_ms:
            in_hundredths, rest = divmod(span_ms * 100, unit_ms)
            if rest == 0:
                return f"{_plain(in_hundredths / 100, 2)} {name}"
    return f"{_plain(span_ms / 1000, 3)} s"


def rough_span(span_ms: int, *, up: bool = False) -> str:
    """Return an age in its largest unit: `12 s`, `3 min`, `2 h`, `5 days`; rounded down, or `up`."""
    if span_ms < 1000 and not (up and span_ms > 0):
        return "less than 1 s"
    for unit_ms, name in _UNITS:
        if span_ms >= (_DAYS_FROM_MS if name == "days" else unit_ms):
            return f"{-(-span_ms // unit_ms) if up else span_ms // unit_ms:,} {name}"
    return "1 s"


def sentence_case(text: str) -> str:
    """Return a text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
