"""The tick: read what was counted, look at every circuit once, hand on what has moved.

What a look comes to is decided by `tailslide_core.circuit.step`; how counts are read and verdicts are written is in
`timeseries` and `verdicts`. While the counts cannot be read no circuit moves: missing data is not health.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from tailslide_aerobat.counts import Counts
from tailslide_aerobat.flags import Flags, Judged
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.timeseries import TimeSeries, TimeSeriesError
from tailslide_aerobat.verdicts import Move, Verdicts
from tailslide_core.circuit import State, step
from tailslide_core.windows import ladder
from tailslide_runtime.cancellation import raise_if_cancelled

log = structlog.get_logger()

MAX_BACKOFF_S = 2.0
TELL_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """When the next tick is due, and how many were left out because the last one took too long. In seconds."""

    at: float
    skipped: int


def next_due(due: float, now: float, interval: float) -> Due:
    """Return the first tick of the rhythm that is still to come; those already past are left out, never made up."""
    skipped = max(0, int((now - due) // interval))
    return Due(due + (skipped + 1) * interval, skipped)


class Judge:
    """Judges all circuits, tick by tick; one for the life of the process, at work while there is a connection."""

    def __init__(self, flags: Flags, series: TimeSeries, metrics: Metrics, tick_ms: int) -> None:
        self.counts = Counts()
        self.last_tick_ms: int | None = None
        """The time of the last complete tick by the clock of the time series, in Unix milliseconds."""
        self.readable: bool | None = None
        """Whether the counts could be read the last time; None while there is no connection to NATS to read for."""
        self._flags = flags
        self._series = series
        self._metrics = metrics
        self._interval_s = tick_ms / 1000
        self._complained = False
        self._told_at: float | None = None

    async def run(self, verdicts: Verdicts) -> None:
        """Tick for ever. Errors of the writer come out; those of the time series are waited out."""
        self.counts.forget()
        try:
            await self._run(verdicts)
        finally:
            self.readable = None

    async def _run(self, verdicts: Verdicts) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        backoff_s = self._interval_s
        while True:
            raise_if_cancelled()
            started = clock()
            try:
                await self.tick(verdicts)
            except TimeSeriesError as error:
                self._lost(error)
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, no secret
                backoff_s = min(max(MAX_BACKOFF_S, self._interval_s), backoff_s * 2)
                due = clock()
                continue
            backoff_s = self._interval_s
            self._metrics.ticks.inc()
            self._metrics.tick_seconds.observe(clock() - started)
            following = next_due(due, clock(), self._interval_s)
            self._skipped(following.skipped, clock() - started, clock())
            due = following.at
            await asyncio.sleep(due - clock())

    async def tick(self, verdicts: Verdicts) -> None:
        """Look at every circuit once, if all are known; raise `TimeSeriesError` when there is nothing to judge by."""
        try:
            now_ms = await self._read()
        except TimeSeriesError:
            self.counts.forget()
            raise
        self._back()
        if not self._flags.listed:
            return
        async with asyncio.TaskGroup() as writing:
            for flag_id, revision in self._flags.orphans():
                writing.create_task(verdicts.delete(flag_id, revision))
            for move in list(self._moves(now_ms)):
                writing.create_task(verdicts.write(move))
        self.last_tick_ms = now_ms

    async def _read(self) -> int:
        reach_ms = self._flags.reach_ms()
        from_ms = self.counts.read_from(reach_ms)
        reading = None if from_ms is None else await self._series.read_new(from_ms)
        if reading is None or not self.counts.continues(reading):
            reading = await self._series.read_whole(reach_ms)
        self.counts.take(reading, reach_ms)
        return reading.now_ms

    def _moves(self, now_ms: int) -> Iterator[Move]:
        for flag in self._flags.judged():
            if self._rests(flag):
                continue
            settings, circuit = flag.settings, flag.circuit
            rungs = ladder(settings.window_ms, settings.long_window_ms)
            counts = self.counts.over(flag.flag_id, rungs, now_ms, circuit.since_ms)
            transition = step(circuit, flag.ruleset, counts, now_ms).transition
            if transition is not None:
                yield Move(flag.flag_id, transition, flag.revision)

    def _rests(self, flag: Judged) -> bool:
        """Whether nothing can have happened: most flags, most of the time, so it is worth to know cheaply."""
        circuit = flag.circuit
        return (
            circuit.state is State.CLOSED
            and circuit.trips == 0
            and circuit.reset_generation >= flag.settings.reset_generation
            and not self.counts.has(flag.flag_id)
        )

    def _lost(self, error: TimeSeriesError) -> None:
        self._metrics.redis_errors.inc()
        self._metrics.connected.labels("redis").set(0)
        self.readable = False
        if not self._complained:
            log.warning("counts cannot be read, no circuit moves", error=str(error))
            self._complained = True

    def _back(self) -> None:
        self._metrics.connected.labels("redis").set(1)
        self.readable = True
        if self._complained:
            log.info("counts can be read again")
            self._complained = False

    def _skipped(self, skipped: int, took_s: float, now: float) -> None:
        if not skipped:
            return
        self._metrics.skipped_ticks.inc(skipped)
        if self._told_at is None or now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            log.warning("a tick took longer than its interval", took_s=round(took_s, 3), interval_s=self._interval_s)
