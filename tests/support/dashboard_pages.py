"""Pages of the dashboard for its tests: how one is opened, its sizes, and what axe finds in it."""

import os
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
