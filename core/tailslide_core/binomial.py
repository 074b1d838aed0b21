"""How likely chance alone is: the upper tail of the binomial distribution."""

import math

_NEGLIGIBLE = 1e-12
"""A term of the sum that is smaller than this part of it ends the sum: what follows is smaller still."""


def at_least(hits: int, calls: int, rate: float) -> float:
    """Return the probability, 0 to 1, of `hits` or more out of `calls` where each is a hit with `rate` (0 ≤ rate < 1).

    The terms of the tail are added up one by one, the first by way of logarithms, since its factors overflow: right to
    about six digits for a billion calls. Above the mean, which is what it is for, a few dozen terms suffice.
    """
    if hits <= 0:
        return 1.0
    if hits > calls or rate <= 0:
        return 0.0
    term = math.exp(
        math.lgamma(calls + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(calls - hits + 1)
        + hits * math.log(rate)
        + (calls - hits) * math.log1p(-rate)
    )
    odds = rate / (1 - rate)
    total = term
    while hits < calls and term > total * _NEGLIGIBLE:
        term *= (calls - hits) / (hits + 1) * odds
        hits += 1
        total += term
    return min(1.0, total)
