"""The live socket on real servers: what changes at any Tower reaches the clients of all."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from access_clients import COOKIE, invite
from counted_past import counted_past
from live_clients import live_client
from real_servers import RealServers
from tower_bench import TOKEN, Tower, TowerBench, until

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import encode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET, SIDECARS_BUCKET, Metric
from tailslide_core.presence import Presence, encode_presence

FLAG = "/apps/shop/flags/search"


@pytest.fixture
async def flag(tower: Tower) -> None:
    await tower.ok("POST", "/apps/shop/flags", {"key": "search", "rollout": 25})


@pytest.mark.usefixtures("flag")
async def test_who_subscribes_gets_what_is_true_and_then_what_changes(tower: Tower) -> None:
    async with live_client(tower) as client:
        await client.subscribe(apps=["shop"])
        assert (await client.until("subscribed"))["resync"] is None
        shown = await client.flag("search")
        asked = (await tower.call("GET", FLAG)).whole
        assert shown.keys() == asked.keys()
        assert shown | {"state": None} == asked | {"state": None}
        assert (await client.until("current"))["resync"] is None
        await tower.ok("PATCH", FLAG, {"rollout": 50})
        await client.flag("search", lambda flag: flag["rollout"] == 50)
        await tower.ok("POST", f"{FLAG}/toggle")
        await client.flag("search", lambda flag: flag["active"])
        await tower.ok("POST", "/apps/shop/flags", {"key": "other"})
        await client.flag("other", lambda flag: not flag["active"])
        await tower.ok("POST", f"{FLAG}/archive", {"force": True})
        await tower.ok("DELETE", FLAG)
        await client.flag("search", lambda flag: flag is None)


@pytest.mark.usefixtures("flag")
async def test_a_change_through_one_tower_reaches_the_client_of_another(bench: TowerBench, tower: Tower) -> None:
    async with bench.tower() as other, live_client(other) as client:
        await client.subscribe(apps="*", log=True)
        await client.until("current")
        await tower.call("PATCH", FLAG, {"rollout": 75}, Tailslide_Reason="half of them")
        await client.flag("search", lambda flag: flag["rollout"] == 75)
        entry = (await client.until("log"))["entry"]
        assert entry["subject"] == {"kind": "flag", "app": "shop", "key": "search"}
        assert (entry["action"], entry["reason"]) == ("flag.changed", "half of them")
        assert entry["sentence"]
        shown = await tower.ok("GET", f"/log/{entry['id']}")
        assert {name: shown[name] for name in entry} | {"address": None} == entry


@pytest.mark.usefixtures("flag")
async def test_who_comes_back_with_a_cursor_gets_all_that_was_missed(tower: Tower) -> None:
    async with live_client(tower) as client:
        await client.subscribe(apps=["shop"], log=True)
        await client.until("current")
        await tower.ok("PATCH", FLAG, {"rollout": 30})
        await client.until("log")
        cursor = client.cursor
    for rollout in (40, 50, 60):
        await tower.ok("PATCH", FLAG, {"rollout": rollout})
    await tower.ok("POST", "/apps/shop/segments", {"key": "vip"})
    await tower.ok("POST", "/apps/shop/flags", {"key": "other"})
    async with live_client(tower) as client:
        await client.subscribe(since=cursor, apps=["shop"], log=True)
        assert await client.until("subscribed") == {"type": "subscribed", "cursor": cursor, "resync": None}
        await client.next(lambda message: message["type"] == "log" and message["entry"]["subject"]["key"] == "other")
        flags = [message for message in client.got if message["type"] == "flag"]
        assert [(message["key"], message["flag"]["rollout"]) for message in flags] == [("search", 60), ("other", 100)]
        entries = [message["entry"]["action"] for message in client.got if message["type"] == "log"]
        assert entries == [*["flag.changed"] * 3, "segment.created", "flag.created"]
        cursors = [int(message["cursor"]) for message in client.got if message["type"] == "log"]
        assert cursors == sorted(set(cursors))


@pytest.mark.usefixtures("flag")
async def test_a_cursor_that_is_unknown_means_everything_anew(tower: Tower) -> None:
    async with live_client(tower) as client:
        await client.subscribe(since="99999999", apps=["shop"])
        assert (await client.until("subscribed"))["resync"] == "cursor_unknown"
        assert (await client.flag("search"))["rollout"] == 25
        await client.until("current")


async def test_other_changes_are_told_to_those_without_the_log(tower: Tower) -> None:
    async with live_client(tower) as client:
        await client.subscribe(apps=["shop"], snapshot=False)
        await client.until("subscribed")
        await tower.ok("POST", "/apps/shop/segments", {"key": "vip"})
        told = await client.until("changed")
        assert (told["kind"], told["app"], told["key"], told["action"]) == ("segment", "shop", "vip", "segment.created")


async def test_what_was_not_asked_for_does_not_come(tower: Tower) -> None:
    await tower.ok("POST", "/apps", {"key": "clinic"})
    for app, key in (("shop", "a"), ("shop", "b"), ("clinic", "a")):
        await tower.ok("POST", f"/apps/{app}/flags", {"key": key})
    async with live_client(tower) as client:
        await client.subscribe(flags=["shop.a"], log=True)
        await client.until("current")
        for path in ("/apps/clinic/flags/a", "/apps/shop/flags/b", "/apps/shop/flags/a"):
            await tower.ok("PATCH", path, {"rollout": 1})
        await client.until("log")
        assert {(each["app"], each["key"]) for each in client.got if each["type"] == "flag"} == {("shop", "a")}
        assert [each["entry"]["subject"]["key"] for each in client.got if each["type"] == "log"] == ["a"]


@pytest.mark.usefixtures("flag")
async def test_a_circuit_that_moves_is_told(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", f"{FLAG}/toggle")
    reset = (await tower.ok("GET", FLAG))["circuit"]["reset_generation"]
    async with live_client(tower) as client:
        await client.subscribe(flags=["shop.search"])
        await client.until("current")
        opened = Circuit(State.OPEN, 0.0, trips=1, generation=1, reset_generation=reset, since_ms=1_795_363_190_302)
        await bench.put(CIRCUITS_BUCKET, "shop.search", encode_circuit(opened))
        shown = await client.flag("search", lambda flag: flag["state"]["circuit"]["state"] == "open")
        assert shown["state"]["circuit"]["percentage"] == 0.0
        await bench.put(CIRCUITS_BUCKET, "shop.search", encode_circuit(replace(opened, state=State.CLOSED)))
        await client.flag("search", lambda flag: flag["state"]["circuit"]["state"] == "closed")


@pytest.mark.usefixtures("flag")
async def test_sidecars_are_told_and_what_they_have_taken_in(bench: TowerBench, tower: Tower) -> None:
    await tower.until_published()
    entries = await bench.entries()
    revision = entries["shop.search"].revision
    sidecar = Presence("shop", "pay-1", "pay", "0.1.0", 1, 0, 0, 5, "jetstream", ("127.0.0.1:4141",))
    async with live_client(tower) as client:
        await client.subscribe(apps=["shop"], sidecars=True)
        await client.until("current")
        await bench.put(SIDECARS_BUCKET, "shop.pay-1", encode_presence(sidecar))
        told = await client.until("sidecar")
        assert (told["app"], told["instance"], told["sidecar"]["host"]) == ("shop", "pay-1", "pay")
        await tower.ok("PATCH", FLAG, {"rollout": 1})
        await client.flag("search", lambda flag: flag["state"]["arrived"]["of"] == 1)
        await bench.until_rulesets(lambda rulesets: rulesets["shop.search"].rollout == 1)
        entry = (await bench.entries())["shop.search"]
        assert entry.revision > revision
        taken = replace(sidecar, revision=entry.revision, revision_ms=2**50)
        await bench.put(SIDECARS_BUCKET, "shop.pay-1", encode_presence(taken))
        await client.flag("search", lambda flag: flag["state"]["arrived"]["arrived"] == 1)
    async with live_client(tower) as client:
        await client.subscribe(apps="*", sidecars=True)
        assert (await client.until("sidecar"))["sidecar"]["host"] == "pay"


async def test_points_come_as_calls_are_counted(bench: TowerBench, tower: Tower) -> None:
    async with counted_past(bench.redis_url, "shop") as past, live_client(tower) as client:
        await client.subscribe(points={"flags": ["shop.pointed"], "every_ms": 1000}, snapshot=False)
        await past.count("pointed", {Metric.SUCCESS: 6, Metric.FAILURE: 2})
        points = await client.next(
            lambda message: message["type"] == "points" and any(message["flags"]["shop.pointed"]["calls"])
        )
        assert points["available"]
        assert sum(filter(None, points["flags"]["shop.pointed"]["calls"])) == 8
        assert sum(filter(None, points["flags"]["shop.pointed"]["failures"])) == 2
        assert [at_ms % 1000 for at_ms in points["at_ms"]] == [0, 0, 0]


@pytest.mark.usefixtures("flag")
async def test_a_state_is_told_again_as_time_goes_by(bench: TowerBench, tower: Tower) -> None:
    """A flag that has just changed says how long ago that was, once there is a sidecar for it to arrive in."""
    sidecar = Presence("shop", "pay-1", "pay", "0.1.0", 1, 2**40, 2**50, 5, "jetstream", ("127.0.0.1:4141",))
    await bench.put(SIDECARS_BUCKET, "shop.pay-1", encode_presence(sidecar))
    async with live_client(tower) as client:
        await client.subscribe(flags=["shop.search"], refresh_ms=1000)
        said = {(await client.flag("search", lambda flag: "ago" in flag["state"]["sentence"]))["state"]["sentence"]}
        while len(said) < 3:
            said.add((await client.flag("search"))["state"]["sentence"])


async def test_points_say_when_there_are_none(bench: TowerBench, tower: Tower) -> None:
    async with bench.tower(redis=False) as other, live_client(other) as client:
        await client.subscribe(points={"flags": ["shop.a"]})
        points = await client.until("points")
        assert not points["available"]
        assert points["detail"] == "graphs are not available: TAILSLIDE_REDIS_URL is not set"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ("{", "message"),
        ("[]", "message"),
        ("{}", "subscribe"),
        ('{"subscribe": {"apps": ["SHOP"]}}', "subscribe.apps[0]"),
        ('{"subscribe": {"flags": ["shop"]}}', "subscribe.flags[0]"),
        ('{"subscribe": {"points": {"flags": ["shop.a"], "every_ms": 999}}}', "subscribe.points.every_ms"),
        ('{"subscribe": {"points": {"flags": []}}}', "subscribe.points.flags"),
        ('{"subscribe": {"colour": 1}}', "subscribe.colour"),
        ('{"subscribe": {}, "since": "x"}', "since"),
    ],
)
async def test_a_message_that_is_not_understood_is_said_and_costs_nothing(tower: Tower, sent: str, field: str) -> None:
    async with live_client(tower) as client:
        await client.socket.send_str(sent)
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("INVALID", field)
        await client.subscribe(apps=["shop"])
        await client.until("current")


async def test_who_goes_on_sending_nonsense_is_put_out(tower: Tower) -> None:
    async with live_client(tower) as client:
        for _ in range(12):
            await client.socket.send_str("nonsense")
        assert await client.code() == 4400


async def test_who_sends_too_much_is_put_out(tower: Tower) -> None:
    async with live_client(tower) as client:
        for _ in range(40):
            await client.subscribe(apps=["shop"], snapshot=False)
        assert await client.code() == 4429


async def test_a_message_that_is_too_large_ends_the_socket(tower: Tower) -> None:
    async with live_client(tower) as client:
        await client.socket.send_str("x" * 100_000)
        assert await client.code() == 1009


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer nobody-knows-this-token"}, 401),
        ({"Authorization": ""}, 401),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-WebSocket-Version": "12"}, 426),
    ],
)
async def test_who_may_not_open_one_is_answered_by_http(tower: Tower, headers: dict[str, str], status: int) -> None:
    sent = {"Authorization": f"Bearer {TOKEN}"} | headers
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tower.socket))) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with session.ws_connect("http://tower/api/v1/live", headers=sent):
                pass
    assert refused.value.status == status


async def test_without_the_wish_for_a_socket_there_is_none(tower: Tower) -> None:
    answer = await tower.call("GET", "/live")
    assert answer.error == (426, "UPGRADE_REQUIRED", "Upgrade")
    assert answer.headers["Upgrade"] == "websocket"


async def test_a_token_that_is_revoked_ends_its_socket(tower: Tower) -> None:
    made = await tower.ok("POST", "/tokens", {"name": "ci", "apps": {"shop": "viewer"}, "shared": True})
    async with live_client(tower, token=made["token"]) as client:
        await client.subscribe(apps=["shop"])
        await client.until("current")
        await tower.ok("DELETE", f"/tokens/{made['id']}")
        assert await client.code() == 4401


@pytest.mark.usefixtures("flag")
async def test_a_token_of_one_app_sees_that_app_alone(tower: Tower) -> None:
    await tower.ok("POST", "/apps", {"key": "clinic"})
    await tower.ok("POST", "/apps/clinic/flags", {"key": "secret"})
    made = await tower.ok("POST", "/tokens", {"name": "ci", "apps": {"shop": "viewer"}, "shared": True})
    async with live_client(tower, token=made["token"]) as client:
        await client.subscribe(apps="*", log=True, sidecars=True)
        await client.until("current")
        await tower.ok("PATCH", "/apps/clinic/flags/secret", {"rollout": 1})
        await tower.ok("POST", "/tokens", {"name": "another", "apps": {"shop": "viewer"}, "shared": True})
        await tower.ok("PATCH", FLAG, {"rollout": 2})
        await client.flag("search", lambda flag: flag["rollout"] == 2)
        assert "clinic" not in repr(client.got)
        assert "another" not in repr(client.got)
        for wanted in ({"apps": ["clinic"]}, {"flags": ["clinic.secret"]}, {"points": {"flags": ["clinic.secret"]}}):
            await client.subscribe(**wanted)
            assert (await client.until("error"))["code"] == "FORBIDDEN"


async def test_a_session_opens_a_socket_for_pages_of_towers_own_only_and_its_end_is_the_socket_s(tower: Tower) -> None:
    browser = await invite(tower, "viewer@example.org", role="viewer")
    cookie = {"Authorization": "", "Cookie": f"{COOKIE}={browser.cookie}"}
    async with live_client(tower, headers=cookie | {"Origin": "http://tower"}) as client:
        await client.subscribe(apps=["shop"])
        await client.until("current")
        for origin in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with live_client(tower, headers=cookie | origin):
                    pass
            assert refused.value.status == 403, origin
        await browser.ok("DELETE", "/session")
        assert await client.code() == 4401


async def test_a_tower_that_stops_says_so(bench: TowerBench, tower: Tower) -> None:
    async with bench.tower_process() as (other, process), live_client(other) as client:
        await client.subscribe(apps=["shop"])
        await client.until("current")
        process.terminate()
        assert await client.code() == 1001
        async with asyncio.timeout(5):
            assert await process.wait() == 0


@pytest.mark.usefixtures("flag")
async def test_while_the_database_is_away_nothing_is_lost(
    bench: TowerBench, tower: Tower, own_servers: RealServers
) -> None:
    async with live_client(tower) as client:
        await client.subscribe(apps=["shop"], log=True)
        await client.until("current")
        own_servers.kill("postgres")
        own_servers.start("postgres")

        async def changed() -> bool:
            return (await tower.call("PATCH", FLAG, {"rollout": 33})).status == 200

        await until(changed)
        assert (await client.flag("search", lambda flag: flag["rollout"] == 33))["rollout"] == 33
        await client.until("log")
