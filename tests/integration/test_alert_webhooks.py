"""Webhooks over the API of a whole Tower, and alerts from a change to a receiver."""

from collections.abc import AsyncIterator

import pytest
from access_clients import invite
from standardwebhooks import Webhook as Verifier
from tower_bench import Tower, TowerBench, until
from webhook_receivers import Receiver, receiver

from tailslide_tower.alerts.service import MAX_WEBHOOKS

FLAGS = "/apps/shop/flags"


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


@pytest.fixture
async def alerting(bench: TowerBench) -> AsyncIterator[Tower]:
    async with bench.tower(alert_allowed_networks=("127.0.0.0/8",)) as running:
        await running.ok("POST", "/apps", {"key": "shop"})
        await running.ok("POST", FLAGS, {"key": "one"})
        yield running


async def test_a_webhook_from_its_making_to_its_end(bench: TowerBench, alerting: Tower, hook: Receiver) -> None:
    made = await alerting.call(
        "POST", "/webhooks", {"name": "On call", "kind": "generic", "url": hook.url("/s3cret"), "app": "shop"}
    )
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    path = f"/webhooks/{made.body['id']}"
    assert made.headers["Location"] == f"/api/v1{path}"
    secret = made.body.pop("secret")
    assert secret.startswith("whsec_")
    assert made.body == {
        "id": made.body["id"],
        "name": "On call",
        "kind": "generic",
        "url": hook.url("/s3cret"),
        "app": "shop",
        "flag": None,
        "occasions": ["opened", "closed", "reopened", "nothing_judged"],
        "enabled": True,
        "disabled_reason": None,
        "signed": True,
        "old_secret_until": None,
        "version": 1,
        "created_at": made.body["created_at"],
        "updated_at": made.body["created_at"],
    }
    assert await alerting.ok("GET", path) == made.body
    assert (await alerting.ok("GET", "/webhooks?app=shop"))["webhooks"] == [made.body]
    assert (await alerting.ok("GET", "/webhooks?app=shop&flag=one"))["webhooks"] == []

    assert (await alerting.call("PATCH", path, {"name": "x"}, If_Match="")).status == 428
    stale = await alerting.call("PATCH", path, {"name": "x"}, If_Match='"7"')
    assert (stale.status, stale.body["current"]) == (412, made.body)
    changed = await alerting.ok("PATCH", path, {"occasions": ["toggled"], "name": "Office hours"})
    assert (changed["occasions"], changed["name"], changed["version"]) == (["toggled"], "Office hours", 2)
    assert (await alerting.ok("PATCH", path, {"name": "Office hours"}))["version"] == 2

    rotated = await alerting.ok("POST", f"{path}/rotate-secret")
    assert rotated["secret"] not in {None, secret}
    assert rotated["old_secret_until"] is not None
    tried = await alerting.ok("POST", f"{path}/test")
    assert tried == {"delivered": True, "status": 200, "answer": None, "error": None}
    request = hook.received.pop()
    for key in (secret, rotated["secret"]):
        sample = Verifier(key).verify(request.body, dict(request.headers))
        assert (sample["type"], sample["data"]["sample"]) == ("circuit.opened", True)
        assert sample["data"]["title"] == "Sample: Circuit open: new-checkout (shop)"

    assert (await alerting.call("DELETE", path)).status == 204
    assert (await alerting.call("GET", path)).error == (404, "WEBHOOK_NOT_FOUND", "webhook")
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT * FROM log WHERE kind = 'webhook' ORDER BY id")
    assert [row["action"] for row in rows] == [
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.deleted",
    ]
    written = str([tuple(row) for row in rows])
    for hidden in ("s3cret", secret, rotated["secret"]):
        assert hidden not in written


