"""How long the flags listener may answer before the proxy, which runs in the same loop, has its turn.

One answer is bounded (`question_limits`), but hundreds of connections may ask at the same moment, and an event loop
carries out all that has come before it looks for more. So what answers take is added up, and once a turn is over the
rest wait, first come, first served, until the loop has looked at everything else.
"""

import asyncio
from collections import deque
from collections.abc import Callable

TURN_S = 0.02
"""How long answers may take, one connection's or all connections' together, before everything else has its turn."""
FREE_S = 0.0001
"""An answer that takes no longer than this is not added up: what would be gained is less than what it costs."""


class Turns:
    """The turns of all connections of the listener."""

    def __init__(self, turn_s: float = TURN_S) -> None:
        self.turn_s = turn_s
        self._spent_s = 0.0
        self._waiting: deque[tuple[Callable[[], None], bool]] = deque()
        """What to call, and whether it answers only after it was called, so that nothing is known yet of its time."""
        self._next: asyncio.Handle | None = None

    def __repr__(self) -> str:
        return f"<Turns {self._spent_s * 1000:.1f} of {self.turn_s * 1000:.1f} ms, {len(self._waiting)} waiting>"

    @property
    def is_over(self) -> bool:
        """Whether whoever would answer now has to wait."""
        return self._spent_s > self.turn_s

    def spent(self, seconds: float) -> None:
        """Note how long an answer, or several, took."""
        if seconds > FREE_S:
            self._spent_s += seconds
            self._schedule()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call `go_on`, which answers at once, in a later turn, behind those that wait already."""
        self._waiting.append((go_on, False))
        self._schedule()

    async def mine(self) -> None:
        """Return when it is this task's turn to answer, at once unless the present one is over."""
        if self.is_over:
            begins = asyncio.Event()
            self._waiting.append((begins.set, True))
            self._schedule()
            await begins.wait()

    def _schedule(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._next = None
        self._spent_s = 0.0
        for _ in range(len(self._waiting)):  # not those that come back while it goes on
            if self.is_over:
                break
            go_on, answers_later = self._waiting.popleft()
            go_on()
            if answers_later:
                break
        if self._waiting:
            self._schedule()
