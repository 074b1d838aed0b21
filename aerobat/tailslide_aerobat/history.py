"""The calls of one flag over time, as running totals: what any window holds is the difference of two. Pure.

Recent samples are of 100 ms; with age they become coarser, where a tenth of a second no longer matters, so that half an
hour of a busy flag takes some 15 kB. A sample's time is the start of its bucket, so at the edge of a window, and right
after `since_ms`, up to one bucket of calls is left out rather than counted wrongly.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import NamedTuple

from tailslide_core.windows import WindowCounts


class Samples(NamedTuple):
    """Calls by bucket, in columns of the same length, ascending by the time at which each bucket begins.

    Times are Unix milliseconds by the clock of the time series server. `refused` is how many buckets were left out,
    because what they hold is no count. A tuple: one is made for each busy flag of each tick.
    """

    at_ms: Sequence[int] = ()
    calls: Sequence[int] = ()
    failures: Sequence[int] = ()
    slow: Sequence[int] = ()
    refused: int = 0


NO_SAMPLES = Samples()


@dataclass(frozen=True, slots=True)
class Grain:
    """Samples that are older than `from_age_ms` are of `bucket_ms`."""

    from_age_ms: int
    bucket_ms: int


FINE_MS = 100
SECONDS = Grain(15_000, 1_000)
"""Beyond the default `window_ms`, so that its edges are sharp."""
TENS = Grain(70_000, 10_000)
"""The width of the series' own coarser copies, which hold what is far back."""
THIN_OUT_ABOVE = 512
"""A busy flag has 150 fine samples, 55 seconds and 174 tens in half an hour; some more may gather in between."""
GATHER_AT_LEAST = 128
"""Those of an hour are more than that by themselves; they are not gone through with each look either."""

_BEGINNING = -(2**62)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bad calls have to be more than, in number and in percent of all calls, to be a breach at all."""

    least_failures: float
    failures_percent: float
    least_slow: float = math.inf
    slow_percent: float = 100.0


def edge_ms(grain: Grain, now_ms: int) -> int:
    """Return from when on samples are finer than this grain; on the start of a bucket, so that none is split."""
    return (now_ms - grain.from_age_ms) // grain.bucket_ms * grain.bucket_ms


class History:
    """Samples ascending by time, each as the totals up to its end; the first stands for all that is forgotten."""

    __slots__ = ("_at_ms", "_calls", "_failures", "_full_above", "_slow")

    def __init__(self, samples: Samples = NO_SAMPLES) -> None:
        self._at_ms = array("q", (_BEGINNING,))
        self._calls = array("q", (0,))
        self._failures = array("q", (0,))
        self._slow = array("q", (0,))
        self._full_above = THIN_OUT_ABOVE
        self.replace(_BEGINNING + 1, samples)

    def replace(self, from_ms: int, samples: Samples) -> bool:
        """Put samples in the place of all from `from_ms` on; return whether there are more bad calls than before."""
        bad = self._failures[-1] + self._slow[-1]
        if self._at_ms[-1] >= from_ms:
            end = bisect_left(self._at_ms, from_ms)
            for column in (self._at_ms, self._calls, self._failures, self._slow):
                del column[end:]
        self._at_ms.extend(samples.at_ms)
        for totals, numbers in (
            (self._calls, samples.calls),
            (self._failures, samples.failures),
            (self._slow, samples.slow),
        ):
            totals.extend(islice(accumulate(numbers, initial=totals[-1]), 1, None))
        return self._failures[-1] + self._slow[-1] > bad

    @property
    def is_full(self) -> bool:
        """Whether it is time to `thin_out`."""
        return len(self._at_ms) > self._full_above

    def thin_out(self, now_ms: int, reach_ms: int) -> None:
        """Make samples coarser as their age has them, and forget those that are older than `reach_ms`."""
        tens_ms, seconds_ms = edge_ms(TENS, now_ms), edge_ms(SECONDS, now_ms)
        first = bisect_right(self._at_ms, now_ms - reach_ms) - 1
        kept, starts = [first], [_BEGINNING]
        for index in range(first + 1, len(self._at_ms)):
            at_ms = self._at_ms[index]
            if at_ms < tens_ms:
                at_ms -= at_ms % TENS.bucket_ms
            elif at_ms < seconds_ms:
                at_ms -= at_ms % SECONDS.bucket_ms
            if at_ms == starts[-1]:
                kept[-1] = index
            else:
                kept.append(index)
                starts.append(at_ms)
        self._at_ms = array("q", starts)
        # Totals start again from what is dropped, since those of years would outgrow 64 bits.
        for column in (self._calls, self._failures, self._slow):
            forgotten = column[first]
            column[:] = array("q", [column[index] - forgotten for index in kept])
        self._full_above = max(THIN_OUT_ABOVE, len(kept) + GATHER_AT_LEAST)

    @property
    def last_ms(self) -> int:
        """When the last bucket began that holds a call; long ago when there is none."""
        return self._at_ms[-1]

    @property
    def is_spotless(self) -> bool:
        """Whether no call that is remembered was a failure or slow."""
        return self._failures[-1] == self._failures[0] and self._slow[-1] == self._slow[0]

    def over(self, rungs: Sequence[int], now_ms: int, since_ms: int) -> tuple[WindowCounts, ...]:
        """Count calls in each window of `rungs` (ascending) that ends at `now_ms`, of those after `since_ms` only.

        Windows reaching back beyond `since_ms` hold the same calls; the shortest of these is the last one returned.
        """
        at_ms, calls, failures, slow = self._at_ms, self._calls, self._failures, self._slow
        all_calls, all_failures, all_slow = calls[-1], failures[-1], slow[-1]
        counts = []
        end = len(at_ms)
        for window_ms in rungs:
            start_ms = now_ms - window_ms
            end = bisect_right(at_ms, max(start_ms, since_ms), 0, end)
            before = end - 1
            counts.append(
                WindowCounts(
                    window_ms, all_calls - calls[before], all_failures - failures[before], all_slow - slow[before]
                )
            )
            if start_ms <= since_ms:
                break
        return tuple(counts)

    def may_exceed(self, limits: Limits, rungs: Sequence[int], now_ms: int, since_ms: int) -> bool:
        """Whether the bad calls in any window that `over` counts are enough, and a large enough share, for a breach.

        Mostly not, which this says at a fraction of the cost of counting all windows: from the longest on, since a
        shorter one never holds more.
        """
        at_ms, calls, failures, slow = self._at_ms, self._calls, self._failures, self._slow
        all_calls, all_failures, all_slow = calls[-1], failures[-1], slow[-1]
        begin = 0
        for window_ms in reversed(rungs):
            begin = bisect_right(at_ms, max(now_ms - window_ms, since_ms), begin)
            before = begin - 1
            bad, sluggish = all_failures - failures[before], all_slow - slow[before]
            if bad < limits.least_failures and sluggish < limits.least_slow:
                return False
            seen = all_calls - calls[before]
            if bad * 100 > limits.failures_percent * seen or sluggish * 100 > limits.slow_percent * seen:
                return True
        return False

    def __len__(self) -> int:
        return len(self._at_ms) - 1
