"""How much work a question is, worked out before any of it is done.

Short scalars are never too much, however many flags there are: what they cost is what the team's conditions ask for.
What a caller can add to that is longer lists and longer texts, and this is what is counted, in units of about 30 ns on
a core of 2020. A new operator needs its price here.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tailslide_core.attributes import path_of
from tailslide_core.conditions import Condition, Items
from tailslide_core.operators import LOOKUPS, WRITING, Operator
from tailslide_core.ruleset import Ruleset
from tailslide_core.scalars import text_of
from tailslide_core.segment import Segment

FREE_CHARACTERS = 32
"""A text up to this long costs nothing extra."""
_PART = 64
"""Texts are paid for in parts of so many characters."""
_TINY, _LONG_NUMBER = 1e-30, 350
"""A number closer to 0 than this, but not 0, is written with up to so many characters; others with 48 at most."""
_STEP = 20
"""Units that `matches` takes at worst for each instruction and part of ASCII: 9 ns a byte, with named groups."""
_WIDEST = 4
"""Bytes of a character in UTF-8."""


class Demand(NamedTuple):
    """What conditions ask of one attribute. Those of several flags add up."""

    lookups: int = 0
    """Conditions that look items up among their values."""
    values: int = 0
    """The values of these."""
    folding: int = 0
    """Those of them that ignore case."""
    numeric: int = 0
    """Those of them that look numbers up."""
    writing: int = 0
    """Conditions that ask how a number is written."""
    per_item: int = 0
    """Units for each item but the first."""
    per_part: int = 0
    """Units for each 64 characters of text, the first 32 of an attribute not counted."""
    per_wide_part: int = 0
    """Units for these on top, of texts that are not ASCII alone."""

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
        if isinstance(value, list | tuple):
            return self._of_list(value)
        parts = _parts(_characters(value))
        if parts == 0:
            return 0
        return self.per_part * parts + self.per_wide_part * _parts(_wide_characters(value))

    def _of_list(self, values: list[object] | tuple[object, ...]) -> int:
        items = len(values)
        parts, wide_parts = _parts(sum(map(_characters, values))), _parts(sum(map(_wide_characters, values)))
        # What is worked out once for all conditions: the items by kind, in lower case, what they say, and how they are
        # written.
        once = 13 * items + 3 * parts + 2 * wide_parts if self.lookups else 0
        if self.folding:
            once += 4 * items + 2 * parts + _LOWERING * wide_parts
        if self.numeric:
            once += 26 * items + _READING * parts
        if self.writing:
            once += 16 * items + 2 * parts + 3 * wide_parts + 60 * sum(value.__class__ is float for value in values)
        looked_up = min(self.values, 2 * self.lookups * items)
        each = self.per_item * max(items - 1, 0) + self.per_part * parts + self.per_wide_part * wide_parts
        return once + looked_up + each


class Demands(NamedTuple):
    """What conditions ask of attributes, by their names; and of which the names are paths as well."""

    by_attribute: Mapping[str, Demand]
    paths: Mapping[str, tuple[str, ...]]


NO_DEMANDS = Demands(MappingProxyType({}), MappingProxyType({}))
_NOTHING = Demand()


def demands_of(ruleset: Ruleset, segments: Mapping[str, Segment] = MappingProxyType({})) -> Demands:
    """Return what a flag asks of each attribute, in an app with these segments, without its prerequisites."""
    if not ruleset.rules and ruleset.bucket_by is None:
        return NO_DEMANDS
    demands: dict[str, Demand] = {}
    for condition in _conditions(ruleset, segments):
        demand = demand_of(condition)
        if demand != _NOTHING:
            demands[condition.attribute] = demands.get(condition.attribute, _NOTHING) + demand
    if ruleset.bucket_by is not None:
        demands[ruleset.bucket_by] = demands.get(ruleset.bucket_by, _NOTHING) + _HASHED
    return Demands(demands, {name: path for name in demands if (path := path_of(name))})


def _conditions(ruleset: Ruleset, segments: Mapping[str, Segment]) -> Iterator[Condition]:
    """Yield the conditions of a flag's rules, and the conditions of the segments that they use."""
    for rule in ruleset.rules:
        for condition in rule.when:
            yield condition
            if condition.operator is Operator.IN_SEGMENT:
                for key in condition.values:
                    segment = segments.get(str(key))
                    yield from () if segment is None else segment.when


def together(demands: Iterable[Demands]) -> Demands:
    """Return what several flags ask together."""
    total = Total()
    for one in demands:
        total.replace(NO_DEMANDS, one)
    return total.demands


