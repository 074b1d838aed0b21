"""What people say of segments: which fields there are, and their JSON types. Ranges are the core's to check."""

from typing import Annotated, Literal

from pydantic import Field

from tailslide_tower.flags.models import ConditionFields, Description, TargetingKey, TowersOwn, refuse
from tailslide_tower.requests import RequestBody

Members = list[TargetingKey]


def _no_members() -> Members:
    return []


class SegmentFields(RequestBody):
    """What both a new segment and a change may say. In a change, what is missing stays; a list is given whole."""

    description: Description = ""
    include: Members = Field(default_factory=_no_members)
    exclude: Members = Field(default_factory=_no_members)
    when: list[ConditionFields] = Field(default_factory=list)
    app: TowersOwn = None
    version: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class SegmentMembers(RequestBody):
    """Members to add to one of the lists and to take off it; the others stay."""

    list: Literal["include", "exclude"] = "include"
    add: Members = Field(default_factory=_no_members)
    remove: Members = Field(default_factory=_no_members)


class SegmentCreate(SegmentFields):
    """A new segment."""

    key: str


class SegmentChange(SegmentFields):
    """A change of a segment."""

    key: Annotated[None, refuse("expected to be left out: a segment keeps its key; make another segment instead")] = (
        None
    )
