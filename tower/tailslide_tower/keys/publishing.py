"""Making the bucket `keys` equal to the database, so that keys are recognised without PostgreSQL.

Level-triggered, from any number of Towers: all of it with each connection and every 30 s, at once after each change,
of which the log tells every Tower.
The bucket is read before the database, and a write holds only over the revision that was read, so an older state never
stays. Only the database that has claimed the bucket of rulesets fills this one (`publisher.claims`): a Tower on
another database neither adds keys nor takes any away.

Fails open: while NATS or PostgreSQL is away, keys stay as they are, and changes are published afterwards.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import structlog

from tailslide_core.naming import CLAIM_KEY, is_reserved
from tailslide_core.sdk_keys import encode_sdk_key_record
from tailslide_runtime.bucket_watch import Entry
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.feed import Feed, Gap
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.keys.store import AllKeys, KeyStore
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import Bucket, BucketError, BucketGoneError, RevisionConflictError
from tailslide_tower.publisher.claims import Identity, against, claim_of
from tailslide_tower.publisher.store import DatabaseRulesets
from tailslide_tower.publisher.trouble import Trouble
from tailslide_tower.publisher.writing import revision

log = structlog.get_logger()

COMPARE_EVERY_S = 30.0
LOOK_EVERY_S = 1.0
"""How often it is looked whether the bucket has lost keys, and whether it is ours to fill by now."""


class Keys(Protocol):
    """Where keys are read. Raises `DatabaseUnavailableError`."""

    async def identity(self) -> Identity:
        """Return who the database is."""

    async def all(self) -> AllKeys:
        """Return all keys."""


class DatabaseKeys:
    """The keys in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rulesets = DatabaseRulesets(database)

    async def identity(self) -> Identity:
        """Return who the database is."""
        return await self._rulesets.identity()

    async def all(self) -> AllKeys:
        """Return all keys."""
        async with self._database.begin() as connection:
            return await KeyStore(connection).all()


def differences(entries: Mapping[str, Entry], keys: AllKeys) -> dict[str, bytes | None]:
    """Return what to write where; None is a deletion.

    What the database does not know is deleted. A revoked key is, even where the bucket has no trace of it: whoever
    watches may have known it before the bucket was lost.
    """
    wanted = {record.name: encode_sdk_key_record(record) for record in keys.good}
    writes: dict[str, bytes | None] = {
        name: value for name, value in wanted.items() if name not in entries or entries[name].value != value
    }
    for name, entry in entries.items():
        if entry.value is not None and name not in wanted and not is_reserved(name):
            writes[name] = None
    return writes | {name: None for name in keys.revoked if name not in entries}


class KeyPublisher:
    """Keeps the bucket equal to the database while there is a connection to it."""

    def __init__(
        self,
        keys: Keys,
        metrics: TowerMetrics,
        *,
        compare_every_s: float = COMPARE_EVERY_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._keys = keys
        self._metrics = metrics
        self._compare_every_s = compare_every_s
        self._look_every_s = look_every_s
        self._changed = asyncio.Event()
        self._count = 0

    def changed(self) -> None:
        """Note that a key was made or revoked; returns at once."""
        self._changed.set()

    async def follow_log(self, feed: Feed) -> None:
        """Note keys that another Tower has made or revoked, and apps that are gone with theirs, until cancelled."""
        async with feed.subscribe() as entries:
            async for entry in entries:
                if isinstance(entry, Gap) or entry.subject.kind in {SubjectKind.APP, SubjectKind.SDK_KEY}:
                    self.changed()

    async def serve(self, bucket: Bucket, rulesets: Bucket) -> None:
        """Keep the bucket equal until cancelled. `rulesets` is the bucket with the claim."""
        trouble = Trouble("sdk_keys_not_published", self._metrics.publish_failed)
        while True:
            raise_if_cancelled()
            self._changed.clear()
            wait_s = self._look_every_s
            try:
                if await self.compare(bucket, rulesets):
                    wait_s = self._compare_every_s
                trouble.over()
            except RevisionConflictError:
                continue  # another Tower was first: what it wrote may be what we would have
            except (BucketError, DatabaseUnavailableError) as error:
                await asyncio.sleep(trouble.failed(error))
                continue
            await self._wait(bucket, wait_s)

    async def compare(self, bucket: Bucket, rulesets: Bucket) -> bool:
        """Make the bucket equal, once; False when it is not, or not yet, this database's to fill."""
        await bucket.ensure()
        entries = await bucket.listing()
        self._count = len(entries)
        try:
            claim = claim_of(await rulesets.get(CLAIM_KEY))
        except BucketGoneError:
            claim = None
        if claim is None or against(claim, await self._keys.identity()) is not None:
            return False
        keys = await self._keys.all()
        writes = differences(entries, keys)
        unknown = sorted(name for name, value in writes.items() if value is None and name not in keys.revoked)
        if unknown:
            log.warning("unknown_sdk_keys_deleted", keys=unknown[:5], number=len(unknown))
        for name, value in writes.items():
            await bucket.put(name, value, revision(entries.get(name)))
            self._metrics.published("key" if value is not None else "key_deletion")
        if writes:
            log.info("sdk_keys_published", written=len(writes))
        self._count = len(entries.keys() | writes.keys())
        return True

    async def _wait(self, bucket: Bucket, longest_s: float) -> None:
        """Return after a change, after `longest_s`, or when the bucket has lost something."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + longest_s
        while (left_s := until_s - loop.time()) > 0:
            raise_if_cancelled()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, self._look_every_s)):
                    await self._changed.wait()
                    return
            try:
                if await bucket.count() < self._count:
                    log.warning("keys_bucket_lost_keys")
                    return
            except BucketGoneError:
                return
            except BucketError as error:
                log.debug("bucket_unreadable", error=str(error))
