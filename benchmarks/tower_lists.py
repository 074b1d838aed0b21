"""How long the database takes for a page of each list of Tower, when there is much.

500 apps, 10,000 flags, 100,000 entries of the log, 100,000 deliveries of alerts, 1,000 users. A real PostgreSQL, the
tables and indexes as Tower makes them, each question as Tower asks it, over one connection. Printed with each are the
scans of its plans and the pages that they look at (EXPLAIN (ANALYZE, BUFFERS)); a page should take less than 50 ms
at the server. `median ms` is until Tower has made its own of the rows.

    python benchmarks/tower_lists.py [--quick] [--json] [--runs N]
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from typing import cast

import asyncpg
import uvloop
from lists_bench.filling import Extent, fill
from lists_bench.plans import Recorded, carry_out, in_short, pages_read
from lists_bench.questions import OF_THE_LOG, questions
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_tower.audit.queries import plan_each
from tailslide_tower.database import Database

AIM_MS = 50.0
PLANNED = 5
"""So often PostgreSQL is asked what it takes."""


@dataclass(frozen=True)
class Row:
    """What the runs of a question came to; the first has to plan and to read from disk."""

    name: str
    found: int
    server_ms: list[float]
    times_ms: list[float]
    pages: int
    plan: str

    def as_json(self) -> dict[str, object]:
        return {
            "list": self.name,
            "rows": self.found,
            "server_ms": round(statistics.median(self.server_ms), 2),
            "median_ms": round(statistics.median(self.times_ms), 2),
            "max_ms": round(max(self.times_ms), 2),
            "pages": self.pages,
            "plan": self.plan,
        }


async def measure(extent: Extent, runs: int) -> list[Row]:
    rows: list[Row] = []
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack:
            url = stack.endpoints.database_url
            database = Database(DatabaseUrl.parse(url))
            try:
                await database.prepare()
                started = time.monotonic()
                connection = await asyncpg.connect(**DatabaseUrl.parse(url).connect_options())
                await fill(connection, extent)
                await connection.close()
                print(f"filled in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
                for name, ask in questions(extent).items():
                    times_ms: list[float] = []
                    async with database.begin() as executing:
                        if name.startswith(OF_THE_LOG):
                            await plan_each(executing)
                        recorded = Recorded(executing)
                        await ask(cast(AsyncConnection, recorded))
                        server_ms: list[float] = []
                        for _ in range(PLANNED):
                            carried = [await carry_out(executing, query) for query in recorded.queries]
                            server_ms.append(sum(each.server_ms for each in carried))
                        plans = [each.plan for each in carried]
                        for _ in range(runs):
                            began = time.perf_counter()
                            found = len(await ask(executing))
                            times_ms.append((time.perf_counter() - began) * 1000)
                    scans = dict.fromkeys(map(in_short, plans))
                    rows.append(Row(name, found, server_ms, times_ms, sum(map(pages_read, plans)), "; ".join(scans)))
            finally:
                await database.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--runs", type=int, help="runs of each question (20; 8 with --quick)")
    options = parser.parse_args()
    configure("lists", LogLevel.ERROR, LogFormat.CONSOLE)
    extent = Extent(50, 1_000, 10_000, 10_000, 100) if options.quick else Extent()
    rows = uvloop.run(measure(extent, options.runs or (8 if options.quick else 20)))
    width = max(len(row.name) for row in rows)
    print(
        f"{extent.apps:,} apps, {extent.flags:,} flags, {extent.entries:,} entries of the log, "
        f"{extent.deliveries:,} deliveries, {extent.people:,} users"
    )
    print(f"{'list':<{width}}  rows  server ms  median ms    max ms   pages  plan")
    for row in rows:
        values = row.as_json()
        print(
            f"{row.name:<{width}}  {row.found:>4}  {values['server_ms']:>9}  {values['median_ms']:>9}  "
            f"{values['max_ms']:>8}  {row.pages:>6}  {row.plan}"
        )
    if options.json:
        slowest_ms = max(statistics.median(row.server_ms) for row in rows)
        ratios = {
            "slowest_server_ms": round(slowest_ms, 2),
            "slowest_median_ms": round(max(statistics.median(row.times_ms) for row in rows), 2),
            "slowest_ms": round(max(max(row.times_ms) for row in rows), 2),
            "of_the_aim": round(slowest_ms / AIM_MS, 3),
        }
        print(json.dumps({"benchmark": "tower_lists", "rows": [row.as_json() for row in rows], "ratios": ratios}))


if __name__ == "__main__":
    main()
