"""How users are let back in: the percentage of one recovery step after another."""

from enum import StrEnum


class RampProfile(StrEnum):
    """How the percentage grows."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"


FULL = 100.0

_DECIMALS = 9
"""Nine hundred steps of 0.1 must come to 100 and not to 99.99999999999, which would cost a step more. The smallest
growth that settings allow, 0.001 % of 0.001, still shows."""


def next_percentage(percentage: float, increment: float, profile: RampProfile) -> float:
    """Return the percentage of the step after one at `percentage`, at most 100.

    Linear adds `increment` percentage points; exponential multiplies by `1 + increment / 100`.
    """
    grown = percentage + increment if profile is RampProfile.LINEAR else percentage * (1 + increment / 100)
    return min(FULL, round(grown, _DECIMALS))
