"""How people get in and out, on a real PostgreSQL: passwords, sessions, cookies, two Towers."""

import asyncio
import re

import asyncpg
import pytest
from access_clients import ADMIN, PASSWORD, Browser, invite, secret_of
from tower_bench import Tower, TowerBench

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.auth.secret_texts import hash_of
from tailslide_tower.database import Database
from tailslide_tower.setup_links.service import make_first_admin_link

CHANGE = ("POST", "/apps", {"key": "desk"})


async def rows(bench: TowerBench, query: str) -> list[asyncpg.Record]:
    async with bench.connection() as connection:
        return list(await connection.fetch(query))


async def test_first_start_announces_a_set_up_link_once_and_it_works_once(bench: TowerBench) -> None:
    async with bench.tower(None) as tower, bench.tower(None):
        (announced,) = bench.announced
        assert "http://localhost/enter#tsu_" in announced
        secret = secret_of(announced.strip())
        assert secret not in str(await rows(bench, "SELECT * FROM setup_links"))
        browser = Browser(tower)
        body = {"secret": secret, "email": ADMIN, "name": "Ada", "password": PASSWORD}
        weak = await browser.call("POST", "/session/setup", body | {"password": "short"})
        assert weak.error == (400, "INVALID", "password")
        opened = await browser.ok("POST", "/session/setup", body)
        assert (opened["principal"]["name"], opened["principal"]["role"]) == (ADMIN, "admin")
        again = await Browser(tower).call("POST", "/session/setup", body | {"email": "other@example.org"})
        assert again.error == (401, "LINK_INVALID", "secret")
        assert (await browser.call(*CHANGE)).status == 201
    async with bench.tower(None):
        assert len(bench.announced) == 1


async def test_link_made_anew_for_the_first_admin_replaces_the_announced_one(bench: TowerBench) -> None:
    body = {"email": ADMIN, "password": PASSWORD}
    async with bench.tower(None) as tower:
        database = Database(DatabaseUrl.parse(bench.database_url))
        try:
            made = await make_first_admin_link(database, "http://localhost")
            assert made is not None
            for url, status in ((bench.announced[0].strip(), 401), (made[0], 201)):
                answer = await Browser(tower).call("POST", "/session/setup", body | {"secret": secret_of(url)})
                assert answer.status == status
            assert await make_first_admin_link(database, "http://localhost") is None
        finally:
            await database.close()


async def test_towers_that_start_at_once_make_one_set_up_link(bench: TowerBench) -> None:
    async def start() -> None:
        async with bench.tower(None):
            pass

    await asyncio.gather(start(), start(), start())
    assert len(bench.announced) == 1
    assert len(await rows(bench, "SELECT id FROM setup_links")) == 1


async def test_first_admin_of_the_environment(bench: TowerBench) -> None:
    async with bench.tower(None, admin_email=ADMIN, admin_password=PASSWORD) as tower:
        assert bench.announced == []
        assert (await Browser(tower).log_in("ADMIN@Example.ORG")).status == 201
    async with bench.tower(None, admin_email="other@example.org", admin_password=PASSWORD) as tower:
        assert (await Browser(tower).log_in("other@example.org")).status == 401


async def test_admin_link_of_the_host_lets_a_locked_out_admin_in_again(bench: TowerBench) -> None:
    async with bench.tower(trusted_proxies="unix") as tower:
        locked_out = await invite(tower, ADMIN, role="viewer")
        status, said, _ = await bench.command("admin-link")
        assert status == 0
        assert "it works once, until" in said
        body = {"secret": secret_of(said.strip()), "email": ADMIN, "password": "a password not forgotten"}
        opened = await Browser(tower).ok("POST", "/session/setup", body)
        assert (opened["principal"]["name"], opened["principal"]["role"]) == (ADMIN, "admin")
        assert (await locked_out.call("GET", "/account")).status == 401
        assert (await Browser(tower).log_in(password="a password not forgotten")).status == 201
        again = await Browser(tower).call("POST", "/session/setup", body)
        assert again.error == (401, "LINK_INVALID", "secret")
    actions = [row["action"] for row in await rows(bench, "SELECT action FROM log ORDER BY id")]
    assert {"admin_link.created", "user.let_in_again"} <= set(actions)


