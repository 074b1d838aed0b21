"""From nothing to a first flag that a first sidecar answers: the page waits for each step and says when it is done."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from dashboard_pages import OpenPage
from dashboard_stage import DashboardStage
from playwright.sync_api import expect

from tailslide_embedded.addresses import any_free_port

pytestmark = pytest.mark.timeout(180)

StartSidecar = Callable[[str, str], str]


@pytest.fixture
def start_sidecar(stage: DashboardStage) -> Iterator[StartSidecar]:
    """Give a function that starts a sidecar of an app by its key, as somebody's own; it returns where it listens."""
    running: list[subprocess.Popen[bytes]] = []

    def start(app: str, sdk_key: str) -> str:
        listen = f"127.0.0.1:{any_free_port()}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        environment |= {
            **stage.whole.stack.endpoints.environment_of("sidecar"),
            "TAILSLIDE_APP": app,
            "TAILSLIDE_SDK_KEY": sdk_key,
            "TAILSLIDE_FLAGS_LISTEN": listen,
        }
        command = [sys.executable, "-m", "tailslide_embedded", "sidecar"]
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return listen

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


def test_steps_lead_to_a_first_answer(open_page: OpenPage, stage: DashboardStage, start_sidecar: StartSidecar) -> None:
    app = stage.make_app("first-steps")
    page = open_page(f"/welcome?app={app}&servers=own")
    expect(page.get_by_text("The steps are about")).to_be_visible()

    page.get_by_label("Key of the flag").fill("hello")
    page.get_by_role("button", name="Make the flag").click()
    expect(page.get_by_text("The flag hello is there.")).to_be_visible()

    page.get_by_role("button", name="Make an SDK key").click()
    shown = page.locator("code", has_text=re.compile(r"^tsk\.first-steps\.\S+$"))
    expect(shown).to_be_visible()
    expect(page.get_by_text("Waiting for the first sidecar of first-steps.")).to_be_visible()

    listen = start_sidecar(app, shown.inner_text())
    expect(page.get_by_text(re.compile(r"is connected, version"))).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Waiting for the first question.")).to_be_visible()

    with urllib.request.urlopen(f"http://{listen}/v1/flags/hello?targeting_key=user-1") as answer:
        assert b'"active":true' in answer.read().replace(b" ", b"")
    expect(page.get_by_text("Your first flag is answered.")).to_be_visible(timeout=60_000)

    page.get_by_role("button", name="Turn hello off").click()
    expect(page.get_by_role("button", name="Turn hello on")).to_be_visible()
