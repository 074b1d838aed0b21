"""What a tick takes: how long it lasts, processor time of Aerobat and of Redis, bytes that it reads.

Nothing but what an Aerobat says of itself, what Redis says, and the kernel. First it is left alone for a while, for all
that is a sum; then it is asked once in each interval, just before the next tick, for the length of each single one.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tailslide_runtime.errors import StartError
from tick_bench.servers import Aerobat, RedisWork, Servers, processor_s
from tick_bench.writer import Writer, Written

INTERVAL_S = 0.25
"""Aerobat's default."""
WARM_UP_TICKS = 8
_ASK_BEFORE_S = 0.04
_ASK_AGAIN_S = 0.05
_PATIENCE_S = 120.0
_TICKS = "tailslide_aerobat_ticks_total"
_SKIPPED = "tailslide_aerobat_skipped_ticks_total"
_SECONDS = "tailslide_aerobat_tick_seconds_sum"
_READ_FLAGS = "tailslide_aerobat_flags_read_total"
Row = dict[str, object]


@dataclass(frozen=True)
class Case:
    """So many flags with circuits, so many of them with calls, judged by so many Aerobats."""

    flags: int
    busy: int
    aerobats: int


@dataclass(frozen=True)
class Alone:
    """What Redis does for the sidecars alone, each second, and how many flushes those are."""

    processor_s: float
    bytes_out: float
    flushes: float

    def during(self, written: Written) -> float:
        """Return how many such seconds have the same flushes: fewer than passed, where some were not written."""
        return written.flushes / self.flushes if self.flushes else written.seconds


@dataclass(frozen=True)
class Go:
    """What came of one go. Sums are over all Aerobats and `seconds`; `single_ms` are ticks, each by itself.

    What Redis did for the sidecars alone is taken off `redis_processor_s` and `read_bytes`, which are its own account.
    """

    seconds: float
    ticks: int
    skipped: int
    in_ticks_s: float
    processor_s: float
    redis_processor_s: float
    read_bytes: float
    read_flags: float
    single_ms: Sequence[float]
    written: Written


async def alone(servers: Servers, writer: Writer, *, settle_s: float, seconds: float) -> Alone:
    """Measure what the sidecars' writing costs Redis."""
    await asyncio.sleep(settle_s)
    await writer.tally()
    before = await servers.redis_work()
    await asyncio.sleep(seconds)
    work, written = await servers.redis_work() - before, await writer.tally()
    taken_s = written.seconds
    return Alone(work.processor_s / taken_s, work.bytes_out / taken_s, written.flushes / taken_s)


async def go(servers: Servers, writer: Writer, aerobats: int, base: Alone, *, quiet_s: float, single: int) -> Go:
    """Start so many Aerobats, measure `quiet_s` of them and so many single ticks, and stop them."""
    async with AsyncExitStack() as ending:
        running = []
        for _ in range(aerobats):
            running.append(await servers.aerobat())
            ending.push_async_callback(running[-1].stop)
        try:
            await asyncio.gather(*(_warm_up(aerobat, aerobats) for aerobat in running))
            sums = await _quiet(servers, writer, running, quiet_s)
            singles = await asyncio.gather(*(_singles(aerobat, single) for aerobat in running))
        except TimeoutError as error:
            raise StartError(f"an Aerobat did not tick or answer as it should within {_PATIENCE_S:g} s") from error
    said, processor, work, seconds, written = sums
    return Go(
        seconds,
        round(said[_TICKS]),
        round(said[_SKIPPED]),
        said[_SECONDS],
        processor,
        work.processor_s - base.processor_s * base.during(written),
        work.bytes_out - base.bytes_out * base.during(written),
        said[_READ_FLAGS],
        [one for several in singles for one in several],
        written,
    )


async def _warm_up(aerobat: Aerobat, holders: int) -> None:
    """Return when it has ticked for a while since it shares the work with the others."""
    async with asyncio.timeout(_PATIENCE_S):
        while len((await aerobat.ready())[1]["holders"]) != holders:  # noqa: ASYNC110 # another process has no events
            await asyncio.sleep(INTERVAL_S)
        first = (await aerobat.metrics())[_TICKS]
        while (await aerobat.metrics())[_TICKS] < first + WARM_UP_TICKS:  # noqa: ASYNC110 # as above
            await asyncio.sleep(INTERVAL_S)


