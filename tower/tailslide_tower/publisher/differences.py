"""What of a bucket differs from the database, and what of that Tower may write. Pure.

A value is written only over an older one, and a key is deleted only if the database remembers that its flag or
segment was deleted. Everything else that differs is left alone, for a person to decide.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from tailslide_core.fields import is_integer
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.flags.flag import SANE_NUMBER
from tailslide_tower.publisher.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which version of a flag or a segment a value is.

    Two databases may both have a version 3, but not from the same moment.
    """

    version: int
    updated_at: str
    reset_generation: int = 0


def stamp_of(value: bytes | None) -> Stamp | None:
    """Return the stamp of a ruleset or a segment, of a newer schema too; None for anything else."""
    if value is None:
        return None
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    version, circuit = _number(fields.get("version")), fields.get("circuit")
    if version is None:
        return None
    reset_generation = _number(circuit.get("reset_generation")) if isinstance(circuit, dict) else None
    updated_at = fields.get("updated_at")
    return Stamp(version, updated_at if isinstance(updated_at, str) else "", reset_generation or 0)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and is_integer(value, 0, SANE_NUMBER - 1) else None


@dataclass(slots=True)
class Differences:
    """What differs: what is to be written (None deletes), and what is left alone, with its stamp."""

    writes: dict[str, bytes | None] = field(default_factory=dict)
    newer: dict[str, Stamp] = field(default_factory=dict)
    """Those of which the bucket has a newer version than the database, or another of the same number."""
    unknown: dict[str, Stamp | None] = field(default_factory=dict)
    """Those that the database neither has nor remembers."""

    def take(self, keys: Iterable[str], wanted: Wanted, entries: Mapping[str, Entry]) -> None:
        """Add what differs of these keys; `wanted` has been read for all of them, after `entries`."""
        for key in keys:
            entry = entries.get(key)
            there = None if entry is None else entry.value
            if key in wanted.invalid:
                continue
            value = wanted.values.get(key)
            if value == there:
                continue
            stamp = stamp_of(there)
            if value is not None:
                self._take_value(key, value, stamp)
            elif key not in wanted.deleted:
                self.unknown[key] = stamp
            elif stamp is not None and stamp.version > wanted.deleted[key]:
                self.newer[key] = stamp
            else:
                self.writes[key] = None

    def _take_value(self, key: str, value: bytes, there: Stamp | None) -> None:
        own = stamp_of(value)
        if there is not None and own is not None and not _may_replace(own, there):
            self.newer[key] = there
        else:
            self.writes[key] = value


def _may_replace(own: Stamp, there: Stamp) -> bool:
    # The same version as other bytes: an older Tailslide has written it.
    return there.version < own.version or (there.version, there.updated_at) == (own.version, own.updated_at)
