"""What people send about segments: the fields and their JSON types. The core checks ranges."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tailslide_tower.flags.models import ConditionFields, Description, TargetingKey, TowersOwn, refuse
from tailslide_tower.requests import RequestBody

Members = list[TargetingKey]


def _no_members() -> Members:
    return []


class SegmentFields(RequestBody):
    """The fields of both a new segment and a change. In a change, a missing field stays; a list is replaced whole."""

    description: Description = ""
    include: Members = Field(default_factory=_no_members)
    exclude: Members = Field(default_factory=_no_members)
    when: list[ConditionFields] = Field(default_factory=list)
    app: TowersOwn = None
    version: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class SegmentMembers(RequestBody):
    """Members to add to one of the lists and to remove from it; the others stay."""

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


class SegmentOut(BaseModel):
    """A segment, as it is shown."""

    app: str
    key: str
    description: str
    include: list[str]
    exclude: list[str]
    when: list[ConditionFields]
    version: int
    created_at: str
    updated_at: str
    warnings: list[str] = Field(description="What is allowed, and probably not meant.")


class ListedSegmentOut(BaseModel):
    """A segment in a list: numbers stand in the place of members."""

    app: str
    key: str
    description: str
    included: int
    excluded: int
    conditions: int
    when: list[ConditionFields] = Field(description="At most 20 of the conditions, of each at most 20 values.")
    version: int
    created_at: str
    updated_at: str


class SegmentList(BaseModel):
    """A page of segments. `next` is where to go on (`after`), null at the end."""

    segments: list[ListedSegmentOut]
    next: str | None
