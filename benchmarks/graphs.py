"""How long the graphs of many flags take to read, and what that costs Tower and Redis.

A real Redis, and in it an hour of calls of each flag, with samples as sidecars write them. Measured is what a question
about many flags takes: to a real Tower over HTTP, on which the aim is held (`own` is then the processor's time of
Tower's process); and, without HTTP, from the question to the bytes of the answer. Beside it the other ways to read the
same: one TS.MRANGE with redis-py, and a script.

    python benchmarks/graphs.py [--quick] [--json] [--flags 500]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp
import orjson
import uvloop
from graphs_bench import history, peers
from scale_bench.towers import API_TOKEN, Tower, running_tower
from tick_bench.servers import Servers, processor_s
from tick_bench.ticks import percentile

from tailslide_core.naming import FlagId
from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
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
HTTP, OURS = "over HTTP", "no HTTP"
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


async def measured(
    servers: Servers, reading: Reading, times: int, own_time: Callable[[], float] = time.process_time
) -> tuple[Sequence[float], float, float, int]:
    """Return how long each reading took, our own and Redis' processor time of one on average, and its size."""
    size = len(await reading() or b"")
    taken_ms: list[float] = []
    before, own_s = await servers.redis_work(), own_time()
    for _ in range(times):
        began = time.perf_counter()
        await reading()
        taken_ms.append((time.perf_counter() - began) * 1000)
    own_ms = (own_time() - own_s) / times * 1000
    return taken_ms, own_ms, (await servers.redis_work() - before).processor_s / times * 1000, size


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Servers, Tower, aiohttp.ClientSession]]:
    """Run all servers and a Tower until the end of the block."""
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, aiohttp.ClientSession() as http:
            ends = stack.endpoints
            servers = Servers(stack.data, ends.nats_url, stack.children["redis"], ends.redis_url, http)
            try:
                # What it rewrites its file for takes a core for seconds, at moments that mean nothing.
                await servers.redis.config_set("auto-aof-rewrite-percentage", 0)
                async with running_tower(stack, http, "tower") as tower:
                    yield servers, tower, http
            finally:
                await servers.redis.aclose()


def over_http(
    tower: Tower, http: aiohttp.ClientSession, flags: Sequence[FlagId], name: str, resolution_ms: int
) -> Reading:
    """Return what asks Tower for the graphs of flags, and reads its whole answer."""
    asked = {"flags": [str(flag_id) for flag_id in flags], "range": name, "resolution_ms": resolution_ms}

    async def ask() -> bytes:
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with http.post(f"{tower.url}/api/v1/timeseries", json=asked, headers=headers) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise StartError(f"Tower answers {answer.status}: {body[:300].decode(errors='replace')}")
            return body

    return ask


async def measure(flags: Sequence[FlagId], others: Sequence[FlagId], times: int) -> list[Row]:
    rows: list[Row] = []
    async with running() as (servers, tower, http):
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
                own_times = {HTTP: partial(processor_s, tower.pid)}
                ways: dict[str, Reading] = {HTTP: over_http(tower, http, flags, name, resolution_ms), OURS: ours}
                if name == "1h":
                    question = peers.Question(flags, grid.grid, grid.source, now_ms)
                    ways["TS.MRANGE"] = partial(peers.mrange, servers.redis, question)
                    ways["script"] = partial(peers.script, servers.redis, question)
                for way, reading in ways.items():
                    taken_ms, own_ms, redis_ms, size = await measured(
                        servers, reading, times, own_times.get(way, time.process_time)
                    )
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
    ratios = {f"graphs_ms_{row.flags}_flags_{row.range}": row.p50_ms for row in rows if row.way == HTTP}
    ratios |= {f"graphs_p99_ms_{row.flags}_flags_{row.range}": row.p99_ms for row in rows if row.way == HTTP}
    hour = {row.way: row for row in rows if row.range == "1h"}
    ratios["mrange_vs_ours_1h"] = round(hour["TS.MRANGE"].p50_ms / hour[OURS].p50_ms, 2)
    ratios["script_redis_time_vs_ours_1h"] = round(hour["script"].redis_ms / max(hour[OURS].redis_ms, 0.1), 2)
    print()
    for name, value in ratios.items():
        aim = f"   under {AIM_MS:g} {'met' if value < AIM_MS else 'MISSED'}" if name.startswith("graphs_") else ""
        print(f"{name:<40}{value:>10}{aim}")
    if options.json:
        print(json.dumps({"benchmark": "graphs", "rows": [row.as_json() for row in rows], "ratios": ratios}))


if __name__ == "__main__":
    main()
