"""The peer: the plain way to read all counts, one TS.MRANGE over all series with their labels, parsed by redis-py.

Nothing is judged here. What it reads is what a tick has to know: sums of a tenth of a second, of the last interval and
of the two seconds before it, in which a flush may still come late.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tailslide_core.naming import JUDGED_METRICS
from tick_bench.servers import Servers

REACH_MS = 2_250
_QUERY = (
    *("SELECTED_LABELS", "app", "flag", "metric"),
    *("AGGREGATION", "sum", 100),
    *("FILTER", f"metric=({','.join(JUDGED_METRICS)})", "resolution="),
)


@dataclass(frozen=True)
class Reading:
    """One of them: from question to parsed answer, and the processor time for it here and in Redis, in seconds."""

    seconds: float
    own_s: float
    redis_s: float
    series: int


async def readings(servers: Servers, count: int, pause_s: float) -> Sequence[Reading]:
    """Read so often, with pauses between."""
    return [await _one(servers, pause_s) for _ in range(count)]


async def _one(servers: Servers, pause_s: float) -> Reading:
    await asyncio.sleep(pause_s)
    seconds, microseconds = await servers.redis.time()
    now_ms = seconds * 1000 + microseconds // 1000
    inside_before = await _inside_s(servers)
    began, own_s = time.perf_counter(), time.process_time()
    answer = await servers.redis.execute_command("TS.MRANGE", now_ms - REACH_MS, "+", *_QUERY)  # type: ignore[no-untyped-call] # redis-py has no types here
    own_s = time.process_time() - own_s
    taken_s = time.perf_counter() - began
    return Reading(taken_s, own_s, await _inside_s(servers) - inside_before, len(answer))


async def _inside_s(servers: Servers) -> float:
    """Return for how long Redis has worked on this command so far, by its own account."""
    said = await servers.redis.info("commandstats")
    return float(said.get("cmdstat_TS.MRANGE", said.get("cmdstat_ts.mrange", {"usec": 0}))["usec"]) / 1e6
