"""What so many sidecars ask of Redis, by how often their flags are called; no Aerobat runs."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tick_bench.servers import RedisWork, Servers
from tick_bench.writer import Writer, Written

BUSY_FLAGS = 20
"""Of each sidecar."""
CALLS_PER_S = (10, 1_000)
"""Of each flag."""
_SETTLE_S = 0.5
Row = dict[str, object]


@dataclass
class Load:
    """So many sidecars, each of an app of its own, so many calls a second of each flag, and what came of each round."""

    sidecars: int
    calls_per_s: int
    rounds: list[tuple[float, RedisWork, Written]] = field(default_factory=list)

    @property
    def commands(self) -> int:
        """Return how many commands Redis carried out, those within scripts included."""
        return sum(work.commands for _, work, _ in self.rounds)

    @property
    def commands_per_flush(self) -> float:
        """Return how many commands Redis carried out for each flush."""
        return self.commands / sum(written.flushes for _, _, written in self.rounds)

    def as_json(self) -> Row:
        seconds = sum(one for one, _, _ in self.rounds)
        works, written = [work for _, work, _ in self.rounds], [one for _, _, one in self.rounds]
        written_s = sum(one.seconds for one in written)
        return {
            "measure": "redis load",
            "sidecars": self.sidecars,
            "busy_flags": self.sidecars * BUSY_FLAGS,
            "calls_per_s": round(sum(one.calls for one in written) / written_s),
            "flushes_per_s": round(sum(one.flushes for one in written) / written_s, 1),
            "samples_per_s": round(sum(one.samples for one in written) / written_s),
            "commands_per_s": round(self.commands / seconds, 1),
            "commands_per_flush": round(self.commands_per_flush, 2),
            "kb_in_per_s": round(sum(work.bytes_in for work in works) / seconds / 1000, 1),
            "redis_cores": round(sum(work.processor_s for work in works) / seconds, 3),
            "flushes_lost": sum(one.skipped + one.failed for one in written),
        }


async def loads(
    servers: Servers, writer: Writer, sidecars: Iterable[int], rounds: int, seconds: float
) -> Sequence[Load]:
    """Measure each load in each round, few calls and many in turn."""
    found = [Load(count, calls) for count in sidecars for calls in CALLS_PER_S]
    for load in found[:: len(CALLS_PER_S)]:
        await writer.make(load.sidecars * BUSY_FLAGS, load.sidecars, latencies=True)
    for _ in range(rounds):
        for load in found:
            flags = load.sidecars * BUSY_FLAGS
            await writer.write(flags, load.sidecars, calls_per_s=load.calls_per_s, latencies=True)
            await asyncio.sleep(_SETTLE_S)
            await writer.tally()
            before, began = await servers.redis_work(), time.perf_counter()
            await asyncio.sleep(seconds)
            work, taken_s = await servers.redis_work() - before, time.perf_counter() - began
            load.rounds.append((taken_s, work, await writer.tally()))
    await writer.write(0, 1, calls_per_s=1)
    return found


def ratio(found: Sequence[Load]) -> float:
    """Return the commands of many calls over those of few, of the most sidecars.

    Both for each flush, of which there are ten a second: where this machine is too slow to simulate them all, it must
    not look as if Redis had less to do.
    """
    few, many = found[-len(CALLS_PER_S) :]
    return round(many.commands_per_flush / few.commands_per_flush, 3)
