"""Somebody with a role in one app sees nothing of another one, wherever they look."""

from typing import Any

import orjson
from access_clients import Browser, invite
from live_clients import live_client
from tower_bench import Answer, Tower, TowerBench

from tailslide_core.naming import SIDECARS_BUCKET
from tailslide_core.presence import Presence, encode_presence
from tailslide_tower.app import SUBJECTS

HIDDEN = "hidden"
"""Is in the name of all that must not be seen."""
READS = [
    operation.path
    for subject in SUBJECTS
    for operation, _ in subject.declared
    if operation.method == "GET" and "{" not in operation.path and operation.path not in {"/live", "/openapi.json"}
]


def sidecar(app: str) -> Presence:
    return Presence(
        app=app,
        instance=f"{app}-1",
        host=f"{app}.example.org",
        version="1",
        started_ms=1,
        revision=1,
        revision_ms=1,
        age_ms=0,
        source="jetstream",
        listeners=("127.0.0.1:4141",),
    )


async def fill(bench: TowerBench, tower: Tower, app: str) -> dict[str, Any]:
    """Make one of everything in an app; return the ids of what has one."""
    await tower.ok("POST", "/apps", {"key": app, "service": f"service of {app}"})
    await tower.ok("POST", f"/apps/{app}/segments", {"key": f"{app}-vip", "include": [f"{app}-user"]})
    flag = {"key": f"{app}-flag", "active": True, "tags": [f"{app}-tag"], "circuit": {"forced_open": True}}
    await tower.ok("POST", f"/apps/{app}/flags", flag)
    await tower.ok("POST", f"/apps/{app}/keys", {"name": f"key of {app}"})
    await tower.ok("POST", "/links", {"name": f"link to {app}", "app": app})
    webhook = {"name": f"hook of {app}", "kind": "generic", "url": f"https://{app}.example.org/x", "app": app}
    made = await tower.ok("POST", "/webhooks", webhook)
    await bench.put(SIDECARS_BUCKET, f"{app}.{app}-1", encode_presence(sidecar(app)))
    entries = (await tower.ok("GET", f"/log?app={app}&kind=flag"))["entries"]
    return {"webhook": made["id"], "entry": entries[0]["id"]}


def text_of(answer: Answer) -> str:
    whole = answer.whole
    return (whole if isinstance(whole, bytes) else orjson.dumps(whole)).decode()


async def test_role_in_one_app_sees_nothing_of_another(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        ids = await fill(bench, tower, HIDDEN)
        await fill(bench, tower, "desk")
        await tower.ok("POST", "/tokens", {"name": f"token for {HIDDEN}", "apps": {HIDDEN: "admin"}})
        own = [await invite(tower, "desk@example.org", apps={"desk": "admin"}), await by_token(tower, "desk")]
        for reader in own:
            for path in READS:
                query = {"/timeseries": "?flags=desk.desk-flag"}.get(path, "")
                answer = await reader.call("GET", f"{path}{query}")
                assert answer.status in {200, 303, 400, 403, 404}, (path, answer)
                assert HIDDEN not in text_of(answer), (path, answer)
            for path in (
                f"/log?q={HIDDEN}",
                f"/log/export?format=jsonl&q={HIDDEN}",
                f"/flags?q={HIDDEN}",
                f"/apps?q={HIDDEN}",
            ):
                answer = await reader.call("GET", path)
                assert answer.status == 200, path
                assert f"{HIDDEN}-" not in text_of(answer), (path, answer)
            for path in (
                f"/log?app={HIDDEN}",
                f"/log/export?app={HIDDEN}",
                f"/status?app={HIDDEN}",
                f"/timeseries?flags={HIDDEN}.{HIDDEN}-flag",
                f"/timeseries?flags=desk.desk-flag,{HIDDEN}.{HIDDEN}-flag",
            ):
                assert (await reader.call("GET", path)).error[:2] == (403, "FORBIDDEN"), path
            listed = await reader.ok("GET", f"/flags?app={HIDDEN}"), await reader.ok("GET", f"/webhooks?app={HIDDEN}")
            assert (listed[0]["flags"], listed[1]["webhooks"]) == ([], [])
            webhook = f"/webhooks/{ids['webhook']}"
            for path in (f"/log/{ids['entry']}", webhook, f"{webhook}/deliveries"):
                assert (await reader.call("GET", path)).status == 404, path
            for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/rotate-secret"), ("POST", "/test")):
                body: dict[str, Any] | None = {} if method == "PATCH" else None
                answer = await reader.call(method, f"{webhook}{path}", body)
                assert answer.error[:2] == (404, "WEBHOOK_NOT_FOUND"), (method, path)
            copy = {"app": HIDDEN, "key": "copy"}
            assert (await reader.call("POST", "/apps/desk/flags/desk-flag/duplicate", copy)).status == 403
            requires = {"requires": [{"flag": f"{HIDDEN}-flag"}]}
            answer = await reader.call("PATCH", "/apps/desk/flags/desk-flag", requires)
            assert answer.status == 400, answer
            # An app that is there and one that is not are the same to who has no role in either.
            answers = [await reader.call("GET", f"/apps/{app}") for app in (HIDDEN, "nothing")]
            assert [answer.status for answer in answers] == [403, 403]


async def test_live_socket_of_one_app_tells_nothing_of_another(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        await fill(bench, tower, HIDDEN)
        await fill(bench, tower, "desk")
        reader = await by_token(tower, "desk")
        token = reader.headers["Authorization"].partition(" ")[2]
        async with live_client(tower, token=token) as client:
            await client.subscribe(apps="*", log=True, sidecars=True)
            await client.until("current")
            for wanted in (
                {"apps": [HIDDEN]},
                {"flags": [f"{HIDDEN}.{HIDDEN}-flag"]},
                {"points": {"flags": [f"{HIDDEN}.{HIDDEN}-flag"]}},
            ):
                await client.subscribe(**wanted)
                assert (await client.until("error"))["code"] == "FORBIDDEN"
            for app in (HIDDEN, "desk"):
                await bench.put(SIDECARS_BUCKET, f"{app}.{app}-2", encode_presence(sidecar(app)).replace(b"-1", b"-2"))
                await tower.ok("POST", f"/apps/{app}/flags/{app}-flag/toggle", {"active": False})
                await tower.ok("POST", f"/apps/{app}/keys", {"name": f"another of {app}"})
            await client.next(lambda message: message.get("entry", {}).get("action") == "sdk_key.created")
            said = [message for message in client.got if message["type"] != "error"]
        assert HIDDEN not in orjson.dumps(said).decode()


async def by_token(tower: Tower, app: str) -> Browser:
    """Return who asks with a token that may do everything in one app."""
    made = await tower.ok("POST", "/tokens", {"name": f"admin of {app}", "apps": {app: "admin"}})
    return Browser(tower, headers={"Authorization": f"Bearer {made['token']}"})
