"""A flag made, targeted, turned on and rolled back by touch, on a screen 360 px wide."""

import re

import pytest
from dashboard_pages import NARROW, OpenPage, picture
from dashboard_stage import DashboardStage
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.timeout(240)


TARGET_PX = 40

GROWN = """async (target) => {
  for (let each = target; each; each = each.parentElement)
    await Promise.all(each.getAnimations().map((animation) => animation.finished.catch(() => {})));
}"""
"""Waits for the transitions of an element and of all that it is in; one that is given up counts as over."""


class Finger:
    """Taps, and keeps what is too low for a finger."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def tap(self, target: Locator) -> None:
        """Tap on a target."""
        target.tap(trial=True)
        # A dialog grows while it opens; its parts are as high as they will be when nothing around them moves any more.
        target.evaluate(GROWN)
        box = target.bounding_box()
        assert box is not None
        if box["height"] < TARGET_PX:
            self.missed.append(f"{target.inner_text()}: {box['height']} px")
        target.tap()


def test_flag_made_targeted_turned_on_and_rolled_back_by_touch(open_page: OpenPage, stage: DashboardStage) -> None:
    app = stage.make_app("by-touch")
    finger = Finger()
    page = open_page(f"/apps/{app}/flags", role="editor", size=NARROW, has_touch=True, is_mobile=True)

    finger.tap(page.get_by_role("link", name="New flag"))
    page.get_by_role("textbox", name="Name").tap()
    page.keyboard.type("Search")
    finger.tap(page.get_by_role("button", name="Make the flag"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")

    finger.tap(page.get_by_role("button", name="Add to the allow list"))
    page.keyboard.type("ada")
    finger.tap(page.get_by_role("button", name="Add 1 key"))
    finger.tap(
        page.get_by_role("group", name="Usual steps of the rollout").get_by_role("button", name="25%", exact=True)
    )
    bar = page.get_by_role("region", name="Unsaved changes")
    expect(bar).to_contain_text("ollout 100% → 25%")
    finger.tap(bar.get_by_role("button", name="Save"))
    expect(page.get_by_role("region", name="Saved changes")).to_contain_text("Saved")

    finger.tap(page.get_by_role("navigation", name="Subjects").get_by_role("link", name="Flags"))
    switch = page.get_by_role("switch", name=f"search in {app}")
    switch.tap()
    expect(switch).to_be_checked()
    on = stage.call("GET", f"/apps/{app}/flags/search")
    assert (on["active"], on["allow"], on["rollout"]) == (True, ["ada"], 25)

    page.get_by_role("link", name="Search", exact=True).tap()
    finger.tap(page.get_by_role("navigation", name="Parts of the flag").get_by_role("link", name="Log"))
    made = page.locator("[data-entry]").filter(has_text="made the flag search")
    finger.tap(made.get_by_role("button", name=re.compile("made the flag search")))
    finger.tap(made.get_by_role("button", name="Roll back to this version"))
    dialog = page.get_by_role("dialog", name="Roll search back to version 1")
    finger.tap(dialog.get_by_role("button", name="Roll back", exact=True))
    switch = page.get_by_role("region", name="The switch").get_by_role("switch", name="search is off")
    expect(switch).not_to_be_checked()
    back = stage.call("GET", f"/apps/{app}/flags/search")
    assert (back["active"], back["allow"], back["rollout"]) == (False, [], 100)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it is wider than the screen"
    picture(page, "by-touch-rolled-back")
    assert finger.missed == []
