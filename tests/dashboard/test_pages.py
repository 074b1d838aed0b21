"""Every page, in light and dark, wide and narrow: it shows, nothing overflows, and axe finds nothing serious."""

import re
from typing import Literal

import pytest
from dashboard_pages import NARROW, WIDE, OpenPage, picture, serious_faults
from dashboard_stage import APP, FLAG, DashboardStage
from playwright.sync_api import Page, ViewportSize, expect

pytestmark = pytest.mark.timeout(180)

PAGES = {
    "overview": "/",
    "flags": "/flags",
    "new-flag": f"/apps/{APP}/new-flag",
    "flag-targeting": f"/apps/{APP}/flags/{FLAG}",
    "flag-circuit": f"/apps/{APP}/flags/{FLAG}/circuit",
    "flag-log": f"/apps/{APP}/flags/{FLAG}/log",
    "flag-settings": f"/apps/{APP}/flags/{FLAG}/settings",
    "flag-duplicate": f"/apps/{APP}/flags/{FLAG}/duplicate",
    "apps": "/apps",
    "app": f"/apps/{APP}",
    "new-app": "/new-app",
    "segments": f"/apps/{APP}/segments",
    "segment": f"/apps/{APP}/segments/beta",
    "new-segment": f"/apps/{APP}/new-segment",
    "log": "/log",
    "alerts": "/alerts",
    "sidecars": "/sidecars",
    "keys": f"/apps/{APP}/keys",
    "account": "/settings/account",
    "users": "/settings/users",
    "tokens": "/settings/tokens",
    "welcome": "/welcome",
}
LOOKS: dict[str, tuple[Literal["light", "dark"], ViewportSize]] = {
    "light-wide": ("light", WIDE),
    "dark-narrow": ("dark", NARROW),
}


@pytest.fixture(scope="module", autouse=True)
def _segment(stage: DashboardStage) -> None:
    stage.call("POST", f"/apps/{APP}/segments", {"key": "beta", "include": ["ada", "grace"]})


def seen_as(page: Page, scheme: Literal["light", "dark"], size: ViewportSize) -> None:
    """Look at the page in this scheme and size."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)


def settled(page: Page) -> None:
    """Wait until the page has its heading, is live, and loads nothing any more."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_label("Loading")).to_have_count(0)


@pytest.mark.parametrize("name", PAGES)
def test_page_shows_whole_and_accessible(open_page: OpenPage, axe: str, name: str) -> None:
    page = open_page(PAGES[name])
    expect(page.locator("[data-phase=live]")).to_be_visible()
    settled(page)
    expect(page).to_have_title(re.compile(r".+ · Tailslide|Tailslide"))
    for look, (scheme, size) in LOOKS.items():
        seen_as(page, scheme, size)
        settled(page)
        picture(page, f"{name}-{look}")

        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"too wide in {look}"
        assert serious_faults(page, axe) == [], look


def test_log_in_shows_whole_and_accessible(open_page: OpenPage, axe: str) -> None:
    page = open_page("/login", role=None)
    for look, (scheme, size) in LOOKS.items():
        seen_as(page, scheme, size)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        picture(page, f"login-{look}")

        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"too wide in {look}"
        assert serious_faults(page, axe) == [], look


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("new-")])
def test_viewer_sees_the_page_and_no_way_to_a_refusal(open_page: OpenPage, name: str) -> None:
    if name in {"users", "tokens", "flag-duplicate"}:
        pytest.skip("a page of admins or editors")
    page = open_page(PAGES[name], role="viewer")
    settled(page)
    expect(page.get_by_text("This could not be read")).to_have_count(0)
