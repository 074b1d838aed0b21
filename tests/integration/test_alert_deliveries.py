"""Deliveries on a real database, to real receivers: made once, tried again, sent once, kept for a while."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from alert_bench import BEGAN, TOWER_URL, AlertBench, Clock, alert_bench
from standardwebhooks import Webhook as Verifier
from tower_bench import TowerBench
from webhook_receivers import Receiver, receiver

from tailslide_tower.alerts.delivery import DeliveryState
from tailslide_tower.alerts.delivery_store import NOT_SENT, DeliveryStore
from tailslide_tower.alerts.dispatcher import AT_ONCE
from tailslide_tower.alerts.webhook_store import WebhookStore


@pytest.fixture
async def alerts(bench: TowerBench) -> AsyncIterator[AlertBench]:
    async with alert_bench(bench) as made:
        await made.app()
        yield made


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


async def test_an_opened_circuit_is_told_once_signed_with_what_people_need(alerts: AlertBench, hook: Receiver) -> None:
    webhook = await alerts.webhook(hook.url())
    entry = await alerts.opens()
    assert await alerts.dispatcher.dispatch() == 1
    assert await alerts.dispatcher.dispatch() == 0
    assert await alerts.deliverer.deliver_due() == 1
    assert await alerts.deliverer.deliver_due() == 0

    (request,) = hook.received
    assert request.json["type"] == "circuit.opened"
    assert request.json["timestamp"] == "2026-11-28T03:00:00.000Z"
    data = request.json["data"]
    assert isinstance(data, dict)
    assert data["title"] == "Circuit open: new-checkout (Checkout)"
    assert data["text"] == (
        "The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%. "
        "Nobody gets new-checkout now. Calls go to the fallback. "
        "The circuit lets users back in by itself from 03:00:30 UTC."
    )
    assert data["link"] == f"{TOWER_URL}/apps/checkout/flags/new-checkout"
    assert (data["app"], data["flag"], data["entry"], data["late"]) == ("checkout", "new-checkout", entry, False)
    assert data["after"]["state"] == "open"

    (delivery,) = await alerts.deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 1, 200)
    assert request.headers["webhook-id"] == delivery.message_id
    assert webhook.secret is not None
    assert request.headers["webhook-timestamp"] == str(int(BEGAN.timestamp()))
    assert (
        Verifier(webhook.secret).sign(delivery.message_id, BEGAN, request.body.decode())
        == (request.headers["webhook-signature"])
    )


async def test_receiver_that_fails_ten_times_gets_it_in_the_end_once(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url())
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    hook.answers = [web.Response(status=500, text="not now") for _ in range(10)]
    for attempt in range(1, 11):
        assert await alerts.deliverer.deliver_due() == 1
        (delivery,) = await alerts.deliveries()
        assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, attempt)
        assert (delivery.last_status, delivery.last_error) == (500, "the receiver answered 500")
        assert await alerts.deliverer.deliver_due() == 0
        alerts.clock.at = delivery.next_at
    assert await alerts.deliverer.deliver_due() == 1
    (delivery,) = await alerts.deliveries()
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.DELIVERED, 11, None)
    alerts.clock.move(days=2)
    assert await alerts.deliverer.deliver_due() == 0
    assert len(hook.received) == 11
    assert len({request.headers["webhook-id"] for request in hook.received}) == 1
    assert alerts.counted.attempts == ["retried"] * 10 + ["delivered"]


async def test_late_delivery_says_when_it_happened_and_what_has_happened_since(
    alerts: AlertBench, hook: Receiver
) -> None:
    await alerts.webhook(hook.url(), occasions=["opened"])
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    alerts.clock.move(minutes=10)
    await alerts.closes()
    alerts.clock.move(hours=2)
    await alerts.dispatcher.dispatch()
    assert await alerts.deliverer.deliver_due() == 1
    data = hook.received[0].json["data"]
    assert isinstance(data, dict)
    assert data["late"] is True
    assert data["text"].startswith("This happened 2 h ago, at 03:00:00 UTC. The circuit of new-checkout opened: 62%")
    assert data["text"].endswith("Since then it has closed, at 03:10:00 UTC.")
    assert data["since_then"] == {"action": "circuit.closed", "at": "2026-11-28T03:10:00.000Z"}


async def test_receiver_that_never_answers_well_is_given_up_after_a_day(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url())
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    hook.answers = [web.Response(status=503) for _ in range(100)]
    (delivery,) = await alerts.deliveries()
    while delivery.state is DeliveryState.PENDING:
        alerts.clock.at = delivery.next_at
        assert await alerts.deliverer.deliver_due() == 1
        (delivery,) = await alerts.deliveries()
    assert delivery.state is DeliveryState.FAILED
    assert alerts.clock.at - BEGAN == timedelta(days=1)
    assert alerts.counted.attempts[-1] == "given_up"


async def test_two_towers_deliver_each_alert_once(bench: TowerBench, hook: Receiver) -> None:
    clock = Clock()
    async with alert_bench(bench, clock) as one, alert_bench(bench, clock) as other:
        await one.app()
        for _ in range(3):
            await one.webhook(hook.url())
        for number in range(20):
            await one.opens(f"flag-{number}")
        made = await asyncio.gather(*(each.dispatcher.dispatch() for each in (one, other) for _ in range(4)))
        assert sum(made) == 60

        async def work(tower: AlertBench) -> None:
            while any(delivery.state is DeliveryState.PENDING for delivery in await tower.deliveries()):
                await tower.deliverer.deliver_due(2)

        await asyncio.gather(work(one), work(other), work(one), work(other))
        assert len(hook.received) == 60
        assert len({request.headers["webhook-id"] for request in hook.received}) == 60
        assert {"delivered"} == {*one.counted.attempts, *other.counted.attempts}


async def test_one_receiver_is_sent_one_message_at_a_time_oldest_first(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url(), occasions=["opened", "closed"])
    await alerts.opens()
    await alerts.closes()
    await alerts.dispatcher.dispatch()
    first = await alerts.deliverer.claim(10)
    assert [claim.delivery.occasion for claim in first] == ["opened"]
    assert await alerts.deliverer.claim(10) == []
    await alerts.deliverer.deliver(first[0])
    await alerts.deliverer.deliver_due()
    assert [request.json["type"] for request in hook.received] == ["circuit.opened", "circuit.closed"]


async def test_claim_of_a_tower_that_has_died_ends_by_itself_and_the_message_is_sent_under_the_same_id(
    alerts: AlertBench, hook: Receiver
) -> None:
    await alerts.webhook(hook.url())
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    (dead,) = await alerts.deliverer.claim(1)
    alerts.clock.move(seconds=59)
    assert await alerts.deliverer.deliver_due() == 0
    alerts.clock.move(seconds=1)
    assert await alerts.deliverer.deliver_due() == 1
    # The first was not dead after all: what it notes now changes nothing, and the receiver can tell.
    await alerts.deliverer.deliver(dead)
    (delivery,) = await alerts.deliveries()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert [request.headers["webhook-id"] for request in hook.received] == [delivery.message_id] * 2


async def test_receiver_that_asks_for_a_pause_gets_it(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url(), occasions=["opened", "closed"])
    await alerts.opens()
    await alerts.closes()
    await alerts.dispatcher.dispatch()
    hook.answers = [web.Response(status=429, headers={"Retry-After": "90"})]
    assert await alerts.deliverer.deliver_due() == 1
    alerts.clock.move(seconds=89)
    assert await alerts.deliverer.deliver_due() == 0
    alerts.clock.move(seconds=1)
    assert await alerts.deliverer.deliver_due() == 1
    assert await alerts.deliverer.deliver_due() == 1
    assert len(hook.received) == 3


async def test_receiver_that_is_gone_disables_its_webhook_and_the_log_says_so(
    bench: TowerBench, alerts: AlertBench, hook: Receiver
) -> None:
    webhook = await alerts.webhook(hook.url())
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    hook.answers = [web.Response(status=410)]
    await alerts.deliverer.deliver_due()
    async with alerts.database.begin() as connection:
        kept = await WebhookStore(connection).get(webhook.webhook_id)
    assert kept is not None
    assert (kept.enabled, kept.disabled_reason, kept.version) == (False, "the receiver answered 410 Gone", 2)
    (delivery,) = await alerts.deliveries()
    assert delivery.state is DeliveryState.FAILED
    await alerts.opens()
    assert await alerts.dispatcher.dispatch() == 0
    async with bench.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM log WHERE action = 'webhook.disabled'")
    assert (row["actor"], row["kind"], row["key"]) == ("Tower", "webhook", webhook.webhook_id)
    assert "/hook" not in row["before"] + row["after"]
    assert str(webhook.secret) not in row["before"] + row["after"]


async def test_dead_receiver_does_not_hold_up_the_others(alerts: AlertBench, hook: Receiver) -> None:
    for _ in range(4):
        await alerts.webhook("http://127.0.0.1:1/dead")
    await alerts.webhook(hook.url())
    for number in range(5):
        await alerts.opens(f"flag-{number}")
    await alerts.dispatcher.dispatch()
    for _ in range(5):
        await alerts.deliverer.deliver_due(5)
        alerts.clock.move(seconds=1)
    assert len(hook.received) == 5


async def test_webhook_hears_only_of_its_scope_and_its_occasions(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.app("other", "Other")
    for scope in ({}, {"app": "checkout"}, {"app": "checkout", "flag": "a"}, {"app": "checkout", "flag": "b"}):
        await alerts.webhook(hook.url(), **scope)
    await alerts.webhook(hook.url(), app="other")
    await alerts.webhook(hook.url(), occasions=["toggled"])
    await alerts.webhook(hook.url(), enabled=False)
    await alerts.opens("a")
    assert await alerts.dispatcher.dispatch() == 3


async def test_what_happened_long_before_anybody_looked_is_no_alert(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url())
    await alerts.opens()
    alerts.clock.move(days=1, seconds=1)
    await alerts.opens("b")
    assert await alerts.dispatcher.dispatch() == 1


async def test_steps_of_a_recovery_are_one_alert_and_a_reset_says_who(alerts: AlertBench, hook: Receiver) -> None:
    await alerts.webhook(hook.url(), occasions=["recovering", "closed"])
    states = [{"state": "open", "percentage": 0.0}, *({"state": "recovering", "percentage": p} for p in (10.0, 20.0))]
    circuits = [
        {"trips": 1, "generation": n, "reset_generation": 0, "since_ms": 1, "next_ms": 2, "reason": None, **state}
        for n, state in enumerate(states)
    ]
    await alerts.happen("circuit.recovering", circuits[0], circuits[1])
    await alerts.happen("circuit.recovering", circuits[1], circuits[2])
    await alerts.happen(
        "circuit.reset", {"key": "new-checkout"}, {"key": "new-checkout"}, by_person=True, reason="fixed"
    )
    closed = {**circuits[2], "state": "closed", "percentage": 100.0}
    await alerts.happen("circuit.reset", circuits[2], closed)
    await alerts.happen("circuit.reset", closed, closed)
    assert await alerts.dispatcher.dispatch() == 2
    while await alerts.deliverer.deliver_due():
        pass
    texts = [request.json["data"]["text"] for request in hook.received]  # type: ignore[index] # as asserted above
    assert texts[0].startswith("The circuit of new-checkout lets users back in: 10% of the rollout.")
    assert "was reset by a person." in texts[1]
    assert texts[1].endswith("environment reset the circuit: “fixed”.")


async def test_old_deliveries_are_removed_and_what_was_never_sent_is_given_up(
    alerts: AlertBench, hook: Receiver
) -> None:
    await alerts.webhook(hook.url(), occasions=["opened", "closed"])
    await alerts.opens()
    await alerts.closes()
    await alerts.dispatcher.dispatch()
    await alerts.deliverer.deliver_due()
    keep, grace = timedelta(days=30), timedelta(minutes=10)

    async def tidy() -> list[DeliveryState]:
        async with alerts.database.begin() as connection:
            await DeliveryStore(connection).tidy(alerts.clock(), keep, grace)
        return [delivery.state for delivery in await alerts.deliveries()]

    alerts.clock.move(days=1, minutes=9)
    assert await tidy() == [DeliveryState.DELIVERED, DeliveryState.PENDING]
    alerts.clock.move(minutes=2)
    assert await tidy() == [DeliveryState.DELIVERED, DeliveryState.FAILED]
    assert (await alerts.deliveries())[1].last_error == NOT_SENT
    alerts.clock.move(days=30)
    assert await tidy() == []


async def test_delivery_whose_entry_the_log_has_not_kept_is_given_up(
    bench: TowerBench, alerts: AlertBench, hook: Receiver
) -> None:
    await alerts.webhook(hook.url())
    await alerts.opens()
    await alerts.dispatcher.dispatch()
    await bench.sql("DELETE FROM log")
    await alerts.deliverer.deliver_due()
    (delivery,) = await alerts.deliveries()
    assert (delivery.state, delivery.last_error) == (
        DeliveryState.FAILED,
        "the log has not kept what this was about",
    )
    assert hook.received == []


async def test_many_webhooks_hear_of_many_things(bench: TowerBench, alerts: AlertBench) -> None:
    async with bench.connection() as connection:
        await connection.execute(
            "INSERT INTO webhooks (id, name, kind, url, occasions, enabled, version, created_at, updated_at) "
            "SELECT 'wh_' || n, 'x', 'slack', 'http://127.0.0.1:1/', '[\"opened\"]', true, 1, now(), now() "
            "FROM generate_series(1, 100) n"
        )
    for number in range(AT_ONCE + 10):
        await alerts.opens(f"flag-{number}")
    assert await alerts.dispatcher.dispatch() == 100 * (AT_ONCE + 10)
