"""Keeps the flag store equal to a flags file, for as long as the sidecar lives: what `watcher` is to NATS.

Fails open: while the file cannot be read, or anything in it is wrong, the store keeps what it holds, and readiness says
since when. What a file says is `flags_file`'s to judge.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from tailslide_core.fields import shown
from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_runtime.errors import StartError
from tailslide_sidecar.file_changes import FileChanges
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.flags_file import FlagsFile, read_flags_file
from tailslide_sidecar.missing_names import MissingNames
from tailslide_sidecar.proxy.routes import Route

log = structlog.get_logger()

POLL_S = 0.25
"""How often the file is looked at. A change is read once it has stood still for as long."""

_THEN = "the last good flags stay"

Value = TypeVar("Value", Ruleset, Segment)


class FlagsSource:
    """Reads the file into the store. Its state is for readiness, status and metrics.

    `problem` is the sentence that says why the file as it is cannot be taken, None when it has been. `loaded` counts
    the times that it was taken, the start included, `refused` those that it was not; `loaded_at` is when it was last
    taken, in seconds since the epoch.
    """

    def __init__(
        self,
        file: FlagsFile,
        store: FlagStore,
        routes: Sequence[Route],
        *,
        changed: Callable[[], None],
        now_s: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
    ) -> None:
        """`file` is what it said at the start. `changed` is called after each later change of the store."""
        self.path = file.path
        self._app = file.app
        self._store = store
        self._missing = MissingNames(store, routes)
        self._changed = changed
        self._now_s = now_s
        self._clock = clock
        self._poll_s = poll_s
        self._changes = FileChanges(file.path, file.stamp)
        self._told = asyncio.Event()
        self._good_at_s = clock()
        self._rulesets: Mapping[str, Ruleset] = {}
        self._segments: Mapping[str, Segment] = {}
        self.problem: str | None = None
        self.loaded = 0
        self.refused = 0
        self.loaded_at = now_s()
        self._take(file)

    def __repr__(self) -> str:
        return f"FlagsSource({str(self.path)!r}, problem={self.problem!r})"

    @property
    def connected(self) -> bool:
        """Whether the store holds what the file says."""
        return self.problem is None

    def silent_for_s(self) -> float:
        """Return for how long, in seconds, the file has not said what the store holds."""
        return self._clock() - self._good_at_s

    def use(self, routes: Sequence[Route]) -> None:
        """Look after the flags of other routes."""
        self._missing.use(routes)

    def reload(self) -> None:
        """Have the file read soon, changed or not; for a signal's handler."""
        self._told.set()

    async def run(self) -> None:
        """Look at the file until cancelled."""
        self._missing.warn()
        while True:
            await (self.read() if await self._wait() else self.look())

    async def look(self) -> None:
        """Read the file if it has changed and stands still."""
        if self._changes.look():
            await self.read()
        elif self.problem is None:
            self._good_at_s = self._clock()

    async def read(self) -> None:
        """Read the file, and take it whole or not at all."""
        self._changes.reading()
        try:
            # In a thread: a file of a thousand flags takes longer than a call may wait.
            file = await asyncio.to_thread(read_flags_file, self.path, self._app)
        except StartError as error:
            self._refuse(str(error))
        except Exception as error:  # what no reader foresaw in a file must not end the process
            problem = f"{self.path}: could not be read ({type(error).__name__}: {shown(str(error), 200)})"
            log.exception("flags_file_failed", problem=problem, then=_THEN)
            self._keep(problem)
        else:
            if self._take(file):
                self._changed()
            self._missing.warn()

    def _refuse(self, problem: str) -> None:
        log.error("flags_file_refused", problem=problem, then=_THEN)
        self._keep(problem)

    def _keep(self, problem: str) -> None:
        """Note why the store keeps what it holds."""
        self.refused += 1
        self.problem = problem

    def _take(self, file: FlagsFile) -> bool:
        self._rulesets = _numbered(file.rulesets, self._rulesets, encode_ruleset)
        self._segments = _numbered(file.segments, self._segments, encode_segment)
        changed = self._store.replace(Content(self._rulesets, {}, None, self._segments))
        self.problem = None
        self.loaded += 1
        self.loaded_at = self._now_s()
        self._good_at_s = self._clock()
        log.info("flags_file_loaded", file=str(self.path), flags=len(file.rulesets), segments=len(file.segments))
        return changed

    async def _wait(self) -> bool:
        """Wait until told to read, or for the next look; return whether told."""
        try:
            async with asyncio.timeout(self._poll_s):
                await self._told.wait()
        except TimeoutError:
            return False
        self._told.clear()
        return True


def _numbered(
    values: Mapping[str, Value], before: Mapping[str, Value], encode: Callable[[Value], bytes]
) -> dict[str, Value]:
    """Return values with a higher version where they differ from those before, since nobody else numbers them."""
    numbered: dict[str, Value] = {}
    for key, value in values.items():
        old = before.get(key)
        if old is None or value.version > old.version:
            numbered[key] = value
        # As bytes, since to Python 1 equals true.
        elif encode(replace(value, version=old.version)) == encode(old):
            numbered[key] = old
        else:
            numbered[key] = replace(value, version=old.version + 1)
    return numbered
