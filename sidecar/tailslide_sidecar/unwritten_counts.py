"""Where the outcomes of a sidecar without servers go: nowhere. Nobody judges them, and no graph shows them.

What the proxy and the answers count for `/metrics` is their own, and stays.
"""

import asyncio
import contextlib

from tailslide_sidecar.outcome_buffer import OutcomeBuffer

EVERY_S = 1.0


class UnwrittenCounts:
    """What a `Flusher` is to Redis, for a sidecar that has none: it keeps the buffer from filling."""

    connected = False
    problem: str | None = None

    def __init__(self, buffer: OutcomeBuffer) -> None:
        self._buffer = buffer

    async def run(self, stop: asyncio.Event) -> None:
        """Forget what was counted, again and again until `stop` is set."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await stop.wait()
            self._buffer.take()

    async def finish(self) -> None:
        """Have nothing to write, and nothing to let go of."""
