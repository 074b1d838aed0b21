"""Carries outcomes from memory to the time series, every flush interval, and after an outage the slots of it.

Evaluations, which are written less often, go along (`evaluation_series`): there is one connection for both.

Fails open: while Redis is away counts wait in the buffer, which drops what is older than five minutes; a metric counts
both. How samples are written is `timeseries`.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

import structlog

from tailslide_sidecar.evaluation_series import EvaluationSeries
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.timeseries import Series, SeriesUnavailableError

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0
LAST_FLUSH_S = 2.5


class Flusher:
    """Writes what the buffer holds."""

    def __init__(
        self,
        buffer: OutcomeBuffer,
        series: Series,
        interval_s: float,
        evaluations: EvaluationSeries | None = None,
        *,
        written: Callable[[int], None],
        unconfirmed: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`written` is told how many counts each flush has brought to Redis, `unconfirmed` how many it may have.

        `clock` gives seconds.
        """
        self._buffer = buffer
        self._series = series
        self._interval_s = interval_s
        self._evaluations = evaluations
        self._written = written
        self._unconfirmed = unconfirmed
        self._clock = clock
        self._away = False
        self._retry_at_s = 0.0
        self._backoff_s = FIRST_BACKOFF_S
        self._told: set[str] = set()
        self.connected = False
        """Whether the last try to write succeeded, so that Aerobat sees what was counted."""
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Return why Redis takes no counts, or Aerobat does not see them, for people; None when all is well."""
        return self._problem or self._series.problem

    async def run(self, stop: asyncio.Event) -> None:
        """Flush every interval until `stop` is set, which cuts no write off: nobody could say whether it was done."""
        await self._first_contact()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await stop.wait()
            await self.flush()
            await self.flush_evaluations()

    async def finish(self) -> None:
        """Write what is left, if that can be done soon, and let go of the connection."""
        self._retry_at_s = 0.0
        try:
            async with asyncio.timeout(LAST_FLUSH_S):
                await self.flush()
                await self.flush_evaluations(all_of_them=True)
        except TimeoutError:
            log.debug("last_flush_unfinished", message="the last flush was not finished in time")
        if self._buffer.waiting:
            log.warning(
                "outcomes_lost_at_end",
                message="outcomes could not be written before the end",
                outcomes=self._buffer.waiting,
            )
        await self._series.close()

    async def flush(self) -> None:
        """Write once: what was counted since the last time, or, after an outage, its slots, oldest first."""
        counts = self._buffer.take()
        now_s = self._clock()
        if self._away or self._buffer.oldest() is not None:
            self._buffer.keep(counts, now_s)
            if now_s >= self._retry_at_s:
                await self._catch_up()
            return
        if not counts:
            return
        try:
            given_up = await self._series.add(counts, None)
        except SeriesUnavailableError as error:
            self._buffer.keep(error.unwritten, now_s)
            self._lost(error)
            self._count_all_but(error, sum(counts.values()))
        else:
            self._count(sum(counts.values()), given_up)
            self.connected = not self._series.unmarked

    async def flush_evaluations(self, *, all_of_them: bool = False) -> None:
        """Write evaluations, those that are due or all of them; while Redis is away they wait where they are."""
        if self._evaluations is None or self._away:
            return
        try:
            await (self._evaluations.write_rest() if all_of_them else self._evaluations.write_due())
        except SeriesUnavailableError as error:
            self._lost(error)

    async def _first_contact(self) -> None:
        try:
            await self._series.now_ms()
        except SeriesUnavailableError as error:
            self._lost(error)
        else:
            self._found()

    async def _catch_up(self) -> None:
        try:
            # The monotonic clock counts the time since a slot, the server's clock dates it.
            server_ms = await self._series.now_ms()
            asked_s = self._clock()
            while (slot := self._buffer.oldest()) is not None:
                total = sum(slot.counts.values())
                try:
                    given_up = await self._series.add(slot.counts, server_ms - round((asked_s - slot.at_s) * 1000))
                except SeriesUnavailableError as error:
                    self._buffer.written(slot, error.unwritten)
                    self._count_all_but(error, total)
                    raise
                self._buffer.written(slot, {})
                self._count(total, given_up)
        except SeriesUnavailableError as error:
            self._lost(error)
        else:
            self._found()

    def _count_all_but(self, error: SeriesUnavailableError, total: int) -> None:
        self._unconfirmed(error.unconfirmed)
        self._written(total - error.unconfirmed - sum(error.unwritten.values()))

    def _count(self, total: int, given_up: int) -> None:
        self._buffer.dropped += given_up
        self._written(total - given_up)

    def _lost(self, error: SeriesUnavailableError) -> None:
        if not self._away:
            log.warning("redis_unreachable", message="redis is away; outcomes wait in memory", error=str(error))
        elif str(error) not in self._told:
            log.warning("redis_still_unreachable", message="redis is still away, for another reason", error=str(error))
        self._told.add(str(error))
        self._problem = str(error)
        self._away, self.connected = True, False
        self._retry_at_s = self._clock() + self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 # jitter, no secret
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2)

    def _found(self) -> None:
        if not self.connected:
            log.info("redis_connected")
        self._away, self.connected = False, not self._series.unmarked
        self._told.clear()
        self._problem = None
        self._backoff_s = FIRST_BACKOFF_S
