"""Rules are put into another order by the pointer and by keys, and saved in it."""

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(120)


def test_rules_are_dragged_and_moved_by_keys(open_page: OpenPage, stage: DashboardStage) -> None:
    app = stage.make_app("rule-order")
    rules = [
        {"name": name, "when": [{"attribute": "country", "operator": "equals", "values": [name]}], "variant": "on"}
        for name in ("one", "two", "three")
    ]
    flag = stage.make_flag(app, "search", rules=rules)
    page = open_page(f"/apps/{app}/flags/{flag}", role="editor")
    groups = page.get_by_role("group", name="Rule ")

    page.get_by_role("group", name="Rule three").get_by_title("Drag to another place").drag_to(
        page.get_by_role("group", name="Rule one")
    )
    expect(groups.nth(0)).to_contain_text("three")
    expect(groups.nth(1)).to_contain_text("one")
    page.get_by_role("group", name="Rule two").get_by_role("button").first.focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(groups.nth(1)).to_contain_text("two")

    page.get_by_role("region", name="Unsaved changes").get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Saved changes")).to_contain_text("Saved")
    saved = stage.call("GET", f"/apps/{app}/flags/{flag}")
    assert [rule["name"] for rule in saved["rules"]] == ["three", "two", "one"]
