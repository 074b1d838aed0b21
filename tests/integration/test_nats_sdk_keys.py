"""What an SDK key opens in NATS, and what not: with plain clients of NATS, on a real server."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import nats
import nats.errors
import nats.js.errors
import pytest
from callout_stage import Intruder, administrator, answering, intruding, new_key, publish_key, revoke_key
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from real_servers import RealServers, real_servers
from tower_bench import until

from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    EVENTS_SUBJECTS,
    RULESETS_BUCKET,
    SIDECARS_BUCKET,
    bucket_stream,
    bucket_subject,
)
from tailslide_core.sdk_keys import SdkKey
from tailslide_core.sidecar_access import SIDECARS_API, delivery_prefix, inbox_prefix
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.jetstream import ensure_bucket, ensure_stream
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.server_urls import NatsUrl

SHOP, BANK = new_key("shop"), new_key("bank")
VALUES = {
    bucket_subject(RULESETS_BUCKET, "shop.one"): b"shop's ruleset",
    bucket_subject(RULESETS_BUCKET, "bank.one"): b"bank's ruleset",
    bucket_subject(CIRCUITS_BUCKET, "shop.one"): b"shop's circuit",
    bucket_subject(CIRCUITS_BUCKET, "bank.one"): b"bank's circuit",
    bucket_subject(SIDECARS_BUCKET, "bank.i1"): b"bank's sidecar",
    "events.circuit.bank.one": b"bank's event",
}
STREAMS = (*(bucket_stream(bucket) for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET, SIDECARS_BUCKET)), EVENTS_STREAM)


@pytest.fixture(scope="module")
def own_servers() -> Iterator[RealServers]:
    """Run servers for this file alone: no Tower has made its streams yet."""
    with real_servers() as running:
        yield running


@pytest.fixture(scope="module")
def servers(own_servers: RealServers) -> Endpoints:
    return own_servers.endpoints


@pytest.fixture
async def admin(servers: Endpoints) -> AsyncIterator[Client]:
    async with administrator(servers) as client:
        for bucket in (RULESETS_BUCKET, CIRCUITS_BUCKET):
            await ensure_bucket(client, bucket)
        await ensure_stream(client, EVENTS_STREAM, [EVENTS_SUBJECTS], max_age_s=3600)
        js = client.jetstream()
        await js.add_stream(
            StreamConfig(
                name=bucket_stream(SIDECARS_BUCKET),
                subjects=[bucket_subject(SIDECARS_BUCKET, ">")],
                max_msgs_per_subject=1,
                max_age=30,
                storage=StorageType.MEMORY,
                retention=RetentionPolicy.LIMITS,
                allow_rollup_hdrs=False,
            )
        )
        for subject, value in VALUES.items():
            await js.publish(subject, value)
        for key in (SHOP, BANK):
            await publish_key(client, key)
        yield client


@pytest.fixture
async def keys(servers: Endpoints, admin: Client) -> AsyncIterator[KnownKeys]:
    async with answering(servers) as known:
        yield known


async def connected(servers: Endpoints, key: SdkKey) -> bool:
    try:
        async with intruding(servers, key) as intruder:
            await intruder.client.flush()  # the client takes a connection that is closed at once for one
            return True
    except (nats.errors.Error, OSError):
        return False


async def contents(admin: Client) -> dict[str, tuple[int, int]]:
    """Return how many messages each stream has, and the sequence of its last one."""
    states = {name: (await admin.jetstream().stream_info(name)).state for name in STREAMS}
    return {name: (state.messages, state.last_seq) for name, state in states.items()}


async def test_key_lets_in_within_two_seconds_and_out_within_five(
    servers: Endpoints, admin: Client, keys: KnownKeys
) -> None:
    key = new_key("shop")
    assert not await connected(servers, key)
    began = time.monotonic()
    await publish_key(admin, key)
    await until(lambda: connected(servers, key))
    assert time.monotonic() - began < 2
    async with (
        intruding(servers, key) as first,
        intruding(servers, key, "i2") as second,
        intruding(servers, SHOP) as other,
    ):
        began = time.monotonic()
        await revoke_key(admin, key)

        async def ended() -> bool:
            return first.client.is_closed and second.client.is_closed

        await until(ended)
        assert time.monotonic() - began < 5
        assert not await connected(servers, key)
        await other.client.flush()
        assert other.client.is_connected


async def test_revoked_key_does_not_stay_where_somebody_has_not_heard_of_it(servers: Endpoints, admin: Client) -> None:
    key = new_key("shop")
    stale = KnownKeys()
    async with answering(servers) as known:
        await publish_key(admin, key)

        async def heard() -> bool:
            return key.record.name in known.records

        await until(heard)
        stale_records = dict(known.records)
    stale._records, stale.listed = stale_records, True  # as of one whose watch hangs
    async with answering(servers) as known, answering(servers, stale):
        await until(heard)
        await revoke_key(admin, key)

        async def gone() -> bool:
            return key.record.name not in known.records

        await until(gone)
        let_in = 0
        async with asyncio.timeout(20):
            while let_in < 3:
                try:
                    async with intruding(servers, key) as intruder:
                        let_in += 1

                        async def ended(intruder: Intruder = intruder) -> bool:
                            return intruder.client.is_closed

                        await until(ended, 5)
                except nats.errors.Error:
                    continue


async def test_connection_stays_and_reads_while_nobody_answers(servers: Endpoints, admin: Client) -> None:
    async with answering(servers):
        await until(lambda: connected(servers, SHOP))
        async with intruding(servers, SHOP) as shop:
            subject = f"{delivery_prefix(SHOP.app, SHOP.key_id)}.reads"
            subscription = await shop.client.subscribe(subject)
            assert await shop.create_consumer(RULESETS_BUCKET, "shop", subject) == "created"
            assert (await subscription.next_msg(timeout=5)).data == b"shop's ruleset"
            await admin.jetstream().publish(bucket_subject(RULESETS_BUCKET, "shop.two"), b"later")
            assert (await subscription.next_msg(timeout=5)).data == b"later"
            assert shop.client.is_connected


@pytest.mark.parametrize("bucket", [RULESETS_BUCKET, CIRCUITS_BUCKET, SIDECARS_BUCKET, "keys"])
async def test_another_apps_values_cannot_be_read(
    bucket: str, servers: Endpoints, admin: Client, keys: KnownKeys
) -> None:
    await until(lambda: connected(servers, SHOP))
    async with intruding(servers, SHOP) as shop:
        assert await shop.create_consumer(bucket, "bank") != "created"
        everything = bucket_subject(bucket, ">")
        assert await shop.create_consumer(bucket, "shop", filter_subject=everything) != "created"
        assert await shop.create_consumer(bucket, "shop", filter_subject=None) != "created"
        assert await shop.create_consumer(bucket, "shop", filter_subjects=[everything]) != "created"
        stream = bucket_stream(bucket)
        for prefix in ("$JS.API", SIDECARS_API):
            for request in (
                f"STREAM.MSG.GET.{stream}",
                f"DIRECT.GET.{stream}",
                f"CONSUMER.CREATE.{stream}",
                f"STREAM.PURGE.{stream}",
            ):
                assert await shop.request(f"{prefix}.{request}", {"last_by_subj": everything}) != "created"


async def test_another_keys_deliveries_cannot_be_heard(servers: Endpoints, admin: Client, keys: KnownKeys) -> None:
    await until(lambda: connected(servers, SHOP))
    second = new_key("shop")
    await publish_key(admin, second)
    await until(lambda: connected(servers, second))
    async with (
        intruding(servers, SHOP) as shop,
        intruding(servers, BANK) as bank,
        intruding(servers, second) as same_app,
    ):
        heard: list[str] = []

        async def hear(message: Msg) -> None:
            heard.append(message.subject)

        for one in (shop, same_app):
            for subject in (
                ">",
                "deliver.>",
                f"{delivery_prefix(BANK.app, BANK.key_id)}.>",
                "_INBOX.>",
                f"{inbox_prefix(BANK.app, BANK.key_id)}.>",
            ):
                await one.client.subscribe(subject, cb=hear)
            await one.client.flush()
        subject = f"{delivery_prefix(BANK.app, BANK.key_id)}.mine"
        subscription = await bank.client.subscribe(subject)
        assert await bank.create_consumer(RULESETS_BUCKET, "bank", subject) == "created"
        assert (await subscription.next_msg(timeout=5)).data == b"bank's ruleset"
        for one in (shop, same_app):
            await one.client.flush()
            assert (
                len([error for error in one.errors if "permissions violation for subscription" in error.lower()]) == 5
            )
        assert heard == []


async def test_nothing_of_others_is_written(servers: Endpoints, admin: Client, keys: KnownKeys) -> None:
    await until(lambda: connected(servers, SHOP))
    entries = bucket_stream(SIDECARS_BUCKET)
    own, bank_entry = bucket_subject(SIDECARS_BUCKET, "shop.i1"), bucket_subject(SIDECARS_BUCKET, "bank.i1")
    unused = bucket_subject(CIRCUITS_BUCKET, "shop.new")
    targets = (*VALUES, unused, bucket_subject("keys", BANK.record.name), "events.circuit.shop.one")
    async with intruding(servers, SHOP) as shop:
        before = await contents(admin)
        for subject in targets:
            await shop.publish(subject)
            # The server would write its answer to the reply subject.
            await shop.publish(f"$JS.FC.{bucket_stream(RULESETS_BUCKET)}.x.y", reply=subject)
            name = f"c{abs(hash(subject))}"
            create = f"{SIDECARS_API}.CONSUMER.CREATE.{bucket_stream(RULESETS_BUCKET)}.{name}.$KV.rulesets.shop.>"
            await shop.publish(create, b"{}", reply=subject)
            # A consumer would deliver there.
            await shop.create_consumer(RULESETS_BUCKET, "shop", subject)
            await shop.create_consumer(RULESETS_BUCKET, "shop", subject, flow_control=True, idle_heartbeat=100_000_000)
        await asyncio.sleep(0.5)  # nothing is to come, and no message says that nothing has
        assert await contents(admin) == before
        await shop.publish(own)
        await shop.publish(own, b"mine", reply=bank_entry)
        for headers in ({"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"}):
            await shop.publish(own, headers=headers)

        async def written() -> bool:
            return (await contents(admin))[entries][1] >= before[entries][1] + 2

        await until(written)
        js = admin.jetstream()
        assert (await js.get_last_msg(entries, own)).data == b"mine"
        for subject, value in VALUES.items():
            stream = EVENTS_STREAM if subject.startswith("events.") else bucket_stream(subject.split(".")[1])
            assert (await js.get_last_msg(stream, subject)).data == value, subject


async def test_connection_with_another_name_than_an_instances_has_no_entry(
    servers: Endpoints, admin: Client, keys: KnownKeys
) -> None:
    await until(lambda: connected(servers, SHOP))
    for name in ("", "bank.i1", "*", "a b", ">", "x" * 64):
        async with intruding(servers, SHOP, name) as shop:
            assert await shop.create_consumer(RULESETS_BUCKET, "shop") == "created"
            await shop.publish(bucket_subject(SIDECARS_BUCKET, f"shop.{name or 'x'}".replace(" ", "_")))

            async def refused(errors: list[str] = shop.errors) -> bool:
                return any("permissions violation for publish" in error.lower() for error in errors)

            await until(refused, 5)


@pytest.mark.parametrize(
    ("part", "may", "may_not"),
    [
        ("tower", [RULESETS_BUCKET, "keys"], [CIRCUITS_BUCKET, SIDECARS_BUCKET]),
        ("aerobat", [CIRCUITS_BUCKET], [RULESETS_BUCKET, "keys", SIDECARS_BUCKET]),
    ],
)
async def test_tower_and_aerobat_write_their_own_buckets_alone(
    part: str, may: list[str], may_not: list[str], servers: Endpoints, admin: Client
) -> None:
    await ensure_bucket(admin, "keys")
    assert servers.nats_access is not None
    url = servers.nats_access.settings_of(part)[NatsUrl.variable]
    client = await nats.connect(url)
    try:
        for bucket in may:
            await ensure_bucket(client, bucket)
            await client.jetstream().publish(bucket_subject(bucket, f"{part}.x"), b"x")
        for bucket in may_not:
            with pytest.raises(nats.errors.TimeoutError):
                await client.jetstream(timeout=0.3).publish(bucket_subject(bucket, f"{part}.x"), b"x")
            for action in ("PURGE", "DELETE"):
                with pytest.raises(nats.errors.TimeoutError):
                    await client.request(f"$JS.API.STREAM.{action}.{bucket_stream(bucket)}", b"{}", timeout=0.3)
            with pytest.raises(nats.js.errors.NotFoundError):
                await client.jetstream().get_last_msg(bucket_stream(bucket), bucket_subject(bucket, f"{part}.x"))
    finally:
        await client.close()
