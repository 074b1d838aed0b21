"""Segments: named groups of an app's users, that the rules of any of its flags may ask for. Tower is their only writer.

Their JSON form is in `contracts`; the condition that asks for them is `in_segment`.
"""

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
    """Who is on `include`, or of whom all of `when` hold, is in it, but for those on `exclude`.

    The lists hold targeting keys, or whatever the attribute is that a condition compares with them. `when` empty is
    nobody.
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

    def has(self, value: str | None, attributes: Attributes, targeting_key: str | None) -> bool | None:
        """Whether a user is in it: `value` is what the lists are asked for, None when that is not known.

        None when that cannot be said: the lists would have to be asked, and there is nothing to ask them for.
        """
        if value is not None:
            if value in self.exclude:
                return False
            if value in self.include:
                return True
        if self.when and all(condition.holds(attributes, targeting_key, NO_SEGMENTS) for condition in self.when):
            return None if value is None and self.exclude else True
        return None if value is None and (self.include or self.exclude) else False