class Total:
    """What the conditions of many flags ask of each attribute, as flags come and go."""

    def __init__(self) -> None:
        self._by_attribute: dict[str, Demand] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        self.demands = Demands(self._by_attribute, self._paths)

    def replace(self, before: Demands, after: Demands) -> None:
        """Take in that a flag now asks for something else."""
        if before is after:
            return
        for attribute, demand in before.by_attribute.items():
            left = self._by_attribute[attribute] - demand
            if left == _NOTHING:
                del self._by_attribute[attribute]
                self._paths.pop(attribute, None)
            else:
                self._by_attribute[attribute] = left
        for attribute, demand in after.by_attribute.items():
            self._by_attribute[attribute] = self._by_attribute.get(attribute, _NOTHING) + demand
        self._paths.update(after.paths)


_HASHED = Demand(per_part=4, per_wide_part=4)
"""What making a bucket of an attribute takes, twice: for the rollout and for the split."""
_READING = 10
"""Units for each part of a text that is read as a number or as a time."""
_LOWERING = 85
"""Units for each part of a text that is put into lower case; a hundredth for ASCII."""


def demand_of(condition: Condition) -> Demand:
    """Return what one condition asks of its attribute; never less than it costs (measured, rounded up).

    What the conditions of a segment ask is theirs, see `in_segment` below: only looking a user up is in here.
    """
    operator, count = condition.operator, len(condition.values)
    demand = _folding(_demand_of(condition, count), condition)
    return demand._replace(writing=1) if operator in WRITING else demand


def _folding(demand: Demand, condition: Condition) -> Demand:
    if not condition.ignore_case:
        return demand
    if condition.operator in LOOKUPS:
        return demand._replace(folding=1, per_part=demand.per_part + 2, per_wide_part=demand.per_wide_part + _LOWERING)
    if condition.operator is Operator.MATCHES:  # RE2 does it
        return demand
    return demand._replace(
        per_item=demand.per_item + 6,
        per_part=demand.per_part + 2,
        per_wide_part=demand.per_wide_part + _LOWERING,
    )


def _demand_of(condition: Condition, count: int) -> Demand:
    match condition.operator:
        case Operator.IN | Operator.NOT_IN | Operator.EQUALS:
            numbers = sum(isinstance(value, int | float) and not isinstance(value, bool) for value in condition.values)
            reading = _READING if numbers else 0
            return Demand(1, count + numbers, numeric=min(numbers, 1), per_part=reading, per_wide_part=2)
        case Operator.EXISTS:
            return _NOTHING
        case Operator.CONTAINS:
            # A text made for it makes the search look at each place as often as the wanted text is long.
            lengths = [len(text_of(value) or "") for value in condition.values]
            longest = sum(2 if length == 1 else 9 + min(length, 100) // 2 for length in lengths)
            return Demand(per_item=10 + 3 * count, per_part=longest, per_wide_part=3 + 8 * count)
        case Operator.STARTS_WITH | Operator.ENDS_WITH:
            return Demand(per_item=7 + (count + 4) // 5, per_wide_part=3)
        case Operator.MATCHES:
            step = _STEP * condition.size
            return Demand(per_item=24 + 26 * count, per_part=step, per_wide_part=(_WIDEST - 1) * step + 6)
        case Operator.LT | Operator.LE | Operator.GT | Operator.GE:
            return Demand(per_item=24, per_part=_READING)
        case Operator.BEFORE | Operator.AFTER:
            return Demand(per_item=75, per_part=_READING)
        case Operator.IP_IN:
            return Demand(per_item=200 + 5 * condition.size)
        case Operator.SEMVER_IN:
            return Demand(per_item=80 + 12 * condition.size, per_part=150)
        case Operator.IN_SEGMENT:
            return Demand(writing=1, per_item=10 + 6 * count, per_wide_part=3)
        case _:
            return Demand(per_item=70, per_part=150)


def work_of(demands: Demands, attributes: Iterable[tuple[str, object]]) -> tuple[int, str]:
    """Return the units that attributes cost together, and which of them costs the most.

    Of a path only what stands under its whole name is seen; who asks puts it there, and the targeting key too.
    """
    total, most, dearest = 0, -1, ""
    by_attribute = demands.by_attribute
    for attribute, value in attributes:
        demand = by_attribute.get(attribute)
        if demand is not None:
            work = demand.work(value)
            total += work
            if work > most:
                most, dearest = work, attribute
    return total, dearest


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return _LONG_NUMBER if isinstance(value, float) and 0 < abs(value) < _TINY else 0


def _wide_characters(value: object) -> int:
    return 0 if not isinstance(value, str) or value.isascii() else len(value)


def _parts(characters: int) -> int:
    return max(characters - FREE_CHARACTERS + _PART - 1, 0) // _PART
