"""What a browser loads before the first page shows: as served, so that nothing heavy slips into it."""

from urllib.parse import urlsplit

import pytest
from dashboard_pages import OpenPage
from playwright.sync_api import Response, expect

from tailslide_tower.dashboard.built import read_built

MOST_BYTES = 250_000


@pytest.mark.timeout(120)
def test_first_load_has_little_script(open_page: OpenPage) -> None:
    page = open_page("/settings/account")
    scripts: set[str] = set()

    def keep(response: Response) -> None:
        if response.request.resource_type == "script":
            scripts.add(response.url)

    # In a page of its own context, so that nothing is in the browser's cache.
    fresh = page.context.new_page()
    fresh.on("response", keep)
    session = page.context.new_cdp_session(fresh)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    fresh.goto("/")
    expect(fresh.get_by_role("heading", level=1)).to_be_visible()
    expect(fresh.locator("[data-phase=live]")).to_be_visible()
    expect(fresh.get_by_label("Loading")).to_have_count(0)
    fresh.wait_for_load_state("networkidle")

    assert scripts
    # By gzip, which is what plain HTTP gets, whatever this browser asked for.
    files = read_built().files
    served = {path: files[path] for path in (urlsplit(url).path[1:] for url in scripts)}
    sizes = {path: len(file.coded.get("gzip", file.plain)) for path, file in served.items()}
    assert sum(sizes.values()) < MOST_BYTES, sizes
