"""Turns on the event loop: how long the hot path may work before everything else of the process has its turn.

One look at the sockets may bring a question on each of a thousand connections. Answered in one go they would hold up
proxied calls for as long as all of them take together; so what does not fit into a turn waits for the next.
"""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """The turns of one listener, whichever of its connections is answered."""

    def __init__(self, turn_s: float) -> None:
        """A turn ends once its work has taken `turn_s` seconds; what has been begun is finished."""
        self._turn_s = turn_s
        self._spent_s = 0.0
        self._waiting: deque[Callable[[], None]] = deque()
        self.is_over = False
        """Whether nobody may begin before the next turn."""

    def __repr__(self) -> str:
        return f"<Turns {'over' if self.is_over else 'on'}, {len(self._waiting)} waiting>"

    def spent(self, seconds: float) -> None:
        """Note how long a piece of work took."""
        self._spent_s += seconds
        if self._spent_s > self._turn_s:
            self._end()

    def wait(self, go: Callable[[], None]) -> None:
        """Call `go` in one of the next turns, those first that have waited longest."""
        self._waiting.append(go)
        self._end()

    def _end(self) -> None:
        if not self.is_over:
            self.is_over = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self.is_over, self._spent_s = False, 0.0
        try:
            while self._waiting and not self.is_over:
                self._waiting.popleft()()
        finally:
            if self._waiting:  # also behind one that failed: the others get their turn
                self._end()
