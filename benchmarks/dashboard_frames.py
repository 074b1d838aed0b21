"""How smooth the dashboard's list of 500 flags is, and what its first load costs.

A real Tower with 500 flags that get calls, and the system's Chromium without a GPU. Frames are taken by
requestAnimationFrame, at rest with points coming in, and while the wheel turns. In the same browser, before and after,
a plain page of as many static rows is scrolled likewise: where the machine is busy, only the ratios to it say much.

    python benchmarks/dashboard_frames.py [--quick] [--json] [--flags 500]
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import aiohttp
from graphs_bench import history
from playwright.async_api import BrowserContext, Page, async_playwright
from redis.asyncio import Redis
from scale_bench.towers import API_TOKEN, running_tower
from tick_bench.ticks import percentile

from tailslide_core.naming import FlagId
from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_tower.dashboard.built import read_built

PASSWORD = "a password that is for benchmarks alone"  # of a Tower that nobody else reaches
ROW_PX, WHEEL_PX = 52, 100
AIM_P50_MS, AIM_P95_MS, AIM_SCRIPT_BYTES = 17.0, 34.0, 250_000
PLAIN, OURS = "plain", "flags"
COLLECT = """() => {
  window.frames_ms = []; let last = performance.now();
  const tick = (now) => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


@dataclass(frozen=True)
class Row:
    """Frames of one page, in milliseconds."""

    page: str
    what: str
    frames: int
    p50_ms: float
    p95_ms: float
    max_ms: float


def plain_page(rows: int) -> str:
    """Return a page of static rows, as high and with as many cells as the list of flags."""
    cells = "".join(f"<td>cell {number}</td>" for number in range(9))
    body = f"<tr style='height:{ROW_PX}px;border-top:1px solid #ddd'>{cells}</tr>" * rows
    return f"<!doctype html><table style='width:100%;border-collapse:collapse;font:14px sans-serif'>{body}</table>"


@asynccontextmanager
async def running(flags: int) -> AsyncIterator[str]:
    """Run a Tower whose flags get calls; give its address."""
    ids = history.flags_of(flags, 1)
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, aiohttp.ClientSession() as http:
            redis = Redis.from_url(stack.endpoints.redis_url)
            await history.make(redis, ids)
            await history.fill(redis, ids, reach_s=300, step_s=5)
            async with running_tower(stack, http, "tower") as tower:

                async def make(path: str, body: dict[str, object]) -> None:
                    headers = {"Authorization": f"Bearer {API_TOKEN}"}
                    async with http.post(f"{tower.url}/api/v1{path}", json=body, headers=headers) as answer:
                        if not answer.ok:
                            raise RuntimeError(f"{path} was answered with {answer.status}: {await answer.text()}")

                await make("/apps", {"key": ids[0].app})
                for each in ids:
                    await make(f"/apps/{each.app}/flags", {"key": each.flag, "active": True})
                calls = asyncio.create_task(_keep_calling(redis, ids))
                try:
                    yield tower.url
                finally:
                    calls.cancel()
                    with suppress(asyncio.CancelledError):
                        await calls
                    await redis.aclose()


async def _keep_calling(redis: Redis, ids: Sequence[FlagId]) -> None:
    while True:
        await asyncio.sleep(1)
        await history.fill(redis, ids, reach_s=0, step_s=1)


async def log_in(context: BrowserContext, url: str) -> None:
    """Make a user and log the browser in as it."""
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        asked = {"email": "bench@example.org", "role": "admin"}
        async with http.post(f"{url}/api/v1/invitations", json=asked) as answer:
            secret = (await answer.json())["url"].partition("#")[2]
    body = {"secret": secret, "name": "Bench", "password": PASSWORD}
    accepted = await context.request.post(f"{url}/api/v1/session/invitation", data=body)
    if not accepted.ok:
        raise RuntimeError(f"logging in was answered with {accepted.status}: {await accepted.text()}")


async def frames(page: Page, name: str, seconds: float, *, scroll: bool) -> Row:
    """Take the frames of a page at rest, or while the wheel turns down and up again."""
    await page.evaluate(COLLECT)
    began = time.perf_counter()
    if not scroll:
        await page.wait_for_timeout(seconds * 1000)
    else:
        await page.mouse.move(700, 500)
        while (passed := time.perf_counter() - began) < seconds:
            await page.mouse.wheel(0, WHEEL_PX if passed < seconds / 2 else -WHEEL_PX)
    taken: list[float] = (await page.evaluate("window.frames_ms"))[1:]
    what = "scrolling" if scroll else "at rest"
    return Row(
        name,
        what,
        len(taken),
        round(statistics.median(taken), 1),
        round(percentile(taken, 95), 1),
        round(max(taken), 1),
    )


async def first_row_ms(context: BrowserContext, address: str | None, rows: int) -> float:
    """Return how long a page of its own takes until a row of it shows."""
    page = await context.new_page()
    try:
        if address is None:
            await page.route("**/plain", lambda route: route.fulfill(body=plain_page(rows), content_type="text/html"))
        began = time.perf_counter()
        await page.goto(address or "http://127.0.0.1/plain", wait_until="commit")
        await page.locator("tr").nth(5).wait_for()
        return (time.perf_counter() - began) * 1000
    finally:
        await page.close()


async def script_bytes(context: BrowserContext, url: str) -> dict[str, int]:
    """Return how much script the overview loads, by coding, and without one."""
    page = await context.new_page()
    names: set[str] = set()
    page.on(
        "request", lambda asked: names.add(urlsplit(asked.url).path[1:]) if asked.resource_type == "script" else None
    )
    await page.goto(url, wait_until="networkidle")
    await page.close()
    files = [read_built().files[name] for name in names]
    coded = {coding: sum(len(file.coded.get(coding, file.plain)) for file in files) for coding in ("gzip", "br")}
    return {**coded, "plain": sum(len(file.plain) for file in files)}


async def measure(flags: int, seconds: float, loads: int) -> tuple[list[Row], dict[str, float]]:
    rows: list[Row] = []
    async with running(flags) as url, async_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=chromium(), args=sandbox)
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        await log_in(context, url)
        scripts = await script_bytes(context, url)
        ours = [await first_row_ms(context, f"{url}/flags", flags) for _ in range(loads)]
        plain = [await first_row_ms(context, None, flags) for _ in range(loads)]
        for name in (PLAIN, OURS, PLAIN):
            page = await context.new_page()
            if name == PLAIN:
                await page.set_content(plain_page(flags))
            else:
                await page.goto(f"{url}/flags")
                await page.locator("canvas").first.wait_for()
            rows.append(await frames(page, name, seconds, scroll=False))
            rows.append(await frames(page, name, seconds, scroll=True))
            await page.close()
        await browser.close()

    def of(name: str, what: str, quantile: str) -> float:
        taken: list[float] = [getattr(row, quantile) for row in rows if (row.page, row.what) == (name, what)]
        return statistics.mean(taken)

    ratios = {f"script_bytes_{coding}": float(size) for coding, size in scripts.items()}
    ratios["first_row_ms"] = round(statistics.median(ours), 1)
    ratios["first_row_vs_plain"] = round(statistics.median(ours) / statistics.median(plain), 2)
    for what in ("at rest", "scrolling"):
        for quantile in ("p50_ms", "p95_ms"):
            key = f"{what.replace(' ', '_')}_{quantile}"
            ratios[key] = of(OURS, what, quantile)
            ratios[f"{key[:-3]}_vs_plain"] = round(of(OURS, what, quantile) / of(PLAIN, what, quantile), 2)
    return rows, ratios


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        sys.exit("Error: this needs Chromium: apt-get install chromium")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--flags", type=int, default=500, help="how many flags the list has")
    options = parser.parse_args()
    configure("frames-bench", LogLevel.ERROR, LogFormat.CONSOLE)
    chromium()
    missing = read_built().missing
    if missing is not None:
        sys.exit(f"Error: there is no dashboard to measure, because {missing}")
    try:
        rows, ratios = asyncio.run(measure(options.flags, 3 if options.quick else 15, 3 if options.quick else 10))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"{'page':<8}{'':<12}{'frames':>8}{'p50 ms':>9}{'p95 ms':>9}{'max ms':>9}")
    for row in rows:
        print(f"{row.page:<8}{row.what:<12}{row.frames:>8}{row.p50_ms:>9}{row.p95_ms:>9}{row.max_ms:>9}")
    aims = {"script_bytes_gzip": AIM_SCRIPT_BYTES, "scrolling_p50_ms": AIM_P50_MS, "scrolling_p95_ms": AIM_P95_MS}
    print()
    for name, value in ratios.items():
        aim = f"   at most {aims[name]:g} {'met' if value <= aims[name] else 'MISSED'}" if name in aims else ""
        print(f"{name:<32}{value:>10}{aim}")
    if options.json:
        rows_json = [asdict(row) for row in rows]
        print(json.dumps({"benchmark": "dashboard_frames", "rows": rows_json, "ratios": ratios}))


if __name__ == "__main__":
    main()
