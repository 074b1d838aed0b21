"""The page of one-time links in a real browser, at a real Tower."""

import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from access_clients import ADMIN, PASSWORD
from dashboard_node import find_node
from enter_browser import browser, relayed
from playwright.async_api import BrowserContext, Page, expect
from tower_bench import Tower, TowerBench

from tailslide_tower.auth.entry_links import is_page_path
from tailslide_tower.dashboard.built import read_built

PATHS = json.loads((Path(__file__).parents[1] / "tower" / "auth" / "page_paths.json").read_text())
SCRIPT = Path(__file__).parents[2] / "tower" / "tailslide_tower" / "entry" / "page" / "page_path.js"
FLAG_PAGE = "/apps/shop/flags/new-checkout"


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    async with browser() as running:
        yield await running.new_context(user_agent="test")


async def page_of(context: BrowserContext, base: str) -> Page:
    """Return a page of the browser, which is at Tower's address."""
    page = await context.new_page()
    page.set_default_timeout(30_000)
    await page.goto(f"{base}/healthz")
    return page


async def link_to(tower: Tower, base: str, path: str | None) -> str:
    made = await tower.ok("POST", "/links", {"name": "board", "path": path})
    assert made["url"].startswith("http://localhost/enter")
    return base + str(made["url"]).removeprefix("http://localhost")


async def test_viewer_link_opens_the_page_that_it_names_at_once_and_once(tower: Tower, context: BrowserContext) -> None:
    async with relayed(tower.socket) as base:
        link = await link_to(tower, base, FLAG_PAGE)
        page = await page_of(context, base)
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if "Security Policy" in said.text else None)
        await page.goto(link)
        await page.wait_for_url(base + FLAG_PAGE)
        if read_built().missing is None:
            await expect(page.locator("#root")).not_to_be_empty()
        assert refused == []
        who = await page.evaluate("fetch('/api/v1/session').then((answer) => answer.json())")
        assert (who["principal"]["kind"], who["principal"]["role"]) == ("link", "viewer")
        # The secret is not in the history, and the same browser may open the link again.
        await page.goto(link)
        await page.wait_for_url(base + FLAG_PAGE)

        await context.clear_cookies()
        await page.goto(link)
        await expect(page.get_by_role("alert")).to_have_text("This link was used or has expired. Ask for a new one.")
        assert page.url == f"{base}/enter"


async def test_viewer_link_is_left_for_others_by_who_is_logged_in(bench: TowerBench, context: BrowserContext) -> None:
    async with bench.tower(admin_email=ADMIN, admin_password=PASSWORD) as tower, relayed(tower.socket) as base:
        page = await page_of(context, base)
        log_in = """(body) => fetch('/api/v1/session',
            {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})"""
        await page.evaluate(log_in, {"email": ADMIN, "password": PASSWORD})
        await page.goto(await link_to(tower, base, "/log"))
        await page.wait_for_url(f"{base}/log")
        (link,) = (await tower.ok("GET", "/links"))["links"]
        assert link["used_at"] is None


async def test_set_up_link_asks_for_an_account_and_leads_to_the_dashboard(
    bench: TowerBench, context: BrowserContext
) -> None:
    async with bench.tower(None) as tower, relayed(tower.socket) as base:
        page = await page_of(context, base)
        await page.goto(base + bench.announced[0].strip().rpartition("http://localhost")[2])
        await page.get_by_label("E-mail address").fill(ADMIN)
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_role("button", name="Open the dashboard").click()
        await page.wait_for_url(lambda url: not url.startswith(f"{base}/enter"))
        who = await page.evaluate("fetch('/api/v1/session').then((answer) => answer.json())")
        assert (who["principal"]["name"], who["principal"]["role"]) == (ADMIN, "admin")


async def test_link_leads_to_no_other_place(tower: Tower, context: BrowserContext) -> None:
    async with relayed(tower.socket) as base:
        page = await page_of(context, base)
        for asked in ("//evil.example/x", "/\\evil.example", "https://evil.example", "/api/v1/session"):
            answer = await tower.call("POST", "/links", {"name": "board", "path": asked})
            assert answer.error == (400, "INVALID", "path")
            _, _, secret = (await link_to(tower, base, None)).partition("#")
            query = urlencode({"to": asked})
            await page.goto(f"{base}/enter?{query}#{secret}")
            await page.wait_for_url(lambda url: not url.startswith(f"{base}/enter"))
            assert page.url.startswith(f"{base}/")
            assert "evil" not in page.url
            assert "/api/" not in page.url


def test_script_and_tower_agree_on_where_links_lead() -> None:
    paths = [*PATHS["pages"], *PATHS["elsewhere"], "/" + "x" * 499, "/" + "x" * 500, "/" + "😀" * 499]
    program = (
        f"import {{ isPagePath }} from {json.dumps(SCRIPT.as_uri())};"
        "process.stdin.setEncoding('utf8'); let text = ''; for await (const part of process.stdin) text += part;"
        "process.stdout.write(JSON.stringify(JSON.parse(text).map(isPagePath)));"
    )
    done = subprocess.run(
        [find_node().program, "--no-warnings", "--input-type=module", "--eval", program],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [is_page_path(path) for path in paths]
