"""What memory each process takes at rest, and what a flag takes in Redis.

Everything of one machine, with one flag, left alone for a moment: the resident memory of each process. Then, in the
same Redis, series as a sidecar makes them and rules as Aerobat makes them, first empty, then with an hour of calls:
up to 20 in each flush of 100 ms, one flush in ten with a failure, latencies in four buckets.

    python benchmarks/memory.py [--quick] [--json]
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace

import uvloop
from flags_bench.live import memory_of
from redis.asyncio import Redis

from tailslide_core.naming import FlagId, resolutions_of, series_key
from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.whole_loop import WholeLoop, temporary_data_dir, whole_loop
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_sidecar.series_making import making

MEBIBYTE, KIBIBYTE = 1 << 20, 1 << 10
REST_S = 3.0
FLUSH_MS = 100
HOUR_MS = 3_600_000
AT_ONCE = 50
"""Flushes in one command: what is stored is the same."""
LATENCIES = tuple(f"latency_le_{ms}" for ms in (5, 10, 20, 50))
METRICS = ("success", "failure", *LATENCIES)
Row = dict[str, object]


async def make(redis: Redis, flags: Sequence[FlagId]) -> None:
    """Make all series, with their copies and rules."""
    for flag_id in flags:
        for metric in METRICS:
            raw = series_key(flag_id, metric)
            rules = (
                ("TS.CREATERULE", raw, f"{raw}:{copy.label}", "AGGREGATION", "sum", copy.bucket_ms)
                for copy in resolutions_of(metric)
            )
            for command in (*making(flag_id, metric), *rules):
                await redis.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here


async def fill(redis: Redis, flags: Sequence[FlagId], length_ms: int) -> None:
    """Write a sample of each series that something happened to, flush by flush, up to now."""
    seconds, _ = await redis.time()
    rng = random.Random(7)
    command: list[str | int] = ["TS.MADD"]
    for number, at_ms in enumerate(range(seconds * 1000 - length_ms, seconds * 1000, FLUSH_MS)):
        for flag_id in flags:
            counts = {"success": rng.randint(0, 20), "failure": int(rng.random() < 0.1)}
            counts |= {name: rng.randint(1, 10) for name in LATENCIES if rng.random() < 0.6}
            for metric, count in counts.items():
                if count:
                    command += (series_key(flag_id, metric), at_ms, count)
        if number % AT_ONCE == AT_ONCE - 1:
            await redis.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here
            command = ["TS.MADD"]


async def used(redis: Redis) -> int:
    return int((await redis.info("memory"))["used_memory"])


async def of_series(loop: WholeLoop, flags: Sequence[FlagId], length_ms: int) -> list[Row]:
    async with Redis.from_url(loop.stack.endpoints.redis_url, decode_responses=True) as redis:
        before = await used(redis)
        await make(redis, flags)
        empty = await used(redis)
        await fill(redis, flags, length_ms)
        full = await used(redis)
    return [
        {"what": "a flag in redis, never called", "kib": round((empty - before) / len(flags) / KIBIBYTE)},
        {
            "what": f"a flag in redis, {length_ms // 60_000} minutes of calls",
            "kib": round((full - before) / len(flags) / KIBIBYTE),
        },
    ]


async def measure(flags: int, length_ms: int) -> list[Row]:
    async with running_services(PATH) as services:
        with temporary_data_dir() as folder:
            async with whole_loop(folder, replace(plan(services), app="memory")) as loop:
                await asyncio.sleep(REST_S)
                rows: list[Row] = [
                    {"what": name, "mib": round(memory_of(child.pid).now / MEBIBYTE, 1)}
                    for name, child in loop.stack.children.items()
                    if child.pid is not None
                ]
                return rows + await of_series(loop, [FlagId("memory", f"flag-{n}") for n in range(flags)], length_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten minutes of calls instead of an hour")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args()
    configure("benchmark", LogLevel.ERROR, LogFormat.CONSOLE)
    try:
        rows = uvloop.run(measure(4, HOUR_MS // 6 if options.quick else HOUR_MS))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    for row in rows:
        print(f"{row['what']:<40}" + (f"{row['mib']:>8} MiB" if "mib" in row else f"{row['kib']:>8} KiB"))
    empty, full = (float(str(row["kib"])) for row in rows if "kib" in row)
    ratios = {"redis_called_flag_vs_uncalled": round(full / empty, 2)}
    print(f"\n{'redis_called_flag_vs_uncalled':<40}{ratios['redis_called_flag_vs_uncalled']:>8}")
    if options.json:
        print(json.dumps({"benchmark": "memory", "rows": rows, "ratios": ratios}))


if __name__ == "__main__":
    main()
