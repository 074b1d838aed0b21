"""What people say of segments: which fields there are, and their JSON types. Ranges are the core's to check."""

from typing import Annotated

from pydantic import Field

from tailslide_tower.flags.models import ConditionFields, Description, TargetingKey, TowersOwn, refuse
from tailslide_tower.requests import RequestBody


class SegmentFields(RequestBody):
    """What both a new segment and a change may say. In a change, what is missing stays; a list is given whole."""

    description: Description = ""
    include: list[TargetingKey] = Field(default_factory=list)
    exclude: list[TargetingKey] = Field(default_factory=list)
    when: list[ConditionFields] = Field(default_factory=list)
    app: TowersOwn = None
    version: TowersOwn = None
    created_at: TowersOwn = None
    updated_at: TowersOwn = None


class SegmentCreate(SegmentFields):
    """A new segment."""

    key: str


class SegmentChange(SegmentFields):
    """A change of a segment."""

    key: Annotated[None, refuse("expected to be left out: a segment keeps its key; make another segment instead")] = (
        None
    )
