"""Tower's API on a real PostgreSQL, and what it does when it has none."""

import asyncio
import socket
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from real_servers import RealServers
from tower_bench import TOKEN, Tower, TowerBench, tower_bench, until

import tailslide_tower.database
from tailslide_core.flag_contracts import circuit_settings_json
from tailslide_core.ruleset import CircuitSettings
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.app import serve
from tailslide_tower.audit.store import SEARCH_ONLY
from tailslide_tower.database import MIGRATIONS_LOCK, Database, metadata

FLAGS = "/apps/shop/flags"
OTHER_TOKEN = "another-token-for-the-tests"


@pytest.fixture
async def bench(own_servers: RealServers, tmp_path: Path) -> AsyncIterator[TowerBench]:
    """Yield a bench whose database is empty, so that Tower's start makes all tables."""
    async with tower_bench(own_servers, tmp_path, empty=True) as made:
        yield made


async def test_an_app_from_its_making_to_its_end(tower: Tower) -> None:
    made = await tower.call("POST", "/apps", {"key": "desk", "name": "Front desk"})
    assert (made.status, made.headers["Location"]) == (201, "/api/v1/apps/desk")
    assert (made.body["key"], made.body["name"]) == ("desk", "Front desk")
    assert await tower.ok("GET", "/apps/desk") == made.body
    renamed = await tower.ok("PATCH", "/apps/desk", {"name": "Desk"})
    assert (renamed["name"], renamed["created_at"]) == ("Desk", made.body["created_at"])
    assert [app["name"] for app in (await tower.ok("GET", "/apps"))["apps"]] == ["Desk", "shop"]
    assert (await tower.call("DELETE", "/apps/desk")).status == 204
    assert (await tower.call("GET", "/apps/desk")).error == (404, "APP_NOT_FOUND", "app")


async def test_a_flag_from_its_making_to_its_end(tower: Tower) -> None:
    made = await tower.call("POST", FLAGS, {"key": "one", "rollout": 25})
    assert (made.status, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', f"/api/v1{FLAGS}/one")
    assert made.body == {
        "app": "shop",
        "key": "one",
        "name": "one",
        "description": "",
        "tags": [],
        "owner": None,
        "lifetime": "permanent",
        "expected_end": None,
        "archived_at": None,
        "active": False,
        "rollout": 25.0,
        "salt": "one",
        "type": "boolean",
        "variants": {"on": True, "off": False},
        "off_variant": "off",
        "split": [{"variant": "on", "weight": 1}],
        "bucket_by": None,
        "requires": [],
        "metadata": {},
        "allow": [],
        "deny": [],
        "rules": [],
        "circuit": circuit_settings_json(CircuitSettings()),
        "version": 1,
        "created_at": made.body["created_at"],
        "updated_at": made.body["created_at"],
        "warnings": [],
    }
    assert await tower.ok("GET", f"{FLAGS}/one") == made.body
    rules = [{"when": [{"attribute": "age", "operator": "ge", "values": [18]}], "rollout": 50.0}]
    changed = await tower.call("PATCH", f"{FLAGS}/one", {"rules": rules, "circuit": {"recovery": {"initial": 20}}})
    assert (changed.status, changed.headers["ETag"], changed.body["version"]) == (200, '"2"', 2)
    assert (changed.body["rules"], changed.body["rollout"]) == (rules, 25.0)
    assert changed.body["circuit"]["recovery"]["initial"] == 20.0
    assert await tower.ok("GET", f"{FLAGS}/one") == changed.body
    assert (await tower.ok("GET", FLAGS))["flags"] == [changed.body]
    await tower.delete_flag(f"{FLAGS}/one")
    assert (await tower.call("GET", f"{FLAGS}/one")).error == (404, "FLAG_NOT_FOUND", "flag")


async def test_turning_on_and_resetting_raise_the_reset_generation(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})

    async def after(path: str, body: object = None) -> tuple[bool, int, int]:
        flag = await tower.ok("POST", f"{FLAGS}/one/{path}", body)
        return flag["active"], flag["circuit"]["reset_generation"], flag["version"]

    assert await after("toggle") == (True, 1, 2)
    assert await after("toggle", {"active": True}) == (True, 1, 2)
    assert await after("circuit/reset") == (True, 2, 3)
    assert await after("toggle", {}) == (False, 2, 4)
    assert await after("toggle", {"active": True}) == (True, 3, 5)
    await tower.ok("PATCH", f"{FLAGS}/one", {"circuit": None})
    assert (await tower.call("POST", f"{FLAGS}/one/circuit/reset")).error == (409, "NO_CIRCUIT", "circuit")


