"""The process of the simulated sidecars, as those see it who tell it what to write; what it does is in `sidecars`."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tailslide_runtime.errors import StartError

_STOP_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Written:
    """What the simulated sidecars wrote in so many seconds.

    `skipped` flushes were left out since the one before took too long; `failed` are among `flushes`, not answered in
    time by Redis, say.
    """

    flushes: int
    skipped: int
    failed: int
    samples: int
    calls: int
    seconds: float


class Writer:
    """The hand on the process; making and remembering end what is being written.

    All methods raise `StartError` when the process has ended.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def make(self, flags: int, apps: int, *, latencies: bool = False) -> None:
        """Make the series of so many flags, all of them idle for three quarters of an hour."""
        await self._tell(do="make", flags=flags, apps=apps, latencies=latencies)

    async def remember(self, first: int, end: int, apps: int, *, calls_per_s: float, reach_s: int, step_s: int) -> None:
        """Write the past of the flags from `first` to before `end`: `reach_s` long, a sample each `step_s`."""
        await self._tell(
            do="remember", first=first, end=end, apps=apps, calls_per_s=calls_per_s, reach_s=reach_s, step_s=step_s
        )

    async def write(self, busy: int, apps: int, *, calls_per_s: float, latencies: bool = False) -> None:
        """Let the first `busy` flags be called so often a second each, from now on."""
        await self._tell(do="write", busy=busy, apps=apps, calls_per_s=calls_per_s, latencies=latencies)

    async def tally(self) -> Written:
        """Return what was written since the last time."""
        return Written(**await self._tell(do="tally"))

    async def _tell(self, **what: object) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        answer = b""
        try:
            process.stdin.write(orjson.dumps(what) + b"\n")
            await process.stdin.drain()
            answer = await process.stdout.readline()
        except ConnectionError:
            pass  # it has ended, which the missing answer says
        if not answer:
            raise StartError("the simulated sidecars have ended; what they said is above")
        found: dict[str, Any] = orjson.loads(answer)
        return found

    async def stop(self) -> None:
        """End it with its input; by force when it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):  # it may be in the midst of something long, after a Ctrl-C
                async with asyncio.timeout(_STOP_TIMEOUT_S):
                    await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()


@asynccontextmanager
async def simulated_sidecars(redis_url: str) -> AsyncIterator[Writer]:
    """Run the process until the end of the block."""
    folders = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tick_bench.sidecars",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "TAILSLIDE_REDIS_URL": redis_url, "PYTHONPATH": os.pathsep.join(folders)},
        start_new_session=True,
    )
    writer = Writer(process)
    try:
        yield writer
    finally:
        await writer.stop()
