"""Making the bucket `rulesets` equal to the database.

All of it with each connection and every 30 s, a flag at once after its change.
For each key: first the bucket's revision, then the row, then a write that holds only over that revision. Whoever
reads the row later has the newer one, so of two Towers the older value never stays. Nothing here is a queue: what is
noted as changed may be lost, and the next comparison finds it.

An app that a comparison has found, or made, equal gets a mark: once with each connection, and again after the bucket
has lost anything, so that sidecars can tell a flag that was deleted meanwhile from one that is not published yet.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from tailslide_core.contracts import Mark, decode_mark, encode_mark
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, is_key, mark_key
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import Bucket, BucketError, BucketGoneError, RevisionConflictError
from tailslide_tower.publisher.store import Apps, Rulesets

log = structlog.get_logger()

COMPARE_EVERY_S = 30.0
LOOK_EVERY_S = 1.0
"""How often the bucket is asked whether it is there and holds as many keys as before: a wiped one must not wait."""
WRITES_AT_ONCE = 128
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0


class Publisher:
    """Keeps the bucket equal to the database while there is a connection to it."""

    def __init__(
        self,
        rulesets: Rulesets,
        metrics: TowerMetrics,
        *,
        compare_every_s: float = COMPARE_EVERY_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._rulesets = rulesets
        self._metrics = metrics
        self._compare_every_s = compare_every_s
        self._look_every_s = look_every_s
        self._dirty: set[str] = set()
        self._in_flight: set[str] = set()
        self._comparing = 0
        self._known: set[str] = set()
        self._marked: set[str] = set()
        """Apps whose mark says of the bucket as it is now that it is whole."""
        self._all_marked = False
        self._equal = False
        self._changed = asyncio.Event()
        self._compare_now = asyncio.Event()

    @property
    def pending(self) -> int:
        """Return how many flags are known to differ from the bucket."""
        return len(self._dirty | self._in_flight) + self._comparing

    @property
    def published(self) -> bool:
        """Whether the bucket is equal to the database, as far as known."""
        return self._equal and self.pending == 0

    def changed(self, flag_id: FlagId) -> None:
        """Note that a flag has been changed in the database; returns at once."""
        self._dirty.add(str(flag_id))
        self._changed.set()

    async def serve(self, bucket: Bucket) -> None:
        """Keep the bucket equal until cancelled."""
        self._marked.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_equal(bucket))
                group.create_task(self._publish_changes(bucket))
                group.create_task(self._look_after(bucket))
        finally:
            self._equal = False

    async def _keep_equal(self, bucket: Bucket) -> None:
        trouble = _Trouble("rulesets cannot be compared", self._metrics.publish_failed)
        soon_s = self._look_every_s
        while True:
            raise_if_cancelled()
            self._compare_now.clear()
            try:
                await bucket.ensure()
                await self._compare(bucket)
            except (BucketError, DatabaseUnavailableError) as error:
                await asyncio.sleep(trouble.failed(error))
                continue
            trouble.over()
            self._equal = True
            self._metrics.last_comparison.set(time.time())
            # Where another Tower has come between, a second look will do; a row that is not valid may stay for long.
            soon_s = self._look_every_s if self._all_marked else min(self._compare_every_s, soon_s * 2)
            await _wait(self._compare_now, self._compare_every_s if self._all_marked else soon_s)

    async def _compare(self, bucket: Bucket) -> None:
        known = set(self._known)
        entries = await bucket.listing()
        if not known <= entries.keys():
            self._marked.clear()
        self._known = set(entries)
        # After the listing, so that it has the apps of all marks that another Tower has written by then.
        apps = await self._rulesets.apps()
        left_over = {key for key, entry in entries.items() if entry.value is not None}
        left_over -= {mark_key(app) for app in apps.keys}
        written, unsettled = 0, set[str]()
        async for wanted in self._rulesets.all():
            left_over -= wanted.values.keys()
            left_over -= wanted.invalid
            # A row that is not valid is a flag all the same, and where the bucket lacks it, it is not whole.
            unsettled |= {key for key in wanted.invalid if _value(entries.get(key)) is None}
            written += await self._settle_compared(bucket, wanted.values, entries, unsettled)
        written += await self._settle_compared(bucket, dict.fromkeys(left_over), entries, unsettled)
        if written:
            log.info("rulesets made equal to the database", written=written)
        await self._mark(bucket, apps, entries, {_app(key) for key in unsettled})

    async def _mark(self, bucket: Bucket, apps: Apps, entries: Mapping[str, Entry], unsettled: set[str]) -> None:
        """Mark the apps that have no mark of ours; those that are unsettled wait for the next comparison."""
        self._marked -= {app for app in apps.keys if _value(entries.get(mark_key(app))) is None}
        unmarked = apps.keys - self._marked
        counts = Counter(_app(key) for key in self._known if is_key(key.partition(".")[2]))
        marks = {
            mark_key(app): encode_mark(Mark(_after(entries.get(mark_key(app)), apps.at_ms), counts[app]))
            for app in unmarked - unsettled
        }
        unwritten = await self._write(bucket, marks, entries, "mark")
        self._marked |= {_app(key) for key in marks.keys() - unwritten.keys()}
        self._all_marked = apps.keys <= self._marked

    async def _settle_compared(
        self, bucket: Bucket, values: Mapping[str, bytes | None], entries: Mapping[str, Entry], unsettled: set[str]
    ) -> int:
        """Write what differs; what cannot be written now is left to `_publish_changes`, and spoils nothing else.

        Return how many were written; add the keys of those that could not be to `unsettled`.
        """
        different = {key: value for key, value in values.items() if value != _value(entries.get(key))}
        self._comparing = len(different)
        try:
            unwritten = await self._write(bucket, different, entries)
        finally:
            self._comparing = 0
        if unwritten:
            unsettled.update(unwritten)
            self._dirty |= unwritten.keys()
            self._changed.set()
        return len(different) - len(unwritten)

    async def _publish_changes(self, bucket: Bucket) -> None:
        trouble = _Trouble("changes cannot be published", self._metrics.publish_failed)
        retry_s: float | None = 0.0
        while True:
            raise_if_cancelled()
            await _wait(self._changed, retry_s)
            self._changed.clear()
            retry_s = None
            try:
                while self._dirty:
                    await self._publish_batch(bucket)
                    trouble.over()
            except (BucketError, DatabaseUnavailableError) as error:
                if isinstance(error, BucketGoneError):
                    self._compare_now.set()
                retry_s = trouble.failed(error)

    async def _publish_batch(self, bucket: Bucket) -> None:
        batch = {self._dirty.pop() for _ in range(min(len(self._dirty), WRITES_AT_ONCE))}
        self._in_flight, again = batch, batch
        try:
            keys = list(batch)
            got = await asyncio.gather(*(bucket.get(key) for key in keys), return_exceptions=True)
            entries: dict[str, Entry] = {}
            for key, entry in zip(keys, got, strict=True):
                if isinstance(entry, BaseException):
                    raise entry
                if entry is not None:
                    entries[key] = entry
            wanted = await self._rulesets.of(batch)
            values = {key: wanted.values.get(key) for key in batch - wanted.invalid}
            different = {key: value for key, value in values.items() if value != _value(entries.get(key))}
            unwritten = await self._write(bucket, different, entries)
            again = set(unwritten)
            for error in unwritten.values():
                if not isinstance(error, RevisionConflictError):
                    raise error
        finally:
            # Whatever has interrupted this, a lost connection included: what is not known to be written stays noted.
            self._dirty |= again
            self._in_flight = set()

    async def _write(
        self,
        bucket: Bucket,
        values: Mapping[str, bytes | None],
        entries: Mapping[str, Entry],
        operation: str | None = None,
    ) -> dict[str, BucketError]:
        """Write values over the entries that they were compared with; return what could not be written, and why.

        `operation` is what writes are counted as, if not as `put` and `delete`.
        """
        unwritten: dict[str, BucketError] = {}
        keys = list(values)
        for start in range(0, len(keys), WRITES_AT_ONCE):
            batch = keys[start : start + WRITES_AT_ONCE]
            puts = (bucket.put(key, values[key], _revision(entries.get(key))) for key in batch)
            for key, error in zip(batch, await asyncio.gather(*puts, return_exceptions=True), strict=True):
                if error is None:
                    self._known.add(key)
                    self._metrics.published(operation or ("delete" if values[key] is None else "put"))
                elif isinstance(error, BucketGoneError) or not isinstance(error, BucketError):
                    raise error
                else:
                    unwritten[key] = error
        return unwritten

    async def _look_after(self, bucket: Bucket) -> None:
        """Compare at once when the bucket is gone or has lost keys, which no message tells of."""
        while True:
            raise_if_cancelled()
            await asyncio.sleep(self._look_every_s)
            known = len(self._known)  # before asking, so that what is written meanwhile does not seem lost
            try:
                lost = await bucket.count() < known
            except BucketGoneError:
                lost = True
            except BucketError as error:
                log.debug("the bucket cannot be looked at", error=str(error))
                continue
            if lost and self._equal:
                log.warning("the bucket has lost rulesets; it is filled again")
                self._equal = False
                self._compare_now.set()


class _Trouble:
    """Something that fails for a while: logged once when it begins and once when it is over, tried less and less."""

    def __init__(self, what: str, count: Callable[[], None]) -> None:
        self._what = what
        self._count = count
        self._backoff_s = FIRST_BACKOFF_S
        self._lasts = False

    def failed(self, error: Exception) -> float:
        """Note a failure and return for how many seconds to wait."""
        self._count()
        if not self._lasts:
            log.warning(self._what, error=str(error))
            self._lasts = True
        delay_s = self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 # jitter, no secret
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2)
        return delay_s

    def over(self) -> None:
        """Note a success."""
        if self._lasts:
            log.info("publishing goes on", after=self._what)
            self._lasts = False
        self._backoff_s = FIRST_BACKOFF_S


def _app(key: str) -> str:
    return key.partition(".")[0]


def _after(entry: Entry | None, at_ms: int) -> int:
    """Return the time of a new mark, which has to be later than that of the one before, whatever the clock did."""
    try:
        return at_ms if entry is None or entry.value is None else max(at_ms, decode_mark(entry.value).at_ms + 1)
    except ContractError:
        return at_ms


def _value(entry: Entry | None) -> bytes | None:
    return None if entry is None else entry.value


def _revision(entry: Entry | None) -> int:
    return 0 if entry is None else entry.revision


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
