"""The process: settings, logs, signals. What runs is put together in `app`."""

import asyncio
import sys
from functools import partial

from tailslide_runtime import process
from tailslide_runtime.settings import load
from tailslide_tower.app import serve
from tailslide_tower.settings import TowerSettings


def main() -> int:
    """Run Tower, configured by the environment, until SIGINT or SIGTERM; return the exit status."""
    return process.start("tower", partial(load, TowerSettings), _until)


async def _until(settings: TowerSettings, stop: asyncio.Event) -> None:
    # A task of its own, so that a signal ends it wherever it is, waiting for the database included.
    serving = asyncio.create_task(serve(settings, _announce))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (serving, stopping):
        task.cancel()
    ended = (await asyncio.gather(serving, stopping, return_exceptions=True))[0]
    if isinstance(ended, Exception):
        raise ended


def _announce(text: str) -> None:
    # Beside the log, which goes to standard error and to where logs are gathered.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