async def test_a_flag_that_is_made_again_goes_on_from_the_deleted_one(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one", "active": True})
    await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
    await tower.delete_flag(f"{FLAGS}/one")
    again = await tower.ok("POST", FLAGS, {"key": "one"})
    assert (again["version"], again["circuit"]["reset_generation"]) == (4, 2)


BAD: list[tuple[str, str, object, tuple[int, str, str | None]]] = [
    ("POST", "/apps", {"key": "Shop"}, (400, "INVALID", "key")),
    ("POST", "/apps", {"key": "a" * 64}, (400, "INVALID", "key")),
    ("POST", "/apps", {"name": "Shop"}, (400, "INVALID", "key")),
    ("POST", "/apps", {"key": "desk", "colour": "red"}, (400, "INVALID", "colour")),
    ("POST", "/apps", {"key": "shop"}, (409, "APP_EXISTS", "key")),
    ("PATCH", "/apps/shop", {"key": "desk"}, (400, "INVALID", "key")),
    ("PATCH", "/apps/none", {"name": "x"}, (404, "APP_NOT_FOUND", "app")),
    ("DELETE", "/apps/none", None, (404, "APP_NOT_FOUND", "app")),
    ("DELETE", "/apps/shop", None, (409, "APP_HAS_FLAGS", "app")),
    ("GET", "/apps/Shop", None, (400, "INVALID", "app")),
    ("GET", "/apps?limit=501", None, (400, "INVALID", "limit")),
    ("POST", FLAGS, {"key": "new..one"}, (400, "INVALID", "key")),
    ("POST", FLAGS, {"key": "there"}, (409, "FLAG_EXISTS", "key")),
    ("POST", FLAGS, [], (400, "INVALID", "body")),
    ("POST", "/apps/none/flags", {"key": "one"}, (404, "APP_NOT_FOUND", "app")),
    ("GET", "/apps/none/flags", None, (404, "APP_NOT_FOUND", "app")),
    ("GET", "/apps/none/flags/one", None, (404, "APP_NOT_FOUND", "app")),
    ("PATCH", f"{FLAGS}/none", {"rollout": 5}, (404, "FLAG_NOT_FOUND", "flag")),
    ("DELETE", f"{FLAGS}/none", None, (404, "FLAG_NOT_FOUND", "flag")),
    ("POST", f"{FLAGS}/none/toggle", None, (404, "FLAG_NOT_FOUND", "flag")),
    ("PATCH", f"{FLAGS}/%00", {"rollout": 5}, (400, "INVALID", "flag")),
    ("PATCH", f"{FLAGS}/there", {"rollout": 101}, (400, "INVALID", "rollout")),
    ("PATCH", f"{FLAGS}/there", {"rollout": "half"}, (400, "INVALID", "rollout")),
    ("PATCH", f"{FLAGS}/there", {"description": "a\0b"}, (400, "INVALID", "description")),
    (
        "PATCH",
        f"{FLAGS}/there",
        {"circuit": {"recovery": {"initial": 101}}},
        (400, "INVALID", "circuit.recovery.initial"),
    ),
    ("PATCH", f"{FLAGS}/there", {"circuit": {"reset_generation": 9}}, (400, "INVALID", "circuit.reset_generation")),
    ("PATCH", f"{FLAGS}/there", {"circuit": {"treshold": 9}}, (400, "INVALID", "circuit.treshold")),
    ("POST", f"{FLAGS}/there/toggle", {"on": True}, (400, "INVALID", "on")),
    ("POST", f"{FLAGS}/there/circuit/reset", {"now": True}, (400, "INVALID", "now")),
    ("PATCH", f"{FLAGS}/there?force=1", {"rollout": 5}, (400, "INVALID", "force")),
    ("PUT", f"{FLAGS}/there", {"rollout": 5}, (405, "METHOD_NOT_ALLOWED", None)),
    ("GET", "/nothing", None, (404, "NOT_FOUND", None)),
]


async def test_each_bad_request_is_told_what_is_wrong_with_it(tower: Tower) -> None:
    there = await tower.ok("POST", FLAGS, {"key": "there"})
    for method, path, body, error in BAD:
        assert (await tower.call(method, path, body)).error == error, (method, path, body)
    assert (await tower.call("POST", FLAGS, data=b'{"key": ')).status == 415
    answer = await tower.call("POST", FLAGS, data=b'{"key": ', Content_Type="application/json")
    assert answer.error == (400, "PARSE_ERROR", "body")
    answer = await tower.call("POST", FLAGS, data=b'{"key": "one"}', Content_Type="text/plain")
    assert answer.error == (415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type")
    answer = await tower.call("POST", FLAGS, {"key": "one", "description": "x" * 2_200_000})
    assert answer.status == 413
    assert (await tower.ok("GET", FLAGS))["flags"] == [there]


async def test_who_has_no_token_gets_nothing_but_health(tower: Tower) -> None:
    for authorization in ("Basic abc", "Bearer", f"Bearer {TOKEN}x", TOKEN):
        for path in ("/apps", "/nothing"):
            answer = await tower.call("GET", path, Authorization=authorization)
            assert answer.error == (401, "UNAUTHORIZED", "Authorization")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    health = await tower.call("GET", "/healthz", Authorization="none")
    assert (health.status, health.body) == (200, {"status": "ok"})
    metrics = await tower.call("GET", "/metrics", Authorization="none")
    assert b'tailslide_tower_requests_total{method="GET",route="/api/v1/apps",status="401"} 4.0' in metrics.body


async def test_a_change_that_expects_another_version_is_refused(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    path = f"{FLAGS}/one"
    assert (await tower.call("PATCH", path, {"rollout": 5}, If_Match='"1"')).status == 200
    stale = (412, "PRECONDITION_FAILED", "If-Match")
    assert (await tower.call("PATCH", path, {"rollout": 6}, If_Match='"1"')).error == stale
    assert (await tower.call("POST", f"{path}/toggle", If_Match='"1"')).error == stale
    assert (await tower.call("POST", f"{path}/circuit/reset", If_Match='"1"')).error == stale
    assert (await tower.call("DELETE", path, If_Match='"1"')).error == stale
    assert (await tower.call("DELETE", path, If_Match="1")).error == (400, "INVALID", "If-Match")
    assert (await tower.call("POST", f"{path}/archive", {"force": True}, If_Match='"1"')).error == stale
    assert (await tower.ok("GET", path))["rollout"] == 5.0
    assert (await tower.call("POST", f"{path}/archive", {"force": True}, If_Match='"2"')).status == 200
    assert (await tower.call("POST", f"{path}/restore", If_Match='"2"')).error == stale
    assert (await tower.call("DELETE", path, If_Match='"3"')).status == 204


async def test_changes_at_the_same_time_are_made_one_after_another(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    changes: list[dict[str, Any]] = [
        *({"circuit": {name: 20_000}} for name in ("window_ms", "min_calls")),
        {"circuit": {"recovery": {"initial": 50}}},
        *({name: ["u1"]} for name in ("allow", "deny")),
    ]
    answers = await asyncio.gather(*(tower.call("PATCH", f"{FLAGS}/one", change) for change in changes))
    assert sorted(answer.body["version"] for answer in answers) == [2, 3, 4, 5, 6]
    flag = await tower.ok("GET", f"{FLAGS}/one")
    assert (flag["circuit"]["window_ms"], flag["circuit"]["min_calls"]) == (20_000, 20_000)
    assert (flag["circuit"]["recovery"]["initial"], flag["allow"], flag["deny"]) == (50.0, ["u1"], ["u1"])


async def test_of_changes_that_expect_the_same_version_one_is_made(tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    answers = await asyncio.gather(
        *(tower.call("PATCH", f"{FLAGS}/one", {"rollout": n}, If_Match='"1"') for n in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


async def test_an_app_that_is_deleted_while_a_flag_is_made_has_none(tower: Tower) -> None:
    for n in range(10):
        app = f"/apps/short-{n}"
        await tower.ok("POST", "/apps", {"key": f"short-{n}"})
        flag, gone = await asyncio.gather(tower.call("POST", f"{app}/flags", {"key": "one"}), tower.call("DELETE", app))
        assert (flag.status, gone.status) in {(201, 409), (404, 204)}


async def test_pages(tower: Tower) -> None:
    keys = [f"flag-{n:03}" for n in range(25)] + ["flag_1", "a"]
    for key in keys:
        await tower.ok("POST", FLAGS, {"key": key})
    pages: list[list[str]] = []
    query = "?limit=10"
    while query:
        page = await tower.ok("GET", f"{FLAGS}{query}")
        pages.append([flag["key"] for flag in page["flags"]])
        query = f"?limit=10&after={page['next']}" if page["next"] else ""
    assert [len(page) for page in pages] == [10, 10, 7]
    assert list(chain.from_iterable(pages)) == sorted(keys)


async def test_two_starts_at_once_make_one_schema_which_is_the_one_in_the_code(bench: TowerBench) -> None:
    databases = [Database(DatabaseUrl.parse(bench.database_url)) for _ in range(2)]
    try:
        await asyncio.gather(*(database.prepare() for database in databases))
        await databases[0].prepare()
        async with databases[0].begin() as connection:
            options = {"compare_type": True, "include_name": lambda name, *_: name not in SEARCH_ONLY}
            assert not await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync, opts=options), metadata)
            )
    finally:
        for database in databases:
            await database.close()


async def test_schema_that_others_hold_is_waited_for_a_short_while_at_a_time(
    bench: TowerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailslide_tower.database, "LOCK_TIMEOUT_S", 0.1)
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        async with bench.connection() as holding:
            await holding.execute("SELECT pg_advisory_lock($1)", MIGRATIONS_LOCK)
            with pytest.raises(StartError, match="others have held it for 0 s; look for long transactions"):
                await database.prepare(lock_patience_s=0)
            waiting = asyncio.create_task(database.prepare())
            async with bench.connection() as looking:

                async def has_waited() -> bool:
                    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                    return bool(await looking.fetchval(query))

                await until(has_waited)
            assert not waiting.done()
            await holding.execute("SELECT pg_advisory_unlock($1)", MIGRATIONS_LOCK)
            await waiting
    finally:
        await database.close()


async def test_a_database_of_a_newer_tailslide_is_refused(bench: TowerBench) -> None:
    async with bench.tower():
        pass
    await bench.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StartError, match="was made by another version of Tailslide"):
        await serve(bench.settings(), bench.announced.append)


async def test_a_token_of_the_environment_holds_for_as_long_as_its_tower_runs_with_it(bench: TowerBench) -> None:
    async def lets_in(tower: Tower, token: str) -> bool:
        status = (await tower.call("GET", "/apps", Authorization=f"Bearer {token}")).status
        assert status in {200, 401}
        return status == 200

    async with bench.tower(TOKEN) as first, bench.tower(OTHER_TOKEN) as second:
        assert [await lets_in(first, token) for token in (TOKEN, OTHER_TOKEN)] == [True, False]
        assert [await lets_in(second, token) for token in (TOKEN, OTHER_TOKEN)] == [False, True]
    async with bench.tower(OTHER_TOKEN) as replaced:
        assert not await lets_in(replaced, TOKEN)


async def test_an_authority_of_the_database_that_cannot_be_read_is_named(bench: TowerBench) -> None:
    database = Database(DatabaseUrl.parse(f"{bench.database_url}?sslrootcert=/nowhere/ca.pem&sslmode=verify-full"))
    try:
        with pytest.raises(StartError) as caught:
            await database.prepare(patience_s=0)
    finally:
        await database.close()
    assert str(caught.value) == (
        "TAILSLIDE_DATABASE_URL: sslrootcert: /nowhere/ca.pem cannot be read (No such file or directory)"
    )


async def test_a_database_that_cannot_be_used_is_one_sentence(bench: TowerBench) -> None:
    credentials, _, place = bench.database_url.partition("@")
    for url, reason in (
        (f"{credentials}-wrong@{place}", "password authentication failed"),
        (f"{credentials}@{place.partition('/')[0]}/nowhere", 'database "nowhere" does not exist'),
        (f"{credentials}@127.0.0.1:1/flags", "Connect"),
    ):
        database = Database(DatabaseUrl.parse(url))
        try:
            with pytest.raises(StartError) as caught:
                await database.prepare(patience_s=0)
        finally:
            await database.close()
        text = str(caught.value)
        assert text.startswith(f"TAILSLIDE_DATABASE_URL: expected a PostgreSQL database at {database.address}")
        assert reason in text
        assert "\n" not in text
        assert credentials.rpartition(":")[2] not in text


async def test_a_start_that_fails_is_one_line_and_status_1(bench: TowerBench) -> None:
    async with bench.tower() as tower:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = f"127.0.0.1:{taken.getsockname()[1]}"
            for more, expected in (
                ({"TAILSLIDE_API_TOKEN": "short"}, "TAILSLIDE_API_TOKEN: expected at least 20 "),
                ({"TAILSLIDE_TOWER_LISTEN": port}, f"TAILSLIDE_TOWER_LISTEN: {port} is in use; "),
                (
                    {"TAILSLIDE_TOWER_LISTEN": f"unix:{tower.socket}"},
                    f"TAILSLIDE_TOWER_LISTEN: unix:{tower.socket} is ",
                ),
            ):
                status, said = await bench.run_process(more)
                assert (status, said.splitlines()[-1].startswith(f"Error: {expected}")) == (1, True), said
                assert "Traceback" not in said
        await tower.ok("GET", "/apps")


async def test_a_signal_ends_it_in_order(bench: TowerBench) -> None:
    async with bench.tower_process() as (tower, process):
        await tower.until_published()
        process.terminate()
        assert await process.wait() == 0


async def test_a_database_that_goes_away_and_comes_back(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    bench.servers.kill("postgres")
    try:
        answer = await tower.call("GET", FLAGS)
        assert answer.error == (503, "DATABASE_UNAVAILABLE", None)
        assert int(answer.headers["Retry-After"]) > 0
        assert (await tower.call("PATCH", f"{FLAGS}/one", {"rollout": 5})).status == 503
        ready = await tower.call("GET", "/readyz")
        assert (ready.status, ready.body["ready"], ready.body["database"]) == (503, False, "down")
        assert (await tower.call("GET", "/healthz")).status == 200
    finally:
        bench.servers.start("postgres")

    async def back() -> bool:
        return (await tower.call("GET", "/readyz")).status == 200

    await until(back)
    assert (await tower.ok("PATCH", f"{FLAGS}/one", {"rollout": 5}))["version"] == 2
