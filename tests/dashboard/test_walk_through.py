"""The walk-through by which the product was first described, click by click, and the circuit watched as it moves."""

import json
import re

import pytest
from dashboard_pages import Hook, OpenPage, picture
from dashboard_stage import APP, FLAG, DashboardStage
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.timeout(240)

NEW_APP = "web-shop"
NEW_FLAG = "new-checkout"
# The steps by which users come back on the stage; with the last the circuit is closed.
SHARES = ("25%", "50%", "75%", "100%")
# Keeps each state that the page shows and each step of the ramp that it marks, however short they are.
RECORD = """() => {
  window.seen = [];
  const look = () => {
    const badge = document.querySelector("h1 ~ [data-state]");
    const step = document.querySelector("ol[aria-label='The steps of the recovery'] [aria-current=step]");
    const now = JSON.stringify([badge?.dataset.state, badge?.textContent, step?.firstElementChild?.textContent]);
    if (window.seen.at(-1) !== now) window.seen.push(now);
  };
  new MutationObserver(look).observe(document.body,
    {subtree: true, childList: true, characterData: true, attributes: true});
  look();
}"""


def subject(page: Page, name: str) -> Locator:
    """Return an entry of the menu on the left."""
    return page.get_by_role("navigation", name="Subjects").get_by_role("link", name=name, exact=True)


def tab(page: Page, name: str) -> Locator:
    """Return a tab of a flag's page."""
    return page.get_by_role("navigation", name="Parts of the flag").get_by_role("link", name=re.compile(f"^{name}"))


def number(page: Page, name: str) -> Locator:
    """Return one of the three numbers above the graph."""
    term = page.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))
    return term.locator("xpath=following-sibling::dd")


def test_app_flag_switch_logs_key_and_settings_click_by_click(open_page: OpenPage, hook: Hook) -> None:
    address = f"{hook.url}/services/T1/B1/secret"
    page = open_page("/")

    # An app.
    page.get_by_role("button", name="All apps").click()
    page.get_by_role("menuitem", name="New app").click()
    page.get_by_role("textbox", name="Name").fill("Web shop")
    expect(page.get_by_role("textbox", name="Key")).to_have_value(NEW_APP)
    page.get_by_role("button", name="Make the app").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Web shop")

    # A flag with a name and a description.
    page.get_by_role("link", name="New flag").click()
    page.get_by_role("textbox", name="Name").fill("New checkout")
    expect(page.get_by_role("textbox", name="Key")).to_have_value(NEW_FLAG)
    page.get_by_role("textbox", name="Description").fill("Pays in one step.")
    page.get_by_role("button", name="Make the flag").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New checkout")
    expect(page.get_by_text("Pays in one step.")).to_be_visible()

    # On, off by Undo, and on again, in the list.
    subject(page, "Flags").click()
    switch = page.get_by_role("switch", name=f"{NEW_FLAG} in {NEW_APP}")
    expect(switch).not_to_be_checked()
    switch.click()
    expect(switch).to_be_checked()
    page.get_by_role("button", name="Undo").click()
    expect(switch).not_to_be_checked()
    switch.click()
    expect(switch).to_be_checked()

    # Its screen, with its log on a tab.
    page.get_by_role("link", name="New checkout").click()
    expect(page.get_by_role("switch", name=f"{NEW_FLAG} is on")).to_be_checked()
    tab(page, "Log").click()
    entries = page.locator("[data-entry]")
    expect(entries).to_have_count(4)
    expect(entries.first).to_contain_text(f"turned {NEW_FLAG} on")
    expect(entries.last).to_contain_text(f"made the flag {NEW_FLAG}")

    # The log of all flags of all apps.
    page.get_by_role("button", name=NEW_APP).click()
    page.get_by_role("menuitem", name="All apps").click()
    subject(page, "Log").click()
    expect(page).to_have_url(re.compile("/log$"))
    expect(entries.filter(has_text=NEW_FLAG).first).to_be_visible()
    expect(entries.filter(has_text=FLAG).first).to_be_visible()

    # An SDK key, shown once, in what is to be pasted.
    page.get_by_role("button", name="All apps").click()
    page.get_by_role("menuitem", name=NEW_APP).click()
    subject(page, "Keys").click()
    page.get_by_role("textbox", name="New key").fill("Servers in Frankfurt")
    page.get_by_role("button", name="Make a key").click()
    shown = page.get_by_role("status").filter(has_text="shown this once").locator("code")
    key = shown.inner_text()
    assert key.startswith(f"tsk.{NEW_APP}.")
    expect(page.get_by_role("tabpanel", name="Shell")).to_contain_text(f"TAILSLIDE_SDK_KEY={key} tailslide sidecar")
    page.get_by_role("tab", name="Kubernetes").click()
    expect(page.get_by_role("tabpanel", name="Kubernetes")).to_contain_text(key)
    page.reload()
    expect(page.get_by_text("Servers in Frankfurt")).to_be_visible()
    assert key not in page.content()

    # Error threshold, recovery and a Slack address, there after a reload.
    subject(page, "Flags").click()
    page.get_by_role("link", name="New checkout").click()
    tab(page, "Circuit").click()
    page.get_by_role("textbox", name="Error threshold").fill("20")
    page.get_by_role("textbox", name="First delay").fill("45")
    page.get_by_role("textbox", name="First step").fill("5")
    bar = page.get_by_role("region", name="Unsaved changes")
    expect(bar).to_contain_text("threshold 50% → 20%")
    bar.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Saved changes")).to_contain_text("Saved")
    tab(page, "Settings").click()
    page.get_by_role("textbox", name="Slack address").fill(address)
    page.get_by_role("button", name="Tell this address").click()
    page.get_by_role("button", name="Try it out").click()
    expect(page.get_by_text(re.compile("200"))).to_be_visible()
    assert [NEW_FLAG in json.loads(body)["text"] for body in hook.bodies] == [True]
    page.reload()
    expect(page.get_by_role("textbox", name="Slack address")).to_have_value(address)
    tab(page, "Circuit").click()
    expect(page.get_by_role("textbox", name="Error threshold")).to_have_value("20%")
    expect(page.get_by_role("textbox", name="First delay")).to_have_value("45")
    expect(page.get_by_role("textbox", name="First step")).to_have_value("5%")


