"""What holds for all of Tower's API: conditions, problems, the description, and the log of changes."""

import re
from urllib.parse import quote

import orjson
import pytest
from tower_bench import Tower, TowerBench

FLAGS = "/apps/shop/flags"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/apps/shop", {"name": "Shop"}),
        ("DELETE", "/apps/shop", None),
        ("PATCH", f"{FLAGS}/one", {"rollout": 5}),
        ("POST", f"{FLAGS}/one/toggle", None),
        ("POST", f"{FLAGS}/one/circuit/reset", None),
        ("POST", f"{FLAGS}/one/archive", {"force": True}),
        ("POST", f"{FLAGS}/one/restore", None),
        ("POST", "/apps/shop/archive", {"force": True}),
        ("POST", "/apps/shop/restore", None),
        ("DELETE", f"{FLAGS}/one", None),
    ],
)
async def test_change_of_what_exists_needs_if_match(tower: Tower, method: str, path: str, body: object) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    answer = await tower.call(method, path, body, If_Match="")
    assert answer.error == (428, "PRECONDITION_REQUIRED", "If-Match")
    stale = await tower.call(method, path, body, If_Match='"77"')
    assert stale.error == (412, "PRECONDITION_FAILED", "If-Match")
    resource = await tower.call("GET", f"{FLAGS}/one" if path.startswith(FLAGS) else "/apps/shop")
    assert stale.body["current"]["key"] == resource.body["key"]
    assert stale.body["current"]["version"] == resource.body["version"]
    assert stale.headers["ETag"] == resource.headers["ETag"]


async def test_description_covers_every_route_and_hides_what_nobody_may_send(tower: Tower) -> None:
    described = (await tower.call("GET", "/openapi.json", Authorization="none")).body
    assert described["openapi"] == "3.1.0"
    change = described["paths"]["/apps/{app}/flags/{flag}"]["patch"]
    assert {parameter["name"] for parameter in change["parameters"]} == {"app", "flag", "If-Match", "Tailslide-Reason"}
    assert {"200", "400", "401", "403", "404", "409", "412", "428", "503"} <= change["responses"].keys()
    assert "rollout" in described["components"]["schemas"]["FlagChange"]["properties"]
    assert "version" not in described["components"]["schemas"]["FlagChange"]["properties"]
    assert b"#/$defs" not in orjson.dumps(described)


async def test_unknown_query_parameter_is_told_which_there_are(tower: Tower) -> None:
    answer = await tower.call("GET", f"{FLAGS}?size=5")
    assert answer.error == (400, "INVALID", "size")
    assert "limit, after" in answer.body["detail"]


async def test_every_change_is_in_the_log_with_who_and_why(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    reason = quote("Zahlungen fallen aus: 50 %")
    await tower.call("POST", f"{FLAGS}/one/toggle", {"active": True}, Tailslide_Reason=reason)
    await tower.call("POST", f"{FLAGS}/one/toggle", {"active": True})  # changes nothing
    await tower.delete_flag(f"{FLAGS}/one")
    async with bench.connection() as connection:
        rows = await connection.fetch("SELECT * FROM log WHERE key = 'one' ORDER BY id")
    assert [row["action"] for row in rows] == ["flag.created", "flag.toggled", "flag.archived", "flag.deleted"]
    toggled = rows[1]
    assert (toggled["actor"], toggled["reason"], toggled["version"]) == ("environment", "Zahlungen fallen aus: 50 %", 2)
    assert orjson.loads(toggled["before"])["active"] is False
    assert orjson.loads(toggled["after"])["active"] is True
    assert (rows[0]["before"], rows[3]["after"]) == (None, None)


async def test_change_that_is_refused_is_not_in_the_log(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await tower.call("PATCH", f"{FLAGS}/one", {"rollout": 500})
    await tower.call("POST", FLAGS, {"key": "one"})
    async with bench.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM log WHERE key = 'one'") == 1


async def test_reason_that_is_too_long_is_refused(tower: Tower) -> None:
    answer = await tower.call("POST", FLAGS, {"key": "one"}, Tailslide_Reason="x" * 501)
    assert answer.error == (400, "INVALID", "Tailslide-Reason")


async def test_page_to_try_the_api_is_served_whole_and_runs_no_other_scripts(tower: Tower) -> None:
    page = await tower.call("GET", "/api/docs", Authorization="")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for name in re.findall(rb'(?:src|href)="(docs/[^"]+)"', page.body):
        got = await tower.call("GET", f"/api/{name.decode()}", Authorization="")
        assert got.status == 200, name
    assert (await tower.call("GET", "/api/docs/README.md", Authorization="")).status == 404
