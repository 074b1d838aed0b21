"""The dashboard in the system's Chromium, on a whole loop of real servers.

One stage and one browser for each worker, which end with the last of these tests: the browser's API runs an event loop
in the thread of the tests, so no test with a loop of its own can run meanwhile. A test gets pages of its own, logged in
as who it asks for. A page that logs an error, violates its content security policy, or asks another host for anything
fails its test.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from dashboard_pages import WIDE, Hook, OpenPage, running_hook
from dashboard_stage import PASSWORD, DashboardStage, dashboard_stage
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tailslide_tower.dashboard.built import read_built

PATIENCE_MS = 20_000
"""How long a page may take on a busy machine. Nothing waits for it that is there earlier."""
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Start the browser, once."""
    if CHROMIUM is None:
        reason = "the dashboard's tests need Chromium: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox of its own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def stage() -> Iterator[DashboardStage]:
    """Run the servers, once for all files of a worker."""
    with dashboard_stage() as running:
        yield running


@pytest.fixture(scope="package")
def cookies(chromium: Browser, stage: DashboardStage) -> dict[str, Any]:
    """Log each user in, once; return the state of the browser for each role."""
    states: dict[str, Any] = {}
    for role in ("admin", "editor", "viewer"):
        context = chromium.new_context(base_url=stage.url)
        answer = context.request.post("/api/v1/session", data={"email": f"{role}@example.org", "password": PASSWORD})
        assert answer.ok, answer.text()
        states[role] = context.storage_state()
        context.close()
    return states


@pytest.fixture
def open_page(chromium: Browser, stage: DashboardStage, cookies: dict[str, Any]) -> Iterator[OpenPage]:
    """Give a function that opens a page: `open_page("/flags", role="viewer", size=NARROW, scheme="dark")`.

    `role` is None for somebody who is not logged in. `expected` are texts of errors that the test provokes.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def opened(
        path: str,
        *,
        role: str | None = "admin",
        size: ViewportSize = WIDE,
        scheme: str = "light",
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> Page:
        state = None if role is None else cookies[role]
        asked: dict[str, Any] = {"viewport": size, "color_scheme": scheme, "storage_state": state, **options}
        context = chromium.new_context(
            base_url=stage.url,
            **asked,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()

        def fault(text: str) -> None:
            if not any(each in text for each in expected):
                faults.append(text)

        def look(message: ConsoleMessage) -> None:
            if message.type == "error":
                fault(f"console: {message.text}")

        def follow(request: Request) -> None:
            if not _same_host(request.url, stage.url):
                fault(f"asked for {request.url}")

        page.on("pageerror", lambda error: fault(f"uncaught: {error}"))
        page.on("console", look)
        page.on("request", follow)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _same_host(url: str, tower: str) -> bool:
    return url.startswith(("data:", "blob:")) or urlsplit(url).netloc == urlsplit(tower).netloc


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Run a receiver of webhooks."""
    with running_hook() as running:
        yield running


@pytest.fixture(scope="package")
def axe() -> str:
    """Return the source of axe-core, which finds faults of accessibility."""
    source = Path(__file__).parents[2] / "tower/dashboard/node_modules/axe-core/axe.min.js"
    if not source.exists():
        reason = "axe-core is not installed: run npm ci in tower/dashboard"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return source.read_text()


@pytest.fixture(autouse=True, scope="package")
def _built() -> None:
    missing = read_built().missing
    if missing is not None:
        reason = f"there is no dashboard to test, because {missing}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
