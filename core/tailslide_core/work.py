"""How much work a question is, worked out before any of it is done.

Short scalars are never too much, however many flags there are: what they cost is what the team's conditions ask for.
What a caller can add to that is longer lists and longer texts, and this is what is counted, in units of about 30 ns on
a core of 2020. A new operator needs its price here.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tailslide_core.conditions import LOOKUPS, Condition, Items, Operator
from tailslide_core.ruleset import Ruleset

FREE_CHARACTERS = 32
"""A text up to this long costs nothing extra."""
_PART = 64
"""Texts are paid for in parts of so many characters."""
_LONG_NUMBER = 1_024
"""How many characters a number of up to 309 digits counts for, which writing it out costs."""


class Demand(NamedTuple):
    """What conditions ask of one attribute. Those of several flags add up."""

    lookups: int = 0
    """Conditions that look items up among their values."""
    values: int = 0
    """The values of these."""
    per_item: int = 0
    """Units for each item but the first."""
    per_part: int = 0
    """Units for each 64 characters of text, the first 32 of an attribute not counted."""

    def __add__(self, other: object) -> "Demand":
        """Return what both ask together."""
        if not isinstance(other, Demand):
            return NotImplemented
        return Demand(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other: "Demand") -> "Demand":
        """Return what is left without the other."""
        return Demand(*(a - b for a, b in zip(self, other, strict=True)))

    def work(self, value: object) -> int:
        """Return how many units an attribute's value costs; 0 for a short scalar."""
        if isinstance(value, Items):
            value = value.values
        if not isinstance(value, list | tuple):
            return self.per_part * _parts(_characters(value))
        items = len(value)
        parts = _parts(sum(map(_characters, value)))
        # Every item is written out once, for all conditions that look items up.
        once = 6 * items + 3 * parts if self.lookups else 0
        return once + min(self.values, self.lookups * items) + self.per_item * max(items - 1, 0) + self.per_part * parts


Demands = Mapping[str, Demand]
"""By attribute."""
NO_DEMANDS: Demands = MappingProxyType({})
_NOTHING = Demand()


def demands_of(ruleset: Ruleset) -> Demands:
    """Return what the conditions of a flag ask of each attribute."""
    if not ruleset.rules:
        return NO_DEMANDS
    demands: dict[str, Demand] = {}
    for rule in ruleset.rules:
        for condition in rule.when:
            demand = demand_of(condition)
            if demand != _NOTHING:
                demands[condition.attribute] = demands.get(condition.attribute, _NOTHING) + demand
    return demands


class Total:
    """What the conditions of many flags ask of each attribute, as flags come and go."""

    def __init__(self) -> None:
        self.demands: dict[str, Demand] = {}

    def replace(self, before: Demands, after: Demands) -> None:
        """Take in that a flag now asks for something else."""
        if before is after:
            return
        for attribute, demand in before.items():
            left = self.demands[attribute] - demand
            if left == _NOTHING:
                del self.demands[attribute]
            else:
                self.demands[attribute] = left
        for attribute, demand in after.items():
            self.demands[attribute] = self.demands.get(attribute, _NOTHING) + demand


def demand_of(condition: Condition) -> Demand:
    """Return what one condition asks of its attribute; never less than it costs (measured, rounded up)."""
    operator, values = condition.operator, len(condition.values)
    if operator in LOOKUPS:
        return Demand(lookups=1, values=values)
    match operator:
        case Operator.EXISTS:
            return _NOTHING
        case Operator.CONTAINS:
            # A text made for it makes the search look at each place as often as the wanted text is long.
            longest = sum(1 + min(len(str(value)), 100) // 2 for value in condition.values)
            return Demand(per_item=8 + 3 * values, per_part=longest)
        case Operator.STARTS_WITH | Operator.ENDS_WITH:
            return Demand(per_item=6 + (values + 9) // 10)
        case Operator.LT | Operator.LE | Operator.GT | Operator.GE:
            return Demand(per_item=20, per_part=3)
        case _:
            return Demand(per_item=40, per_part=140)


def work_of(demands: Demands, attributes: Iterable[tuple[str, object]]) -> tuple[int, str]:
    """Return the units that attributes cost together, and which of them costs the most."""
    total, most, dearest = 0, -1, ""
    for attribute, value in attributes:
        demand = demands.get(attribute)
        if demand is not None:
            work = demand.work(value)
            total += work
            if work > most:
                most, dearest = work, attribute
    return total, dearest


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return _LONG_NUMBER if isinstance(value, float) and abs(value) >= 1e16 else 0


def _parts(characters: int) -> int:
    return max(characters - FREE_CHARACTERS + _PART - 1, 0) // _PART
