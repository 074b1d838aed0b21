"""The log over HTTP: what was changed, by whom, found, exported; and who may see what of it."""

import csv
import io
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from circuit_moves import LIFE
from real_servers import RealServers
from tower_bench import Tower, TowerBench

from tailslide_core.contracts import CircuitEvent
from tailslide_core.naming import FlagId
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.audit.circuit_events import entry_of
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.event_store import DatabaseEvents
from tailslide_tower.audit.queries import Filters
from tailslide_tower.audit.service import LogService
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author, Principal, PrincipalKind, Role
from tailslide_tower.database import Database

FLAGS = "/apps/shop/flags"
FLAG = FlagId("shop", "one")


async def changed_flag(tower: Tower) -> None:
    """Make a flag and change it three times."""
    await tower.ok("POST", FLAGS, {"key": "one", "rollout": 25})
    await tower.call("PATCH", f"{FLAGS}/one", {"rollout": 50}, Tailslide_Reason="more users")
    await tower.ok("POST", f"{FLAGS}/one/toggle", {"active": True})
    await tower.ok("PATCH", f"{FLAGS}/one", {"allow": ["u1"], "circuit": {"error_threshold": 20}})


async def add(bench: TowerBench, *entries: LogEntry) -> None:
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        for entry in entries:
            async with database.begin() as connection:
                await record(connection, entry)
    finally:
        await database.close()


async def add_life(bench: TowerBench) -> None:
    """Write a trip and its recovery."""
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        for transition in LIFE:
            event = CircuitEvent(FLAG, transition)
            assert await DatabaseEvents(database).add(event, entry_of(event))
    finally:
        await database.close()


def entry(
    action: str = "flag.changed",
    app: str | None = "shop",
    key: str | None = "one",
    kind: SubjectKind = SubjectKind.FLAG,
    actor: str = "editor@example.org",
    reason: str | None = None,
    address: str | None = "192.0.2.7",
    **more: Any,
) -> LogEntry:
    author = Author(Principal(PrincipalKind.USER, "7", actor), address, reason)
    return LogEntry(action, Subject(kind, app, key), author, **more)


def actions(page: Any) -> list[str]:
    return [each["action"] for each in page["entries"]]


async def test_log_of_a_flag_says_what_was_changed(tower: Tower) -> None:
    await changed_flag(tower)
    page = await tower.ok("GET", f"{FLAGS}/one/log")
    assert page["next"] is None
    assert [each["sentence"] for each in page["entries"]] == [
        "environment changed one: 1 user added to the allow list; error threshold 50% → 20%.",
        "environment turned one on for 50%.",
        "environment changed one: rollout 25% → 50%.",
        "environment made the flag one.",
    ]
    changed = page["entries"][2]
    assert changed["changes"] == [{"field": "rollout", "path": ["rollout"], "before": 25.0, "after": 50.0}]
    assert changed["subject"] == {"kind": "flag", "app": "shop", "key": "one"}
    assert changed["actor"] == {"kind": "environment", "id": "environment", "name": "environment"}
    assert (changed["reason"], changed["version"], changed["action"]) == ("more users", 2, "flag.changed")
    assert "before" not in changed
    whole = await tower.ok("GET", f"/log/{changed['id']}")
    assert (whole["before"]["rollout"], whole["after"]["rollout"]) == (25.0, 50.0)
    assert (await tower.ok("GET", f"{FLAGS}/one/log?full=true"))["entries"][2] == whole


