"""Of two people who edit one flag the second is told early, chooses, and saves; reasons are asked where wanted."""

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.timeout(240)


def test_second_of_two_editors_is_told_before_saving_and_chooses(open_page: OpenPage, stage: DashboardStage) -> None:
    app = stage.make_app("two-editors")
    flag = stage.make_flag(app, "search", rollout=10)
    page = open_page(f"/apps/{app}/flags/{flag}", role="editor")
    rollout = page.get_by_role("textbox", name="Rollout in percent")
    rollout.fill("25")
    bar = page.get_by_role("region", name="Unsaved changes")
    expect(bar).to_contain_text("ollout 10% → 25%")

    stage.call("PATCH", f"/apps/{app}/flags/{flag}", {"rollout": 50, "owner": "growth"})

    expect(bar).to_contain_text("changed this flag while you were editing")
    expect(bar).to_contain_text("10% → 50%")
    expect(bar.get_by_role("button", name="Save")).to_be_disabled()
    bar.get_by_role("button", name="Look, and choose").click()
    choice = page.get_by_role("dialog").get_by_role("group", name="rollout")
    for value in ("10%", "50%", "25%"):
        expect(choice).to_contain_text(value)
    expect(page.get_by_role("dialog")).to_contain_text("growth")
    choice.get_by_role("radio", name="Yours").check()
    page.get_by_role("button", name="Go on with this").click()
    expect(bar).to_contain_text("ollout 50% → 25%")
    bar.get_by_role("button", name="Save").click()

    expect(page.get_by_role("region", name="Saved changes")).to_contain_text("Saved")
    saved = stage.call("GET", f"/apps/{app}/flags/{flag}")
    assert (saved["rollout"], saved["owner"]) == (25, "growth")


def press_switch(page: Page) -> None:
    """Press what is seen of the switch: the control itself has no size."""
    page.get_by_role("switch", name="search is off").locator("xpath=following-sibling::span").click()


def test_reason_is_asked_only_in_an_app_that_wants_one(open_page: OpenPage, stage: DashboardStage) -> None:
    free = stage.make_app("no-reasons")
    strict = stage.make_app("with-reasons", requires_reason=True)
    stage.make_flag(free, "search")
    stage.call("POST", f"/apps/{strict}/flags", {"key": "search"}, **{"Tailslide-Reason": "a%20new%20search"})

    page = open_page(f"/apps/{free}/flags/search", role="editor")
    press_switch(page)
    expect(page.get_by_role("switch", name="search is on")).to_be_checked()

    page = open_page(f"/apps/{strict}/flags/search", role="editor")
    press_switch(page)
    question = page.get_by_role("dialog", name=f"{strict} asks for a reason")
    question.get_by_role("button", name="Change nothing").click()
    expect(page.get_by_role("switch", name="search is off")).not_to_be_checked()
    press_switch(page)
    question.get_by_role("textbox").fill("the new search is ready")
    question.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("switch", name="search is on")).to_be_checked()
    page.get_by_role("navigation", name="Parts of the flag").get_by_role("link", name="Log").click()
    expect(page.locator("[data-entry]").first).to_contain_text("“the new search is ready”")
