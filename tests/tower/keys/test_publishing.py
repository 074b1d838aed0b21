"""The bucket of keys is made equal to the database: what is written, and who may."""

import asyncio
from contextlib import suppress

import pytest

from tailslide_core.contracts import Claim, encode_claim
from tailslide_core.naming import CLAIM_KEY
from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_runtime.bucket_watch import Entry
from tailslide_tower.keys.publishing import KeyPublisher, differences
from tailslide_tower.keys.store import AllKeys
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher.bucket import MemoryBucket, RevisionConflictError
from tailslide_tower.publisher.claims import Identity

ONE, TWO, GONE = (SdkKey("shop", key_id, "s" * 40).record for key_id in ("aaaaaa", "bbbbbb", "cccccc"))


class MemoryKeys:
    def __init__(self, *good: object, revoked: frozenset[str] = frozenset()) -> None:
        self.keys = AllKeys(good, revoked)  # type: ignore[arg-type] # records
        self.database = "ours"

    async def identity(self) -> Identity:
        return Identity(self.database, 7)

    async def all(self) -> AllKeys:
        return self.keys


async def claimed_by(database: str) -> MemoryBucket:
    bucket = MemoryBucket()
    await bucket.ensure()
    await bucket.put(CLAIM_KEY, encode_claim(Claim(database, 1, "")), 0)
    return bucket


async def contents(bucket: MemoryBucket) -> dict[str, bytes | None]:
    return {key: entry.value for key, entry in (await bucket.listing()).items()}


def test_what_is_equal_is_not_written_and_what_is_ours_alone_is_left() -> None:
    entries = {
        ONE.name: Entry(ONE.name, encode_sdk_key_record(ONE), 1),
        GONE.name: Entry(GONE.name, None, 2),
        "_mark": Entry("_mark", b"x", 3),
    }
    assert differences(entries, AllKeys((ONE,), frozenset({GONE.name}))) == {}


def test_missing_is_written_other_is_written_over_and_unknown_is_deleted() -> None:
    entries = {TWO.name: Entry(TWO.name, b"other", 1), GONE.name: Entry(GONE.name, encode_sdk_key_record(GONE), 2)}
    assert differences(entries, AllKeys((ONE, TWO), frozenset())) == {
        ONE.name: encode_sdk_key_record(ONE),
        TWO.name: encode_sdk_key_record(TWO),
        GONE.name: None,
    }


def test_revoked_key_is_deleted_where_the_bucket_has_no_trace_of_it() -> None:
    assert differences({}, AllKeys((), frozenset({GONE.name}))) == {GONE.name: None}


async def test_bucket_of_another_database_is_left_alone() -> None:
    keys, bucket = MemoryKeys(ONE), MemoryBucket()
    await bucket.ensure()
    await bucket.put(GONE.name, encode_sdk_key_record(GONE), 0)
    publisher = KeyPublisher(keys, TowerMetrics())
    for rulesets in (MemoryBucket(), await claimed_by("another")):
        assert not await publisher.compare(bucket, rulesets)
        assert await contents(bucket) == {GONE.name: encode_sdk_key_record(GONE)}
    assert await publisher.compare(bucket, await claimed_by("ours"))
    assert await contents(bucket) == {ONE.name: encode_sdk_key_record(ONE), GONE.name: None}


async def test_older_state_of_the_database_never_stays() -> None:
    """A Tower that has read a key before another one revoked it does not write it afterwards."""
    keys, rulesets = MemoryKeys(ONE), await claimed_by("ours")

    class Slow(MemoryBucket):
        async def put(self, key: str, value: bytes | None, revision: int) -> None:
            if value is not None:  # meanwhile, at another Tower
                keys.keys = AllKeys((), frozenset({ONE.name}))
                await KeyPublisher(keys, TowerMetrics()).compare(self, rulesets)
            await super().put(key, value, revision)

    bucket = Slow()
    with pytest.raises(RevisionConflictError):
        await KeyPublisher(keys, TowerMetrics()).compare(bucket, rulesets)
    assert await contents(bucket) == {ONE.name: None}


async def test_an_end_that_an_answer_of_nats_has_swallowed_does_not_wait_for_the_next_comparison() -> None:
    class Forgetful(MemoryBucket):
        asked = asyncio.Event()

        async def ensure(self) -> None:
            await super().ensure()
            self.asked.set()
            with suppress(asyncio.CancelledError):  # as `wait_for` in the client, before Python 3.12
                await asyncio.Event().wait()

    bucket = Forgetful()
    task = asyncio.create_task(KeyPublisher(MemoryKeys(ONE), TowerMetrics()).serve(bucket, await claimed_by("ours")))
    await bucket.asked.wait()
    task.cancel()
    # Not `timeout`, which would cancel once more.
    ended, _ = await asyncio.wait({task}, timeout=5)
    assert ended == {task}
    assert task.cancelled()