async def _quiet(
    servers: Servers, writer: Writer, aerobats: Sequence[Aerobat], seconds: float
) -> tuple[dict[str, float], float, RedisWork, float, Written]:
    """Leave the Aerobats alone for so long; return what they say of it, and what they, Redis and the sidecars did."""
    await writer.tally()
    said_before = [await aerobat.metrics() for aerobat in aerobats]
    # Between the questions, which take processor time of their own.
    work_before, processor_before = await servers.redis_work(), [processor_s(aerobat.pid) for aerobat in aerobats]
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    taken_s = time.perf_counter() - began
    processor = sum(processor_s(aerobat.pid) for aerobat in aerobats) - sum(processor_before)
    work = await servers.redis_work() - work_before
    said = [await aerobat.metrics() for aerobat in aerobats]
    sums = {
        name: sum(after[name] - before[name] for before, after in zip(said_before, said, strict=True))
        for name in (_TICKS, _SKIPPED, _SECONDS, _READ_FLAGS)
    }
    return sums, processor, work, taken_s, await writer.tally()


async def _singles(aerobat: Aerobat, count: int) -> list[float]:
    """Return the lengths of so many ticks in milliseconds, each from the growth of their sum when one was added.

    Of fewer, where they take so long that it would be minutes.
    """
    _, ready = await aerobat.ready()
    # Ticks keep to a rhythm, so that this stays just before one, where a question lengthens none of them. A tick that
    # takes longer than an interval is met at work, now and then; the sums do without questions.
    due = ready["last_tick_ms"] / 1000 + 2 * INTERVAL_S - _ASK_BEFORE_S
    found: list[float] = []
    ticks, seconds = None, 0.0
    enough = time.monotonic() + 2 * count * INTERVAL_S
    async with asyncio.timeout(_PATIENCE_S):
        while len(found) < count and (not found or time.monotonic() < enough):
            await asyncio.sleep(due - time.time())
            said = await aerobat.metrics()
            if ticks is not None and said[_TICKS] == ticks + 1:
                found.append((said[_SECONDS] - seconds) * 1000)
            due += _ASK_AGAIN_S if said[_TICKS] == ticks else INTERVAL_S
            ticks, seconds = said[_TICKS], said[_SECONDS]
    return found


@dataclass
class Cell:
    """A case, and what came of each go."""

    case: Case
    goes: list[Go] = field(default_factory=list)

    @property
    def single_ms(self) -> list[float]:
        """Return all ticks that were measured by themselves."""
        return [one for go in self.goes for one in go.single_ms]

    @property
    def median_ms(self) -> float:
        """Return the median of a tick."""
        return round(statistics.median(self.single_ms), 2)

    def as_json(self) -> Row:
        goes = self.goes
        ticks, seconds = sum(go.ticks for go in goes), sum(go.seconds for go in goes)

        def per_tick(values: Sequence[float], scale: float) -> float:
            return round(sum(values) / ticks * scale, 2)

        processor_s_ = [go.processor_s for go in goes]
        return {
            "measure": "tick",
            "flags": self.case.flags,
            "busy": self.case.busy,
            "aerobats": self.case.aerobats,
            "ticks": ticks + len(self.single_ms),
            "p50_ms": self.median_ms,
            "p99_ms": percentile(self.single_ms, 99),
            "mean_ms": per_tick([go.in_ticks_s for go in goes], 1000),
            "cpu_ms": per_tick(processor_s_, 1000),
            "redis_cpu_ms": per_tick([go.redis_processor_s for go in goes], 1000),
            "read_kb": per_tick([go.read_bytes for go in goes], 1e-3),
            "flags_read": per_tick([go.read_flags for go in goes], 1),
            "ticks_per_s": round(ticks / seconds / self.case.aerobats, 2),
            "skipped": sum(go.skipped for go in goes),
            "cores": round(sum(processor_s_) / seconds, 3),
            "samples_per_s": round(sum(go.written.samples for go in goes) / sum(go.written.seconds for go in goes)),
            "flushes_lost": sum(go.written.skipped + go.written.failed for go in goes),
        }


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    return round(sorted(values)[max(0, -(-len(values) * percent // 100) - 1)], 2)