async def test_a_change_is_told_and_its_delivery_is_shown_and_sent_again(alerting: Tower, hook: Receiver) -> None:
    webhook = await alerting.ok(
        "POST",
        "/webhooks",
        {
            "name": "All",
            "kind": "slack",
            "url": hook.url(),
            "app": "shop",
            "flag": "one",
            "occasions": ["toggled", "changed"],
        },
    )
    assert webhook["secret"] is None
    await alerting.call("POST", f"{FLAGS}/one/toggle", {"active": True}, Tailslide_Reason="launch")

    async def received(number: int) -> bool:
        return len(hook.received) == number

    await until(lambda: received(1))
    body = hook.received[0].json
    assert body["text"] == (
        "Turned on: one (shop)\nenvironment turned one on for 100%.\nReason: “launch”.\n"
        "http://localhost/apps/shop/flags/one"
    )
    assert "webhook-signature" not in hook.received[0].headers

    async def shown() -> list[dict[str, object]]:
        listed = await alerting.ok("GET", f"/webhooks/{webhook['id']}/deliveries")
        assert listed["next"] is None
        deliveries: list[dict[str, object]] = listed["deliveries"]
        return deliveries

    async def delivered() -> bool:
        return [delivery["state"] for delivery in await shown()] == ["delivered"]

    await until(delivered)
    (delivery,) = await shown()
    assert (delivery["occasion"], delivery["attempts"], delivery["status"]) == ("toggled", 1, 200)
    assert (delivery["error"], delivery["next_at"]) == (None, None)
    path = f"/webhooks/{webhook['id']}/deliveries/{delivery['id']}/resend"
    again = await alerting.call("POST", path)
    assert (again.status, again.body["state"]) == (202, "pending")
    await until(lambda: received(2))
    await until(delivered)
    for state, number in (("delivered", 1), ("failed", 0)):
        listed = await alerting.ok("GET", f"/webhooks/{webhook['id']}/deliveries?state={state}")
        assert len(listed["deliveries"]) == number


async def test_deliveries_are_paged_newest_first(alerting: Tower, hook: Receiver) -> None:
    webhook = await alerting.ok(
        "POST", "/webhooks", {"name": "All", "kind": "slack", "url": hook.url(), "occasions": ["changed"]}
    )
    for number in range(5):
        await alerting.ok("PATCH", f"{FLAGS}/one", {"description": f"{number}"})

    async def all_received() -> bool:
        return len(hook.received) == 5

    await until(all_received)
    entries: list[int] = []
    query = "?limit=2"
    while query:
        page = await alerting.ok("GET", f"/webhooks/{webhook['id']}/deliveries{query}")
        entries += [delivery["entry"] for delivery in page["deliveries"]]
        query = f"?limit=2&after={page['next']}" if page["next"] else ""
    assert len(entries) == 5
    assert entries == sorted(entries, reverse=True)