def test_circuit_opens_recovers_and_closes_while_it_is_watched(open_page: OpenPage, stage: DashboardStage) -> None:
    page = open_page(f"/apps/{APP}/flags/{FLAG}/circuit?range=1m")
    badge = page.locator("h1 ~ [data-state]")
    graph = page.get_by_label(re.compile("^Error rate and calls from"))
    steps = page.get_by_role("list", name="The steps of the recovery")
    expect(badge).to_have_attribute("data-state", "on")
    expect(number(page, "Calls")).to_contain_text(re.compile(r"^[1-9]"))
    expect(graph).to_have_attribute("aria-label", re.compile(r"calls failed, .*The threshold is 20%"))
    expect(steps.get_by_role("listitem")).to_have_text([re.compile(f"^{each}") for each in ("Nobody", *SHARES)])
    page.evaluate(RECORD)

    stage.feature.break_down()
    try:
        expect(badge).to_have_attribute("data-state", "open")
        # Before it heals: the reason is there only as long as the circuit is not closed.
        expect(page.get_by_text(re.compile(r"calls failed in .*; the threshold is 20%")).first).to_be_visible()
    finally:
        stage.feature.heal()
    expect(graph).to_have_attribute("aria-label", re.compile(r"at most [1-9]\d"))
    expect(badge).to_have_attribute("data-state", "on")
    expect(number(page, "Error rate")).to_contain_text(re.compile(r"^0%"))
    picture(page, "walk-through-closed-again")

    seen = [json.loads(each) for each in page.evaluate("window.seen")]
    states = [state for state, _, _ in seen]
    assert states[0] == "on"
    assert states[-1] == "on"
    assert set(states) == {"on", "open", "recovering"}
    # The ramp marks in order where the state is: nobody first, then step by step.
    marked = [step for state, _, step in seen if state != "on" and step is not None]
    assert list(dict.fromkeys(marked)) == ["Nobody", *SHARES[:-1]], seen
