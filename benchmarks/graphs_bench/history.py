"""A past for many flags: series as sidecars make them, filled with an hour of calls."""

import random
from collections.abc import Sequence

from redis.asyncio import Redis

from tailslide_core.naming import FlagId, Metric, resolutions_of, series_key
from tailslide_sidecar.series_making import making

METRICS = (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW)
"""What every called flag has, beside its latencies, which no graph of many flags reads."""
CALLS_PER_S = 10
FAILING = 0.02
_AT_ONCE = 2_000


def flags_of(count: int, apps: int) -> Sequence[FlagId]:
    return [FlagId(f"app-{index % apps:03}", f"flag-{index:05}") for index in range(count)]


async def make(redis: Redis, flags: Sequence[FlagId]) -> None:
    """Make all series, with their copies and rules."""
    commands: list[tuple[str | int, ...]] = []
    for flag_id in flags:
        for metric in METRICS:
            raw = series_key(flag_id, metric)
            commands += making(flag_id, metric)
            # As Aerobat makes them.
            commands += (
                ("TS.CREATERULE", raw, f"{raw}:{copy.label}", "AGGREGATION", "sum", copy.bucket_ms)
                for copy in resolutions_of(metric)
            )
    for first in range(0, len(commands), _AT_ONCE):
        pipeline = redis.pipeline(transaction=False)
        for command in commands[first : first + _AT_ONCE]:
            pipeline.execute_command(*command)
        await pipeline.execute(raise_on_error=False)


async def fill(redis: Redis, flags: Sequence[FlagId], *, reach_s: int, step_s: int) -> None:
    """Write a sample each `step_s` for the last `reach_s` seconds."""
    seconds, _ = await redis.time()
    rng = random.Random(7)
    good = round(CALLS_PER_S * step_s * (1 - FAILING))
    for ago_s in range(reach_s, -1, -step_s):
        command: list[str | int] = ["TS.MADD"]
        for flag_id in flags:
            at_ms = (seconds - ago_s) * 1000
            for metric, mean in ((Metric.SUCCESS, good), (Metric.FAILURE, max(1, round(good * FAILING)))):
                command += (series_key(flag_id, metric), at_ms, rng.randint(mean // 2, mean * 3 // 2))
        await redis.execute_command(*command)  # type: ignore[no-untyped-call] # redis-py has no types here
