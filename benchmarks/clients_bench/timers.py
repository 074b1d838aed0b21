"""Bare timers: as many threads as the load has workers, which sleep for the deadline again and again.

They have a process of their own. What they are late by is what the machine adds to any call that waits for its
deadline. Run as a module, it answers each
line of its input with the lateness in milliseconds of all sleeps that have ended since the line before.
"""

import asyncio
import json
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Sleep(NamedTuple):
    """When it ended, Unix time in milliseconds, and how many milliseconds too late."""

    ended_ms: float
    late_ms: float


@dataclass(frozen=True)
class Timers:
    """The process, as the benchmark sees it."""

    process: asyncio.subprocess.Process

    async def sleeps(self) -> list[Sleep]:
        """Return the sleeps that have ended since it was last asked."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        return [Sleep(*each) for each in json.loads(await self.process.stdout.readline())]


@asynccontextmanager
async def running_timers(sleep_ms: float, workers: int) -> AsyncIterator[Timers]:
    """Run the timers until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients_bench.timers", str(sleep_ms), str(workers)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        limit=1 << 22,
    )
    assert process.stdin is not None
    try:
        yield Timers(process)
    finally:
        process.stdin.close()
        await process.wait()


def _sleep(sleep_s: float, offset_s: float, sleeps: deque[Sleep]) -> None:
    time.sleep(offset_s)
    while True:
        began = time.monotonic()
        time.sleep(sleep_s)
        sleeps.append(Sleep(time.time() * 1000, (time.monotonic() - began - sleep_s) * 1000))


def main() -> None:
    sleep_s, workers = float(sys.argv[1]) / 1000, int(sys.argv[2])
    sleeps: deque[Sleep] = deque()
    for worker in range(workers):
        offset_s = sleep_s * worker / workers  # so that hardly a moment is not looked at
        threading.Thread(target=_sleep, args=(sleep_s, offset_s, sleeps), daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps([sleeps.popleft() for _ in range(len(sleeps))]), flush=True)


if __name__ == "__main__":
    main()
