"""Every page, in light and dark, wide and narrow: it shows, nothing overflows, and axe finds nothing serious."""

import re

import pytest
from dashboard_pages import NARROW, WIDE, OpenPage, picture, serious_faults
from dashboard_stage import APP, FLAG, DashboardStage
from playwright.sync_api import Page, expect

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
LOOKS = {"light-wide": ("light", WIDE), "dark-narrow": ("dark", NARROW)}


@pytest.fixture(scope="module", autouse=True)
def _segment(stage: DashboardStage) -> None:
    stage.call("POST", f"/apps/{APP}/segments", {"key": "beta", "include": ["ada", "grace"]})


def settled(page: Page) -> None:
    """Wait until the page has its heading, is live, and loads nothing any more."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_label("Loading")).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_page_shows_whole_and_accessible(open_page: OpenPage, axe: str, name: str, look: str) -> None:
    scheme, size = LOOKS[look]
    page = open_page(PAGES[name], scheme=scheme, size=size)
    expect(page.locator("[data-phase=live]")).to_be_visible()
    settled(page)
    picture(page, f"{name}-{look}")

    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it is wider than the screen"
    expect(page).to_have_title(re.compile(r".+ · Tailslide|Tailslide"))
    assert serious_faults(page, axe) == []


@pytest.mark.parametrize("look", LOOKS)
def test_log_in_shows_whole_and_accessible(open_page: OpenPage, axe: str, look: str) -> None:
    scheme, size = LOOKS[look]
    page = open_page("/login", role=None, scheme=scheme, size=size)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    picture(page, f"login-{look}")

    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it is wider than the screen"
    assert serious_faults(page, axe) == []


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("new-")])
def test_viewer_sees_the_page_and_no_way_to_a_refusal(open_page: OpenPage, name: str) -> None:
    if name in {"users", "tokens", "flag-duplicate"}:
        pytest.skip("a page of admins or editors")
    page = open_page(PAGES[name], role="viewer")
    settled(page)
    expect(page.get_by_text("This could not be read")).to_have_count(0)
