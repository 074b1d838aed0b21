"""Watching a bucket of a real NATS: what comes, in which order, and what happens when the server goes away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import pytest
from nats.aio.client import Client
from nats.js.api import KeyValueConfig, StorageType
from nats.js.kv import KeyValue
from raw_nats import publish_raw
from real_servers import RealServers, real_servers

from tailslide_core.naming import bucket_stream
from tailslide_embedded.stack import Endpoints
from tailslide_runtime import bucket_watch
from tailslide_runtime.bucket_watch import Entry, Listing, WatchStatus, watch_bucket
from tailslide_runtime.jetstream import Link, SturdyClient, ensure_bucket
from tailslide_runtime.server_urls import NatsUrl

PATIENCE_S = 20.0

Items = AsyncIterator[Listing | Entry]


@pytest.fixture
async def client(servers: Endpoints) -> AsyncIterator[Client]:
    client = SturdyClient()
    await client.connect(servers.nats_url, allow_reconnect=False)
    yield client
    await client.close()


@pytest.fixture
async def bucket(client: Client, request: pytest.FixtureRequest) -> AsyncIterator[KeyValue]:
    """Make a bucket of the test's own, in memory."""
    js = client.jetstream()
    name = request.node.name
    yield await js.create_key_value(KeyValueConfig(bucket=name, history=1, storage=StorageType.MEMORY))
    await js.delete_stream(bucket_stream(name))


@asynccontextmanager
async def watching(client: Client, bucket: str, keys: str = "app.>") -> AsyncIterator[Items]:
    async with asyncio.timeout(PATIENCE_S), aclosing(watch_bucket(client, bucket, keys)) as items:
        yield items


def name_of(bucket: KeyValue) -> str:
    return bucket._name


async def next_listing(items: Items) -> dict[str, bytes | None]:
    item = await anext(items)
    assert isinstance(item, Listing)
    assert all(key == entry.key for key, entry in item.entries.items())
    return {key: entry.value for key, entry in item.entries.items()}


async def test_all_values_come_first_and_changes_after_in_order(client: Client, bucket: KeyValue) -> None:
    await bucket.put("app.a", b"1")
    await bucket.put("app.b", b"1")
    await bucket.put("app.a", b"2")
    await bucket.put("app.c", b"1")
    await bucket.delete("app.c")
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {"app.a": b"2", "app.b": b"1", "app.c": None}
        revisions = [await bucket.put("app.b", f"{n}".encode()) for n in range(50)]
        written = {revision: Entry("app.b", f"{n}".encode(), revision) for n, revision in enumerate(revisions)}
        seen: list[int] = []
        while not seen or seen[-1] < revisions[-1]:
            change = await anext(items)
            assert isinstance(change, Entry)
            # A value may be overwritten before it is sent; what is sent is in order, and the last one always comes.
            assert change == written[change.revision]
            seen.append(change.revision)
        assert seen == sorted(set(seen))
        await bucket.delete("app.a")
        deletion = await anext(items)
        assert isinstance(deletion, Entry)
        assert (deletion.key, deletion.value) == ("app.a", None)
        await bucket.purge("app.b")
        purge = await anext(items)
        assert isinstance(purge, Entry)
        assert (purge.key, purge.value) == ("app.b", None)
        await bucket.put("app.a", b"again")
        back = await anext(items)
        assert isinstance(back, Entry)
        assert (back.key, back.value) == ("app.a", b"again")


async def test_an_empty_bucket_is_an_empty_listing(client: Client, bucket: KeyValue) -> None:
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {}
        await bucket.put("app.a", b"1")
        assert await anext(items) == Entry("app.a", b"1", 1)


async def test_only_the_watched_keys_come(client: Client, bucket: KeyValue) -> None:
    await bucket.put("app.a", b"1")
    await bucket.put("other.a", b"1")
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {"app.a": b"1"}
        await bucket.put("other.b", b"1")
        await bucket.put("application.a", b"1")
        revision = await bucket.put("app.b", b"1")
        assert await anext(items) == Entry("app.b", b"1", revision)
    async with watching(client, name_of(bucket), ">") as items:
        assert set(await next_listing(items)) == {"app.a", "app.b", "other.a", "other.b", "application.a"}


