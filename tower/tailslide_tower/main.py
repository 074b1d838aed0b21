"""The process: settings, logs, signals. What runs is put together in `app`."""

import asyncio
import sys

from tailslide_runtime import logs, process
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import load
from tailslide_tower.app import serve
from tailslide_tower.settings import TowerSettings


def main() -> int:
    """Run Tower, configured by the environment, until SIGINT or SIGTERM; return the exit status."""
    try:
        settings = load(TowerSettings)
    except StartError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 # for the person at the terminal, not for the log
        return 1
    logs.configure("tower", settings.log_level, settings.log_format)

    async def until(stop: asyncio.Event) -> None:
        # A task of its own, so that a signal ends it wherever it is, waiting for the database included.
        serving = asyncio.create_task(serve(settings))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, stopping):
            task.cancel()
        ended = (await asyncio.gather(serving, stopping, return_exceptions=True))[0]
        if isinstance(ended, Exception):
            raise ended

    return process.run(until)


if __name__ == "__main__":
    sys.exit(main())
