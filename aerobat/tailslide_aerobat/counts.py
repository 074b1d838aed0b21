"""What was counted lately, of the flags of some apps: kept in memory, so that a tick reads only what is new.

Sidecars mark which flags they count, so only those are read. A flag is read whole, half an hour of it, when nothing is
known of it yet, and when something was counted at an earlier time after an outage; else from where the last reading
ended. What is read is decided here, how is `timeseries`'s, how it is kept is `history`'s.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, zip_longest
from typing import TypeVar

from tailslide_aerobat.flags import Judged
from tailslide_aerobat.history import History, Limits, Samples
from tailslide_aerobat.timeseries import Marks, New, TimeSeries, Wanted
from tailslide_aerobat.troubles import Troubles
from tailslide_core.breach import least_bad_calls
from tailslide_core.naming import RAW_RETENTION_MS, FlagId
from tailslide_core.ruleset import CircuitSettings
from tailslide_core.windows import WindowCounts

OVERLAP_MS = 2_000
"""How far back marks are asked for again: a sidecar marks a flag just before it writes the counts."""
BATCH = 250
"""Flags that are read at once. Redis does nothing else meanwhile, nor does our event loop while it parses."""
WHOLE_BATCH = 25
FORGET_SILENT_EVERY_MS = 60_000
SET_ASIDE_MS = 2_000
"""For how long a flag that could not be read, or judged, is left alone before it is tried again."""

_Item = TypeVar("_Item")
_EMPTY = History()


@dataclass(slots=True)
class _Known:
    """A flag of which everything is known; what it was read for.

    `whole_ms`: when it was read whole, and `late_ms`: when late counts had been marked last, by the server's clock.
    """

    history: History
    slow: bool
    reach_ms: int
    whole_ms: int
    late_ms: int

    def is_late(self, marked_ms: int) -> bool:
        """Whether something may have been counted late since the reading."""
        if marked_ms > self.whole_ms:  # with a clock that was set back since, it may be what was read
            return marked_ms != self.late_ms
        return marked_ms == self.whole_ms  # within this very millisecond it may be either


@dataclass(frozen=True, slots=True)
class _Reading:
    """A batch of flags: how their samples are asked for, and what takes those of each."""

    flags: Sequence[Judged]
    read: Callable[[Sequence[Judged], Marks], Coroutine[None, None, list[Samples | None]]]
    take: Callable[[Judged, Samples, Marks], bool]


class Counts:
    """The histories of all flags that had calls within their reach."""

    def __init__(self, series: TimeSeries, troubles: Troubles) -> None:
        self._series = series
        self._troubles = troubles
        self._aside: dict[FlagId, int] = {}
        """Flags that cannot be judged, and when they are tried again, by the server's clock."""
        self._known: dict[FlagId, _Known] = {}
        self._apps: frozenset[str] = frozenset()
        self._now_ms: int | None = None
        self._new = New(0, 0, 0)
        self._silent_forgotten_ms = 0

    def forget(self) -> None:
        """Read everything again next time: something may have been missed."""
        self._known.clear()
        self._aside.clear()
        self._apps = frozenset()
        self._now_ms = None

    def forget_flag(self, flag_id: FlagId) -> None:
        """Read a flag whole next time, since what is new of it is not read now."""
        self._known.pop(flag_id, None)
        self._aside.pop(flag_id, None)

    def set_aside(self, flag_id: FlagId, now_ms: int) -> None:
        """Leave a flag as it is for a while, since nothing can be said of its calls; then read it whole."""
        self._known.pop(flag_id, None)
        self._aside.pop(flag_id, None)  # to be the last of all
        self._aside[flag_id] = now_ms + SET_ASIDE_MS

    def is_aside(self, flag_id: FlagId) -> bool:
        """Whether a flag is set aside and not judged, also while it is being tried again."""
        return flag_id in self._aside

    def due_again(self, now_ms: int) -> set[FlagId]:
        """Return the flags that were set aside and are to be tried again: some at a time, those of longest ago first.

        However many there are, the others must not wait for them.
        """
        return {flag_id for flag_id, again_ms in islice(self._aside.items(), WHOLE_BATCH) if again_ms <= now_ms}

    async def marks(self, apps: Collection[str]) -> Marks:
        """Begin a look at the flags of `apps`: return the time, and which of them there is something new of.

        An app whose marks cannot be read is read whole once they can be. Raises `TimeSeriesError`, after which `forget`
        is due, since what was marked now may not be so the next time.
        """
        wanted = frozenset(apps)
        self._keep_only(wanted)
        known, unknown = sorted(wanted & self._apps), sorted(wanted - self._apps)
        marks = await self._series.marks(known, None if self._now_ms is None else self._now_ms - OVERLAP_MS)
        if self._now_ms is not None and marks.now_ms < self._now_ms:
            self.forget()  # another server has answered, or its clock was set back
            return await self.marks(apps)
        if unknown:
            more = await self._series.marks(unknown, None)
            marks = Marks(
                marks.now_ms,
                [*marks.busy, *more.busy],
                {**marks.late, **more.late},
                {**marks.unreadable, **more.unreadable},
            )
        self._new = New.since(self._now_ms or 0, marks.now_ms)
        self._now_ms = marks.now_ms
        self._apps = wanted
        self._keep_only(wanted - marks.unreadable.keys())
        if marks.now_ms - self._silent_forgotten_ms >= FORGET_SILENT_EVERY_MS:
            self._forget_silent(marks.now_ms)
        return marks

    def _keep_only(self, apps: frozenset[str]) -> None:
        """Forget what is known of the flags of other apps."""
        if self._apps - apps:
            self._known = {flag_id: known for flag_id, known in self._known.items() if flag_id.app in apps}
            self._aside = {flag_id: again_ms for flag_id, again_ms in self._aside.items() if flag_id.app in apps}
            self._apps &= apps

    def _forget_silent(self, now_ms: int) -> None:
        self._silent_forgotten_ms = now_ms
        self._known = {
            flag_id: known for flag_id, known in self._known.items() if known.history.last_ms > now_ms - known.reach_ms
        }

    async def read(self, flags: Sequence[Judged], marks: Marks) -> AsyncGenerator[Sequence[Judged], None]:
        """Bring these flags, which are among the marked ones, up to date; yield them batch by batch, once they are.

        Those are left out of which no bad call, a failure or a slow one, has been counted since the last look: no
        breach comes of good ones. What might come of good ones growing old waits for the next bad one. One that cannot
        be read is set aside. To be closed in the end. Raises `TimeSeriesError`, after which `forget` is due.
        """
        known: list[Judged] = []
        unknown: list[Judged] = []
        for flag in flags:
            (known if self._is_known(flag, marks) else unknown).append(flag)
        readings = [
            *(_Reading(batch, self._read_new, self._goes_on) for batch in _batches(known, BATCH)),
            *(_Reading(batch, self._read_whole, self._begins) for batch in _batches(unknown, WHOLE_BATCH)),
        ]
        ahead: asyncio.Task[list[Samples | None]] | None = None
        try:
            for reading, following in zip_longest(readings, readings[1:]):
                found = await (reading.read(reading.flags, marks) if ahead is None else ahead)
                if following is not None:
                    # Redis works on the next batch while we work on this one.
                    ahead = asyncio.create_task(following.read(following.flags, marks))
                    await asyncio.sleep(0)
                pairs = zip(reading.flags, found, strict=True)
                yield [flag for flag, samples in pairs if self._take(reading, flag, samples, marks)]
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    def _take(self, reading: _Reading, flag: Judged, samples: Samples | None, marks: Marks) -> bool:
        """Take what was read of a flag, and return whether there are bad calls among it; its errors are its own."""
        flag_id = flag.flag_id
        if samples is None:
            self._troubles.no_series(flag_id)
            self.set_aside(flag_id, marks.now_ms)
            return False
        if samples.refused:
            self._troubles.samples_refused(flag_id, samples.refused)
        try:
            worse = reading.take(flag, samples, marks)
        except Exception as error:  # noqa: BLE001 # whatever it is, the other flags go on
            self._troubles.failed(flag_id, error)
            self.set_aside(flag_id, marks.now_ms)
            return False
        if self._aside:
            self._aside.pop(flag_id, None)
        return worse

    async def _read_new(self, flags: Sequence[Judged], _: Marks) -> list[Samples | None]:
        return await self._series.read_new([_wanted(flag) for flag in flags], self._new)

    async def _read_whole(self, flags: Sequence[Judged], marks: Marks) -> list[Samples | None]:
        reach_ms = max(map(_reach_ms, flags))
        return await self._series.read_whole([_wanted(flag) for flag in flags], marks.now_ms, reach_ms)

    def _goes_on(self, flag: Judged, samples: Samples, marks: Marks) -> bool:
        """Add what is new to what is known of a flag, and return whether there are bad calls among it."""
        known = self._known[flag.flag_id]
        worse = known.history.replace(self._new.from_ms, samples)
        if known.history.is_full:
            known.history.thin_out(marks.now_ms, known.reach_ms)
        return worse

    def _begins(self, flag: Judged, samples: Samples, marks: Marks) -> bool:
        """Remember all there is of a flag, and return whether there are bad calls among it."""
        history = History(samples)
        late_ms = marks.late.get(flag.flag_id, 0)
        self._known[flag.flag_id] = _Known(history, _is_slow(flag), _reach_ms(flag), marks.now_ms, late_ms)
        return not history.is_spotless

    def _is_known(self, flag: Judged, marks: Marks) -> bool:
        entry = self._known.get(flag.flag_id)
        return (
            entry is not None
            and not entry.is_late(marks.late.get(flag.flag_id, 0))
            and entry.slow == _is_slow(flag)
            and entry.reach_ms == _reach_ms(flag)
        )

    def may_breach(self, flag: Judged, rungs: Sequence[int], now_ms: int) -> bool:
        """Whether it is worth to count the calls of a flag in each window of `rungs`, as `History.may_exceed` says."""
        known = self._known.get(flag.flag_id)
        return known is not None and known.history.may_exceed(
            _limits(flag.settings), rungs, now_ms, flag.circuit.since_ms
        )

    def over(self, flag_id: FlagId, rungs: Sequence[int], now_ms: int, since_ms: int) -> tuple[WindowCounts, ...]:
        """Count the calls of a flag since `since_ms` in each window of `rungs`, as `History.over` does."""
        entry = self._known.get(flag_id)
        return (_EMPTY if entry is None else entry.history).over(rungs, now_ms, since_ms)

    def __contains__(self, flag_id: FlagId) -> bool:
        return flag_id in self._known

    def __len__(self) -> int:
        return len(self._known)


@lru_cache(maxsize=1024)
def _limits(settings: CircuitSettings) -> Limits:
    least_failures = least_bad_calls(settings.error_threshold, settings.confidence)
    if settings.slow_threshold is None:
        return Limits(least_failures, settings.error_threshold)
    least_slow = least_bad_calls(settings.slow_threshold, settings.confidence)
    return Limits(least_failures, settings.error_threshold, least_slow, settings.slow_threshold)


def _is_slow(flag: Judged) -> bool:
    return flag.settings.slow_threshold is not None


def _reach_ms(flag: Judged) -> int:
    """Return how far back a flag is judged: its longest window, at most what is kept of the marks."""
    return min(flag.settings.long_window_ms, RAW_RETENTION_MS)


def _wanted(flag: Judged) -> Wanted:
    return Wanted(flag.flag_id, _is_slow(flag))


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
