"""What a flag's page offers is in the palette too, for those who may do it."""

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(120)


def test_flag_is_turned_off_from_the_palette_by_an_editor_alone(open_page: OpenPage, stage: DashboardStage) -> None:
    app = stage.make_app("palette-commands")
    flag = stage.make_flag(app, "new-search", name="New search", active=True)
    for role in ("viewer", "editor"):
        page = open_page(f"/apps/{app}/flags/{flag}", role=role)
        expect(page.get_by_role("switch", name="new-search is on").first).to_be_visible()
        page.keyboard.press("Control+k")
        page.get_by_placeholder("Find a page").fill("new search")
        expect(page.get_by_text("Circuit of New search")).to_be_visible()
        command = page.get_by_text("Turn off New search")
        if role == "viewer":
            expect(command).to_have_count(0)
        else:
            command.click()
            expect(page.get_by_role("switch", name="new-search is off").first).to_be_visible()
