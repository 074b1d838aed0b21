"""Graph points for the clients of the live socket: read once for all of them, whoever wants what.

So what it costs Redis follows the number of flags that are looked at, and not that of the people who look.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from tailslide_core.naming import FlagId
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower.live.messages import EVERY_MS, Json
from tailslide_tower.live.session import Session
from tailslide_tower.timeseries.grid import Grid
from tailslide_tower.timeseries.series import SeriesUnavailableError
from tailslide_tower.timeseries.service import GraphService, Sparks

BUCKETS = 3
"""Of each flag, the last of which is not complete: sidecars write some tenths of a second late."""
AT_ONCE = 500
"""Flags that are read with one question."""
MAX_FLAGS = 5_000
"""Flags of all clients together; those of who came last get none beyond that."""


class PointsPump:
    """Reads points every second, as far as somebody wants them."""

    def __init__(self, graphs: GraphService, sessions: Callable[[], Iterable[Session]]) -> None:
        self._graphs = graphs
        self._sessions = sessions

    async def run(self) -> None:
        """Send points until cancelled."""
        tick = 0
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            raise_if_cancelled()
            due_s = max(due_s + EVERY_MS[0] / 1000, loop.time())
            await asyncio.sleep(due_s - loop.time())
            tick += 1
            for every_ms in EVERY_MS:
                if tick % (every_ms // EVERY_MS[0]) == 0:
                    await self.send(every_ms)

    async def send(self, every_ms: int) -> None:
        """Send points to all who want them so often, and have flags looked at again."""
        wanting: list[tuple[Session, Sequence[FlagId]]] = []
        flags: dict[FlagId, None] = {}
        for session in self._sessions():
            if session.wanted.refresh_ms == every_ms:
                session.refresh()
            points = session.wanted.points
            if points is None or points.every_ms != every_ms:
                continue
            visible = [flag_id for flag_id in points.flags if session.may_view(flag_id.app)]
            if len(flags.keys() | set(visible)) <= MAX_FLAGS:
                flags |= dict.fromkeys(visible)
            wanting.append((session, visible))
        if not wanting:
            return
        try:
            grid, now_ms, found = await self._read(list(flags), every_ms)
        except SeriesUnavailableError as error:
            detail = f"graphs are not available: {error}"
            gone = {"type": "points", "available": False, "detail": detail, "now_ms": None}
            for one, _ in wanting:
                one.show_points(gone | {"resolution_ms": every_ms, "at_ms": [], "flags": {}})
            return
        for one, theirs in wanting:
            one.show_points(
                {
                    "type": "points",
                    "available": True,
                    "detail": None,
                    "now_ms": now_ms,
                    "resolution_ms": every_ms,
                    "at_ms": grid.times(),
                    "flags": {str(flag_id): found[flag_id] for flag_id in theirs if flag_id in found},
                }
            )

    async def _read(self, flags: Sequence[FlagId], every_ms: int) -> tuple[Grid, int, Mapping[FlagId, Json]]:
        now_ms = await self._graphs.series.now_ms()
        end_ms = now_ms // every_ms * every_ms + every_ms
        grid = Grid(end_ms - BUCKETS * every_ms, every_ms, BUCKETS)
        found: defaultdict[FlagId, Json] = defaultdict(dict)
        for first in range(0, len(flags), AT_ONCE):
            some = flags[first : first + AT_ONCE]
            sparks: Sparks = await self._graphs.read_sparks(some, grid, now_ms)
            for flag_id in some:
                _, calls, failures = sparks.counts(flag_id)
                found[flag_id] = {
                    "calls": calls,
                    "failures": [None if each is None else bad or 0 for each, bad in zip(calls, failures, strict=True)],
                }
        return grid, now_ms, found
