"""A flag made, targeted, turned on and rolled back with the keyboard alone, and found again by the palette."""

import re

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import APP, FLAG, DashboardStage
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.timeout(240)

STOPS = 120
"""So many times one may press Tab to get anywhere on a page."""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus, which has to be seen."""
    expect(target).to_be_attached()
    for _ in range(STOPS):
        if target.evaluate("each => each === document.activeElement"):
            assert target.evaluate("each => each.matches(':focus-visible')")
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go to `target` by Tab and press `key` there."""
    tab_to(page, target)
    page.keyboard.press(key)


def test_flag_made_targeted_turned_on_and_rolled_back_by_keyboard(open_page: OpenPage, stage: DashboardStage) -> None:
    app = stage.make_app("by-keyboard")
    page = open_page(f"/apps/{app}/flags", role="editor")
    expect(page.get_by_role("heading", level=1)).to_have_text("Flags")

    page.keyboard.press("c")
    tab_to(page, page.get_by_role("textbox", name="Name"))
    page.keyboard.type("Search")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    switch = page.get_by_role("region", name="The switch").get_by_role("switch", name="search is")

    press(page, page.get_by_role("button", name="Add to the allow list"))
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    rollout = page.get_by_role("textbox", name="Rollout in percent")
    tab_to(page, rollout)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("25")
    bar = page.get_by_role("region", name="Unsaved changes")
    expect(bar).to_contain_text("ollout 100% → 25%")
    page.keyboard.press("ControlOrMeta+s")
    expect(page.get_by_role("region", name="Saved changes")).to_contain_text("Saved")

    press(page, switch, "Space")
    expect(switch).to_be_checked()
    on = stage.call("GET", f"/apps/{app}/flags/search")
    assert (on["active"], on["allow"], on["rollout"]) == (True, ["ada"], 25)

    press(page, page.get_by_role("navigation", name="Parts of the flag").get_by_role("link", name="Log"))
    created = page.locator("[data-entry]").filter(has_text="made the flag search")
    press(page, created.get_by_role("button", name=re.compile("made the flag search")))
    press(page, created.get_by_role("button", name="Roll back to this version"))
    dialog = page.get_by_role("dialog", name="Roll search back to version 1")
    press(page, dialog.get_by_role("button", name="Roll back", exact=True))
    expect(switch).not_to_be_checked()
    back = stage.call("GET", f"/apps/{app}/flags/search")
    assert (back["active"], back["allow"], back["rollout"]) == (False, [], 100)


def test_palette_leads_to_a_flag_of_another_app(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("ControlOrMeta+k")
    expect(page.get_by_placeholder("Find a page, a flag or an action")).to_be_focused()
    page.keyboard.type(FLAG)
    expect(page.locator("[data-selected]").filter(has_text=FLAG)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/apps/{APP}/flags/{FLAG}$"))