async def test_session_shows_who_asks_and_ends_with_the_log_out(tower: Tower) -> None:
    nobody = await Browser(tower).ok("GET", "/session")
    assert (nobody["principal"], nobody["csrf_token"]) == (None, None)
    browser = await invite(tower, "ada@example.org", apps={"shop": "editor"})
    shown = await browser.ok("GET", "/session")
    assert shown["principal"]["name"] == "ada@example.org"
    assert (shown["principal"]["role"], shown["principal"]["apps"]) == (None, {"shop": "editor"})
    assert shown["csrf_token"] == browser.csrf_token
    cookie = browser.cookie
    assert (await browser.call("DELETE", "/session")).status == 204
    assert browser.cookie is None
    browser.cookie = cookie
    assert (await browser.call("GET", "/account")).status == 401


async def test_cookie_is_for_the_browser_alone(bench: TowerBench, tower: Tower) -> None:
    await invite(tower, ADMIN, role="admin")
    given = (await Browser(tower).log_in()).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in given.split(";")}
    assert "Secure" not in given
    async with bench.tower(tower_url="https://tower.example.org") as secure:
        given = (await Browser(secure).log_in()).headers["Set-Cookie"]
    assert given.startswith("__Host-tailslide_session=tss_")
    assert "Secure" in {part.strip() for part in given.split(";")}


async def test_stolen_cookie_without_the_token_of_its_session_cannot_write(tower: Tower) -> None:
    browser = await invite(tower, ADMIN, role="admin")
    thief = Browser(tower, browser.cookie)
    assert (await thief.call("GET", "/apps")).status == 200
    assert (await thief.call(*CHANGE)).error == (403, "CSRF_TOKEN_REQUIRED", "X-CSRF-Token")
    other = await invite(tower, "other@example.org", role="admin")
    thief.csrf_token = other.csrf_token
    assert (await thief.call(*CHANGE)).error == (403, "CSRF_TOKEN_REQUIRED", "X-CSRF-Token")
    assert (await browser.call(*CHANGE)).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_page_of_another_site_can_neither_write_nor_log_in(tower: Tower, headers: dict[str, str]) -> None:
    browser = await invite(tower, ADMIN, role="admin")
    assert (await browser.call(*CHANGE, **headers)).status == 403
    assert (await Browser(tower).log_in(**headers)).status == 403
    own = {"Sec_Fetch_Site": "same-origin", "Origin": "http://tower"}
    assert (await browser.call(*CHANGE, **own)).status == 201


async def test_wrong_password_slows_down_from_there_and_says_when_to_come_back(bench: TowerBench) -> None:
    async with bench.tower(trusted_proxies="unix") as tower:
        await invite(tower, ADMIN, role="admin")
        for _ in range(5):
            wrong = await Browser(tower).log_in(password="wrong", X_Forwarded_For="192.0.2.1")
            assert wrong.error == (401, "LOGIN_FAILED", None)
        for password in ("wrong", PASSWORD):
            late = await Browser(tower).log_in(password=password, X_Forwarded_For="192.0.2.1")
            assert late.error == (429, "TOO_MANY_ATTEMPTS", None)
            assert 0 < int(late.headers["Retry-After"]) <= 60
        # Nobody is locked out by what somebody else does elsewhere.
        assert (await Browser(tower).log_in(X_Forwarded_For="192.0.2.2")).status == 201
        found = await rows(bench, "SELECT address, details FROM log WHERE action = 'login.failed'")
        assert [row["address"] for row in found] == ["192.0.2.1"]
        assert PASSWORD not in str(found)


async def test_account_under_attack_lets_in_whoever_has_come_from_there_before(bench: TowerBench) -> None:
    async with bench.tower(trusted_proxies="unix") as tower:
        await invite(tower, ADMIN, role="admin")
        assert (await Browser(tower).log_in(X_Forwarded_For="198.51.100.7")).status == 201
        statuses = [
            (await Browser(tower).log_in(password="wrong", X_Forwarded_For=f"203.0.113.{number}")).status
            for number in range(30)
        ]
        assert statuses.count(401) == 20
        assert statuses.count(429) == 10
        assert (await Browser(tower).log_in(X_Forwarded_For="203.0.113.99")).status == 429
        assert (await Browser(tower).log_in(X_Forwarded_For="198.51.100.7")).status == 201


