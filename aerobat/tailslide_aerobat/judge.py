"""The tick: read what was counted, look at every circuit once, hand on what has moved.

What a look comes to is decided by `tailslide_core.circuit.step`; how counts are read and verdicts are written is in
`timeseries` and `verdicts`. While the counts cannot be read no circuit moves: missing data is not health.
"""

import asyncio
import random
import time
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span

from tailslide_aerobat.counts import Counts
from tailslide_aerobat.flags import Flags, Judged
from tailslide_aerobat.holders import Holders
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.timeseries import Marks, TimeSeries, TimeSeriesError
from tailslide_aerobat.troubles import Troubles
from tailslide_aerobat.verdicts import Move, Verdicts
from tailslide_core.circuit import State, step
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import DAY_MS
from tailslide_core.windows import ladder
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.tracing.context import recorded

log = structlog.get_logger()
_tracer = trace.get_tracer("tailslide.aerobat")

TICK, MOVES = "tick", "tailslide.circuits_moved"
"""What the span of a tick is called, and its attribute that says how many circuits it moved."""
MAX_BACKOFF_S = 2.0
TELL_EVERY_S = 60.0
CATCH_UP_MS = 3_000
"""How long after an outage of Redis sidecars may take to write what they have kept: they try it at least every two
seconds, and give each try one."""
AHEAD_MS = 1_000
"""By less than this a circuit may be ahead of a tick that another Aerobat was quicker than."""


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

    def __init__(
        self,
        flags: Flags,
        series: TimeSeries,
        metrics: Metrics,
        tick_ms: int,
        holders: Holders,
        troubles: Troubles,
    ) -> None:
        self.counts = Counts(series, troubles)
        self.last_tick_ms: int | None = None
        """The time of the last complete tick by the clock of the time series, in Unix milliseconds."""
        self.readable: bool | None = None
        """Whether the counts could be read the last time; None while there is no connection to NATS to read for."""
        self._flags = flags
        self._metrics = metrics
        self._holders = holders
        self._troubles = troubles
        self._interval_s = tick_ms / 1000
        self._complained = False
        self._was_away = False
        self._complete_from_ms = 0
        self._apps_complete_from_ms: dict[str, int] = {}
        """The same of single apps whose marks could not be read."""
        self._told_at: float | None = None
        self._looked_at: float | None = None

    async def run(self, verdicts: Verdicts) -> None:
        """Tick for ever. Errors of the writer come out; those of the time series are waited out."""
        self.counts.forget()
        try:
            await self._run(verdicts)
        finally:
            self.readable = None

    async def _run(self, verdicts: Verdicts) -> None:
        clock = time.perf_counter  # an event loop's own clock may be of whole milliseconds
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
            took_s = clock() - started
            self._metrics.ticks.inc()
            self._metrics.tick_seconds.observe(took_s)
            following = next_due(due, clock(), self._interval_s)
            self._skipped(following.skipped, took_s, clock())
            due = following.at
            await asyncio.sleep(due - clock())

    async def tick(self, verdicts: Verdicts) -> None:
        """Look at every circuit of ours once, if all are known; raise `TimeSeriesError` when they cannot be judged."""
        with recorded(_tracer, TICK) as span:
            await self._tick(verdicts, span)

    async def _tick(self, verdicts: Verdicts, span: Span) -> None:
        self._holders.refresh()
        owns = self._holders.owns
        apps = [app for app in self._flags.apps() if owns(app)] if self._flags.listed else []
        try:
            with recorded(_tracer, "read marks"):
                marks = await self.counts.marks(apps)
            if self._was_away:
                self._complete_from_ms = marks.now_ms + CATCH_UP_MS
            for app, problem in marks.unreadable.items():
                self._troubles.no_marks(app, problem)
                self._apps_complete_from_ms[app] = marks.now_ms + CATCH_UP_MS
            with recorded(_tracer, "read and judge"):
                moves = await self._moves(marks, frozenset(apps) - marks.unreadable.keys())
            span.set_attributes({"tailslide.flags_marked": len(marks.busy) + len(marks.late), MOVES: len(moves)})
        except TimeSeriesError:
            self._was_away = True
            self.counts.forget()
            raise
        self._was_away = False
        self._back()
        if not self._flags.listed:
            return
        ahead = self._look_for_waiting(marks.now_ms)
        async with asyncio.TaskGroup() as writing:
            for flag_id, revision in self._flags.orphans():
                if owns(flag_id.app):
                    writing.create_task(verdicts.delete(flag_id, revision))
            for broken in self._flags.broken():
                if owns(broken.flag_id.app):
                    writing.create_task(verdicts.replace(broken, marks.now_ms))
            for flag in ahead:
                writing.create_task(verdicts.date_anew(flag, marks.now_ms))
            for move in moves:
                writing.create_task(verdicts.write(move))
        self.last_tick_ms = marks.now_ms

    async def _moves(self, marks: Marks, apps: Collection[str]) -> list[Move]:
        """Read what is new, and return what it moves, and what time or a person does.

        Most flags, most of the time, are at rest and have no calls, or only good ones: those are not looked at. One
        that cannot be read or judged keeps its circuit, and is tried again after a while.
        """
        now_ms = marks.now_ms
        again = self.counts.due_again(now_ms)
        marked = {*marks.busy, *marks.late, *self._unread(apps), *again}
        wanted = []
        for flag_id in marked:
            flag = self._flags.get(flag_id)
            if flag is None:
                self.counts.forget_flag(flag_id)
            elif not self.counts.is_aside(flag_id) or flag_id in again:
                wanted.append(flag)
        self._metrics.flags_read.inc(len(wanted))
        moves = []
        async with aclosing(self.counts.read(wanted, marks)) as batches:
            async for batch in batches:
                at_rest = (flag for flag in batch if not flag.is_restless)
                moves += [move for flag in at_rest if (move := self._look(flag, now_ms)) is not None]
        unread = set(self._unread(apps))  # those that have come meanwhile
        for flag in self._flags.restless() if self._flags.listed else ():
            if flag.flag_id.app not in apps or flag.flag_id in unread or self.counts.is_aside(flag.flag_id):
                continue
            if (move := self._look(flag, now_ms)) is not None:
                moves.append(move)
        return moves

    def _look(self, flag: Judged, now_ms: int) -> Move | None:
        """Look at one flag; its errors are its own."""
        try:
            return self._move(flag, now_ms)
        except Exception as error:  # noqa: BLE001 # whatever it is, the other flags go on
            self._troubles.failed(flag.flag_id, error)
            self.counts.set_aside(flag.flag_id, now_ms)
            return None

    def _unread(self, apps: Collection[str]) -> list[FlagId]:
        """Return the flags of which a step of the recovery is not to be judged before they were read.

        They may have become known after their calls were marked. That a step has had none has to be seen.
        """
        return [
            flag.flag_id
            for flag in self._flags.restless()
            if flag.circuit.state is State.RECOVERING and flag.flag_id.app in apps and flag.flag_id not in self.counts
        ]

    def _move(self, flag: Judged, now_ms: int) -> Move | None:
        settings, circuit = flag.settings, flag.circuit
        rungs = ladder(settings.window_ms, settings.long_window_ms)
        if not flag.is_restless and not self.counts.may_breach(flag, rungs, now_ms):
            return None
        counts = self.counts.over(flag.flag_id, rungs, now_ms, circuit.since_ms)
        complete_from_ms = max(self._complete_from_ms, self._apps_complete_from_ms.get(flag.flag_id.app, 0))
        transition = step(circuit, flag.ruleset, counts, now_ms, complete_from_ms).transition
        return None if transition is None else Move(flag.flag_id, transition, flag.revision, flag.ruleset)

    def _look_for_waiting(self, now_ms: int) -> list[Judged]:
        """Tell of circuits that moved when the clock was ahead of now: no call counts for them until it is there.

        Return those that are further ahead than anything about a circuit lasts.
        """
        now = time.monotonic()
        if self._looked_at is not None and now - self._looked_at < TELL_EVERY_S and now_ms >= (self.last_tick_ms or 0):
            return []
        self._looked_at = now
        ahead = [
            flag
            for flag in self._flags.judged()
            if flag.circuit.since_ms > now_ms + AHEAD_MS and self._holders.owns(flag.flag_id.app)
        ]
        last_ms = now_ms + DAY_MS
        ahead_ms = [flag.circuit.since_ms - now_ms for flag in ahead if flag.circuit.since_ms <= last_ms]
        if ahead_ms:
            log.warning(
                "circuits_wait_for_clock",
                message="the clock of redis was ahead when these circuits moved; reset them, or set the clock",
                circuits=len(ahead_ms),
                wait_s=round(max(ahead_ms) / 1000),
            )
        return [flag for flag in ahead if flag.circuit.since_ms > last_ms]

    def _lost(self, error: TimeSeriesError) -> None:
        self._metrics.redis_errors.inc()
        self._metrics.connected.labels("redis").set(0)
        self.readable = False
        if not self._complained:
            log.warning("counts_unreadable", message="counts cannot be read, no circuit moves", error=str(error))
            self._complained = True

    def _back(self) -> None:
        self._metrics.connected.labels("redis").set(1)
        self.readable = True
        if self._complained:
            log.info("counts_readable_again")
            self._complained = False

    def _skipped(self, skipped: int, took_s: float, now: float) -> None:
        if not skipped:
            return
        self._metrics.skipped_ticks.inc(skipped)
        # Where the tick was short, this process was held up between two, as it is while it learns of many flags.
        if took_s >= self._interval_s and (self._told_at is None or now - self._told_at >= TELL_EVERY_S):
            self._told_at = now
            log.warning(
                "tick_too_long",
                message="a tick took longer than its interval",
                took_s=round(took_s, 3),
                interval_s=self._interval_s,
            )
