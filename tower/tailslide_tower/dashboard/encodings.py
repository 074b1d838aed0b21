"""Which content coding a client gets (RFC 9110, section 12.5.3). Pure."""

from collections.abc import Collection, Iterable

PREFERRED = ("br", "gzip")
"""The codings that files are kept in, the smallest first."""


def choose_coding(accept_encoding: Iterable[str], available: Collection[str]) -> str | None:
    """Return the coding of `available` that suits a client best, None for none.

    `accept_encoding` are the values of all headers of that name. The client's weights decide, then our order. Where
    nothing suits, not even no coding, the answer comes without one: everybody can read that.
    """
    weights = _weights(accept_encoding)
    default = weights.get("*", 0.0)
    # Without a word on it, no coding at all is acceptable, but any coding that is asked for is better.
    best, best_weight = None, weights.get("identity", 0.0)
    for coding in PREFERRED:
        weight = weights.get(coding, default)
        if coding in available and weight > 0 and (weight > best_weight or (best is None and weight >= best_weight)):
            best, best_weight = coding, weight
    return best


def _weights(headers: Iterable[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for header in headers:
        for item in header.split(","):
            coding, *parameters = (part.strip().lower() for part in item.split(";"))
            if coding:
                weights["gzip" if coding == "x-gzip" else coding] = _weight(parameters)
    return weights


def _weight(parameters: Iterable[str]) -> float:
    """Return the weight that parameters give; 0, and so no such coding, where it cannot be read."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
