"""The ways in which a known flag can be answered, and why. How one of them is chosen is `evaluation`'s."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why the answer is what it is."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    DISABLED = "DISABLED"
    """A person has turned the flag off."""
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    PREREQUISITE_FAILED = "PREREQUISITE_FAILED"
    """A flag that this one requires does not give a required variant."""
    STATIC = "STATIC"
    """Nothing but the flag decided: everybody gets the same."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """A list decided, or a rule that gives everybody whom it matches the same."""
    SPLIT = "SPLIT"
    """A bucket."""
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    """A bucket would have decided, but there is no key to compute it from."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """One of the few answers that a flag has, as long as neither it nor what it depends on changes.

    Compared and hashed by identity, so that what follows from a decision is looked up at no cost.

    `active` says whether `variant` is another than the off variant. `rule` is the name of the rule that matched first.
    `prerequisite` is the flag that did not give a required variant, `prerequisite_reason` that flag's own reason.
    """

    variant: str
    active: bool
    reason: Reason
    rule: str | None = None
    prerequisite: str | None = None
    prerequisite_reason: Reason | None = None
    is_error: bool = False
    """Whether OpenFeature's clients get an error, and use their defaults: the key is missing, and no circuit is
    recovering. (While one is, clients whose default is "on" would get past its ramp.)"""
