"""Who may use which route: a table over all of them and all roles, against the routes of a running Tower."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from access_clients import Browser, actions, invite, secret_of
from tower_bench import TOKEN, Tower, TowerBench

from tailslide_tower.app import SUBJECTS

WHO = ("nobody", "viewer", "editor", "admin", "editor_of_desk", "viewer_link", "read_token")
REACHES = {
    "public": set(WHO),
    "known": set(WHO) - {"nobody"},
    "view": {"viewer", "editor", "admin", "viewer_link", "read_token"},
    "view_any": {"viewer", "editor", "admin", "editor_of_desk", "viewer_link", "read_token"},
    "edit": {"editor", "admin"},
    "edit_any": {"editor", "admin", "editor_of_desk"},
    "admin": {"admin"},
}
"""Who gets past the door of a route of the app `shop`, or of none. `editor_of_desk` has a role in another app."""
PUBLIC = (
    "GET /openapi.json",
    "GET /session",
    "POST /session",
    "POST /session/invitation",
    "POST /session/link",
    "POST /session/setup",
    "GET /session/oidc",
    "GET /session/oidc/callback",
)
KNOWN = (
    "DELETE /session",
    "GET /account",
    "PATCH /account",
    "PUT /account/password",
    "GET /account/sessions",
    "DELETE /account/sessions",
    "DELETE /account/sessions/{session}",
    "GET /tokens",
    "POST /tokens",
    "GET /tokens/{token}",
    "POST /tokens/{token}/rotate",
    "DELETE /tokens/{token}",
)
ADMIN = (
    "POST /apps",
    "PATCH /apps/{app}",
    "DELETE /apps/{app}",
    "POST /apps/{app}/archive",
    "POST /apps/{app}/restore",
    "DELETE /apps/{app}/flags/{flag}",
    "POST /apps/{app}/keys",
    "DELETE /apps/{app}/keys/{key}",
    "GET /users",
    "GET /users/{user}",
    "PATCH /users/{user}",
    "DELETE /users/{user}",
    "DELETE /users/{user}/sessions",
    "POST /users/{user}/reset-link",
    "GET /invitations",
    "POST /invitations",
    "DELETE /invitations/{invitation}",
    "GET /links",
    "POST /links",
    "DELETE /links/{link}",
)
VIEW_OF_ANY = (
    "GET /apps",
    "GET /flags",
    "GET /timeseries",
    "POST /timeseries",
    "GET /sidecars",
    "GET /live",
    "GET /status",
    "GET /log",
    "GET /log/export",
    "GET /log/{entry}",
    "GET /webhooks",
    "GET /webhooks/{webhook}",
    "GET /webhooks/{webhook}/deliveries",
)
EDIT_OF_ANY = (
    "POST /webhooks",
    "PATCH /webhooks/{webhook}",
    "DELETE /webhooks/{webhook}",
    "POST /webhooks/{webhook}/rotate-secret",
    "POST /webhooks/{webhook}/test",
    "POST /webhooks/{webhook}/deliveries/{delivery}/resend",
)
VIEW = (
    "GET /apps/{app}",
    "GET /apps/{app}/flags",
    "GET /apps/{app}/flags/{flag}",
    "GET /apps/{app}/segments",
    "GET /apps/{app}/segments/{segment}",
    "GET /apps/{app}/flags/{flag}/timeseries",
    "POST /apps/{app}/flags/{flag}/circuit/preview",
    "POST /apps/{app}/flags/{flag}/evaluate",
    "POST /apps/{app}/flags/{flag}/duplicate",
    "GET /apps/{app}/sidecars",
    "GET /apps/{app}/log",
    "GET /apps/{app}/flags/{flag}/log",
    "GET /apps/{app}/flags/{flag}/versions",
    "GET /apps/{app}/keys",
)
READS = (
    "POST /timeseries",
    "POST /apps/{app}/flags/{flag}/circuit/preview",
    "POST /apps/{app}/flags/{flag}/evaluate",
)
"""Routes that change nothing, whatever the method."""
EDIT = (
    "POST /apps/{app}/flags",
    "PATCH /apps/{app}/flags/{flag}",
    "POST /apps/{app}/flags/{flag}/archive",
    "POST /apps/{app}/flags/{flag}/restore",
    "POST /apps/{app}/flags/{flag}/rollback",
    "POST /apps/{app}/flags/{flag}/toggle",
    "POST /apps/{app}/flags/{flag}/circuit/reset",
    "POST /apps/{app}/segments",
    "PATCH /apps/{app}/segments/{segment}",
    "POST /apps/{app}/segments/{segment}/members",
    "DELETE /apps/{app}/segments/{segment}",
)
EXPECTED = {
    route: reach
    for reach, routes in (
        ("public", PUBLIC),
        ("known", KNOWN),
        ("admin", ADMIN),
        ("view_any", VIEW_OF_ANY),
        ("edit_any", EDIT_OF_ANY),
        ("view", VIEW),
        ("edit", EDIT),
    )
    for route in routes
}
"""Every route, and how far one gets. A new route without an entry here fails."""
ROUTES = [f"{operation.method} {operation.path}" for subject in SUBJECTS for operation, _ in subject.declared]


@pytest.fixture
async def people(bench: TowerBench) -> AsyncIterator[dict[str, Browser]]:
    """Yield a browser for each of those who ask; whoever asks with a token has it in a header."""
    async with bench.tower() as tower:
        for app in ("shop", "desk"):
            await tower.ok("POST", "/apps", {"key": app})
        found = {"nobody": Browser(tower)}
        for role in ("viewer", "editor", "admin"):
            found[role] = await invite(tower, f"{role}@example.org", role=role)
        found["editor_of_desk"] = await invite(tower, "desk@example.org", apps={"desk": "editor"})
        found["viewer_link"] = Browser(tower)
        link = await tower.ok("POST", "/links", {"name": "demo"})
        await found["viewer_link"].ok("POST", "/session/link", {"secret": secret_of(link["url"])})
        token = await found["admin"].ok("POST", "/tokens", {"name": "read", "role": "viewer"})
        found["read_token"] = Browser(tower, headers={"Authorization": f"Bearer {token['token']}"})
        yield found


def test_every_route_says_who_may_use_it() -> None:
    assert set(ROUTES) - set(EXPECTED) == set()


def path_of(route: str) -> tuple[str, str]:
    """Return method and path of a route, in the app `shop`, of things that are not there."""
    method, path = route.split(" ")
    return method, re.sub(r"{(\w+)}", lambda part: "shop" if part[1] == "app" else "none", path)


async def test_nobody_gets_further_than_the_role_allows(people: dict[str, Browser]) -> None:
    for route in ROUTES:
        if route in {"DELETE /session", "DELETE /account/sessions"}:
            continue  # these end the session that asks
        method, path = path_of(route)
        allowed = REACHES[EXPECTED[route]]
        for who in WHO:
            answer = await people[who].call(method, path, None if method in {"GET", "DELETE"} else {"nonsense": 1})
            code = answer.body["code"] if answer.status >= 400 else ""
            if who in allowed:
                assert code not in {"UNAUTHORIZED", "CSRF_TOKEN_REQUIRED"}, (route, who, answer)
                assert code != "FORBIDDEN" or EXPECTED[route] == "known", (route, who, answer)
            else:
                assert code == ("UNAUTHORIZED" if who == "nobody" else "FORBIDDEN"), (route, who, answer)
                if who == "nobody":
                    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_viewer_changes_nothing_by_any_route(bench: TowerBench, people: dict[str, Browser]) -> None:
    """With bodies that are right, so that nothing but the role stands against them."""
    right: dict[str, Any] = {
        "POST /apps": {"key": "new"},
        "PATCH /apps/{app}": {"name": "New"},
        "POST /apps/{app}/flags": {"key": "new"},
        "POST /apps/{app}/segments": {"key": "new", "include": ["ada"]},
        "POST /apps/{app}/flags/{flag}/duplicate": {"app": "desk"},
        "POST /invitations": {"email": "eve@example.org", "role": "admin"},
        "POST /links": {"name": "mine"},
    }
    async with actions(bench) as before:
        pass
    for who in ("viewer", "viewer_link", "read_token"):
        for route in ROUTES:
            method, path = path_of(route)
            if method == "GET" or route in READS or EXPECTED[route] in {"public", "known"}:
                continue
            answer = await people[who].call(method, path, right.get(route))
            assert answer.error[:2] == (403, "FORBIDDEN"), (route, who)
    async with actions(bench) as after:
        assert after == before


async def test_role_that_is_taken_away_counts_no_more_from_the_next_request_on(people: dict[str, Browser]) -> None:
    admin, editor = people["admin"], people["editor"]
    users = (await admin.ok("GET", "/users"))["users"]
    assert [user["email"] for user in users] == sorted(user["email"] for user in users)
    (user,) = [user for user in users if user["email"] == "editor@example.org"]
    assert (await editor.call("POST", "/apps/shop/flags", {"key": "one"})).status == 201
    changed = await admin.ok("PATCH", f"/users/{user['id']}", {"role": "viewer", "apps": {"desk": "editor"}})
    assert (changed["role"], changed["apps"], changed["version"]) == ("viewer", {"desk": "editor"}, user["version"] + 1)
    assert (await editor.call("POST", "/apps/shop/flags", {"key": "two"})).status == 403
    assert (await editor.call("POST", "/apps/desk/flags", {"key": "two"})).status == 201
    await admin.ok("PATCH", f"/users/{user['id']}", {"disabled": True})
    assert (await editor.call("GET", "/apps")).status == 401
    assert (await Browser(admin.tower).log_in("editor@example.org")).error == (401, "LOGIN_FAILED", None)


async def test_app_that_is_deleted_takes_the_roles_in_it_along(people: dict[str, Browser]) -> None:
    admin, editor = people["admin"], people["editor_of_desk"]
    assert (await editor.call("GET", "/apps/desk")).status == 200
    await admin.ok("DELETE", "/apps/desk")
    await admin.ok("POST", "/apps", {"key": "desk"})
    assert (await editor.call("GET", "/apps/desk")).status == 403


async def test_last_admin_stays_one(bench: TowerBench, people: dict[str, Browser]) -> None:
    admin = people["admin"]
    own = await admin.ok("GET", "/account")
    for body in ({"role": "editor"}, {"role": None}, {"disabled": True}):
        assert (await admin.call("PATCH", f"/users/{own['id']}", body)).error == (409, "LAST_ADMIN", None)
    assert (await admin.call("DELETE", f"/users/{own['id']}")).error == (409, "LAST_ADMIN", None)
    other = await invite(admin.tower, "other@example.org", role="admin")
    stale = await other.call("PATCH", f"/users/{own['id']}", {"role": None}, If_Match='"77"')
    assert (stale.error, stale.body["current"]["email"]) == ((412, "PRECONDITION_FAILED", "If-Match"), own["email"])
    await other.ok("DELETE", f"/users/{own['id']}")
    assert (await admin.call("GET", "/account")).status == 401
    async with actions(bench) as logged:
        assert logged[-1] == "user.deleted"


async def test_invitation_is_for_one_person_once(bench: TowerBench, people: dict[str, Browser]) -> None:
    admin = people["admin"]
    first = await admin.ok("POST", "/invitations", {"email": "eve@example.org", "role": "viewer"})
    second = await admin.ok("POST", "/invitations", {"email": "Eve@example.org", "apps": {"shop": "editor"}})
    assert [i["id"] for i in (await admin.ok("GET", "/invitations"))["invitations"]] == [second["id"]]
    taken = await admin.call("POST", "/invitations", {"email": "EDITOR@example.org"})
    assert taken.error == (409, "USER_EXISTS", "email")
    missing = await admin.call("POST", "/invitations", {"email": "x@example.org", "apps": {"none": "viewer"}})
    assert missing.error == (400, "INVALID", "apps")
    body = {"name": "Eve", "password": "a password of eve's"}
    eve = Browser(admin.tower)
    replaced = await eve.call("POST", "/session/invitation", {**body, "secret": secret_of(first["url"])})
    assert replaced.error == (401, "LINK_INVALID", "secret")
    opened = await eve.ok("POST", "/session/invitation", {**body, "secret": secret_of(second["url"])})
    assert opened["principal"]["apps"] == {"shop": "editor"}
    again = await Browser(admin.tower).call("POST", "/session/invitation", {**body, "secret": secret_of(second["url"])})
    assert again.error == (401, "LINK_INVALID", "secret")
    late = await admin.ok("POST", "/invitations", {"email": "late@example.org"})
    await bench.sql("UPDATE invitations SET expires_at = now()")
    expired = await Browser(admin.tower).call("POST", "/session/invitation", {**body, "secret": secret_of(late["url"])})
    assert expired.error == (401, "LINK_INVALID", "secret")


async def test_what_an_admin_has_handed_out_ends_with_the_admin(people: dict[str, Browser]) -> None:
    admin = people["admin"]
    other = await invite(admin.tower, "other@example.org", role="admin")
    invited = await other.ok("POST", "/invitations", {"email": "eve@example.org", "role": "admin"})
    used = await other.ok("POST", "/links", {"name": "used"})
    unused = await other.ok("POST", "/links", {"name": "unused"})
    own = await other.ok("POST", "/tokens", {"name": "own"})
    shared = await other.ok("POST", "/tokens", {"name": "shared", "shared": True})
    guest = Browser(admin.tower)
    await guest.ok("POST", "/session/link", {"secret": secret_of(used["url"])})
    assert (await guest.call("GET", "/apps")).status == 200
    account = await other.ok("GET", "/account")
    await admin.ok("PATCH", f"/users/{account['id']}", {"role": "editor"})
    assert (await guest.call("GET", "/apps")).status == 401
    nobody = Browser(admin.tower)
    assert (await nobody.call("POST", "/session/link", {"secret": secret_of(unused["url"])})).status == 401
    accept = {"secret": secret_of(invited["url"]), "password": "a password of eve's"}
    assert (await nobody.call("POST", "/session/invitation", accept)).status == 401
    statuses = {}
    for name, token in (("own", own), ("shared", shared)):
        caller = Browser(admin.tower, headers={"Authorization": f"Bearer {token['token']}"})
        statuses[name] = ((await caller.call("GET", "/apps")).status, (await caller.call("GET", "/users")).status)
    assert statuses == {"own": (200, 403), "shared": (200, 200)}


async def test_viewer_link_of_one_app_shows_that_app_alone(people: dict[str, Browser]) -> None:
    admin, guest = people["admin"], Browser(people["admin"].tower)
    link = await admin.ok("POST", "/links", {"name": "demo", "app": "shop"})
    await guest.ok("POST", "/session/link", {"secret": secret_of(link["url"])})
    assert [app["key"] for app in (await guest.ok("GET", "/apps"))["apps"]] == ["shop"]
    assert (await guest.call("GET", "/apps/desk")).status == 403
    assert (await guest.call("GET", "/account")).error == (403, "NO_ACCOUNT", None)
    await admin.ok("DELETE", f"/links/{link['id']}")
    assert (await guest.call("GET", "/apps")).status == 401


async def test_reset_link_sets_a_new_password_and_logs_out_everywhere(people: dict[str, Browser]) -> None:
    admin, editor = people["admin"], people["editor"]
    account = await editor.ok("GET", "/account")
    link = await admin.ok("POST", f"/users/{account['id']}/reset-link")
    other = Browser(admin.tower)
    await other.ok("POST", "/session/invitation", {"secret": secret_of(link["url"]), "password": "quite another one"})
    assert (await editor.call("GET", "/account")).status == 401
    assert (await other.ok("GET", "/session"))["principal"]["role"] == "editor"
    assert (await Browser(admin.tower).log_in("editor@example.org", "quite another one")).status == 201


def bearer(tower: Tower, token: str) -> Browser:
    return Browser(tower, headers={"Authorization": f"Bearer {token}"})


async def test_token_has_at_most_the_rights_of_its_maker_and_of_now(people: dict[str, Browser]) -> None:
    admin, editor, desk = people["admin"], people["editor"], people["editor_of_desk"]
    assert (await editor.call("POST", "/tokens", {"name": "x", "role": "admin"})).error == (403, "FORBIDDEN", "role")
    answer = await desk.call("POST", "/tokens", {"name": "x", "apps": {"shop": "viewer"}})
    assert answer.error == (403, "FORBIDDEN", "apps.shop")
    answer = await editor.call("POST", "/tokens", {"name": "x", "shared": True})
    assert answer.error == (403, "FORBIDDEN", "shared")
    made = await editor.ok("POST", "/tokens", {"name": "ci", "apps": {"shop": "editor"}})
    assert made["token"].startswith("tsp_")
    ci = bearer(editor.tower, made["token"])
    assert (await ci.call("POST", "/apps/shop/flags", {"key": "one"})).status == 201
    assert (await ci.call("POST", "/apps/desk/flags", {"key": "one"})).status == 403
    assert (await ci.call("POST", "/tokens", {"name": "y", "apps": {"shop": "viewer"}})).status == 403
    account = await editor.ok("GET", "/account")
    await admin.ok("PATCH", f"/users/{account['id']}", {"role": "viewer"})
    assert (await ci.call("POST", "/apps/shop/flags", {"key": "two"})).status == 403
    await admin.ok("PATCH", f"/users/{account['id']}", {"disabled": True})
    assert (await ci.call("GET", "/apps/shop")).error == (401, "UNAUTHORIZED", "Authorization")


async def test_token_is_rotated_without_a_lock_out(bench: TowerBench, people: dict[str, Browser]) -> None:
    admin = people["admin"]
    made = await admin.ok("POST", "/tokens", {"name": "ci", "role": "editor", "expires_in_s": 3600})
    old = bearer(admin.tower, made["token"])
    answer = await old.call("POST", f"/tokens/{made['id']}/rotate", {"expires_in_s": 7200})
    assert answer.error == (403, "FORBIDDEN", "expires_in_s")
    rotated = await old.ok("POST", f"/tokens/{made['id']}/rotate")
    assert rotated["expires_at"] == made["expires_at"]
    new = bearer(admin.tower, rotated["token"])
    assert [(await caller.call("GET", "/apps")).status for caller in (old, new)] == [200, 200]
    await bench.sql("UPDATE api_tokens SET previous_until = now()")
    assert [(await caller.call("GET", "/apps")).status for caller in (old, new)] == [401, 200]
    await bench.sql("UPDATE api_tokens SET expires_at = now()")
    assert (await new.call("GET", "/apps")).status == 401


async def test_secret_that_was_replaced_cannot_replace_the_new_one(people: dict[str, Browser]) -> None:
    admin = people["admin"]
    for role in ("viewer", "admin"):
        made = await admin.ok("POST", "/tokens", {"name": "leaked", "role": role})
        path = f"/tokens/{made['id']}/rotate"
        rotated = await admin.ok("POST", path)
        old, new = (bearer(admin.tower, each["token"]) for each in (made, rotated))
        assert (await old.call("GET", "/apps")).status == 200
        assert (await old.call("POST", path)).error == (403, "FORBIDDEN", "Authorization")
        assert (await new.call("POST", path)).status == 200


async def test_token_that_is_revoked_opens_nothing_at_any_tower(bench: TowerBench) -> None:
    async with bench.tower() as first, bench.tower() as second:
        made = await first.ok("POST", "/tokens", {"name": "ci", "role": "viewer"})
        assert made["owner"] is None
        assert (await bearer(second, made["token"]).call("GET", "/apps")).status == 200
        shown = await first.ok("GET", f"/tokens/{made['id']}")
        assert shown["last_used_at"] is not None
        assert "token" not in shown
        await first.ok("DELETE", f"/tokens/{made['id']}")
        assert (await bearer(second, made["token"]).call("GET", "/apps")).status == 401


async def test_tokens_of_others_are_seen_by_admins_alone(people: dict[str, Browser]) -> None:
    admin, editor, viewer = people["admin"], people["editor"], people["viewer"]
    made = await editor.ok("POST", "/tokens", {"name": "ci"})
    assert [token["id"] for token in (await editor.ok("GET", "/tokens"))["tokens"]] == [made["id"]]
    assert (await viewer.ok("GET", "/tokens"))["tokens"] == []
    assert (await viewer.call("GET", f"/tokens/{made['id']}")).error == (404, "TOKEN_NOT_FOUND", "token")
    assert (await viewer.call("DELETE", f"/tokens/{made['id']}")).error == (404, "TOKEN_NOT_FOUND", "token")
    assert made["id"] in [token["id"] for token in (await admin.ok("GET", "/tokens"))["tokens"]]
    assert made["id"] not in [token["id"] for token in (await admin.ok("GET", "/tokens?mine=true"))["tokens"]]
    await admin.ok("DELETE", f"/tokens/{made['id']}")


async def test_many_wrong_tokens_are_answered_with_a_pause_and_a_right_one_goes_on(tower: Tower) -> None:
    statuses = [(await bearer(tower, f"tsp_wrong{number}").call("GET", "/apps")).status for number in range(25)]
    assert statuses[:20] == [401] * 20
    late = await bearer(tower, "tsp_wrong").call("GET", "/apps")
    assert late.error == (429, "TOO_MANY_ATTEMPTS", None)
    assert int(late.headers["Retry-After"]) > 0
    assert (await bearer(tower, TOKEN).call("GET", "/apps")).status == 200
