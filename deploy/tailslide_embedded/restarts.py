"""How often a process that ends by itself is started again, and after which pause. Reads no clock: `now` is given."""

from collections import deque

FIRST_PAUSE_S = 1.0
MOST_RESTARTS = 5
WITHIN_S = 600.0


class Restarts:
    """The restarts of one process.

    Each pause is twice the one before: 1, 2, 4, 8, 16 s. A restart that was ten minutes ago is forgotten, so that a
    process that does well begins with short pauses again; after five in ten minutes there is no other.
    """

    def __init__(self) -> None:
        self._when: deque[float] = deque()

    def next_pause(self, now: float) -> float | None:
        """Note an end at `now` (seconds of any steady clock); return the pause before the restart, None to give up."""
        while self._when and self._when[0] <= now - WITHIN_S:
            self._when.popleft()
        if len(self._when) >= MOST_RESTARTS:
            return None
        pause: float = FIRST_PAUSE_S * 2 ** len(self._when)
        self._when.append(now)
        return pause
