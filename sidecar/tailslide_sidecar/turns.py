"""Whose turn it is in a proxied call: the upstream's or its client's. Time of the client counts for neither side.

So a client that sends or reads slowly makes no feature slow, and no timeout runs out on it.
"""

import asyncio
from collections.abc import Callable


class Turns:
    """The stopwatch of one call, and the deadline by which its upstream has to begin its answer.

    The call's latency is the time from the first byte sent upstream to the last byte of its answer, without the time
    in which the proxy could do nothing but wait for the client.
    """

    def __init__(self, clock: Callable[[], float], loop_time: Callable[[], float], timeout_s: float) -> None:
        """`clock` measures, `loop_time` is the event loop's and may be coarser; both give seconds."""
        self._clock = clock
        self._loop_time = loop_time
        self._timeout_s = timeout_s
        self._deadline: asyncio.Timeout | None = None
        self._began_s = clock()
        self._waiting = 0
        self._waits_since_s = 0.0
        self._waited_s = 0.0

    def arm(self, deadline: asyncio.Timeout) -> None:
        """Let the deadline run."""
        self._deadline = deadline
        deadline.reschedule(self._loop_time() + self._timeout_s)

    def disarm(self) -> None:
        """The answer has begun, or the call is over: no deadline any more."""
        self._deadline = None

    def client_begins(self) -> None:
        """From now on it is the client who is waited for."""
        now_s = self._clock()
        if self._waiting == 0:
            self._waits_since_s = now_s
        self._waiting += 1
        if self._deadline is not None:
            self._deadline.reschedule(None)

    def client_ends(self) -> None:
        """The client has done its part; the upstream is up."""
        now_s = self._clock()
        self._waiting -= 1
        if self._waiting == 0:
            self._waited_s += now_s - self._waits_since_s
        if self._deadline is not None:
            self._deadline.reschedule(self._loop_time() + self._timeout_s)

    def latency_ms(self) -> float:
        """Return the time that the upstream has taken so far."""
        now_s = self._clock()
        waited_s = self._waited_s + (now_s - self._waits_since_s if self._waiting else 0.0)
        return (now_s - self._began_s - waited_s) * 1000
