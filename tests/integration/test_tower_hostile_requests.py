"""Requests as no client of ours sends them: what PostgreSQL cannot store, and numbers that it cannot hold."""

import asyncio

import orjson
import pytest
from access_clients import PASSWORD, invite
from tower_bench import TIMEOUT_S, Tower

NUL_IN_PATHS = (
    ("GET", "/users/%00", "user"),
    ("PATCH", "/users/%00", "user"),
    ("DELETE", "/users/%00/sessions", "user"),
    ("GET", "/tokens/%00", "token"),
    ("POST", "/tokens/%00/rotate", "token"),
    ("DELETE", "/links/%00", "link"),
    ("DELETE", "/invitations/%00", "invitation"),
    ("GET", "/webhooks/%00", "webhook"),
    ("GET", "/webhooks/%00/deliveries", "webhook"),
    ("DELETE", "/apps/shop/keys/%00", "key"),
)


@pytest.mark.parametrize(("method", "path", "field"), NUL_IN_PATHS)
async def test_path_with_a_nul_is_refused(tower: Tower, method: str, path: str, field: str) -> None:
    assert (await tower.call(method, path)).error == (400, "INVALID", field)


TOO_LARGE = "00000000000000000001" + "9" * 20


@pytest.mark.parametrize(("path", "field"), [(f"/log/{TOO_LARGE}", "entry"), (f"/log?after={TOO_LARGE}", "after")])
async def test_id_of_an_entry_that_no_database_holds_is_refused(tower: Tower, path: str, field: str) -> None:
    assert (await tower.call("GET", path)).error == (400, "INVALID", field)


async def test_browser_may_call_itself_what_is_no_utf_8(tower: Tower) -> None:
    browser = await invite(tower, "editor@example.org", role="editor")
    body = orjson.dumps({"email": "editor@example.org", "password": PASSWORD})
    head = (
        b"POST /api/v1/session HTTP/1.1\r\nHost: tower\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"User-Agent: Caf\xe9 \xff\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(str(tower.socket))
        writer.write(head + body)
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    sessions = (await browser.ok("GET", "/account/sessions"))["sessions"]
    assert {session["user_agent"] for session in sessions} >= {"Caf� �"}


@pytest.mark.parametrize("name", ["\x1b[2J", "two\nlines", "\u200b", "\u3164", "  "])
async def test_name_that_cannot_be_shown_is_refused(tower: Tower, name: str) -> None:
    webhook = {"name": name, "kind": "slack", "url": "https://hooks.example.org/x"}
    for path, body in (("/apps/shop/keys", {"name": name}), ("/tokens", {"name": name}), ("/webhooks", webhook)):
        assert (await tower.call("POST", path, body)).error == (400, "INVALID", "name")
