"""While a server is away, pages say so where it matters, keep what they know, and recover by themselves."""

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import APP, FLAG, DashboardStage
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)

BACK_MS = 45_000
"""What tells of troubles of Tailslide itself is asked for now and then, and connections are tried with pauses."""


@pytest.mark.parametrize(
    ("server", "on_the_overview", "on_the_circuit"),
    [
        ("redis", "The small graphs stand still", "Graphs are not available: Redis cannot be reached"),
        ("nats", "NATS cannot be reached: changes wait", "NATS cannot be reached, trying again"),
        ("postgres", "The database cannot be reached", "The database cannot be reached; try again shortly."),
    ],
)
def test_pages_say_what_is_away_and_recover(
    open_page: OpenPage, stage: DashboardStage, server: str, on_the_overview: str, on_the_circuit: str
) -> None:
    expected = ("503 (Service Unavailable)", "WebSocket")
    overview = open_page("/", expected=expected)
    circuit = open_page(f"/apps/{APP}/flags/{FLAG}/circuit", expected=expected)
    expect(overview.get_by_role("link", name=FLAG).first).to_be_visible()
    expect(circuit.get_by_role("heading", name=FLAG)).to_be_visible()
    child = stage.whole.stack.children[server]

    stage.run(child.stop)
    try:
        expect(overview.get_by_text(on_the_overview).first).to_be_visible(timeout=BACK_MS)
        expect(circuit.get_by_text(on_the_circuit).first).to_be_visible(timeout=BACK_MS)
        # What was known before stays in sight.
        expect(overview.get_by_role("link", name=FLAG).first).to_be_visible()
        expect(circuit.get_by_role("heading", name=FLAG)).to_be_visible()
    finally:
        stage.run(child.start)

    expect(overview.get_by_text(on_the_overview)).to_have_count(0, timeout=BACK_MS)
    expect(circuit.get_by_text(on_the_circuit)).to_have_count(0, timeout=BACK_MS)
    for page in (overview, circuit):
        expect(page.locator("[data-phase=live]")).to_have_text("Live", timeout=BACK_MS)
