"""How users are let back in: the percentage of one recovery step after another."""

from enum import StrEnum


class RampProfile(StrEnum):
    """How the percentage grows."""

    LINEAR = "linear"
    EXPONENTIAL = "exponential"


FULL = 100.0


def next_percentage(percentage: float, increment: float, profile: RampProfile) -> float:
    """Return the percentage of the step after one at `percentage`, at most 100.

    Linear adds `increment` percentage points; exponential multiplies by `1 + increment / 100`.
    """
    if profile is RampProfile.LINEAR:
        return min(FULL, percentage + increment)
    return min(FULL, percentage * (1 + increment / 100))
