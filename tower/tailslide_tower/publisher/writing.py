"""Writes to the bucket, in order, and what the bucket is known to hold since it was last listed."""

import asyncio
from collections.abc import Mapping

from tailslide_core.naming import segment_of
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import Bucket, BucketError, BucketGoneError
from tailslide_tower.publisher.order import Values, app_of, in_turns

WRITES_AT_ONCE = 128


class Writer:
    """Writes values over the entries that they were compared with."""

    def __init__(self, metrics: TowerMetrics) -> None:
        self._metrics = metrics
        self.known: set[str] = set()
        """All keys of the bucket, those of deletions included."""
        self.segments: set[str] = set()
        """Keys of segments that are there."""

    def listed(self, entries: Mapping[str, Entry]) -> None:
        """Note all that the bucket holds."""
        self.known = set(entries)
        self.segments = {
            key for key, entry in entries.items() if entry.value is not None and segment_of(key) is not None
        }

    async def write(
        self, bucket: Bucket, values: Values, entries: Mapping[str, Entry], operation: str | None = None
    ) -> dict[str, BucketError]:
        """Write values in turns; return what could not be written, and why.

        If a value could not be written, later values of the same app are not written either. Writes are counted as
        `operation`, by default `put` or `delete`.
        """
        unwritten: dict[str, BucketError] = {}
        for turn in in_turns(values):
            held_back = {app_of(key): error for key, error in unwritten.items()}
            unwritten |= {key: held_back[app_of(key)] for key in turn if app_of(key) in held_back}
            keys = [key for key in turn if app_of(key) not in held_back]
            for start in range(0, len(keys), WRITES_AT_ONCE):
                batch = {key: turn[key] for key in keys[start : start + WRITES_AT_ONCE]}
                unwritten |= await self._write_at_once(bucket, batch, entries, operation)
        return unwritten

    async def _write_at_once(
        self, bucket: Bucket, values: Values, entries: Mapping[str, Entry], operation: str | None
    ) -> dict[str, BucketError]:
        unwritten: dict[str, BucketError] = {}
        puts = (bucket.put(key, value, revision(entries.get(key))) for key, value in values.items())
        errors = await asyncio.gather(*puts, return_exceptions=True)
        for (key, value), error in zip(values.items(), errors, strict=True):
            if error is None:
                self._written(key, value)
                self._metrics.published(operation or ("delete" if value is None else "put"))
            elif isinstance(error, BucketGoneError) or not isinstance(error, BucketError):
                raise error
            else:
                unwritten[key] = error
        return unwritten

    def _written(self, key: str, value: bytes | None) -> None:
        self.known.add(key)
        if segment_of(key) is not None:
            (self.segments.discard if value is None else self.segments.add)(key)


def value_of(entry: Entry | None) -> bytes | None:
    """Return what an entry holds; None for a deletion, and where there is none."""
    return None if entry is None else entry.value


def revision(entry: Entry | None) -> int:
    """Return the revision that a write over an entry has to name."""
    return 0 if entry is None else entry.revision
