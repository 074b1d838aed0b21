"""What is known of the bucket of keys after what a watch has yielded."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tailslide_core.sdk_keys import SdkKey, encode_sdk_key_record
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_runtime.known_keys import KnownKeys

SHOP = SdkKey("shop", "aaaaaa", "s" * 32)
PAY = SdkKey("pay", "bbbbbb", "p" * 32)


def entry(key: SdkKey, revision: int = 1) -> Entry:
    return Entry(key.record.name, encode_sdk_key_record(key.record), revision)


def deletion(key: SdkKey, revision: int = 9) -> Entry:
    return Entry(key.record.name, None, revision)


def listing(*entries: Entry) -> Listing:
    return Listing({each.key: each for each in entries})


def test_a_key_is_recognised_while_its_record_is_there() -> None:
    keys = KnownKeys()
    assert keys.recognise(str(SHOP)) is None
    keys.take(listing(entry(SHOP), entry(PAY, 2)))
    assert keys.recognise(str(SHOP)) == SHOP.record
    assert keys.recognise(str(PAY)) == PAY.record
    keys.take(deletion(SHOP))
    assert keys.recognise(str(SHOP)) is None
    assert dict(keys.records) == {"pay.bbbbbb": PAY.record}


@pytest.mark.parametrize(
    "text", ["", "tsk.shop.aaaaaa", str(SHOP) + "x", str(SHOP).replace("shop", "pay"), "tsk.shop.cccccc." + "s" * 32]
)
def test_any_other_text_is_not_recognised(text: str) -> None:
    keys = KnownKeys()
    keys.take(listing(entry(SHOP), entry(PAY, 2)))
    assert keys.recognise(text) is None


def test_a_listing_is_the_whole_truth_unless_the_bucket_is_bare() -> None:
    keys = KnownKeys()
    keys.take(listing(entry(SHOP), entry(PAY, 2)))
    with capture_logs() as log:
        keys.take(Listing({}))
    assert keys.recognise(str(SHOP)) == SHOP.record
    assert [event["event"] for event in log] == ["keys_bucket_lost"]
    keys.take(listing(entry(PAY, 1)))
    assert keys.recognise(str(SHOP)) is None
    keys.take(listing(deletion(PAY)))
    assert keys.listed
    assert dict(keys.records) == {}


def test_a_bare_bucket_tells_nothing() -> None:
    keys = KnownKeys()
    keys.take(Listing({}))
    assert not keys.listed


def test_the_first_key_of_a_bare_bucket_makes_it_known() -> None:
    keys = KnownKeys()
    keys.take(Listing({}))
    keys.take(entry(SHOP))
    assert keys.listed
    assert keys.recognise(str(SHOP)) == SHOP.record


def test_a_value_that_cannot_be_read_leaves_the_last_good_one_and_is_counted_once() -> None:
    refused: list[None] = []
    keys = KnownKeys(lambda: refused.append(None))
    keys.take(listing(entry(SHOP), entry(PAY, 2)))
    bad = Entry(SHOP.record.name, b'{"schema": 2}', 3)
    foreign = Entry("shop.cccccc", encode_sdk_key_record(PAY.record), 4)
    with capture_logs() as log:
        keys.take(bad)
        keys.take(foreign)
        keys.take(listing(bad, entry(PAY, 2), foreign))
    assert keys.recognise(str(SHOP)) == SHOP.record
    assert keys.unreadable == {"shop.aaaaaa", "shop.cccccc"}
    assert len(refused) == len(log) == 2
    keys.take(deletion(SHOP))
    assert keys.unreadable == {"shop.cccccc"}
    assert keys.recognise(str(SHOP)) is None


def test_what_is_tailslides_own_in_the_bucket_is_left_alone() -> None:
    keys = KnownKeys()
    keys.take(Entry("_published", b"any", 1))
    keys.take(Entry("shop._mark", b"any", 1))
    assert (dict(keys.records), keys.unreadable, keys.changes) == ({}, frozenset(), 0)


async def test_who_waits_is_woken_by_changes_and_by_nothing_else() -> None:
    keys = KnownKeys()
    seen = keys.changes
    waiting = asyncio.create_task(keys.changed_since(seen))
    keys.take(Listing({}))
    await asyncio.sleep(0)
    assert not waiting.done()
    keys.take(listing(entry(SHOP)))
    await waiting
    seen = keys.changes
    keys.take(listing(entry(SHOP)))
    assert keys.changes == seen
    keys.take(deletion(SHOP))
    await keys.changed_since(seen)