URL = "https://hooks.example.org/x"
BAD: list[tuple[str, str, object, tuple[int, str, str | None]]] = [
    ("POST", "/webhooks", {"kind": "slack", "url": URL}, (400, "INVALID", "name")),
    ("POST", "/webhooks", {"name": "a", "kind": "teams", "url": URL}, (400, "INVALID", "kind")),
    ("POST", "/webhooks", {"name": "a", "kind": "slack"}, (400, "INVALID", "url")),
    ("POST", "/webhooks", {"name": "a", "kind": "slack", "url": "http://10.0.0.1/x"}, (400, "INVALID", "url")),
    ("POST", "/webhooks", {"name": "a", "kind": "slack", "url": "http://localhost:1/x"}, (400, "INVALID", "url")),
    ("POST", "/webhooks", {"name": "a", "kind": "slack", "url": URL, "flag": "one"}, (400, "INVALID", "app")),
    ("POST", "/webhooks", {"name": "a", "kind": "slack", "url": URL, "app": "none"}, (404, "APP_NOT_FOUND", "app")),
    (
        "POST",
        "/webhooks",
        {"name": "a", "kind": "slack", "url": URL, "app": "shop", "flag": "none"},
        (400, "INVALID", "flag"),
    ),
    ("POST", "/webhooks", {"name": "a", "kind": "slack", "url": URL, "occasions": []}, (400, "INVALID", "occasions")),
    (
        "POST",
        "/webhooks",
        {"name": "a", "kind": "slack", "url": URL, "occasions": ["exploded"]},
        (400, "INVALID", "occasions[0]"),
    ),
    ("GET", "/webhooks/wh_none", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("GET", "/webhooks/wh_none/deliveries", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("PATCH", "/webhooks/wh_none", {"name": "a"}, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("DELETE", "/webhooks/wh_none", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("POST", "/webhooks/wh_none/test", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("POST", "/webhooks/wh_none/rotate-secret", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("POST", "/webhooks/wh_none/deliveries/5/resend", None, (404, "WEBHOOK_NOT_FOUND", "webhook")),
    ("POST", "/webhooks/there/deliveries/5/resend", None, (404, "DELIVERY_NOT_FOUND", "delivery")),
    ("POST", "/webhooks/there/deliveries/x/resend", None, (404, "DELIVERY_NOT_FOUND", "delivery")),
    ("POST", "/webhooks/there/rotate-secret", None, (409, "NO_SECRET", "kind")),
    ("GET", "/webhooks/there/deliveries?state=lost", None, (400, "INVALID", "state")),
    ("GET", "/webhooks/there/deliveries?after=x", None, (400, "INVALID", "after")),
    ("PATCH", "/webhooks/there", {"kind": "generic"}, (400, "INVALID", "kind")),
    ("PATCH", "/webhooks/there", {"url": "http://169.254.169.254/x"}, (400, "INVALID", "url")),
    ("GET", "/webhooks?flag=one", None, (400, "INVALID", "app")),
]


async def test_each_bad_request_is_told_what_is_wrong_with_it(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    there = await tower.ok("POST", "/webhooks", {"name": "there", "kind": "slack", "url": "http://8.8.8.8/x"})
    for method, path, body, error in BAD:
        answer = await tower.call(method, path.replace("there", there["id"]), body)
        assert answer.error == error, (method, path, answer.body)
    assert len((await tower.ok("GET", "/webhooks"))["webhooks"]) == 1
    async with bench.connection() as connection:
        await connection.execute(
            "INSERT INTO webhooks (id, name, kind, url, occasions, enabled, version, created_at, updated_at) "
            "SELECT 'wh_' || n, 'x', 'slack', 'http://8.8.8.8/', '[]', false, 1, now(), now() "
            f"FROM generate_series(2, {MAX_WEBHOOKS}) n"
        )
    answer = await tower.call("POST", "/webhooks", {"name": "one more", "kind": "slack", "url": "http://8.8.8.8/x"})
    assert answer.error == (409, "TOO_MANY_WEBHOOKS", "app")
    await tower.ok("POST", "/webhooks", {"name": "a", "kind": "slack", "url": "http://8.8.8.8/x", "app": "shop"})


async def test_alert_is_told_when_postgresql_is_back(bench: TowerBench, alerting: Tower, hook: Receiver) -> None:
    webhook = {"name": "All", "kind": "slack", "url": hook.url(), "occasions": ["toggled"]}
    await alerting.ok("POST", "/webhooks", webhook)
    bench.servers.kill("postgres")
    bench.servers.start("postgres")

    async def toggled() -> bool:
        return (await alerting.call("POST", f"{FLAGS}/one/toggle", {"active": True})).status == 200

    await until(toggled)

    async def received() -> bool:
        return len(hook.received) == 1

    await until(received)


async def test_webhook_belongs_to_the_editors_of_its_app_and_one_of_all_apps_to_admins(alerting: Tower) -> None:
    await alerting.ok("POST", "/apps", {"key": "desk"})
    fields = {"name": "a", "kind": "slack", "url": "http://8.8.8.8/secret"}
    of_shop = await alerting.ok("POST", "/webhooks", {**fields, "app": "shop"})
    of_all = await alerting.ok("POST", "/webhooks", fields)
    shop = await invite(alerting, "shop@example.org", apps={"shop": "editor"})
    desk = await invite(alerting, "desk@example.org", apps={"desk": "editor"})
    viewer = await invite(alerting, "viewer@example.org", role="viewer")
    editor = await invite(alerting, "editor@example.org", role="editor")

    seen = {
        who: [
            (webhook["id"] == of_all["id"], webhook["url"])
            for webhook in sorted((await asking.ok("GET", "/webhooks"))["webhooks"], key=lambda each: str(each["app"]))
        ]
        for who, asking in (("shop", shop), ("desk", desk), ("viewer", viewer), ("editor", editor))
    }
    whole, masked = "http://8.8.8.8/secret", "http://8.8.8.8/…"
    assert seen == {
        "shop": [(False, whole)],
        "desk": [],
        "viewer": [(True, masked), (False, masked)],
        "editor": [(True, masked), (False, whole)],
    }
    for asking, webhook, status in (
        (shop, of_shop, 200),
        (editor, of_shop, 200),
        (viewer, of_shop, 403),
        (desk, of_shop, 404),
        (shop, of_all, 404),
        (editor, of_all, 403),
    ):
        answer = await asking.call("PATCH", f"/webhooks/{webhook['id']}", {"occasions": ["reset"]})
        assert answer.status == status, answer
    for asking, scope, status in (
        (shop, {"app": "shop"}, 201),
        (shop, {"app": "desk"}, 403),
        (shop, {}, 403),
        (editor, {}, 403),
    ):
        assert (await asking.call("POST", "/webhooks", {**fields, **scope})).status == status
