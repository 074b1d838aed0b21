"""Outcomes on their way to the time series: added up in memory, kept in one-second slots while Redis is away. Pure.

Bounded: a slot per second for five minutes, a number per busy flag and metric in each. Writing is `flusher`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

SLOT_S = 1.0
KEEP_S = 300.0

Counts = dict[tuple[str, str], int]
"""Numbers of calls by (flag, metric)."""


@dataclass(slots=True)
class Slot:
    """Counts that came in the second that began at `at_s` of the monotonic clock."""

    at_s: float
    counts: Counts = field(default_factory=dict)


class OutcomeBuffer:
    """Counts not yet written: the current ones, and the slots of an outage."""

    def __init__(self) -> None:
        self._current: dict[str, dict[str, int]] = {}
        self._slots: deque[Slot] = deque()
        self.dropped = 0
        """How many counts were given up since the start: they grew older than five minutes, or have no place."""

    def add(self, flag: str, metric: str, count: int = 1) -> None:
        """Count something now."""
        counts = self._current.get(flag)
        if counts is None:
            counts = self._current[flag] = {}
        counts[metric] = counts.get(metric, 0) + count

    def add_both(self, flag: str, first: str, second: str) -> None:
        """Count two metrics of a flag: what every call to a feature does."""
        counts = self._current.get(flag)
        if counts is None:
            counts = self._current[flag] = {}
        counts[first] = counts.get(first, 0) + 1
        counts[second] = counts.get(second, 0) + 1

    def take(self) -> Counts:
        """Return what was counted since the last call, and begin at zero."""
        taken, self._current = self._current, {}
        return {(flag, metric): count for flag, counts in taken.items() for metric, count in counts.items()}

    def keep(self, counts: Mapping[tuple[str, str], int], now_s: float) -> None:
        """Put counts that cannot be written now into the slot of this second, and drop what is too old."""
        if counts:
            if not self._slots or now_s - self._slots[-1].at_s >= SLOT_S:
                self._slots.append(Slot(now_s))
            _merge(self._slots[-1].counts, counts)
        while self._slots and now_s - self._slots[0].at_s > KEEP_S:
            self.dropped += sum(self._slots.popleft().counts.values())

    def oldest(self) -> Slot | None:
        """Return the slot to write first; it stays until `written`."""
        return self._slots[0] if self._slots else None

    def written(self, slot: Slot, unwritten: Mapping[tuple[str, str], int]) -> None:
        """Forget a slot, but for what of it could not be written."""
        slot.counts = {key: count for key, count in unwritten.items() if count}
        if not slot.counts:
            self._slots.remove(slot)

    @property
    def waiting(self) -> int:
        """How many counts have not been written."""
        current = sum(sum(counts.values()) for counts in self._current.values())
        return current + sum(sum(slot.counts.values()) for slot in self._slots)


def _merge(into: Counts, counts: Mapping[tuple[str, str], int]) -> None:
    for key, count in counts.items():
        into[key] = into.get(key, 0) + count
