"""A webhook from its page: made, tried out, what it was told, sent again, its secret changed, disabled, deleted."""

import re

import pytest
from dashboard_pages import Hook, OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(180)


def test_webhook_is_made_resent_rotated_and_deleted(open_page: OpenPage, stage: DashboardStage, hook: Hook) -> None:
    app = stage.make_app("webhook-page")
    flag = stage.make_flag(app, "search", active=False)
    page = open_page(f"/apps/{app}/alerts")
    page.get_by_role("link", name=re.compile("New webhook")).first.click()
    page.get_by_role("radio", name=re.compile("^Signed JSON")).check()
    page.get_by_role("textbox", name="Name").fill("Incident bot")
    page.get_by_role("textbox", name="Address").fill(f"{hook.url}/tailslide")
    page.get_by_role("checkbox", name=re.compile("^Turned on or off")).check()
    page.get_by_role("button", name=re.compile("^Make the webhook")).click()
    first = page.locator("code", has_text=re.compile("^whsec_")).first.inner_text()
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Incident bot")

    hook.status = 404
    stage.call("PATCH", f"/apps/{app}/flags/{flag}", {"active": True})
    row = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    expect(row).to_contain_text("status 404")
    expect(row).to_contain_text("The receiver does not know this address")
    hook.status = 200
    row.get_by_role("button", name=re.compile("^Send")).click()
    expect(row).to_contain_text("Delivered")
    assert hook.bodies[-1] == hook.bodies[0]

    page.get_by_role("button", name="New secret").click()
    dialog = page.get_by_role("dialog")
    second = dialog.locator("code", has_text=re.compile("^whsec_")).inner_text()
    assert second != first
    dialog.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_text("The sample was taken")).to_be_visible()
    # For a day both secrets sign.
    assert len(hook.headers[-1]["webhook-signature"].split()) == 2

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(re.compile(f"/apps/{app}/alerts$"))
    expect(page.get_by_text("Incident bot")).to_have_count(0)
