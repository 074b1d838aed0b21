"""How sure one can be of a rate: the lower bound of the Wilson score interval."""

import math
from functools import lru_cache
from statistics import NormalDist


@lru_cache(maxsize=256)
def z_score(confidence: float) -> float:
    """Return the one-sided standard normal quantile of `confidence` (0.5 ≤ confidence < 1): 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)


def lower_bound(hits: int, calls: int, confidence: float) -> float:
    """Return the one-sided lower bound, 0 to 1, of the rate behind `hits` out of `calls`, at `confidence`.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
    American Statistical Association 22 (1927). Without calls nothing is known: 0.
    """
    if hits <= 0 or calls <= 0:
        return 0.0
    z2 = z_score(confidence) ** 2
    rate = hits / calls
    centre = rate + z2 / (2 * calls)
    margin = math.sqrt(z2) * math.sqrt(rate * (1 - rate) / calls + z2 / (4 * calls * calls))
    return max(0.0, (centre - margin) / (1 + z2 / calls))
