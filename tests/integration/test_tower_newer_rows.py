"""Rows that a newer Tower has written, while Towers are upgraded one after another: this one loses nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from access_clients import invite
from alert_bench import AlertBench, alert_bench
from live_clients import live_client
from tower_bench import Tower, TowerBench
from webhook_receivers import receiver

ADD_ENTRY = """
WITH added AS (
  INSERT INTO log (at, action, kind, app, key, actor_kind, actor_id, actor, before, after, details)
  VALUES (
    now(), 'schedule.created', 'schedule', {app}, 'night', 'robot', '7', 'night shift', NULL, '{{"name": "x"}}', '{{}}'
  )
  RETURNING id
) SELECT pg_notify('tailslide_log', id::text) FROM added
"""


@pytest.fixture
async def alerts(bench: TowerBench) -> AsyncIterator[AlertBench]:
    async with alert_bench(bench) as made:
        await made.app()
        yield made


async def test_entry_of_an_unknown_kind_is_shown_to_admins_and_stops_nobody(bench: TowerBench, tower: Tower) -> None:
    viewer = await invite(tower, "viewer@example.org", apps={"shop": "viewer"})
    async with live_client(tower) as client:
        await client.subscribe(apps="*", log=True)
        await client.until("current")
        await bench.sql(ADD_ENTRY.format(app="'shop'"))
        await bench.sql(ADD_ENTRY.format(app="NULL"))
        await tower.ok("POST", "/apps/shop/flags", {"key": "one"})
        await client.next(lambda message: message.get("entry", {}).get("action") == "flag.created")
        told = [message["entry"] for message in client.got if message["type"] == "log"]
    assert [entry["action"] for entry in told] == ["schedule.created", "schedule.created", "flag.created"]
    assert told[0]["sentence"] == "night shift made the schedule x."
    (_, entry, _, *_) = (await tower.ok("GET", "/log"))["entries"]
    assert entry["subject"] == {"kind": "schedule", "app": None, "key": "night"}
    # What it is about is not known, so it may be about people.
    assert {each["action"] for each in (await viewer.ok("GET", "/log"))["entries"]} == {"app.created", "flag.created"}
    assert (await viewer.call("GET", f"/log/{told[0]['id']}")).status == 404
    export = await tower.call("GET", "/log/export")
    assert export.status == 200
    assert b"schedule.created" in export.body


async def test_entry_of_an_unknown_kind_does_not_hold_up_alerts(bench: TowerBench, alerts: AlertBench) -> None:
    async with receiver() as hook:
        await alerts.webhook(hook.url())
        await bench.sql(ADD_ENTRY.format(app="'checkout'"))
        await alerts.opens()
        assert await alerts.dispatcher.dispatch() == 1
        assert await alerts.deliverer.deliver_due() == 1
        assert len(hook.received) == 1


async def test_webhook_of_an_unknown_kind_is_left_to_newer_towers(bench: TowerBench, alerts: AlertBench) -> None:
    async with receiver() as hook:
        newer, known = await alerts.webhook(hook.url("/newer")), await alerts.webhook(hook.url("/known"))
        await bench.sql(f"UPDATE webhooks SET kind = 'carrier_pigeon' WHERE id = '{newer.webhook_id}'")
        await alerts.opens()
        assert await alerts.dispatcher.dispatch() == 2, "deliveries are made for it, too"
        assert await alerts.deliverer.deliver_due() == 1
        assert [request.path for request in hook.received] == ["/known"]
        assert await alerts.deliverer.deliver_due() == 0
        async with bench.tower() as tower:
            listed = (await tower.ok("GET", "/webhooks"))["webhooks"]
            assert {each["id"]: each["kind"] for each in listed} == {
                newer.webhook_id: "carrier_pigeon",
                known.webhook_id: "generic",
            }
            tried = await tower.call("POST", f"/webhooks/{newer.webhook_id}/test")
            assert tried.error == (409, "UNKNOWN_KIND", "webhook")


async def test_session_of_an_unknown_method_is_one(bench: TowerBench, tower: Tower) -> None:
    viewer = await invite(tower, "viewer@example.org", role="viewer")
    await bench.sql("UPDATE sessions SET method = 'passkey'")
    assert [each["method"] for each in (await viewer.ok("GET", "/account/sessions"))["sessions"]] == ["passkey"]


async def test_entry_that_cannot_be_told_stops_no_delivery(alerts: AlertBench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as hook:
        await alerts.webhook(hook.url())
        await alerts.opens()
        await alerts.dispatcher.dispatch()

        def broken(*_: object) -> object:
            raise KeyError("what a newer Tower has written")

        with monkeypatch.context() as patched:
            patched.setattr("tailslide_tower.alerts.log_reader.sentence_of", broken)
            async with asyncio.TaskGroup() as group:
                (claim,) = await alerts.deliverer.claim(1)
                group.create_task(alerts.deliverer.deliver(claim))
        (delivery,) = await alerts.deliveries()
        assert (delivery.state, delivery.last_error) == (
            "pending",
            "this Tower cannot read what this is about: KeyError",
        )
        alerts.clock.move(hours=1)
        assert await alerts.deliverer.deliver_due() == 1
        assert len(hook.received) == 1


async def test_flag_that_cannot_be_read_hides_no_other(bench: TowerBench, tower: Tower) -> None:
    keys = [f"flag-{number}" for number in range(6)]
    for key in keys:
        await tower.ok("POST", "/apps/shop/flags", {"key": key, "active": True, "circuit": {"forced_open": True}})
    rule = '[{"when": [{"attribute": "plan", "operator": "sounds_like", "values": ["pro"]}], "rollout": 5}]'
    await bench.sql(f"UPDATE flags SET rules = '{rule}' WHERE key IN ('flag-1', 'flag-2', 'flag-5')")
    for path in ("/apps/shop/flags", "/flags"):
        seen, after = [], ""
        while True:
            page = await tower.ok("GET", f"{path}?limit=2&after={after}")
            seen += [flag["key"] for flag in page["flags"]]
            if page["next"] is None:
                break
            after = page["next"]
        assert seen == ["flag-0", "flag-3", "flag-4"]
    assert [flag["key"] for flag in (await tower.ok("GET", "/status"))["flags"]] == ["flag-0", "flag-3", "flag-4"]
    answer = await tower.call("GET", "/apps/shop/flags/flag-1")
    assert answer.error == (500, "FLAG_UNREADABLE", "flag")
    assert "shop.flag-1" in answer.body["detail"]


async def test_schema_that_was_changed_meanwhile_fails_one_request_at_most(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", "/apps/shop/flags", {"key": "one"})
    for _ in range(3):  # so that connections have prepared what they ask
        await asyncio.gather(*(tower.call("GET", "/flags") for _ in range(10)))
    await bench.sql("ALTER TABLE flags ALTER COLUMN tags TYPE json")
    answers = [await tower.call("GET", "/flags") for _ in range(20)]
    assert {answer.status for answer in answers[1:]} == {200}
    if answers[0].status != 200:
        assert answers[0].error == (503, "DATABASE_UNAVAILABLE", None)
