"""Keeps the flag store equal to a flags file, for as long as the sidecar lives: what `watcher` is to NATS.

Fails open: while the file cannot be read, or anything in it is wrong, the store keeps what it holds, and readiness says
since when. What a file says is `flags_file`'s to judge; when it is read is `followed_file`'s.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.ruleset import Ruleset
from tailslide_core.segment import Segment
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.flags_file import FlagsFile, read_flags_file
from tailslide_sidecar.followed_file import FollowedFile
from tailslide_sidecar.missing_names import MissingNames
from tailslide_sidecar.proxy.routes import Route

log = structlog.get_logger()

POLL_S = 0.25
"""How often the file is looked at. A change is read once it has stood still for as long."""

_THEN = "the last good flags stay"

Value = TypeVar("Value", Ruleset, Segment)


class FlagsSource(FollowedFile[FlagsFile]):
    """Reads the file into the store. `loaded` counts the start, too."""

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
        super().__init__(file.path, file.stamp, now_s=now_s, poll_s=poll_s)
        self.path = file.path
        self._app = file.app
        self._store = store
        self._missing = MissingNames(store, routes)
        self._changed = changed
        self._clock = clock
        self._good_at_s = clock()
        self._rulesets: Mapping[str, Ruleset] = {}
        self._segments: Mapping[str, Segment] = {}
        self.loaded = 1
        self._fill_store(file)

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

    async def run(self) -> None:
        """Look at the file until cancelled."""
        self._missing.warn()
        await super().run()

    async def look(self) -> None:
        """Read the file if it is worth reading again."""
        await super().look()
        if self.problem is None:
            self._good_at_s = self._clock()

    def _read(self) -> FlagsFile:
        return read_flags_file(self.path, self._app)

    def _take(self, content: FlagsFile) -> None:
        if self._fill_store(content):
            self._changed()
        self._missing.warn()

    def _fill_store(self, file: FlagsFile) -> bool:
        """Make the store equal to the file; return whether it has changed."""
        self._rulesets = _numbered(file.rulesets, self._rulesets, encode_ruleset)
        self._segments = _numbered(file.segments, self._segments, encode_segment)
        changed = self._store.replace(Content(self._rulesets, {}, None, self._segments))
        self._good_at_s = self._clock()
        log.info("flags_file_loaded", file=str(self.path), flags=len(file.rulesets), segments=len(file.segments))
        return changed

    def _log_refusal(self, problem: str, *, unexpected: bool) -> None:
        if unexpected:
            log.exception("flags_file_failed", problem=problem, then=_THEN)
        else:
            log.error("flags_file_refused", problem=problem, then=_THEN)


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
