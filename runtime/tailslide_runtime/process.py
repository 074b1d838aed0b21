"""The life of a process: run until a signal, stop in order, say in one sentence why it could not start."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

import uvloop

from tailslide_runtime.errors import StartError, leaves
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_runtime.service_manager import STOPPING, tell

Main = Callable[[asyncio.Event], Awaitable[None]]
"""Runs a process until the event is set, then stops in order and returns."""


class Logged(Protocol):
    """Settings that say how to log."""

    @property
    def log_level(self) -> LogLevel:
        """The least severe line."""

    @property
    def log_format(self) -> LogFormat:
        """How lines are written."""


Settings = TypeVar("Settings", bound=Logged)


def start(name: str, load: Callable[[], Settings], main: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> int:
    """Load the settings, set up the logs of the process `name`, then `run`; return the exit status."""
    try:
        settings = load()
    except StartError as error:
        _tell(error)
        return 1
    configure(name, settings.log_level, settings.log_format)
    return run(partial(main, settings))


def run(main: Main) -> int:
    """Run `main` on uvloop until SIGINT or SIGTERM sets its event; return the exit status.

    A `StartError`, alone or out of a task group, is printed as one sentence with exit status 1. Any other exception
    is a defect and keeps its traceback.
    """
    status = 0
    try:
        uvloop.run(_until_signal(main))
    except* StartError as group:
        status = 1
        for error in leaves(group):
            _tell(error)
    return status


def _tell(error: BaseException) -> None:
    print(f"Error: {error}", file=sys.stderr)  # noqa: T201 # for the person at the terminal, not for the log


async def _until_signal(main: Main) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        tell(STOPPING)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    await main(stop)
