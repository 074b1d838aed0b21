"""What is due when: many deadlines that hardly ever come, kept in slots of a few milliseconds. Pure.

A timer of the event loop for each phase of each call would cost more than parsing the call; here a set takes the call in
and lets it go. A deadline that moves on costs nothing until its old slot is looked at (Varghese and Lauck, "Hashed and
Hierarchical Timing Wheels", 1987).
"""

from typing import Generic, Protocol, TypeVar

TICK_S = 0.02
NEVER = float("inf")
_FARTHEST_S = 5.0
"""What is farther away is looked at again after so long, since it may have come nearer."""


class Due(Protocol):
    """Something with a deadline in seconds of the loop's clock; `slot` is kept here, 0 for what is not watched."""

    deadline_s: float
    slot: int


Item = TypeVar("Item", bound=Due)


class Deadlines(Generic[Item]):
    """Watches deadlines; asked once a tick for those that have passed."""

    def __init__(self, now_s: float) -> None:
        self._slots: dict[int, set[Item]] = {}
        self._looked_at = int(now_s / TICK_S)
        self.watched = 0
        """How many are watched."""

    def watch(self, item: Item, now_s: float) -> None:
        """Begin to watch, or note that a deadline has come nearer. One that moves away need not be noted."""
        slot = int(min(item.deadline_s, now_s + _FARTHEST_S) / TICK_S) + 1
        if item.slot:
            if slot >= item.slot:
                return
            self.forget(item)
        slot = max(slot, self._looked_at + 1)
        item.slot = slot
        self.watched += 1
        items = self._slots.get(slot)
        if items is None:
            self._slots[slot] = {item}
        else:
            items.add(item)

    def forget(self, item: Item) -> None:
        """Watch no longer."""
        if item.slot:
            items = self._slots.get(item.slot)
            if items is not None:
                items.discard(item)
            item.slot = 0
            self.watched -= 1

    def due(self, now_s: float) -> list[Item]:
        """Return what has passed since the last look, and watch it no longer."""
        slot = int(now_s / TICK_S)
        passed: list[Item] = []
        first, self._looked_at = self._looked_at + 1, max(slot, self._looked_at)
        for number in self._passed(first, slot):
            for item in self._slots.pop(number):
                item.slot = 0
                self.watched -= 1
                if item.deadline_s <= now_s:
                    passed.append(item)
                else:
                    self.watch(item, now_s)
        return passed

    def _passed(self, first: int, last: int) -> list[int]:
        """Return the slots that have anything in them; after a long pause there are fewer of those than ticks."""
        if last - first > len(self._slots):
            return sorted(number for number in self._slots if number <= last)
        return [number for number in range(first, last + 1) if number in self._slots]
