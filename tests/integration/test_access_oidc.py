"""Logging in through an OpenID Connect provider, a real one in this process that signs real tokens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from access_clients import ADMIN, PASSWORD, Browser, actions, invite
from oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, new_key, oidc_provider
from pydantic import SecretStr
from tower_bench import Answer, Tower, TowerBench

from tailslide_tower.auth.principal import Role
from tailslide_tower.oidc import provider as provider_module

PENDING = "tailslide_oidc"


@pytest.fixture
async def provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider() as running:
        yield running


@asynccontextmanager
async def tower_with(bench: TowerBench, provider: OidcProvider, **more: Any) -> AsyncIterator[Tower]:
    async with bench.tower(
        oidc_issuer=provider.issuer, oidc_client_id=CLIENT_ID, oidc_client_secret=SecretStr(CLIENT_SECRET), **more
    ) as tower:
        yield tower


def cookies_of(answer: Answer) -> dict[str, str]:
    headers: Any = answer.headers
    return dict(given.partition(";")[0].split("=", 1) for given in headers.getall("Set-Cookie", []))


async def begin(tower: Tower, path: str = "/session/oidc") -> tuple[str, str]:
    """Begin a log-in; return where the browser is sent, and what it keeps."""
    answer = await tower.call("GET", path, Authorization="")
    assert answer.status == 303, answer
    return answer.headers["Location"], cookies_of(answer)[PENDING]


async def finish(tower: Tower, parameters: Mapping[str, str], pending: str, accept: str = "") -> Answer:
    path = f"/session/oidc/callback?{urlencode(parameters)}"
    return await tower.call("GET", path, Authorization="", Cookie=f"{PENDING}={pending}", Accept=accept)


async def log_in(tower: Tower, provider: OidcProvider) -> tuple[Browser, Answer]:
    url, pending = await begin(tower)
    answer = await finish(tower, provider.agree(url), pending)
    return Browser(tower, cookies_of(answer).get("tailslide_session")), answer


async def test_person_of_the_provider_gets_the_default_role(bench: TowerBench, provider: OidcProvider) -> None:
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER, oidc_name="Example") as tower:
        ways = (await tower.call("GET", "/session", Authorization="")).body["log_in"]
        assert ways == {"password": True, "oidc": {"name": "Example", "url": "/api/v1/session/oidc"}}
        browser, answer = await log_in(tower, provider)
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert cookies_of(answer)[PENDING] == '""'
        shown = await browser.ok("GET", "/session")
        assert (shown["principal"]["name"], shown["principal"]["role"]) == ("ada@example.org", "viewer")
        assert shown["session"]["method"] == "oidc"
        account = await browser.ok("GET", "/account")
        assert (account["name"], account["oidc"], account["has_password"]) == ("Ada", True, False)
        # The same person again, by whatever address: one account.
        provider.claims["email"] = "ada.new@example.org"
        again, _ = await log_in(tower, provider)
        assert (await again.ok("GET", "/account"))["id"] == account["id"]
    async with actions(bench) as logged:
        assert logged.count("user.created") == 1
        assert logged.count("login.succeeded") == 2


async def test_description_and_keys_are_kept_and_a_new_key_is_found(
    bench: TowerBench, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        for _ in range(3):
            assert (await log_in(tower, provider))[1].status == 303
        assert provider.requests.count("/keys") == 1
        assert provider.requests.count("/.well-known/openid-configuration") == 1
        monkeypatch.setattr(provider_module, "KEYS_AGAIN_S", 0.0)
        provider.key = new_key("second")
        assert (await log_in(tower, provider))[1].status == 303
        assert provider.requests.count("/keys") == 2


async def test_nobody_gets_in_who_was_not_invited(bench: TowerBench, provider: OidcProvider) -> None:
    async with tower_with(bench, provider) as tower:
        _, answer = await log_in(tower, provider)
        assert answer.error == (403, "OIDC_REFUSED", None)
        assert "ask an admin to invite you" in answer.body["detail"]
        await tower.ok("POST", "/apps", {"key": "shop"})
        await tower.ok("POST", "/invitations", {"email": "Ada@example.org", "apps": {"shop": "editor"}})
        browser, _ = await log_in(tower, provider)
        assert (await browser.ok("GET", "/session"))["principal"]["apps"] == {"shop": "editor"}
        assert (await tower.ok("GET", "/invitations"))["invitations"] == []


async def test_user_with_a_password_is_the_person_of_the_same_address(
    bench: TowerBench, provider: OidcProvider
) -> None:
    async with tower_with(bench, provider) as tower:
        ada = await invite(tower, "ada@example.org", role="editor")
        account = await ada.ok("GET", "/account")
        browser, _ = await log_in(tower, provider)
        assert (await browser.ok("GET", "/account"))["id"] == account["id"]
        provider.claims["sub"] = "another person"
        _, answer = await log_in(tower, provider)
        assert answer.error == (403, "OIDC_REFUSED", None)
        await tower.ok("PATCH", f"/users/{account['id']}", {"disabled": True})
        provider.claims["sub"] = "17"
        _, answer = await log_in(tower, provider)
        assert "disabled" in answer.body["detail"]


async def test_groups_give_the_role_at_each_log_in_but_the_last_admin_stays(
    bench: TowerBench, provider: OidcProvider
) -> None:
    roles = {"dev": Role.EDITOR, "ops": Role.ADMIN}
    async with tower_with(bench, provider, oidc_roles=roles) as tower:
        for groups, role in ((["dev"], "editor"), (["dev", "ops"], "admin"), ([], "admin")):
            provider.claims["groups"] = groups
            browser, _ = await log_in(tower, provider)
            assert (await browser.ok("GET", "/session"))["principal"]["role"] == role
        await invite(tower, ADMIN, role="admin")
        browser, _ = await log_in(tower, provider)
        assert (await browser.ok("GET", "/session"))["principal"]["role"] is None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email_verified": False}, "has not verified"),
        ({"email_verified": None}, "has not verified"),
        ({"email": "nobody"}, "no e-mail address that can be used"),
        ({"email": "ada@elsewhere.example"}, "addresses of elsewhere.example may not log in here"),
        ({"aud": "another client"}, "ID token is not right"),
        ({"iss": "https://evil.example"}, "ID token is not right"),
        ({"nonce": "another"}, "ID token is not right"),
        ({"exp": 1}, "ID token is not right"),
    ],
)
async def test_token_that_is_not_right_lets_nobody_in(
    bench: TowerBench, provider: OidcProvider, claims: dict[str, Any], said: str
) -> None:
    provider.claims.update(claims)
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER, oidc_domains=("example.org",)) as tower:
        browser, answer = await log_in(tower, provider)
        assert answer.error == (403, "OIDC_REFUSED", None)
        assert said in answer.body["detail"]
        assert browser.cookie is None


async def test_token_of_a_key_that_is_not_the_providers_lets_nobody_in(
    bench: TowerBench, provider: OidcProvider
) -> None:
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        await log_in(tower, provider)
        provider.key = new_key("first")  # of the same name, and yet not the one that was published
        _, answer = await log_in(tower, provider)
        assert answer.error == (403, "OIDC_REFUSED", None)


async def test_address_may_be_told_by_the_user_info(bench: TowerBench, provider: OidcProvider) -> None:
    provider.user_info = {name: provider.claims.pop(name) for name in ("email", "email_verified")} | {"sub": "17"}
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        assert (await log_in(tower, provider))[1].status == 303
        provider.user_info["sub"] = "18"
        assert (await log_in(tower, provider))[1].status == 403


async def test_answer_of_a_log_in_that_another_browser_began_is_refused(
    bench: TowerBench, provider: OidcProvider
) -> None:
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        url, _ = await begin(tower)
        _, other = await begin(tower)
        parameters = provider.agree(url)
        for pending in (other, "", "nonsense", "a.b.c.d"):
            assert (await finish(tower, parameters, pending)).error == (400, "OIDC_STATE", "state")
        answer = await finish(tower, {"error": "access_denied", "state": parameters["state"]}, other)
        assert answer.error == (403, "OIDC_REFUSED", None)


async def test_browser_is_sent_on_within_tower_alone(bench: TowerBench, provider: OidcProvider) -> None:
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        for asked, then in (
            ("/flags?app=shop", "/flags?app=shop"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
        ):
            url, pending = await begin(tower, f"/session/oidc?{urlencode({'next': asked})}")
            answer = await finish(tower, provider.agree(url), pending)
            assert (answer.status, answer.headers["Location"]) == (303, then)


async def test_browser_that_does_not_get_in_is_led_to_the_log_in_page_which_knows_why(
    bench: TowerBench, provider: OidcProvider
) -> None:
    browser = "text/html,application/xhtml+xml,*/*;q=0.8"

    def problem(answer: Answer) -> dict[str, str]:
        url = urlsplit(answer.headers["Location"])
        assert (answer.status, url.netloc, url.path) == (303, "", "/login")
        assert "tailslide_session" not in cookies_of(answer)
        return dict(parse_qsl(url.query))

    async with tower_with(bench, provider) as tower:
        url, pending = await begin(tower, "/session/oidc?next=/apps/shop/flags")
        answer = await finish(tower, provider.agree(url), pending, browser)
        assert problem(answer) == {"problem": "no_account", "next": "/apps/shop/flags"}
        answer = await finish(tower, {"state": "another", "code": "7"}, pending, browser)
        assert problem(answer)["problem"] == "state"
        answer = await finish(tower, {"error": "<script>", "error_description": "Call 555"}, pending, browser)
        assert problem(answer) == {"problem": "refused", "next": "/apps/shop/flags"}
    async with tower_with(bench, OidcProvider("http://127.0.0.1:1")) as tower:
        answer = await tower.call("GET", "/session/oidc?next=//evil.example", Authorization="", Accept=browser)
        assert problem(answer)["problem"] == "unavailable"


async def test_without_the_provider_a_password_still_works(bench: TowerBench, provider: OidcProvider) -> None:
    gone = OidcProvider("http://127.0.0.1:1")
    async with tower_with(bench, gone) as tower:
        await invite(tower, ADMIN, role="admin")
        answer = await tower.call("GET", "/session/oidc", Authorization="")
        assert answer.error == (503, "OIDC_UNAVAILABLE", None)
        assert int(answer.headers["Retry-After"]) > 0
        assert (await Browser(tower).log_in(ADMIN, PASSWORD)).status == 201


async def test_without_a_provider_there_is_no_such_way(tower: Tower) -> None:
    answer = await tower.call("GET", "/session/oidc", Authorization="")
    assert answer.error == (404, "OIDC_NOT_CONFIGURED", None)


async def test_answers_that_come_in_pieces_are_read_whole(bench: TowerBench, provider: OidcProvider) -> None:
    provider.in_pieces = True
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        _, answer = await log_in(tower, provider)
        assert answer.status == 303, answer


async def test_key_that_is_not_understood_does_not_spoil_the_others(bench: TowerBench, provider: OidcProvider) -> None:
    provider.keys = {"keys": [{"kty": "LATTICE", "kid": "new"}, provider.key.as_dict(private=False), "x"]}
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        assert (await log_in(tower, provider))[1].status == 303


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": ["x"]}, {"keys": [{"kty": "RSA", "n": 7}]}, [1]])
async def test_keys_that_are_none_are_the_providers_fault(bench: TowerBench, provider: OidcProvider, keys: Any) -> None:
    provider.keys = keys
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        _, answer = await log_in(tower, provider)
        assert answer.error == (503, "OIDC_UNAVAILABLE", None)


async def test_provider_that_is_away_is_not_asked_by_each_who_comes(
    bench: TowerBench, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_module, "FAILURE_KEPT_S", 60.0)
    async with tower_with(bench, provider, oidc_default_role=Role.VIEWER) as tower:
        issuer, provider.issuer = provider.issuer, "another"
        for _ in range(5):
            assert (await tower.call("GET", "/session/oidc", Authorization="")).error[1] == "OIDC_UNAVAILABLE"
        assert len(provider.requests) == 1
        provider.issuer = issuer
        monkeypatch.setattr(provider_module, "FAILURE_KEPT_S", 0.0)
        assert (await log_in(tower, provider))[1].status == 303
