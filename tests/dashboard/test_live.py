"""The page says whether it is live, marks what is old, and catches up."""

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(180)


def test_page_is_live_and_says_since_when_it_is_not(open_page: OpenPage, stage: DashboardStage) -> None:
    page = open_page("/", expected=("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "WebSocket"))
    expect(page.locator("[data-phase=live]")).to_have_text("Live")

    page.context.set_offline(True)
    stage.run(stage.scene.loop.stack.children["tower"].stop)

    expect(page.locator("[data-phase=gone]")).to_contain_text("Not live since")
    expect(page.get_by_role("alert")).to_contain_text("trying again")

    page.context.set_offline(False)
    stage.run(stage.scene.loop.stack.children["tower"].start)

    expect(page.locator("[data-phase=live]")).to_have_text("Live", timeout=30_000)
