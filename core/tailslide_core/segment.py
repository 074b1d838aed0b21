"""Segments: named groups of an app's users, that the rules of any of its flags may ask for. Tower is their only writer.

Their JSON form is in `contracts`; the condition that asks for them is `in_segment`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tailslide_core.attributes import Attributes
from tailslide_core.conditions import NO_SEGMENTS, Condition, Operator
from tailslide_core.errors import ContractError
from tailslide_core.fields import MAX_INTEGER
from tailslide_core.naming import SegmentId, check_app_key, check_flag_key
from tailslide_core.ruleset import check_integer

MAX_MEMBERS = 10_000
"""Of both lists together; what Tower takes."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Users on `include`, and users for whom all of `when` hold, are in it, except those on `exclude`.

    The lists hold targeting keys, or values of the attribute that a condition compares with them. An empty `when`
    matches nobody.
    """

    app: str
    key: str
    version: int
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    when: tuple[Condition, ...] = ()
    updated_at: str = ""

    def __post_init__(self) -> None:
        check_app_key("app", self.app)
        check_flag_key("key", self.key)
        check_integer("version", self.version, 0, MAX_INTEGER)
        for index, condition in enumerate(self.when):
            if condition.operator is Operator.IN_SEGMENT:
                raise ContractError(
                    f"when[{index}].operator", "expected any operator but in_segment: segments are not nested"
                )

    @property
    def segment_id(self) -> SegmentId:
        """Return what names this segment on the wire."""
        return SegmentId(self.app, self.key)

    def has(self, values: Iterable[str | None], attributes: Attributes, targeting_key: str | None) -> bool | None:
        """Whether a user is in it by any of `values`, which are looked up in the lists; None stands for an unknown one.

        Returns None if it is unknown: the lists would decide, and there is no value to look up in them.
        """
        unknown, matched = False, None
        for value in values:
            if value is not None:
                if value in self.exclude:
                    continue
                if value in self.include:
                    return True
            if matched is None:  # once for all values: it is the question that it asks
                matched = self._matches(attributes, targeting_key)
            if value is None and (self.exclude or (self.include and not matched)):
                unknown = True
            elif matched:
                return True
        return None if unknown else False

    def _matches(self, attributes: Attributes, targeting_key: str | None) -> bool:
        when = self.when
        return bool(when) and all(condition.holds(attributes, targeting_key, NO_SEGMENTS) for condition in when)