async def test_pages_follow_each_other_without_gap_or_repetition(tower: Tower) -> None:
    await changed_flag(tower)
    whole = (await tower.ok("GET", "/log"))["entries"]
    assert len(whole) == 5
    found, after = [], ""
    while True:
        page = await tower.ok("GET", f"/log?limit=2{after}")
        found += page["entries"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == whole
    assert [each["id"] for each in found] == sorted((each["id"] for each in found), reverse=True)


async def test_circuits_are_in_the_log_of_their_flag(bench: TowerBench, tower: Tower) -> None:
    await tower.ok("POST", FLAGS, {"key": "one"})
    await add_life(bench)
    page = await tower.ok("GET", f"{FLAGS}/one/log")
    assert actions(page) == ["circuit.closed", "circuit.recovering", "circuit.opened", "flag.created"]
    opened = page["entries"][2]
    assert opened["sentence"] == "The circuit of one opened: 62% of 141 calls failed in 10 s; the threshold is 50%."
    assert (opened["actor"]["name"], opened["at"]) == ("Aerobat", "2026-11-22T15:59:50.302Z")
    assert opened["details"]["reason"]["calls"] == 141
    assert "circuit.step" in actions(await tower.ok("GET", f"{FLAGS}/one/log?hide_steps=false"))
    assert actions(await tower.ok("GET", f"{FLAGS}/one/log?kind=flag")) == ["flag.created"]
    assert (await tower.call("GET", f"{FLAGS}/one/log?kind=segment")).error == (400, "INVALID", "kind")


FOUND_BY: tuple[tuple[str, list[str]], ...] = (
    ("action=flag.toggled", ["3"]),
    ("action=flag.toggled,segment.changed", ["4", "3"]),
    ("kind=segment", ["4"]),
    ("actor=editor@example.org", ["4", "2", "1"]),
    ("actor=editor", []),
    ("app=shop", ["4", "2", "1"]),
    ("key=new-checkout", ["2", "1"]),
    ("app=store&key=new-checkout", []),
    ("from=2026-11-22T10:00:02Z", ["4", "3", "2"]),
    ("from=2026-11-22T11:00:02%2B01:00&to=2026-11-22T10:00:04Z", ["3", "2"]),
    ("to=2026-11-22T10:00:02.000Z", ["1"]),
    ("q=checkout", ["2", "1"]),
    ("q=NEW%20check", ["2", "1"]),
    ("q=new-checkout%20editor@ex", ["2", "1"]),
    ("q=incident", ["2"]),
    ("q=heckout", []),
    ("q=zahlung%20f%C3%BCr", ["4"]),
    ("q=%21%3F", ["4", "3", "2", "1"]),
    ("q=it%27s%20%5C%20%26%20%7C", ["3"]),
    ("app=shop&actor=editor@example.org&action=flag.changed&q=checkout&kind=flag&limit=1", ["2"]),
)
"""What is asked for, and which of the four entries of the test are found."""


async def test_filters_add_up(bench: TowerBench) -> None:
    at_ms = 1_795_341_600_000  # 2026-11-22T10:00:00Z
    async with bench.tower() as tower:
        await add(
            bench,
            entry(key="new-checkout", at_ms=at_ms + 1000, details={"n": "1"}),
            entry(key="new-checkout", at_ms=at_ms + 2000, details={"n": "2"}, reason="payments incident"),
            entry(
                "flag.toggled", "store", "other", at_ms=at_ms + 3000, details={"n": "3"}, actor="CI", reason="it's done"
            ),
            entry(
                "segment.changed",
                key="vip",
                kind=SubjectKind.SEGMENT,
                at_ms=at_ms + 4000,
                details={"n": "4"},
                reason="Zahlung für Kunden",
            ),
        )
        for query, found in FOUND_BY:
            page = await tower.ok("GET", f"/log?{query}")
            assert (query, [each["details"]["n"] for each in page["entries"]]) == (query, found)
            assert (page["next"] is None) == ("limit" not in query)


REFUSED = (
    ("from=yesterday", "from", "2026-11-22T10:00:00Z"),
    ("from=2026-13-22T10:00:00Z", "from", "2026-11-22T10:00:00Z"),
    ("from=1795341600", "from", "2026-11-22T10:00:00Z"),
    ("action=toggled", "action", "flag.toggled"),
    ("kind=flags", "kind", "segment"),
    ("after=x", "after", "id"),
    ("after=99999999999999999999", "after", "id"),
    ("app=Shop", "app", "characters"),
    ("size=1", "size", "from, to, q"),
    ("hide_steps=perhaps", "hide_steps", ""),
    ("q=%00", "q", "U+0000"),
)
"""What is asked for, the field that is told, and a part of what is said."""


async def test_bad_filter_is_told(tower: Tower) -> None:
    for query, field, says in REFUSED:
        answer = await tower.call("GET", f"/log?{query}")
        assert answer.error == (400, "INVALID", field)
        assert says in answer.body["detail"]


async def test_what_is_not_there_is_told(bench: TowerBench, tower: Tower) -> None:
    assert (await tower.call("GET", "/apps/nowhere/log")).error == (404, "APP_NOT_FOUND", "app")
    assert (await tower.call("GET", f"{FLAGS}/nothing/log")).error == (404, "FLAG_NOT_FOUND", "flag")
    assert (await tower.call("GET", f"{FLAGS}/nothing/versions")).error == (404, "FLAG_NOT_FOUND", "flag")
    assert (await tower.call("GET", "/log/999999")).error == (404, "ENTRY_NOT_FOUND", "entry")
    assert (await tower.call("GET", "/log/one")).error == (400, "INVALID", "entry")
    await tower.ok("POST", FLAGS, {"key": "one"})
    await bench.sql("DELETE FROM log")  # as if made before there was a log
    assert (await tower.ok("GET", f"{FLAGS}/one/log"))["entries"] == []
    await tower.ok("POST", f"{FLAGS}/one/archive", {"force": True})
    await tower.ok("DELETE", f"{FLAGS}/one")
    assert actions(await tower.ok("GET", f"{FLAGS}/one/log")) == ["flag.deleted", "flag.archived"]


async def seen(service: LogService, reader: Principal, **filters: Any) -> list[str]:
    part = await service.page(Filters(**filters), reader, None, 100)
    assert not part.more
    return [str(row.subject.key) for row in part.rows]


async def test_everybody_sees_what_is_theirs(bench: TowerBench) -> None:
    async with bench.tower():
        await add(
            bench,
            entry(key="shop"),
            entry(key="store", app="store"),
            entry("link.created", key="link", kind=SubjectKind.LINK),
            entry("user.created", None, "user", SubjectKind.USER),
            entry("notice.nothing_judged", None, "notice", SubjectKind.SYSTEM),
            entry("webhook.created", None, "webhook", SubjectKind.WEBHOOK),
        )
    database = Database(DatabaseUrl.parse(bench.database_url))
    try:
        service = LogService(database)

        def reader(role: Role | None = None, **roles: Role) -> Principal:
            return Principal(PrincipalKind.USER, "1", "x", role, roles)

        assert await seen(service, reader(Role.ADMIN)) == ["webhook", "notice", "user", "link", "store", "shop"]
        assert await seen(service, reader(Role.EDITOR)) == ["notice", "store", "shop"]
        assert await seen(service, reader(shop=Role.EDITOR)) == ["shop"]
        assert await seen(service, reader(shop=Role.ADMIN, store=Role.VIEWER)) == ["link", "store", "shop"]
        many = reader(**{f"app-{number}": Role.VIEWER for number in range(60)}, store=Role.VIEWER)
        assert await seen(service, many) == ["store"]
        assert await seen(service, reader()) == []
        with pytest.raises(Exception, match="may not see"):
            await seen(service, reader(shop=Role.VIEWER), app="store")
        row = (await service.page(Filters(app="shop"), reader(Role.ADMIN), None, 100)).rows[-1]
        assert (await service.get(row.id, reader(shop=Role.VIEWER))).id == row.id
        with pytest.raises(Exception, match="no entry"):
            await service.get(row.id, reader(store=Role.ADMIN))
    finally:
        await database.close()


async def test_page_ends_before_it_is_too_large(bench: TowerBench, tower: Tower) -> None:
    users = [f"user-{number}-{number * 7919 % 100_003:x}" for number in range(20_000)]
    await tower.ok("POST", FLAGS, {"key": "large", "allow": users})
    for rollout in range(12):
        await tower.ok("PATCH", f"{FLAGS}/large", {"rollout": rollout})
    first = await tower.ok("GET", f"{FLAGS}/large/log")
    assert 0 < len(first["entries"]) < 13
    rest = await tower.ok("GET", f"{FLAGS}/large/log?after={first['next']}")
    assert first["entries"][-1]["version"] == rest["entries"][0]["version"] + 1


async def test_export_as_csv_is_for_spreadsheets(bench: TowerBench, tower: Tower) -> None:
    await changed_flag(tower)
    await tower.call("PATCH", f"{FLAGS}/one", {"rollout": 1}, Tailslide_Reason=quote('=HYPERLINK("x"), "y"'))
    answer = await tower.call("GET", "/log/export?app=shop&kind=flag")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="tailslide-log-20')
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["action"] for row in rows] == [
        *("flag.changed", "flag.changed", "flag.toggled", "flag.changed", "flag.created")
    ]
    assert rows[0]["reason"] == '\'=HYPERLINK("x"), "y"'
    assert rows[0]["sentence"] == "environment changed one: rollout 50% → 1%."
    assert orjson.loads(rows[0]["changes"])[0]["field"] == "rollout"


