"""Pages of the dashboard for its tests: how one is opened, its sizes, and what axe finds in it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from playwright.sync_api import Page, ViewportSize

WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 780}


class OpenPage(Protocol):
    """Opens a page, logged in as `role`, or as nobody. `expected` are texts of errors that the test provokes."""

    def __call__(
        self,
        path: str,
        *,
        role: str | None = "admin",
        size: ViewportSize = WIDE,
        scheme: str = "light",
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> Page: ...


def serious_faults(page: Page, axe: str) -> list[str]:
    """Return what axe calls serious or critical, a line each: the rule, and where. `axe` is its source."""
    page.evaluate(axe)
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{each['id']}: {each['help']}: {'; '.join(' '.join(node['target']) for node in each['nodes'])}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def picture(page: Page, name: str) -> None:
    """Keep a picture of the page in the folder `TAILSLIDE_PICTURES`, if that is set: for people to look at."""
    folder = os.environ.get("TAILSLIDE_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", animations="disabled")


@dataclass
class Hook:
    """Somebody who is told: `bodies` is what came, and `status` what is answered."""

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def running_hook() -> Iterator[Hook]:
    """Run a receiver of webhooks in threads of its own: the browser's API blocks."""
    hook = Hook()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            hook.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(hook.status)
            self.end_headers()
            self.wfile.write(b"taken" if hook.status == 200 else b"no such channel")

        def log_message(self, *_: object) -> None:
            """Keep the test's output to the test."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    hook.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
