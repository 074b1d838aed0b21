"""What a watch makes of the messages of a consumer, as a transcript. Real servers: `tests/integration`."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.header import Header
from typing import Any, cast

import nats.errors
import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from tailslide_runtime import bucket_watch
from tailslide_runtime.bucket_watch import SILENCE_S, Entry, Listing, WatchStatus, is_deletion, watch_bucket

SILENCE = nats.errors.TimeoutError()
LOST = nats.errors.ConnectionClosedError()
NO_BUCKET = {"error": {"err_code": 10059, "description": "stream not found"}}


class FakeSubscription:
    def __init__(self, script: list[Msg | Exception]) -> None:
        self._script = script
        self.ended = False

    async def next_msg(self, timeout: float) -> Msg:
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def unsubscribe(self) -> None:
        self.ended = True


class FakeClient:
    """A server with one scripted consumer after another: how many values it announces, then what it sends.

    None instead of a number: there is no such bucket.
    """

    is_closed = False

    def __init__(self, *consumers: tuple[int | None, list[Msg | Exception]]) -> None:
        self._consumers = list(consumers)
        self.subscriptions: list[FakeSubscription] = []
        self.requests: list[tuple[str, dict[str, object]]] = []
        self.published: list[str] = []

    def new_inbox(self) -> str:
        return f"_INBOX.{len(self.subscriptions)}"

    async def subscribe(self, inbox: str) -> FakeSubscription:
        self.subscriptions.append(FakeSubscription(self._consumers[0][1]))
        return self.subscriptions[-1]

    async def request(self, subject: str, data: bytes, timeout: float) -> Msg:
        self.requests.append((subject, orjson.loads(data)))
        pending, _ = self._consumers.pop(0)
        return Msg(cast(Client, self), data=orjson.dumps(NO_BUCKET if pending is None else {"num_pending": pending}))

    async def publish(self, subject: str) -> None:
        self.published.append(subject)


def value(key: str, data: bytes, revision: int, *, nth: int, pending: int = 0, operation: str | None = None) -> Msg:
    """Return the `nth` message of a consumer: the value of a key, with `pending` more to come."""
    return Msg(
        cast(Client, None),
        subject=f"$KV.rulesets.{key}",
        reply=f"$JS.ACK.KV_rulesets.watch.1.{revision}.{nth}.1795363190302000000.{pending}",
        data=data,
        headers=None if operation is None else {"KV-Operation": operation},
    )


def control(status: str = "100", reply: str = "", **headers: str) -> Msg:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Msg(cast(Client, None), reply=reply, headers={"Status": status} | named)


def heartbeat(delivered: int) -> Msg:
    return control(Nats_Last_Consumer=str(delivered))


@asynccontextmanager
async def watching(
    client: FakeClient, status: WatchStatus | None = None
) -> AsyncIterator[AsyncIterator[Listing | Entry]]:
    items = watch_bucket(cast(Client, client), "rulesets", "checkout.>", status)
    try:
        yield items
    finally:
        await items.aclose()


def listing(*entries: Entry) -> Listing:
    return Listing({entry.key: entry for entry in entries})


A, B, GONE = Entry("checkout.a", b"1", 7), Entry("checkout.b", b"2", 9), Entry("checkout.c", None, 12)


async def test_all_values_come_first_in_one_listing_and_changes_after() -> None:
    client = FakeClient(
        (
            2,
            [
                value("checkout.a", b"1", 7, nth=1, pending=1),
                value("checkout.b", b"2", 9, nth=2),
                heartbeat(2),
                value("checkout.a", b"3", 11, nth=3),
                value("checkout.c", b"", 12, nth=4, operation="DEL"),
                value("checkout.c", b"", 13, nth=5, operation="PURGE"),
            ],
        )
    )
    async with watching(client) as items:
        assert await anext(items) == listing(A, B)
        assert await anext(items) == Entry("checkout.a", b"3", 11)
        assert await anext(items) == GONE
        assert await anext(items) == Entry("checkout.c", None, 13)
    assert [subscription.ended for subscription in client.subscriptions] == [True]


async def test_the_consumer_asks_for_its_part_of_the_bucket_only() -> None:
    client = FakeClient((0, []))
    async with watching(client) as items:
        assert await anext(items) == Listing({})
    [(subject, body)] = client.requests
    assert subject.startswith("$JS.API.CONSUMER.CREATE.KV_rulesets.watch_")
    assert subject.endswith(".$KV.rulesets.checkout.>")
    config = body["config"]
    assert isinstance(config, dict)
    assert config["filter_subject"] == "$KV.rulesets.checkout.>"
    assert (config["deliver_policy"], config["ack_policy"]) == ("last_per_subject", "none")
    assert config["deliver_subject"] == "_INBOX.0"


async def test_a_deletion_is_part_of_a_listing() -> None:
    client = FakeClient((1, [value("checkout.c", b"", 12, nth=1, operation="DEL")]))
    async with watching(client) as items:
        assert await anext(items) == listing(GONE)


@pytest.mark.parametrize(
    ("headers", "deleted"),
    [
        (None, False),
        ({}, False),
        ({"KV-Operation": "DEL"}, True),
        ({"KV-Operation": "PURGE"}, True),
        ({"KV-Operation": "del"}, False),
        ({"KV-Operation": Header(b"\xff".decode("ascii", "surrogateescape"), "unknown-8bit")}, False),
    ],
)
def test_only_two_words_tell_of_a_deletion(headers: Any, deleted: bool) -> None:
    assert is_deletion(headers) is deleted


async def test_an_empty_value_is_no_deletion() -> None:
    client = FakeClient((1, [value("checkout.a", b"", 5, nth=1)]))
    async with watching(client) as items:
        assert await anext(items) == listing(Entry("checkout.a", b"", 5))


async def test_values_that_were_purged_before_they_were_sent_do_not_hold_up_the_listing() -> None:
    client = FakeClient(
        (2, [value("checkout.a", b"1", 7, nth=1, pending=1), heartbeat(1), value("checkout.b", b"2", 9, nth=2)])
    )
    async with watching(client) as items:
        assert await anext(items) == listing(A)
        assert await anext(items) == B


async def test_flow_control_is_answered_and_is_no_end_of_the_listing() -> None:
    client = FakeClient(
        (
            2,
            [
                value("checkout.a", b"1", 7, nth=1, pending=1),
                control(reply="$JS.FC.1"),
                control(Nats_Last_Consumer="1", Nats_Consumer_Stalled="$JS.FC.2"),
                value("checkout.b", b"2", 9, nth=2),
            ],
        )
    )
    async with watching(client) as items:
        assert await anext(items) == listing(A, B)
    assert client.published == ["$JS.FC.1", "$JS.FC.2"]


@pytest.mark.parametrize(
    "gap",
    [
        SILENCE,
        heartbeat(3),
        value("checkout.b", b"2", 9, nth=4),
        control("409", Description="Consumer Deleted"),
    ],
    ids=["silence", "heartbeat", "sequence", "deleted"],
)
async def test_after_a_gap_the_watch_starts_anew_with_a_listing(gap: Msg | Exception) -> None:
    client = FakeClient(
        (1, [value("checkout.a", b"1", 7, nth=1), value("checkout.b", b"0", 8, nth=2), gap]),
        (2, [value("checkout.a", b"1", 7, nth=1, pending=1), value("checkout.b", b"2", 9, nth=2)]),
    )
    async with watching(client) as items:
        assert await anext(items) == listing(A)
        assert await anext(items) == Entry("checkout.b", b"0", 8)
        assert await anext(items) == listing(A, B)
    assert [subscription.ended for subscription in client.subscriptions] == [True, True]
    names = [subject.split(".")[5] for subject, _ in client.requests]
    assert len(set(names)) == 2, "a new consumer has a new name"


async def test_a_lost_connection_comes_out() -> None:
    client = FakeClient((0, [LOST]))
    async with watching(client) as items:
        await anext(items)
        with pytest.raises(nats.errors.ConnectionClosedError):
            await anext(items)
    assert client.subscriptions[0].ended


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(bucket_watch, "time", made)
    return made


async def test_the_status_tells_how_long_ago_nats_was_heard_of(clock: Clock) -> None:
    status = WatchStatus(heard_at=clock.now)
    client = FakeClient((1, [value("checkout.a", b"1", 7, nth=1), heartbeat(1), value("checkout.a", b"2", 8, nth=2)]))
    assert (status.in_touch, status.revision) == (False, 0)
    async with watching(client, status) as items:
        await anext(items)
        assert (status.in_touch, status.silent_for_s(), status.revision) == (True, 0, 7)
        clock.now += SILENCE_S
        assert (status.in_touch, status.silent_for_s()) == (True, SILENCE_S)
        clock.now += 1
        assert (status.in_touch, status.silent_for_s()) == (False, SILENCE_S + 1), "though nobody has said so yet"
        await anext(items)
        assert (status.in_touch, status.silent_for_s(), status.revision) == (True, 0, 8)
    assert not status.in_touch, "the watch is over"


async def test_the_status_is_out_of_step_from_a_gap_to_the_end_of_the_next_listing(clock: Clock) -> None:
    status = WatchStatus(heard_at=clock.now)
    steps: list[bool] = []

    class Looking(FakeSubscription):
        async def next_msg(self, timeout: float) -> Msg:
            steps.append(status.in_touch)
            return await super().next_msg(timeout)

    client = FakeClient(
        (0, [heartbeat(0), SILENCE]),
        (
            2,
            [
                value("checkout.a", b"1", 7, nth=1, pending=1),
                control(reply="$JS.FC.1"),
                value("checkout.b", b"2", 5, nth=2),
            ],
        ),
    )

    async def subscribe(inbox: str) -> FakeSubscription:
        return Looking(client._consumers[0][1])

    client.subscribe = subscribe  # type: ignore[method-assign] # one that looks at each step
    async with watching(client, status) as items:
        await anext(items)
        assert (status.restarts, status.revision) == (0, 0)
        await anext(items)
        assert (status.restarts, status.revision) == (1, 7)
    assert steps == [True, True, False, False, False]


async def test_that_there_is_no_bucket_is_a_word_of_nats(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_watch, "RETRY_S", 0.001)
    status = WatchStatus(heard_at=clock.now - 60)
    client = FakeClient((None, []), (None, []), (0, []))
    async with watching(client, status) as items:
        assert await anext(items) == Listing({})
    assert status.silent_for_s() == 0
    assert len(client.requests) == 3


async def test_a_server_that_ends_each_consumer_is_asked_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", pause)
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    ended: list[Msg | Exception] = [control("409", Description="Consumer Deleted")]
    client = FakeClient(*[(0, list(ended)) for _ in range(6)], (0, []))
    async with watching(client) as items:
        for _ in range(7):
            await anext(items)
    assert paused == [0.1, 0.2, 0.4, 0.8, 1.6], "at once the first time"
