"""How likely chance alone is: the upper tail of the binomial distribution."""

import math

_NEGLIGIBLE = 1e-12
"""A term of the sum that is smaller than this part of it ends the sum: what follows is smaller still."""


def at_least(hits: int, calls: int, rate: float) -> float:
    """Return the probability, 0 to 1, of `hits` or more out of `calls` where each is a hit with `rate` (0 ≤ rate < 1).

    The terms of a tail are added up one by one from its largest, which is computed by way of logarithms, since its
    factors overflow: right to about six digits for a billion calls. Above the mean, which is what it is for, a few
    dozen terms suffice. Below it, the upper tail's first term may be too small for a float though the tail is almost 1;
    there the result is what the lower tail leaves.
    """
    if hits <= 0:
        return 1.0
    if hits > calls or rate <= 0:
        return 0.0
    if hits > calls * rate:
        return min(1.0, _upper_tail(hits, calls, rate))
    return max(0.0, 1 - _upper_tail(calls - hits + 1, calls, 1 - rate))  # fewer hits are more misses


def _upper_tail(hits: int, calls: int, rate: float) -> float:
    """Add up the terms from `hits` on, which is at or above the mean: each is smaller than the one before."""
    exponent = (
        math.lgamma(calls + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(calls - hits + 1)
        + hits * math.log(rate)
        + (calls - hits) * math.log1p(-rate)
    )
    term = math.exp(min(0.0, exponent))  # of numbers beyond all sense it may be above 0, by thousands
    odds = rate / (1 - rate)
    total = term
    while hits < calls and term > total * _NEGLIGIBLE:
        term *= (calls - hits) / (hits + 1) * odds
        hits += 1
        total += term
    return total
