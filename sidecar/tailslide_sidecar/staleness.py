"""Whether what the sidecar answers from may be out of date: no contact with NATS for longer than a setting allows.

Silence that is within the rhythm of NATS's heartbeats is none, whatever the setting.
"""

import asyncio
from collections.abc import Callable

from tailslide_runtime.bucket_watch import SILENCE_S
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_sidecar.readiness import Readiness

LOOK_EVERY_S = 0.25


class Staleness:
    """Looks at the age of what is known, and tells when it becomes stale and when it is fresh again."""

    def __init__(self, readiness: Callable[[], Readiness | None], after_ms: int, turned: Callable[[], None]) -> None:
        """`turned` is called each time that `stale` has changed."""
        self._readiness = readiness
        self._after_ms = max(after_ms, SILENCE_S * 1000)
        self._turned = turned
        self.stale = False

    def look(self) -> None:
        """Look once."""
        readiness = self._readiness()
        stale = readiness is not None and readiness.age_ms > self._after_ms
        if stale != self.stale:
            self.stale = stale
            self._turned()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            raise_if_cancelled()
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)