async def test_unknown_account_is_answered_and_limited_like_one_that_exists(tower: Tower) -> None:
    await invite(tower, ADMIN, role="admin")
    answers = [
        [(await Browser(tower).log_in(email, "wrong")).body for _ in range(6)] for email in (ADMIN, "no@example.org")
    ]
    for of_known, of_unknown in zip(*answers, strict=True):
        for body in (of_known, of_unknown):
            body.pop("retry_after_s", None)
        assert of_known["code"] == of_unknown["code"]
    assert [body["code"] for body in answers[1]] == ["LOGIN_FAILED"] * 5 + ["TOO_MANY_ATTEMPTS"]


async def test_towers_share_sessions_and_one_that_is_ended_is_ended_everywhere(bench: TowerBench) -> None:
    async with bench.tower() as first, bench.tower() as second:
        await first.ok("POST", "/apps", {"key": "shop"})
        browser = await invite(first, ADMIN, role="admin")
        there = browser.at(second)
        assert (await there.call("GET", "/account")).status == 200
        laptop = Browser(second)
        await laptop.log_in()
        listed = (await browser.ok("GET", "/account/sessions"))["sessions"]
        assert [session["current"] for session in listed].count(True) == 1
        (other,) = [session["id"] for session in listed if not session["current"]]
        assert (await browser.call("DELETE", f"/account/sessions/{other}")).status == 204
        assert (await laptop.call("GET", "/account")).status == 401
        assert (await browser.call("DELETE", "/account/sessions")).status == 204
        assert (await there.call("GET", "/account")).status == 401


async def test_session_of_somebody_else_cannot_be_ended(tower: Tower) -> None:
    ada, bob = await invite(tower, "ada@example.org", role="admin"), await invite(tower, "bob@example.org")
    session = (await ada.ok("GET", "/session"))["session"]["id"]
    answer = await bob.call("DELETE", f"/account/sessions/{session}")
    assert answer.error == (404, "SESSION_NOT_FOUND", "session")


@pytest.mark.parametrize("column", ["last_used_at", "expires_at"])
async def test_session_ends_when_it_is_not_used_and_in_any_case(bench: TowerBench, tower: Tower, column: str) -> None:
    browser = await invite(tower, ADMIN, role="admin")
    assert browser.cookie is not None
    past = "15 days" if column == "expires_at" else "25 hours"
    await bench.sql(f"UPDATE sessions SET {column} = {column} - interval '{past}'")
    assert (await browser.call("GET", "/account")).status == 401


async def test_password_change_needs_the_present_one_and_ends_other_sessions(tower: Tower) -> None:
    browser = await invite(tower, ADMIN, role="admin")
    laptop = Browser(tower)
    await laptop.log_in()
    new = "another horse, another battery"
    missing = await browser.call("PUT", "/account/password", {"new_password": new})
    assert missing.error == (400, "INVALID", "current_password")
    wrong = await browser.call("PUT", "/account/password", {"current_password": "x", "new_password": new})
    assert wrong.error == (403, "WRONG_PASSWORD", "current_password")
    await browser.ok("PUT", "/account/password", {"current_password": PASSWORD, "new_password": new})
    assert (await browser.call("GET", "/account")).status == 200
    assert (await laptop.call("GET", "/account")).status == 401
    assert (await Browser(tower).log_in()).status == 401
    assert (await Browser(tower).log_in(password=new)).status == 201


async def test_no_secret_is_kept_or_logged(bench: TowerBench, tower: Tower) -> None:
    browser = await invite(tower, ADMIN, role="admin")
    token = await browser.ok("POST", "/tokens", {"name": "ci"})
    link = await browser.ok("POST", "/links", {"name": "demo"})
    secrets = [PASSWORD, browser.cookie or "", token["token"], secret_of(link["url"])]
    kept = ""
    for table in ("log", "users", "sessions", "api_tokens", "invitations", "viewer_links"):
        kept += str([dict(row) for row in await rows(bench, f"SELECT * FROM {table}")])
    logged = str([dict(row) for row in await rows(bench, "SELECT * FROM log")])
    for secret in secrets:
        assert secret not in kept
        assert hash_of(secret) not in logged
    assert "argon2" not in logged


async def test_page_of_one_time_links_is_served_by_tower_itself(tower: Tower) -> None:
    page = await tower.call("GET", "/enter", Authorization="")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for path in re.findall(rb'(?:src|href)="([^"]+)"', page.body):
        assert (await tower.call("GET", path.decode(), Authorization="")).status == 200
    assert (await tower.call("GET", "/enter/other.js", Authorization="")).status == 404
