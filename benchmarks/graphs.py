"""How long the graphs of many flags take to read, and what that costs Tower and Redis.

A real Redis, and in it an hour of calls of each flag, with samples as sidecars write them. Measured is what a question
about many flags takes, from the question to the bytes of the answer, and how much of it is the processor's time of
Redis and our own. Beside it the other ways to read the same: one TS.MRANGE with redis-py, and a script.

    python benchmarks/graphs.py [--quick] [--json] [--flags 500]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import orjson
import uvloop
from graphs_bench import history, peers
from tick_bench.servers import Servers, running_servers
from tick_bench.ticks import percentile

from tailslide_core.naming import FlagId
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_runtime.server_urls import RedisUrl
from tailslide_tower.timeseries.series import RedisGraphSeries
from tailslide_tower.timeseries.service import GraphService, sparks_json

APPS = 10
AIM_FLAGS = 500
AIM_MS = 200.0
REACH_S = 3_600
STEP_S = 5
"""Of the samples: the sums that long graphs are made of are the same however often a sidecar writes."""
RECENT_S, RECENT_STEP_S = 300, 1
OTHERS = 9_500
"""Flags beside those that are asked for, in a full run: an app has more flags than a page shows."""


@dataclass(frozen=True)
class Row:
    """One way to read one graph of many flags, all times in milliseconds."""

    range: str
    resolution_ms: int
    flags: int
    way: str
    times: int
    p50_ms: float
    p99_ms: float
    own_ms: float
    redis_ms: float
    answer_kb: float

    def as_json(self) -> dict[str, object]:
        return dict(vars(self))


Reading = Callable[[], Awaitable[bytes | None]]


async def measured(servers: Servers, reading: Reading, times: int) -> tuple[Sequence[float], float, float, int]:
    """Return how long each reading took, our own and Redis' processor time of one on average, and its size."""
    size = len(await reading() or b"")
    taken_ms: list[float] = []
    before, own_s = await servers.redis_work(), time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        await reading()
        taken_ms.append((time.perf_counter() - began) * 1000)
    own_ms = (time.process_time() - own_s) / times * 1000
    return taken_ms, own_ms, (await servers.redis_work() - before).processor_s / times * 1000, size


async def measure(flags: Sequence[FlagId], others: Sequence[FlagId], times: int) -> list[Row]:
    rows: list[Row] = []
    async with running_servers() as servers:
        say(f"{len(flags) + len(others):,} flags: making their series, and an hour of calls of {len(flags):,}")
        await history.make(servers.redis, [*flags, *others])
        await history.fill(servers.redis, flags, reach_s=REACH_S, step_s=STEP_S)
        await history.fill(servers.redis, flags, reach_s=RECENT_S, step_s=RECENT_STEP_S)
        series = RedisGraphSeries(RedisUrl.parse(servers.redis_url))
        service = GraphService(series)
        try:
            for name, resolution_ms in (("1h", 60_000), ("5m", 10_000), ("1m", 1_000), ("24h", 1_200_000)):
                say(f"  the last {name} in buckets of {resolution_ms} ms")

                async def ours(name: str = name, resolution_ms: int = resolution_ms) -> bytes:
                    sparks = await service.sparks(flags, name, resolution_ms)
                    return orjson.dumps(sparks_json(sparks, flags))

                now_ms = await series.now_ms()
                grid = (await service.sparks(flags[:1], name, resolution_ms)).reading
                ways: dict[str, Reading] = {"ours": ours}
                if name == "1h":
                    question = peers.Question(flags, grid.grid, grid.source, now_ms)
                    ways["TS.MRANGE"] = partial(peers.mrange, servers.redis, question)
                    ways["script"] = partial(peers.script, servers.redis, question)
                for way, reading in ways.items():
                    taken_ms, own_ms, redis_ms, size = await measured(servers, reading, times)
                    rows.append(
                        Row(
                            name,
                            resolution_ms,
                            len(flags),
                            way,
                            times,
                            round(statistics.median(taken_ms), 1),
                            percentile(taken_ms, 99),
                            round(own_ms, 1),
                            round(redis_ms, 1),
                            round(size / 1024, 1),
                        )
                    )
        finally:
            await series.close()
    return rows


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def report(rows: Sequence[Row]) -> None:
    widths = {"range": -6, "bucket ms": 10, "flags": 7, "  way": -13, "p50 ms": 8, "p99 ms": 8, "own": 7, "redis": 7}
    widths["kB"] = 9
    print("".join(f"{title:<{-width}}" if width < 0 else f"{title:>{width}}" for title, width in widths.items()))
    for row in rows:
        print(
            f"{row.range:<6}{row.resolution_ms:>10}{row.flags:>7}  {row.way:<11}{row.p50_ms:>8}{row.p99_ms:>8}"
            f"{row.own_ms:>7}{row.redis_ms:>7}{row.answer_kb:>9}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no further flags beside, fewer readings; under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--flags", type=int, default=AIM_FLAGS, help="how many flags are asked for at once")
    options = parser.parse_args()
    configure("graphs-bench", LogLevel.ERROR, LogFormat.CONSOLE)
    others = 0 if options.quick else OTHERS
    every = history.flags_of(options.flags + others, APPS)
    try:
        rows = uvloop.run(measure(every[: options.flags], every[options.flags :], 10 if options.quick else 40))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    report(rows)
    ratios = {f"graphs_ms_{row.flags}_flags_{row.range}": row.p50_ms for row in rows if row.way == "ours"}
    ratios |= {f"graphs_p99_ms_{row.flags}_flags_{row.range}": row.p99_ms for row in rows if row.way == "ours"}
    hour = {row.way: row for row in rows if row.range == "1h"}
    ratios["mrange_vs_ours_1h"] = round(hour["TS.MRANGE"].p50_ms / hour["ours"].p50_ms, 2)
    ratios["script_redis_time_vs_ours_1h"] = round(hour["script"].redis_ms / max(hour["ours"].redis_ms, 0.1), 2)
    print()
    for name, value in ratios.items():
        aim = f"   under {AIM_MS:g} {'met' if value < AIM_MS else 'MISSED'}" if name.startswith("graphs_") else ""
        print(f"{name:<40}{value:>10}{aim}")
    if options.json:
        print(json.dumps({"benchmark": "graphs", "rows": [row.as_json() for row in rows], "ratios": ratios}))


if __name__ == "__main__":
    main()
