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


class Logged(Protocol):
    """Settings that say how to log."""

    @property
    def log_level(self) -> LogLevel:
        """The least severe line."""

    @property
    def log_format(self) -> LogFormat:
        """How lines are written."""


class Stop(asyncio.Event):
    """Set when the process is to end: by SIGTERM, which machines send, and by SIGINT, which a person sends."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once = asyncio.Event()
        """Set where nobody is to be waited for who has yet to learn of the end: by SIGINT, and by a second signal."""

    def end(self, *, at_once: bool) -> None:
        """Have the process end."""
        if at_once or self.is_set():
            self.at_once.set()
        self.set()


Main = Callable[[Stop], Awaitable[None]]
"""Runs a process until the event is set, then stops in order and returns."""

Settings = TypeVar("Settings", bound=Logged)


def start(name: str, load: Callable[[], Settings], main: Callable[[Settings, Stop], Awaitable[None]]) -> int:
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
    stop = Stop()
    loop = asyncio.get_running_loop()

    def end(*, at_once: bool) -> None:
        tell(STOPPING)
        stop.end(at_once=at_once)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, partial(end, at_once=number == signal.SIGINT))
    await main(stop)