async def test_export_has_all_entries_whatever_their_number(bench: TowerBench, tower: Tower) -> None:
    await bench.sql(
        "INSERT INTO log (at, action, kind, app, key, actor_kind, actor_id, actor, details)"
        " SELECT now(), 'flag.changed', 'flag', 'shop', 'n' || n, 'user', '1', 'x', '{}'"
        " FROM generate_series(1, 1050) n"
    )
    answer = await tower.call("GET", "/log/export?format=jsonl&kind=flag")
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    keys = [orjson.loads(line)["subject"]["key"] for line in answer.body.splitlines()]
    assert keys == [f"n{number}" for number in range(1050, 0, -1)]
    some = await tower.call("GET", "/log/export?format=jsonl&kind=flag&limit=450")
    assert len(some.body.splitlines()) == 450
    empty = await tower.call("GET", "/log/export?kind=webhook")
    assert len(empty.body.splitlines()) == 1
    assert (await tower.call("GET", "/log/export?format=xml")).error[::2] == (400, "format")


async def test_log_without_a_database_is_503(own_servers: RealServers, tower: Tower) -> None:
    own_servers.stop("postgres")
    try:
        for path in ("/log", "/log/export", "/log/1", "/apps/shop/log", f"{FLAGS}/one/versions"):
            assert (await tower.call("GET", path)).status == 503
    finally:
        own_servers.start("postgres")


async def test_versions_say_who_made_them(tower: Tower) -> None:
    await changed_flag(tower)
    await tower.ok("POST", f"{FLAGS}/one/circuit/reset")
    page = await tower.ok("GET", f"{FLAGS}/one/versions")
    assert [(each["version"], each["action"], each["current"]) for each in page["versions"]] == [
        (5, "circuit.reset", True),
        (4, "flag.changed", False),
        (3, "flag.toggled", False),
        (2, "flag.changed", False),
        (1, "flag.created", False),
    ]
    assert page["versions"][3]["reason"] == "more users"
    assert page["versions"][2]["sentence"] == "environment turned one on for 50%."
    first = await tower.ok("GET", f"{FLAGS}/one/versions?limit=3")
    rest = await tower.ok("GET", f"{FLAGS}/one/versions?limit=3&after={first['next']}")
    assert first["versions"] + rest["versions"] == page["versions"]
    assert rest["next"] is None
