"""What Tower costs a large team: time until it is of use, memory, processor time at rest, pages, a change's way.

500 apps, 10,000 flags, 100,000 entries of the log and 100 sidecars; real servers, real Towers. Beside it the same Tower
with nothing in the database.

    python benchmarks/tower_scale.py [--quick] [--json]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping

import aiohttp
import asyncpg
import uvloop
from lists_bench.filling import Extent, fill
from scale_bench.changes import drained, live_socket, toggles
from scale_bench.presences import present_sidecars
from scale_bench.towers import API_TOKEN, Tower, memory_of, running_tower

from tailslide_core.naming import FlagId
from tailslide_embedded.stack import Stack, embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_runtime.server_urls import DatabaseUrl

SIDECARS = 100
BIG = "app-0"
"""The app with the most flags."""
PAGES: Mapping[str, str] = {
    "apps": "/apps?limit=100",
    "flags of an app": f"/apps/{BIG}/flags?limit=100",
    "flags of all apps": "/flags?limit=100",
    "flags of all apps, 500 a page": "/flags?limit=500",
    "flags, a word that is nowhere": "/flags?q=xyzzy",
    "a flag": f"/apps/{BIG}/flags/feature-1",
    "versions of a flag": f"/apps/{BIG}/flags/feature-1/versions",
    "log": "/log?limit=100",
    "log, 500 a page": "/log?limit=500",
    "sidecars": "/sidecars?limit=100",
    "webhooks": "/webhooks?limit=100",
    "deliveries": "/webhooks/hook-1/deliveries?limit=100",
    "tokens": "/tokens?limit=100",
    "users": "/users?limit=100",
    "status": "/status",
}
RESTING_S = 35.0
"""Longer than the 30 s after which Tower compares the whole bucket with the database."""


async def fill_database(stack: Stack, extent: Extent) -> None:
    options = DatabaseUrl.parse(stack.endpoints.database_url).connect_options()
    connection = await asyncpg.connect(**options)
    try:
        await fill(connection, extent)
    finally:
        await connection.close()


async def time_pages(tower: Tower, http: aiohttp.ClientSession, runs: int) -> dict[str, tuple[float, float, int]]:
    """Return the median and the longest time of each page in milliseconds, through HTTP, and its size in bytes."""
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    found = {}
    for name, path in PAGES.items():
        times_ms: list[float] = []
        for _ in range(runs):
            began = time.perf_counter()
            async with http.get(f"{tower.url}/api/v1{path}", headers=headers) as answer:
                size = len(await answer.read())
                if answer.status != 200:
                    raise StartError(f"{path} answers {answer.status}: {(await answer.text())[:300]}")
            times_ms.append((time.perf_counter() - began) * 1000)
        found[name] = (round(statistics.median(times_ms), 1), round(max(times_ms), 1), size)
    return found


async def measure(extent: Extent, *, quick: bool) -> dict[str, object]:
    said: dict[str, object] = {}
    resting_s = 10.0 if quick else RESTING_S

    def told(name: str, value: object) -> None:
        said[name] = value
        print(f"{name:<58}{value}", flush=True)

    async def tell_start(tower: Tower, when: str) -> None:
        told(f"{when}: ready after s", round(tower.ready_s, 2))
        told(f"{when}: published after s", round(tower.published_s, 2))
        await asyncio.sleep(2.0)
        memory = memory_of(tower.pid)
        told(f"{when}: memory MiB", round(memory.resident, 1))
        told(f"{when}: memory at most MiB", round(memory.peak, 1))

    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, aiohttp.ClientSession() as http:
            async with running_tower(stack, http, "tower-empty") as tower:
                await tell_start(tower, "empty")
                told("empty: % of a core at rest", round(await tower.share_of_core(10.0), 2))
            await fill_database(stack, extent)
            async with running_tower(stack, http, "tower-filling") as tower:
                await tell_start(tower, "first start")
            apps = [f"app-{number}" for number in range(extent.apps)]
            nats_url = stack.endpoints.nats_url
            async with (
                running_tower(stack, http, "tower-1") as tower,
                running_tower(stack, http, "tower-2") as other,
                present_sidecars(nats_url, apps, SIDECARS),
            ):
                await tell_start(tower, "next start")
                told(f"% of a core at rest, {SIDECARS} sidecars", round(await tower.share_of_core(resting_s), 2))
                follow_all = {"apps": "*", "log": True, "sidecars": True}
                async with live_socket(tower, http, follow_all) as socket, drained(socket):
                    share = await tower.share_of_core(resting_s)
                told("% of a core at rest, and a live socket to all", round(share, 2))
                flag_id = FlagId(BIG, "feature-1")
                times = await toggles(tower, other, http, nats_url, flag_id, 10 if quick else 30)
                for name, each in vars(times).items():
                    told(f"toggle, {name} ms", round(statistics.median(each), 1))
                    told(f"toggle, {name} ms, at most", round(max(each), 1))
                for name, (median_ms, longest_ms, size) in (await time_pages(tower, http, 5 if quick else 15)).items():
                    told(f"page: {name} ms", median_ms)
                    told(f"page: {name} ms, at most", longest_ms)
                    told(f"page: {name} kB", round(size / 1024, 1))
                memory = memory_of(tower.pid)
                told("at the end: memory MiB", round(memory.resident, 1))
                told("at the end: memory at most MiB", round(memory.peak, 1))
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, and shorter")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args()
    configure("tower-scale", LogLevel.ERROR, LogFormat.CONSOLE)
    extent = Extent(50, 1_000, 10_000, 10_000, 100) if options.quick else Extent()
    print(f"{extent.apps:,} apps, {extent.flags:,} flags, {extent.entries:,} entries of the log, {SIDECARS} sidecars")
    try:
        said = uvloop.run(measure(extent, quick=options.quick))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if options.json:
        print(json.dumps({"benchmark": "tower_scale", "rows": [said], "ratios": said}))


if __name__ == "__main__":
    main()