async def test_a_bucket_that_is_made_later_is_waited_for(client: Client) -> None:
    js = client.jetstream()
    async with watching(client, "later") as items:
        first = asyncio.ensure_future(next_listing(items))
        # The first look has found nothing once the server has answered it.
        while not first.done() and client.stats["in_msgs"] == 0:
            await asyncio.sleep(0.01)
        assert not first.done()
        bucket = await js.create_key_value(KeyValueConfig(bucket="later", storage=StorageType.MEMORY))
        try:
            await bucket.put("app.a", b"1")
            listed = await first
            if not listed:  # the watch found the bucket before the value came
                assert await anext(items) == Entry("app.a", b"1", 1)
            else:
                assert listed == {"app.a": b"1"}
        finally:
            await js.delete_stream(bucket_stream("later"))


async def test_five_thousand_keys_are_listed_while_they_change(client: Client, bucket: KeyValue) -> None:
    js = client.jetstream()
    keys = [f"app.flag-{n}" for n in range(5_000)]
    subject = f"$KV.{name_of(bucket)}."

    async def write(value: bytes) -> None:
        for start in range(0, len(keys), 500):
            await asyncio.gather(*(js.publish(subject + key, value) for key in keys[start : start + 500]))

    await write(b"old")
    async with watching(client, name_of(bucket)) as items:
        async with asyncio.TaskGroup() as group:
            group.create_task(write(b"new"))
            known = await next_listing(items)
        assert set(known) == set(keys)
        while any(value != b"new" for value in known.values()):
            item = await anext(items)
            assert isinstance(item, Entry)
            known[item.key] = item.value
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == dict.fromkeys(keys, b"new")


async def test_a_consumer_that_the_server_removes_is_made_anew(client: Client, bucket: KeyValue) -> None:
    js = client.jetstream()
    await bucket.put("app.a", b"1")
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {"app.a": b"1"}
        [consumer] = await js.consumers_info(bucket_stream(name_of(bucket)))
        await js.delete_consumer(bucket_stream(name_of(bucket)), consumer.name)
        await bucket.put("app.b", b"2")
        assert await next_listing(items) == {"app.a": b"1", "app.b": b"2"}


