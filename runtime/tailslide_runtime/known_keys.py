"""The SDK keys that are good now: a watched copy of the bucket `keys`, for whoever lets sidecars in.

Tower and Aerobat each keep one, so that neither NATS's auth callout nor the users of Redis need PostgreSQL. What is
done with the keys is not decided here.

Fails towards what was last known: while NATS is away, and after the bucket was lost, the keys stay as they were. A key
is revoked by its deletion, or by a listing of a bucket that holds others.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import aclosing
from types import MappingProxyType

import nats.errors
import structlog
from nats.aio.client import Client

from tailslide_core.errors import ContractError
from tailslide_core.naming import KEYS_BUCKET, is_reserved
from tailslide_core.sdk_keys import SdkKeyRecord, decode_sdk_key_record, hash_of_sdk_key, parse_sdk_key
from tailslide_runtime.bucket_watch import Entry, Listing, WatchStatus, watch_bucket
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import Backoff

log = structlog.get_logger()

ALL_KEYS = ">"


class KnownKeys:
    """The records of all keys. One instance serves the connections of a process one after another."""

    def __init__(self, refused: Callable[[], None] = lambda: None) -> None:
        """`refused` is called for each value of the bucket that cannot be read; the last good one stays."""
        self._refused = refused
        self._records: dict[str, SdkKeyRecord] = {}
        self._unreadable: dict[str, int] = {}
        self._changed = asyncio.Event()
        self.listed = False
        """Whether the bucket was read in full once, and there was something in it.

        A bucket without even a deletion was just made, and nothing follows from what it lacks.
        """
        self.changes = 0
        """How often something has changed, for `changed_since`."""
        self.watch = WatchStatus()

    def __repr__(self) -> str:
        return f"<KnownKeys {len(self._records)} keys, listed={self.listed}>"

    @property
    def records(self) -> Mapping[str, SdkKeyRecord]:
        """Return the records by their name, `<app>.<id>`."""
        return MappingProxyType(self._records)

    @property
    def unreadable(self) -> frozenset[str]:
        """Return the names in the bucket whose value is not understood, as one of a newer version may not be."""
        return frozenset(self._unreadable)

    @property
    def current(self) -> bool:
        """Whether these are the keys of this moment, for all that can be known: NATS is there and has told us all."""
        return self.listed and self.watch.in_touch

    def recognise(self, text: str) -> SdkKeyRecord | None:
        """Return the record of a key that somebody presents; None when it is not, or no longer, one of ours."""
        try:
            name = parse_sdk_key(text).record.name
        except ContractError:
            return None
        record = self._records.get(name)
        return record if record is not None and record.hash == hash_of_sdk_key(text) else None

    async def changed_since(self, changes: int) -> None:
        """Wait until something has changed since `changes` was read."""
        while self.changes == changes:
            await self._changed.wait()

    async def follow(self, client: Client) -> None:
        """Keep the copy up to date for as long as `client` is connected; the errors of nats-py come out then.

        A server that lets us watch everything but this bucket is asked again: other work must not end for it.
        """
        backoff = Backoff()
        while True:
            raise_if_cancelled()
            try:
                async with aclosing(watch_bucket(client, KEYS_BUCKET, ALL_KEYS, self.watch)) as items:
                    await self.take_all(items)
            except (nats.errors.Error, TimeoutError) as error:
                if not client.is_connected:
                    raise
                if backoff.failures == 0:
                    log.warning("keys_not_watched", error=str(error) or type(error).__name__)
                await backoff.wait()

    async def take_all(self, items: AsyncIterable[Listing | Entry]) -> None:
        """Take everything that a watch yields."""
        async for item in items:
            self.take(item)

    def take(self, item: Listing | Entry) -> None:
        """Take what a watch has yielded, and wake those who wait for a change."""
        before = (dict(self._records), set(self._unreadable), self.listed)
        if isinstance(item, Entry):
            self._take_entry(item)
        elif item.entries:
            for name in (self._records.keys() | self._unreadable.keys()) - item.entries.keys():
                self._records.pop(name, None)
                self._unreadable.pop(name, None)
            for entry in item.entries.values():
                self._take_entry(entry)
            self.listed = True
        elif self.listed:
            log.warning("keys_bucket_lost", keys=len(self._records))
        if (self._records, set(self._unreadable), self.listed) != before:
            self.changes += 1
            self._changed.set()
            self._changed = asyncio.Event()

    def _take_entry(self, entry: Entry) -> None:
        if is_reserved(entry.key):
            return
        self.listed = True
        if entry.value is None:
            self._records.pop(entry.key, None)
            self._unreadable.pop(entry.key, None)
            return
        try:
            record = _read(entry.key, entry.value)
        except ContractError as error:
            if self._unreadable.get(entry.key) != entry.revision:  # else seen before, in an earlier listing
                self._unreadable[entry.key] = entry.revision
                self._refused()
                log.warning("value_refused", bucket=KEYS_BUCKET, key=entry.key, error=str(error))
            return
        self._unreadable.pop(entry.key, None)
        self._records[entry.key] = record


def _read(name: str, value: bytes) -> SdkKeyRecord:
    record = decode_sdk_key_record(value)
    if record.name != name:
        raise ContractError("key", f"expected the record of {name}, got that of {record.name}")
    return record
