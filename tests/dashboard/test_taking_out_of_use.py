"""A flag that is still asked for is archived all the same, brought back, and deleted in the end."""

import re
import urllib.request

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import APP, DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(180)


def test_flag_in_use_is_archived_restored_and_deleted(open_page: OpenPage, stage: DashboardStage) -> None:
    flag = stage.make_flag(APP, "old-banner", active=True, circuit=None)
    # What the page asks at the moment of the deletion is answered 404.
    page = open_page(f"/apps/{APP}/flags/{flag}/settings", expected=("status of 409", "status of 404"))
    expect(page.get_by_text("arrived in 1 of 1 sidecar")).to_be_visible()
    with urllib.request.urlopen(f"{stage.whole.addresses.flags}/v1/flags/{flag}?targeting_key=ada") as answer:
        assert answer.status == 200

    # Tower hears of the question within seconds; until then nothing speaks against archiving it.
    path = f"/apps/{APP}/flags/{flag}/timeseries?range=1m"
    for _ in range(200):
        if any(any(counts) for counts in stage.call("GET", path)["evaluations"]["variants"].values()):
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name=f"Archive {flag}").click()
    refusal = page.get_by_role("alert").filter(has_text="Not archived")
    expect(refusal).to_contain_text(re.compile("Something asked for it .* ago"))
    refusal.get_by_role("button", name="Archive it all the same").click()
    expect(page.get_by_text("Sidecars do not get it").first).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name=f"Archive {flag}")).to_be_visible()
    assert stage.call("GET", f"/apps/{APP}/flags/{flag}")["archived_at"] is None

    stage.call("POST", f"/apps/{APP}/flags/{flag}/archive", {"force": True})
    page.get_by_role("button", name=f"Restore {flag}").click()
    expect(page.get_by_role("button", name=f"Archive {flag}")).to_be_visible()

    stage.call("POST", f"/apps/{APP}/flags/{flag}/archive", {"force": True})
    delete = page.get_by_role("button", name="Delete for good")
    expect(delete).to_be_disabled()
    page.get_by_role("textbox", name=f"Type {flag} to delete it").fill(flag)
    delete.click()
    expect(page).to_have_url(re.compile(f"/apps/{APP}/flags$"))
    expect(page.get_by_role("link", name="old-banner")).to_have_count(0)