async def test_a_consumer_without_a_sound_is_made_anew(
    client: Client, bucket: KeyValue, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Heartbeats that come later than they are waited for count as none.
    monkeypatch.setattr(bucket_watch, "SILENCE_S", 0.3)
    await bucket.put("app.a", b"1")
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {"app.a": b"1"}
        assert await next_listing(items) == {"app.a": b"1"}


async def test_a_bucket_that_is_wiped_and_made_again_is_listed_again(client: Client) -> None:
    js = client.jetstream()
    settings = KeyValueConfig(bucket="wiped", storage=StorageType.MEMORY)
    bucket = await js.create_key_value(settings)
    await bucket.put("app.a", b"1")
    async with watching(client, "wiped") as items:
        assert await next_listing(items) == {"app.a": b"1"}
        await js.delete_stream(bucket_stream("wiped"))
        bucket = await js.create_key_value(settings)
        try:
            await bucket.put("app.b", b"2")
            known = await next_listing(items)
            while "app.b" not in known:
                item = await anext(items)
                assert isinstance(item, Entry)
                known[item.key] = item.value
            assert known == {"app.b": b"2"}
        finally:
            await js.delete_stream(bucket_stream("wiped"))


async def test_the_end_of_a_watch_leaves_nobody_listening(client: Client, bucket: KeyValue) -> None:
    before = len(client._subs)
    async with watching(client, name_of(bucket)) as items:
        assert await next_listing(items) == {}
        assert len(client._subs) == before + 1
    assert len(client._subs) == before


@pytest.fixture(scope="module")
def mortal_servers() -> Iterator[RealServers]:
    """Run servers that a test may kill."""
    with real_servers() as running:
        yield running


async def test_after_a_kill_of_the_server_the_watch_begins_again(mortal_servers: RealServers) -> None:
    link = Link(NatsUrl.parse(mortal_servers.endpoints.nats_url), "test")
    connected: asyncio.Queue[Client] = asyncio.Queue()
    listed: asyncio.Queue[dict[str, bytes | None]] = asyncio.Queue()
    ends: list[str] = []

    async def serve(client: Client) -> None:
        await ensure_bucket(client, "mortal")
        connected.put_nowait(client)
        try:
            async with aclosing(watch_bucket(client, "mortal", "app.>")) as items:
                listed.put_nowait(await next_listing(items))
                async for _ in items:
                    pass
        finally:
            ends.append("served")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(link.run(serve))
        client = await connected.get()
        assert await listed.get() == {}
        assert (link.status.connected, link.status.connects) == (True, 1)
        bucket = await client.jetstream().key_value("mortal")
        await bucket.put("app.a", b"1")

        await asyncio.to_thread(mortal_servers.kill, "nats")
        while link.status.connected:
            await asyncio.sleep(0.01)
        assert ends == ["served"]
        await asyncio.to_thread(mortal_servers.start, "nats")

        await connected.get()
        assert await listed.get() == {"app.a": b"1"}
        assert (link.status.connected, link.status.connects) == (True, 2)
        running.cancel()
    assert ends == ["served", "served"]
    assert not link.status.connected


async def test_a_link_waits_for_a_server_that_comes_later(mortal_servers: RealServers) -> None:
    await asyncio.to_thread(mortal_servers.stop, "nats")
    # Of a list, a server that is away is passed over.
    link = Link(NatsUrl.parse(f"nats://127.0.0.1:9,{mortal_servers.endpoints.nats_url}"), "test")
    served: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(client: Client) -> None:
        served.set_result("served")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(link.run(serve))
        await asyncio.sleep(0)
        assert not link.status.connected
        await asyncio.to_thread(mortal_servers.start, "nats")
        assert await served == "served"
        await running


async def test_a_defect_in_what_is_served_comes_out_of_the_link(servers: Endpoints) -> None:
    async def serve(client: Client) -> None:
        raise ZeroDivisionError("a defect")

    link = Link(NatsUrl.parse(servers.nats_url), "test")
    with pytest.raises(BaseException) as caught:  # alone or in a group, it must come out
        await link.run(serve)
    assert isinstance(caught.value, ZeroDivisionError) or (
        isinstance(caught.value, BaseExceptionGroup) and caught.value.subgroup(ZeroDivisionError) is not None
    )
    assert not link.status.connected


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (b"\xff\xfe", None),
        (b"f\xc3\xbcr", None),
        (b"a%", None),
        (b"a.b.c", None),
        (b"a" * 1_000, None),
        (b"a", b"xx\r\n\r\n"),
        (b"a", b"NATS/1.0\r\nno header\r\n\r\n"),
        (b"a", b"NATS/1.0 \xff\r\n\r\n"),
        (b"a", b"NATS/1.0\r\nKV-Operation: \xff\r\n\r\n"),
        (b"a", b"NATS/1.0 503\r\n\r\n"),
        (b"a", b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n"),
        (b"a", b"NATS/1.0\r\nStatus: 100\r\n\r\n"),
        (b"a", b"NATS/1.0\r\nStatus: 409\r\n\r\n"),
    ],
)
async def test_no_key_and_no_header_ends_a_watch(
    client: Client, request: pytest.FixtureRequest, token: bytes, headers: bytes | None
) -> None:
    js = client.jetstream()
    name = f"odd-{request.node.callspec.indices['token']}"
    bucket = await js.create_key_value(KeyValueConfig(bucket=name, history=1, storage=StorageType.MEMORY))
    await bucket.put("app.before", b"1")
    subject = b"$KV.%b.app.%b" % (name.encode(), token)
    await publish_raw(client, subject, b"{}", headers)
    async with asyncio.timeout(PATIENCE_S):  # nothing confirms it, and a listing has what is stored when it begins
        while (await js.stream_info(bucket_stream(name))).state.messages < 2:
            await asyncio.sleep(0.01)
    status = WatchStatus()
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(watch_bucket(client, name, "app.>", status)) as items:
            listing = await next_listing(items)
            assert (listing["app.before"], len(listing)) == (b"1", 2)
            await publish_raw(client, subject, b"{}", headers)
            await bucket.put("app.after", b"2")
            entries = [await anext(items) for _ in range(2)]
            assert [entry.value for entry in entries if isinstance(entry, Entry)] == [b"{}", b"2"]
        assert status.restarts == 0
    finally:
        await js.delete_stream(bucket_stream(name))
