"""The demo's one link shows in the browser what the terminal tells, by itself."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from queue import Queue

import pytest
from dashboard_pages import WIDE, picture
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def demo() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the demo, which waits for its audience; give it with its link."""
    command = [sys.executable, "-m", "tailslide_embedded", "demo", "--json", "--wait", "120"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    links: Queue[str | None] = Queue()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http\S+#tsl_\S+", line):
                links.put(found.group())
        links.put(None)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        link = links.get(timeout=60)
        assert link is not None, "the demo ended without a link"
        yield process, link
    finally:
        process.terminate()
        process.communicate(timeout=60)
        reading.join(60)


def test_link_opens_on_the_flag_and_shows_the_story_without_a_reload(
    chromium: Browser, demo: tuple[subprocess.Popen[str], str]
) -> None:
    process, link = demo
    page = chromium.new_page(viewport={"width": WIDE["width"], "height": 1000})
    page.set_default_timeout(30_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(link)
    badge = page.locator("h1 ~ * [data-state], header [data-state]").first
    expect(badge).to_have_attribute("data-state", "on")
    page.evaluate("window.wasHere = true")
    picture(page, "demo-closed")

    expect(badge).to_have_attribute("data-state", "open")
    expect(page.get_by_text(re.compile(r"calls failed in .*; the threshold is 20%")).first).to_be_visible()
    picture(page, "demo-open")
    expect(badge).to_have_attribute("data-state", "recovering")
    expect(badge).to_contain_text("50%")
    picture(page, "demo-recovering")
    expect(badge).to_have_attribute("data-state", "on", timeout=60_000)
    picture(page, "demo-closed-again")

    assert page.evaluate("window.wasHere") is True
    assert errors == []
    assert "switch" not in page.content() or page.get_by_role("switch").first.is_disabled()
    page.close()
    process.terminate()
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode in {0, 130}
    if process.returncode == 0:
        assert json.loads(stdout.splitlines()[-1])["recovered"] is True
