"""A segment as Tower keeps it, and every change that it can undergo. Pure: the time is an argument.

What may be in a segment is checked by the core, by reading each new one exactly as the sidecars will.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.flag_contracts import SEGMENT_SCHEMA, decode_segment, encode_segment, segment_json
from tailslide_core.naming import SegmentId, check_flag_key
from tailslide_core.segment import Segment
from tailslide_core.written_flags import segment_with
from tailslide_tower.flags.flag import warnings_of_alike
from tailslide_tower.segments.models import SegmentChange, SegmentCreate, SegmentMembers
from tailslide_tower.times import timestamp

MAX_LISTED_CONDITIONS = MAX_LISTED_VALUES = 20
"""What a list shows of each segment, and of each of its conditions: there may be thousands."""


@dataclass(frozen=True, slots=True)
class KeptSegment:
    """A segment as it is published, and what only Tower knows of it."""

    segment: Segment
    description: str
    created_at: datetime
    updated_at: datetime

    @property
    def segment_id(self) -> SegmentId:
        """Return what names this segment."""
        return self.segment.segment_id

    @property
    def version(self) -> int:
        """Return the number of this version, raised by each change."""
        return self.segment.version

    def json(self, alike: Collection[str] = ()) -> Json:
        """Return the segment as the API shows it; `alike` are segments of the app whose keys differ only by case."""
        fields = segment_json(self.segment)
        del fields["schema"]
        warnings = warnings_of_alike("segment", alike)
        return fields | {
            "description": self.description,
            "created_at": timestamp(self.created_at),
            "warnings": warnings,
        }

    def without_members(self) -> Json:
        """Return the segment with the numbers of its members, which may be thousands."""
        fields = self.json()
        return fields | {name: len(getattr(self.segment, name)) for name in ("include", "exclude")}


def members_changed(before: KeptSegment | None, after: KeptSegment | None) -> Json:
    """Return which members were added to each list and removed from it, sorted."""
    changes: Json = {}
    for name in ("include", "exclude"):
        old: frozenset[str] = frozenset(getattr(before.segment, name)) if before else frozenset()
        new: frozenset[str] = frozenset(getattr(after.segment, name)) if after else frozenset()
        if old != new:
            changes[name] = {"added": sorted(new - old), "removed": sorted(old - new)}
    return changes


@dataclass(frozen=True, slots=True)
class ListedSegment:
    """A segment as lists show it, without its members, which may be thousands. `when` has all conditions."""

    app: str
    key: str
    version: int
    description: str
    included: int
    excluded: int
    when: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime

    def json(self) -> Json:
        """Return the segment as the API shows it."""
        moments = {"created_at": timestamp(self.created_at), "updated_at": timestamp(self.updated_at)}
        numbers = {"included": self.included, "excluded": self.excluded, "conditions": len(self.when)}
        when = [{**each, "values": each["values"][:MAX_LISTED_VALUES]} for each in self.when[:MAX_LISTED_CONDITIONS]]
        return {
            "app": self.app,
            "key": self.key,
            "version": self.version,
            "description": self.description,
            **numbers,
            "when": when,
            **moments,
        }


def segment_of(row: Mapping[Any, Any]) -> KeptSegment:
    """Return the segment of a row of the database; raise `ContractError` when it is none that the core allows."""
    wire = {
        "schema": SEGMENT_SCHEMA,
        **{name: row[name] for name in ("app", "key", "version", "include", "exclude", "when")},
        "updated_at": timestamp(row["updated_at"]),
    }
    segment = decode_segment(orjson.dumps(wire))
    return KeptSegment(segment, row["description"], row["created_at"], row["updated_at"])


def row_of(kept: KeptSegment) -> dict[str, Any]:
    """Return the row that holds a segment."""
    row: dict[str, Any] = segment_json(kept.segment)
    del row["schema"]
    return row | {"description": kept.description, "created_at": kept.created_at, "updated_at": kept.updated_at}


def created(app: str, request: SegmentCreate, now: datetime) -> KeptSegment:
    """Return a new segment; raise `ContractError` that names the field."""
    blank = KeptSegment(Segment(app, check_flag_key("key", request.key), 0), "", now, now)
    return _stamped(_with(blank, request.model_dump(exclude_unset=True)), 1, now)


def recreated(kept: KeptSegment, version: int) -> KeptSegment:
    """Return a new segment as one that follows a deleted one of the same key, so that its version goes on."""
    return _stamped(kept, version + 1, kept.updated_at)


def changed(kept: KeptSegment, request: SegmentChange, now: datetime) -> KeptSegment:
    """Return the segment after a change, the same object when it changes nothing; raise `ContractError`."""
    candidate = _with(kept, request.model_dump(exclude_unset=True))
    # As bytes, since to Python 1 equals true.
    if encode_segment(candidate.segment) == encode_segment(kept.segment) and candidate.description == kept.description:
        return kept
    return _stamped(candidate, kept.version + 1, now)


def with_members(kept: KeptSegment, request: SegmentMembers, now: datetime) -> KeptSegment:
    """Return the segment with members added and removed, the same object if that changes nothing.

    Raises `ContractError`, also if the same member is to be both added and removed.
    """
    both = sorted(set(request.add) & set(request.remove))
    if both:
        raise ContractError("remove", f"expected nobody who is added, got {shown(both[0], 80)}")
    before = kept.segment.include if request.list == "include" else kept.segment.exclude
    after = (before | set(request.add)) - set(request.remove)
    return changed(kept, SegmentChange.model_validate({request.list: sorted(after)}), now)


def _with(kept: KeptSegment, given: Json) -> KeptSegment:
    """Return the segment with the given fields, version and times as they were."""
    given = dict(given)
    description = str(given.pop("description", kept.description))
    return replace(kept, segment=segment_with(kept.segment, given), description=description)


def _stamped(kept: KeptSegment, version: int, now: datetime) -> KeptSegment:
    segment = replace(kept.segment, version=version, updated_at=timestamp(now))
    return replace(kept, segment=segment, updated_at=now)
