"""A file that is read again while the sidecar runs: when told to, when it has changed, and until it can be read at all.

It is taken whole or not at all, and what was taken stays in use until the file can be taken again. What the file says,
what follows from it and what the log says of it are in the subclasses: `flags_source` and `reload`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from tailslide_core.fields import shown
from tailslide_runtime.errors import StartError
from tailslide_sidecar.file_changes import FileChanges
from tailslide_sidecar.yaml_file import FileReadError, Stamp

Content = TypeVar("Content")


class FollowedFile(ABC, Generic[Content]):
    """Reads the file and hands over what it says. Its state is for readiness, status and metrics.

    `problem` is the sentence that says why the file as it is cannot be taken, None when it has been. `loaded` counts
    the times that it was taken, `refused` those that it was not; `loaded_at` is when it was last taken, the start
    included, in seconds since the epoch.
    """

    def __init__(self, path: Path | None, stamp: Stamp | None, *, now_s: Callable[[], float], poll_s: float) -> None:
        """`stamp` is what the file was like when it was read at the start. Without a path, there is nothing to read."""
        self._file_path = path
        self._now_s = now_s
        self._poll_s = poll_s
        self._changes = FileChanges(path, stamp)
        self._told = asyncio.Event()
        self.problem: str | None = None
        self.loaded = 0
        self.refused = 0
        self.loaded_at = now_s()

    @abstractmethod
    def _read(self) -> Content:
        """Return what the file says; raise `StartError`. Runs in a thread."""

    @abstractmethod
    def _take(self, content: Content) -> None:
        """Put what the file says to use."""

    @abstractmethod
    def _log_refusal(self, problem: str, *, unexpected: bool) -> None:
        """Log why the file is not taken; called while the error is handled."""

    def reload(self) -> None:
        """Have the file read soon, changed or not; for a signal's handler."""
        self._told.set()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        while True:
            await (self.read() if await self._wait() else self.look())

    async def look(self) -> None:
        """Read the file if it stands still and either has changed or could not be read the last time."""
        retried = self.problem if self._changes.unread else None
        if self._changes.look():
            await self._try(retried)

    async def read(self) -> None:
        """Read the file, and take it whole or not at all."""
        await self._try(None)

    async def _try(self, known: str | None) -> None:
        """Read the file. A problem that is `known` is neither logged nor counted again."""
        self._changes.reading()
        try:
            # In a thread: a file of a thousand flags or routes takes longer than a call may wait.
            content = await asyncio.to_thread(self._read)
        except StartError as error:
            if isinstance(error, FileReadError):
                self._changes.unread = True
            self._refuse(str(error), known)
        except Exception as error:  # noqa: BLE001 # what no reader foresaw in a file must not end the process
            problem = f"{self._file_path}: could not be read ({type(error).__name__}: {shown(str(error), 200)})"
            self._refuse(problem, known, unexpected=True)
        else:
            self.problem = None
            self.loaded += 1
            self.loaded_at = self._now_s()
            self._take(content)

    def _refuse(self, problem: str, known: str | None, *, unexpected: bool = False) -> None:
        if problem == known:
            return
        self._log_refusal(problem, unexpected=unexpected)
        self.refused += 1
        self.problem = problem

    async def _wait(self) -> bool:
        """Wait until told to read, or for the next look; return whether told."""
        try:
            async with asyncio.timeout(self._poll_s):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True
