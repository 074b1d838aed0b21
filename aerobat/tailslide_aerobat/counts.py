"""What was counted lately: samples per flag, kept in memory so that a tick reads only what is new.

Pure: readings come from `timeseries`, the time is that of the reading. Recent samples are of 100 ms; older ones are
merged to one second, where a tenth of a second no longer matters. The sample's time is the start of its bucket, so at
the edge of a window, and right after `since_ms`, up to one bucket of calls is left out rather than counted wrongly.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tailslide_core.naming import FlagId
from tailslide_core.windows import Sample, WindowCounts, tally

FINE_MS = 100
COARSE_MS = 1_000
FINE_REACH_MS = 15_000
"""How far back samples stay fine: longer than the default `window_ms`, so that its edges are sharp."""
OVERLAP_MS = 2_000
"""How far each reading reaches back into the one before: a flush may be written a little after its time."""
WHOLE_EVERY_MS = 30_000
"""How often everything is read again: a sidecar that was cut off from Redis writes minutes late."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the time series held at `now_ms`, the clock of their server.

    `fine`: samples of 100 ms from `from_ms` on. `older`: samples of one second before it, or None when only what is
    new was read. Both ascending by time.
    """

    now_ms: int
    from_ms: int
    fine: Mapping[FlagId, Sequence[Sample]]
    older: Mapping[FlagId, Sequence[Sample]] | None = None


def fine_from(now_ms: int) -> int:
    """Return where the fine samples begin; on a full second, so that no second is half merged."""
    return (now_ms - FINE_REACH_MS) // COARSE_MS * COARSE_MS


@dataclass(slots=True)
class _Recent:
    """The samples of one flag, ascending: `coarse`, then `fine`."""

    coarse: deque[Sample] = field(default_factory=deque)
    fine: list[Sample] = field(default_factory=list)


class Counts:
    """Samples of all flags that had calls within the reach; wants a whole reading first, and after `forget`."""

    def __init__(self) -> None:
        self._recent: dict[FlagId, _Recent] = {}
        self._now_ms: int | None = None
        self._whole_at_ms = 0
        self._reach_ms = 0

    def forget(self) -> None:
        """Read everything anew next time: something may have been missed."""
        self._now_ms = None

    def read_from(self, reach_ms: int) -> int | None:
        """Return from when on the next reading has to be, in Unix milliseconds; None for a whole one.

        `reach_ms` is how far back samples are needed now.
        """
        if self._now_ms is None or reach_ms > self._reach_ms or self._now_ms - self._whole_at_ms >= WHOLE_EVERY_MS:
            return None
        return (self._now_ms - OVERLAP_MS) // FINE_MS * FINE_MS

    def continues(self, reading: Reading) -> bool:
        """Whether a reading follows on the last one; it does not when a server with another clock has answered."""
        return self._now_ms is not None and reading.now_ms >= self._now_ms

    def take(self, reading: Reading, reach_ms: int) -> None:
        """Remember a reading, and forget what is older than the `reach_ms` of the last whole one."""
        if reading.older is not None:
            self._take_whole(reading, reading.older)
            self._reach_ms = reach_ms
        else:
            self._take_new(reading)
        self._now_ms = reading.now_ms
        self._age(fine_from(reading.now_ms), reading.now_ms - self._reach_ms)

    def _take_whole(self, reading: Reading, older: Mapping[FlagId, Sequence[Sample]]) -> None:
        self._whole_at_ms = reading.now_ms
        self._recent = {
            flag_id: _Recent(deque(older.get(flag_id, ())), list(reading.fine.get(flag_id, ())))
            for flag_id in older.keys() | reading.fine.keys()
        }

    def _take_new(self, reading: Reading) -> None:
        for flag_id in self._recent.keys() | reading.fine.keys():
            fine = self._recent.setdefault(flag_id, _Recent()).fine
            fine[bisect_left(fine, reading.from_ms, key=_at_ms) :] = reading.fine.get(flag_id, ())

    def _age(self, fine_from_ms: int, oldest_ms: int) -> None:
        silent = []
        for flag_id, recent in self._recent.items():
            fine, coarse = recent.fine, recent.coarse
            if fine and fine[0].at_ms < fine_from_ms:
                end = bisect_left(fine, fine_from_ms, key=_at_ms)
                coarse.extend(merge(fine[:end]))
                del fine[:end]
            while coarse and coarse[0].at_ms <= oldest_ms:
                coarse.popleft()
            if not coarse and not fine:
                silent.append(flag_id)
        for flag_id in silent:
            del self._recent[flag_id]

    def has(self, flag_id: FlagId) -> bool:
        """Whether there were calls of this flag within the reach."""
        return flag_id in self._recent

    def over(self, flag_id: FlagId, rungs: Sequence[int], now_ms: int, since_ms: int) -> tuple[WindowCounts, ...]:
        """Count the calls of a flag since `since_ms` in each window of `rungs`, as `windows.tally` does."""
        return tally(self._newest_first(flag_id), rungs, now_ms, since_ms)

    def _newest_first(self, flag_id: FlagId) -> Iterator[Sample]:
        recent = self._recent.get(flag_id)
        if recent is None:
            return iter(())
        return chain(reversed(recent.fine), reversed(recent.coarse))

    def __len__(self) -> int:
        return len(self._recent)


def merge(samples: Sequence[Sample]) -> list[Sample]:
    """Add up ascending samples to one a second, at the start of that second."""
    merged: list[Sample] = []
    for sample in samples:
        second = sample.at_ms // COARSE_MS * COARSE_MS
        if merged and merged[-1].at_ms == second:
            last = merged[-1]
            merged[-1] = Sample(
                second, last.calls + sample.calls, last.failures + sample.failures, last.slow + sample.slow
            )
        else:
            merged.append(Sample(second, sample.calls, sample.failures, sample.slow))
    return merged


def _at_ms(sample: Sample) -> int:
    return sample.at_ms
