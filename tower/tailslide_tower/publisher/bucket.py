"""A bucket that Tower fills, as the publishers need it: in JetStream, and in memory for the tests of the publisher.

Every write says which revision of its key it follows (0: none), so that it can never put an older value in the place
of a newer one. Fails open: when NATS is away, `BucketError` is raised and people's changes are in the database anyway.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError, NoStreamResponseError

from tailslide_core.naming import RULESETS_BUCKET, bucket_stream, bucket_subject
from tailslide_runtime.bucket_watch import STREAM_NOT_FOUND, Entry, Listing, is_deletion, watch_bucket
from tailslide_runtime.jetstream import API_TIMEOUT_S, WRONG_LAST_SEQUENCE, ensure_bucket

LISTING_TIMEOUT_S = 30.0
MESSAGE_NOT_FOUND = 10037


class BucketError(Exception):
    """The bucket did not do as asked; its text says why."""


class BucketGoneError(BucketError):
    """There is no such bucket any more."""


class RevisionConflictError(BucketError):
    """Someone else has written the key meanwhile."""


class Bucket(Protocol):
    """What the publisher asks of the bucket. Every method raises `BucketError`."""

    async def ensure(self) -> None:
        """Make the bucket unless it is there."""

    async def listing(self) -> dict[str, Entry]:
        """Return the last entry of every key, deletions included."""

    async def get(self, key: str) -> Entry | None:
        """Return the last entry of a key, even if it is a deletion."""

    async def put(self, key: str, value: bytes | None, revision: int) -> None:
        """Write a value, or a deletion (None), over the entry with this revision."""

    async def count(self) -> int:
        """Return how many keys there are, deleted ones included."""


async def entries_of(bucket: Bucket, keys: Collection[str]) -> dict[str, Entry]:
    """Return the last entries of the keys that have any."""
    entries: dict[str, Entry] = {}
    for key, entry in zip(
        keys, await asyncio.gather(*(bucket.get(key) for key in keys), return_exceptions=True), strict=True
    ):
        if isinstance(entry, BaseException):
            raise entry
        if entry is not None:
            entries[key] = entry
    return entries


class JetStreamBucket:
    """The bucket behind one connection."""

    def __init__(self, client: Client, name: str = RULESETS_BUCKET) -> None:
        self._client = client
        self._js = client.jetstream(timeout=API_TIMEOUT_S)
        self._name = name
        self._stream = bucket_stream(name)

    async def ensure(self) -> None:
        """Make the bucket unless it is there."""
        async with _errors():
            await ensure_bucket(self._client, self._name)

    async def listing(self) -> dict[str, Entry]:
        """Return the last entry of every key, deletions included."""
        async with (
            _errors(),
            asyncio.timeout(LISTING_TIMEOUT_S),
            aclosing(watch_bucket(self._client, self._name, ">")) as watch,
        ):
            async for item in watch:
                if isinstance(item, Listing):
                    return item.entries
        raise BucketError("the listing came to no end")

    async def get(self, key: str) -> Entry | None:
        """Return the last entry of a key, even if it is a deletion."""
        try:
            async with _errors():
                # Not the direct form: any replica answers that one, and it may lag behind.
                message = await self._js.get_last_msg(self._stream, bucket_subject(self._name, key))
        except BucketError as error:
            if isinstance(error.__cause__, APIError) and error.__cause__.err_code == MESSAGE_NOT_FOUND:
                return None
            raise
        deleted = is_deletion(message.headers)
        return Entry(key, None if deleted else message.data or b"", message.seq or 0)

    async def put(self, key: str, value: bytes | None, revision: int) -> None:
        """Write a value, or a deletion (None), over the entry with this revision."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(revision)}
        if value is None:
            headers["KV-Operation"] = "DEL"
        async with _errors():
            await self._js.publish(bucket_subject(self._name, key), value or b"", headers=headers)

    async def count(self) -> int:
        """Return how many keys there are, deleted ones included."""
        async with _errors():
            return (await self._js.stream_info(self._stream)).state.messages


@asynccontextmanager
async def _errors() -> AsyncIterator[None]:
    """Turn the errors of nats-py into ours."""
    try:
        yield
    except NoStreamResponseError as error:
        raise BucketGoneError("there is no bucket") from error
    except APIError as error:
        if error.err_code == STREAM_NOT_FOUND:
            raise BucketGoneError("there is no bucket") from error
        if error.err_code in WRONG_LAST_SEQUENCE:
            raise RevisionConflictError("someone else has written the key") from error
        raise BucketError(error.description or str(error)) from error
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise BucketError(str(error) or type(error).__name__) from error


class MemoryBucket:
    """A bucket that is a dictionary, with the revisions and the errors of the real one."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] | None = None
        self.revision = 0
        self.writes = 0

    def _there(self) -> dict[str, Entry]:
        if self.entries is None:
            raise BucketGoneError("there is no bucket")
        return self.entries

    async def ensure(self) -> None:
        """Make the bucket unless it is there."""
        if self.entries is None:
            self.entries = {}

    async def listing(self) -> dict[str, Entry]:
        """Return the last entry of every key, deletions included."""
        return dict(self._there())

    async def get(self, key: str) -> Entry | None:
        """Return the last entry of a key, even if it is a deletion."""
        return self._there().get(key)

    async def put(self, key: str, value: bytes | None, revision: int) -> None:
        """Write a value, or a deletion (None), over the entry with this revision."""
        entries = self._there()
        current = entries[key].revision if key in entries else 0
        if current != revision:
            raise RevisionConflictError("someone else has written the key")
        self.revision += 1
        self.writes += 1
        entries[key] = Entry(key, value, self.revision)

    async def count(self) -> int:
        """Return how many keys there are, deleted ones included."""
        return len(self._there())
