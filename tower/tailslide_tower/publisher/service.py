"""Making the bucket `rulesets` equal to the database: flags, and the segments that they ask for.

All of it with each connection and every 30 s, a flag or a segment at once after its change; in the order of `order`.
For each key: first the bucket's revision, then the row, then a write that holds only over that revision. Whoever
reads the row later has the newer one, so of two Towers the older value never stays. Nothing here is a queue: what is
noted as changed may be lost, and the next comparison finds it.

Only the database that the bucket is claimed by fills it (`claims`). Before each write the claim is read, then the
database's identity, then the rows. Where the claim is another's, nothing is written until a person has adopted the
bucket, and the log says so again and again. What of a single flag may be written is in `differences`.

An app that a comparison has found, or made, equal gets a mark: once with each connection, and again after the bucket
has lost anything, so that sidecars can tell a flag that was deleted meanwhile from one that is not published yet.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Set
from contextlib import suppress

import structlog

from tailslide_core.contracts import Claim, Mark, decode_mark, encode_claim, encode_mark
from tailslide_core.errors import ContractError
from tailslide_core.naming import CLAIM_KEY, FlagId, SegmentId, is_flag_key, mark_key
from tailslide_core.ruleset import DAY_MS
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower.database import DatabaseUnavailableError
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import (
    Bucket,
    BucketError,
    BucketGoneError,
    RevisionConflictError,
    entries_of,
)
from tailslide_tower.publisher.causes import Causes
from tailslide_tower.publisher.claims import (
    REMEDY,
    Cause,
    Identity,
    Refusal,
    against,
    against_unclaimed,
    claim_in,
    claim_of,
    some,
)
from tailslide_tower.publisher.differences import Differences, Stamp
from tailslide_tower.publisher.order import Turn, Values, app_of, apps_with, next_batch, turn_of
from tailslide_tower.publisher.trouble import Reminder, Trouble
from tailslide_tower.publisher.wanted import Apps, Rulesets, Wanted, parts
from tailslide_tower.publisher.writing import Writer, revision, value_of

log = structlog.get_logger()

COMPARE_EVERY_S = 30.0
LOOK_EVERY_S = 1.0
"""How often the bucket is asked who fills it, whether it is there and holds as many keys as before: a wiped one must
not wait, nor a person who has adopted it."""
BATCH = 128
"""So many changes are looked at together."""


class NotOursError(Exception):
    """The bucket is not this database's to fill."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.problem)
        self.refusal = refusal


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
        self._writer = Writer(metrics)
        self._compare_every_s = compare_every_s
        self._look_every_s = look_every_s
        self._dirty: set[str] = set()
        self._in_flight: set[str] = set()
        self._causes = Causes()
        self._postponed: set[str] = set()
        """Deletions of segments, noted in `_dirty` as well, that wait for the changes of flags that were made before:
        for those that are noted and, until the bucket was compared, for those that may have been forgotten."""
        self._comparing: frozenset[str] = frozenset()
        self._marked: set[str] = set()
        """Apps whose mark says of the bucket as it is now that it is whole."""
        self._all_marked = False
        self._equal = False
        self._changed = asyncio.Event()
        self._compare_now = asyncio.Event()
        self.refusal: Refusal | None = None
        """Why nothing may be published, as of the last comparison; None where nothing speaks against it."""
        self.judged = asyncio.Event()
        """Set while there is a connection over which the bucket was compared, or was found not to answer."""
        self._in_charge = False
        self._claimed_by: str | None = None
        self._newer: dict[str, Stamp] = {}
        self._unknown: dict[str, Stamp | None] = {}
        self._not_ours = Reminder("not_publishing", "publishing_goes_on")
        self._left_alone = Reminder("flags_left_alone", "no_flags_left_alone")

    @property
    def pending(self) -> int:
        """Return how many flags and segments are known to differ from the bucket."""
        return len(self._dirty | self._in_flight | self._comparing)

    @property
    def published(self) -> bool:
        """Whether the bucket is equal to the database, as far as known."""
        return self._equal and self.pending == 0 and not self._newer

    @property
    def newer(self) -> list[str]:
        """Return what is left alone since the bucket has a newer version than the database."""
        return sorted(self._newer)

    @property
    def unknown(self) -> list[str]:
        """Return what of the bucket is left alone since the database neither has nor remembers it."""
        return sorted(self._unknown)

    def is_left_alone(self, name: FlagId | SegmentId, /) -> bool:
        """Whether a change of this flag or segment would not arrive, as far as known."""
        key = str(name)
        return key in self._newer or self._unknown.get(key) is not None

    def changed(self, name: FlagId | SegmentId, /) -> None:
        """Note that a flag or a segment has been changed in the database; returns at once."""
        self._dirty.add(str(name))
        self._causes.note(str(name))
        self._changed.set()

    def app_added(self) -> None:
        """Note that there is another app, which has to be marked though it has no flags yet; returns at once."""
        self._compare_now.set()

    async def serve(self, bucket: Bucket) -> None:
        """Keep the bucket equal until cancelled."""
        self._marked.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_equal(bucket))
                group.create_task(self._publish_changes(bucket))
                group.create_task(self._look_after(bucket))
        finally:
            self._equal = self._in_charge = False
            self.judged.clear()

    async def _keep_equal(self, bucket: Bucket) -> None:
        trouble = Trouble("rulesets_not_compared", self._metrics.publish_failed)
        soon_s = self._look_every_s
        while True:
            raise_if_cancelled()
            self._compare_now.clear()
            wait_s = self._compare_every_s
            try:
                await bucket.ensure()
                await self.compare(bucket)
            except (BucketError, DatabaseUnavailableError) as error:
                self.judged.set()  # it cannot be known now; people's changes must not wait for it
                await asyncio.sleep(trouble.failed(error))
                continue
            except NotOursError:
                trouble.over()
            else:
                trouble.over()
                self._metrics.last_comparison.set(time.time())
                if not self._all_marked:
                    # Where another Tower has come between, a second look will do; a row that is not valid may stay.
                    wait_s = soon_s = min(self._compare_every_s, soon_s * 2)
                else:
                    soon_s = self._look_every_s
            await _wait(self._compare_now, wait_s)

    async def compare(self, bucket: Bucket) -> None:
        """Make the whole bucket equal, once; raise `NotOursError` when it is not this database's to fill."""
        try:
            await self._compare(bucket)
        except NotOursError as error:
            self._stop(error.refusal)
            raise
        finally:
            self._metrics.refused(None if self.refusal is None else self.refusal.cause)
        self._equal = True
        if self._postponed:
            self._changed.set()
        self._tell_left_alone()

    async def _compare(self, bucket: Bucket) -> None:
        known = set(self._writer.known)
        entries = await bucket.listing()
        if not known <= entries.keys():
            self._marked.clear()
        self._writer.listed(entries)
        # After the listing: whoever has claimed the bucket by then, and all marks that another Tower has written.
        identity = await self._rulesets.identity()
        apps = await self._rulesets.apps()
        if not await self._take_charge(bucket, entries, identity, apps):
            return
        found, unsettled, seen, written = Differences(), set[str](), set[str](), 0
        async for keys, wanted in parts(self._rulesets, entries):
            # A row that is not valid is a flag all the same, and where the bucket lacks it, it is not whole.
            unsettled |= {key for key in wanted.invalid if value_of(entries.get(key)) is None}
            found.take(keys, wanted, entries)
            if not self._in_charge:  # many flags take a while, in which somebody may have adopted the bucket
                raise BucketError("the bucket has another claim than when it was listed")
            seen.update(keys)
            writes, late = self._in_order(found.writes, wanted, seen)
            unsettled |= late
            written += await self._settle_compared(bucket, writes, entries, unsettled)
            found.writes = {}
        self._newer, self._unknown = found.newer, found.unknown
        if written:
            log.info("rulesets_compared", message="rulesets made equal to the database", written=written)
        await self._mark(bucket, apps, entries, {app_of(key) for key in unsettled})
        await self._count(bucket)

    async def _take_charge(self, bucket: Bucket, entries: Mapping[str, Entry], identity: Identity, apps: Apps) -> bool:
        """Claim the bucket unless it is claimed; False when it is nobody's and there is nothing to publish.

        Raises `NotOursError`.
        """
        claim = claim_in(entries)
        self._claimed_by = None if claim is None else claim.database
        refusal = against(claim, identity) if claim is not None else await self._against_unclaimed(entries)
        if refusal is not None:
            raise NotOursError(refusal)
        self.refusal = None
        self._not_ours.over()
        if claim is None and apps.keys:
            claim = Claim(identity.database, identity.comparisons, identity.address)
            await bucket.put(CLAIM_KEY, encode_claim(claim), revision(entries.get(CLAIM_KEY)))
            self._writer.known.add(CLAIM_KEY)
            self._claimed_by = claim.database
            log.info("bucket_claimed", database=identity.database, address=identity.address)
        self._in_charge = claim is not None
        if not self._in_charge:
            self._newer, self._unknown = {}, {}
            self._all_marked = True  # there is no app to mark
        self.judged.set()
        self._changed.set()
        return self._in_charge

    async def _against_unclaimed(self, entries: Mapping[str, Entry]) -> Refusal | None:
        # A bucket that was another's is lost, and not given away: that database's Towers are about to fill it again.
        if self.refusal is not None and self.refusal.cause in {Cause.ANOTHER_DATABASE, Cause.OLDER_DATABASE}:
            return self.refusal
        found = Differences()
        async for keys, wanted in parts(self._rulesets, entries):
            found.take(keys, wanted, entries)
            found.writes = {}
        return against_unclaimed(found.unknown.keys(), found.newer.keys())

    async def _count(self, bucket: Bucket) -> None:
        """Count the comparison in the database, and record the one before in the bucket."""
        identity = await self._rulesets.compared()
        entry = await bucket.get(CLAIM_KEY)
        claim = claim_of(entry)
        # Another Tower may have recorded more, and a person may have adopted the bucket: the next look finds out.
        if claim is None or claim.database != identity.database or claim.comparisons >= identity.comparisons - 1:
            return
        value = encode_claim(Claim(identity.database, identity.comparisons - 1, identity.address))
        with suppress(RevisionConflictError):
            await bucket.put(CLAIM_KEY, value, revision(entry))

    def _stop(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self._equal = self._in_charge = False
        self._newer, self._unknown = {}, {}
        self.judged.set()
        self._not_ours.tell(
            (refusal.cause, self._claimed_by), cause=refusal.cause, problem=refusal.problem, remedy=REMEDY
        )

    def _tell_left_alone(self) -> None:
        if self._newer or self._unknown:
            self._left_alone.tell(
                (self.newer, self.unknown),
                newer_in_bucket=len(self._newer),
                unknown_to_database=len(self._unknown),
                flags=some({*self._newer, *self._unknown}),
                remedy="run `tailslide tower adopt`, which first says what would change",
            )
        else:
            self._left_alone.over()

    async def _mark(self, bucket: Bucket, apps: Apps, entries: Mapping[str, Entry], unsettled: set[str]) -> None:
        """Mark the apps that have no mark of ours; those that are unsettled wait for the next comparison."""
        self._marked -= {app for app in apps.keys if value_of(entries.get(mark_key(app))) is None}
        unmarked = apps.keys - self._marked
        counts = Counter(app_of(key) for key in self._writer.known if is_flag_key(key.partition(".")[2]))
        marks = {
            mark_key(app): encode_mark(Mark(_after(entries.get(mark_key(app)), apps.at_ms), counts[app]))
            for app in unmarked - unsettled
        }
        unwritten = await self._writer.write(bucket, marks, entries, "mark")
        self._marked |= {app_of(key) for key in marks.keys() - unwritten.keys()}
        self._all_marked = apps.keys <= self._marked

    def _in_order(self, writes: Values, wanted: Wanted, seen: Set[str]) -> tuple[Values, set[str]]:
        """Return what of a comparison may be written now; what has to follow a change is left to `_publish_changes`.

        `seen` are the keys that were compared so far: a flag may ask for a segment that was made only since.
        """
        pending = self._dirty | self._in_flight
        segments, flags = apps_with(pending, segments=True), apps_with(pending, segments=False)
        late = set[str]()
        for key, value in writes.items():
            asked = wanted.uses.get(key, frozenset()) - self._writer.segments - seen
            waits_for = flags if turn_of(key, value) is Turn.SEGMENT_DELETION else segments
            if asked or (app_of(key) in waits_for and turn_of(key, value) is not Turn.SEGMENT):
                late |= {key, *asked}
        if late:
            self._dirty |= late
            self._changed.set()
        return {key: value for key, value in writes.items() if key not in late}, late & writes.keys()

    async def _settle_compared(
        self, bucket: Bucket, writes: Values, entries: Mapping[str, Entry], unsettled: set[str]
    ) -> int:
        """Write what differs; what cannot be written now is left to `_publish_changes`, and spoils nothing else.

        Return how many were written; add the keys of those that could not be to `unsettled`.
        """
        self._comparing = frozenset(writes)
        try:
            unwritten = await self._writer.write(bucket, writes, entries)
        finally:
            self._comparing = frozenset()
        if unwritten:
            unsettled.update(unwritten)
            self._dirty |= unwritten.keys()
            self._changed.set()
        return len(writes) - len(unwritten)

    async def _publish_changes(self, bucket: Bucket) -> None:
        trouble = Trouble("changes_not_published", self._metrics.publish_failed)
        retry_s: float | None = 0.0
        while True:
            raise_if_cancelled()
            await _wait(self._changed, retry_s)
            self._changed.clear()
            retry_s = None
            if self._dirty and not self._in_charge and self.judged.is_set() and self.refusal is None:
                self._compare_now.set()  # the first app, it may be: the bucket can be claimed now
            try:
                while self._in_charge and (self._dirty if self._equal else self._dirty - self._postponed):
                    await self._publish_batch(bucket)
                    trouble.over()
            except (BucketError, DatabaseUnavailableError) as error:
                if isinstance(error, BucketGoneError):
                    self._compare_now.set()
                retry_s = trouble.failed(error)

    async def _publish_batch(self, bucket: Bucket) -> None:
        batch = next_batch(self._dirty, self._postponed, BATCH)
        self._dirty -= batch
        self._postponed -= batch
        with self._causes.publishing(batch):
            await self._publish(bucket, batch)

    async def _publish(self, bucket: Bucket, batch: set[str]) -> None:
        self._in_flight, again = batch, batch
        try:
            entries = await entries_of(bucket, {CLAIM_KEY, *batch})
            claim = claim_in(entries)
            if claim is None or against(claim, await self._rulesets.identity()) is not None:
                self._in_charge = False
                self._compare_now.set()
                return
            wanted = await self._rulesets.of(batch)
            asked = {segment for segments in wanted.uses.values() for segment in segments}
            if missing := asked - self._writer.segments - batch:  # another Tower is about to write them
                self._in_flight = again = batch = batch | missing
                entries |= await entries_of(bucket, missing)
                wanted = wanted.together_with(await self._rulesets.of(missing))
            found = Differences()
            found.take(batch, wanted, entries)
            # Only now: what was changed before a segment was deleted may have been noted while the rows were read.
            flags_left = apps_with(self._dirty, segments=False)
            late = {
                key
                for key, value in found.writes.items()
                if turn_of(key, value) is Turn.SEGMENT_DELETION and (app_of(key) in flags_left or not self._equal)
            }
            self._postponed |= late
            writes = {key: value for key, value in found.writes.items() if key not in late}
            unwritten = await self._writer.write(bucket, writes, entries)
            again = late | unwritten.keys()
            self._newer = {key: stamp for key, stamp in self._newer.items() if key not in batch} | found.newer
            self._unknown = {key: stamp for key, stamp in self._unknown.items() if key not in batch} | found.unknown
            self._tell_left_alone()
            for error in unwritten.values():
                if not isinstance(error, RevisionConflictError):
                    raise error
        finally:
            # Whatever has interrupted this, a lost connection included: what is not known to be written stays noted.
            self._dirty |= again
            self._in_flight = set()

    async def _look_after(self, bucket: Bucket) -> None:
        """Compare at once when the bucket is gone, has lost keys or another claim: no message tells of these."""
        while True:
            raise_if_cancelled()
            await asyncio.sleep(self._look_every_s)
            known = len(self._writer.known)  # before asking, so that what is written meanwhile does not seem lost
            claimed_by = self._claimed_by
            try:
                lost = await bucket.count() < known
                claim = claim_of(await bucket.get(CLAIM_KEY))
            except BucketGoneError:
                lost, claim = True, None
            except BucketError as error:
                log.debug("bucket_unreadable", error=str(error))
                continue
            if lost and self._equal:
                log.warning("bucket_lost_rulesets", message="the bucket has lost rulesets; it is filled again")
                self._equal = False
                self._compare_now.set()
            # What a comparison has found out meanwhile is newer than what was asked for here.
            if claimed_by == self._claimed_by and (None if claim is None else claim.database) != claimed_by:
                self._in_charge = False
                self._compare_now.set()


def _after(entry: Entry | None, at_ms: int) -> int:
    """Return the time of a new mark, which has to be later than that of the one before, whatever the clock did.

    One that is dated more than a day ahead no Tower has written.
    """
    try:
        before_ms = 0 if entry is None or entry.value is None else decode_mark(entry.value).at_ms
    except ContractError:
        return at_ms
    return at_ms if before_ms > at_ms + DAY_MS else max(at_ms, before_ms + 1)


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    raise_if_cancelled()  # what was asked of NATS before may have swallowed it, and the wait is long
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()
