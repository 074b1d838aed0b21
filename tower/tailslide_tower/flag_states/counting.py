"""How a feature's calls went lately, read from the series for the sentence.

Fails open: where the series cannot be read, that is said in the sentence's place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tailslide_core.circuit import Circuit, State
from tailslide_core.naming import JUDGED_METRICS, RESOLUTIONS, FlagId
from tailslide_core.windows import WindowCounts
from tailslide_tower.timeseries.grid import Grid, source_of
from tailslide_tower.timeseries.series import GraphSeries, Reading, SeriesUnavailableError, Wanted

SHORT_MS = 10_000
LONG_MS = 600_000
"""How far back is looked where there was nothing in the short window."""
_STEP_BUCKETS_MS = (100, 1_000, 10_000, 60_000, 3_600_000)
_MOST_BUCKETS = 600


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls of a feature: over windows that end now, shortest first, and of the present recovery step."""

    windows: Sequence[WindowCounts] = ()
    step: WindowCounts | None = None


def judged_windows(
    windows: Sequence[WindowCounts], circuit: Circuit | None, *, changed_ms: int, now_ms: int
) -> Sequence[WindowCounts]:
    """Return the windows over which the circuit was closed all the time: what was before that is judged no more.

    `changed_ms` is when the flag was last changed, Unix milliseconds: a person's reset counts from then on, until
    Aerobat has taken it in.
    """
    if circuit is None:
        return windows
    since_ms = circuit.since_ms if circuit.state is State.CLOSED else changed_ms
    return [counts for counts in windows if counts.window_ms <= now_ms - since_ms]


class SeriesCounts:
    """Counts calls in the series."""

    def __init__(self, series: GraphSeries) -> None:
        self._series = series

    async def of(self, steps: Mapping[FlagId, int | None]) -> Mapping[FlagId, Counts] | None:
        """Return the counts of flags; None while the series cannot be read.

        `steps` has for each flag when its recovery step began, Unix milliseconds by the clock of the series; None for a
        flag that does not recover.
        """
        try:
            return await self._count(steps)
        except SeriesUnavailableError:
            return None

    async def _count(self, steps: Mapping[FlagId, int | None]) -> Mapping[FlagId, Counts]:
        now_ms = await self._series.now_ms()
        flag_ids = [flag_id for flag_id, began_ms in steps.items() if began_ms is None]
        found = {flag_id: [counts] for flag_id, counts in (await self._window(flag_ids, SHORT_MS, now_ms)).items()}
        quiet = [flag_id for flag_id, counts in found.items() if counts[0].calls == 0]
        for flag_id, counts in (await self._window(quiet, LONG_MS, now_ms)).items():
            found[flag_id].append(counts)
        counted = {flag_id: Counts(windows) for flag_id, windows in found.items()}
        for flag_id, began_ms in steps.items():
            if began_ms is not None:
                counted[flag_id] = Counts(step=await self._step(flag_id, began_ms, now_ms))
        return counted

    async def _window(self, flag_ids: Collection[FlagId], window_ms: int, now_ms: int) -> dict[FlagId, WindowCounts]:
        bucket_ms = window_ms // 10
        # The last ten buckets, of which the present one is not over: what is said to be ten seconds is up to that.
        start_ms = (now_ms // bucket_ms - 9) * bucket_ms
        return await self._read(flag_ids, Grid.over(start_ms, now_ms + 1, bucket_ms), window_ms, now_ms)

    async def _step(self, flag_id: FlagId, began_ms: int, now_ms: int) -> WindowCounts:
        elapsed_ms = max(0, now_ms - began_ms)
        bucket_ms = next((b for b in _STEP_BUCKETS_MS if elapsed_ms <= b * _MOST_BUCKETS), _STEP_BUCKETS_MS[-1])
        # From the first whole bucket on: the calls before the step began are another step's.
        start_ms = -(-began_ms // bucket_ms) * bucket_ms
        if start_ms > now_ms:
            return WindowCounts(elapsed_ms)
        grid = Grid.over(start_ms, now_ms + 1, bucket_ms)
        return (await self._read([flag_id], grid, elapsed_ms, now_ms))[flag_id]

    async def _read(
        self, flag_ids: Collection[FlagId], grid: Grid, window_ms: int, now_ms: int
    ) -> dict[FlagId, WindowCounts]:
        if not flag_ids:
            return {}
        wanted = [Wanted(flag_id, metric) for flag_id in flag_ids for metric in JUDGED_METRICS]
        reading = await self._series.read(wanted, grid, source_of(grid, RESOLUTIONS, now_ms))
        return {flag_id: _counts(reading, flag_id, window_ms) for flag_id in flag_ids}


def _counts(reading: Reading, flag_id: FlagId, window_ms: int) -> WindowCounts:
    success, failure, slow = (
        sum(count or 0 for count in reading.column(flag_id, metric) or ()) for metric in JUDGED_METRICS
    )
    return WindowCounts(window_ms, success + failure, failure, slow)
