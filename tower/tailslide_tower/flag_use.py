"""When flags were last asked for: what sidecars have counted in RedisTimeSeries, and which of their routes need them.

Fails closed: without Redis it is not known, and whoever archives a flag has to force it. What NATS tells of routes
comes on top; while it is away that is what was last heard.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from tailslide_core.naming import FlagId, Metric
from tailslide_tower.flags.last_asked import DAY_MS, RECENT_DAYS, Asked, LastAskedUnknownError
from tailslide_tower.sidecars.registry import SidecarRegistry
from tailslide_tower.timeseries.series import SeriesUnavailableError, Wanted


class Counted(Protocol):
    """Who knows when series were last counted in; raises `SeriesUnavailableError`."""

    async def now_ms(self) -> int:
        """Return the time by the clock that stamps the counts, in Unix milliseconds."""

    async def last_counted(self, wanted: Sequence[Wanted], since_ms: int) -> Mapping[Wanted, int]:
        """Return when each series was last counted in, Unix milliseconds, of those that were since then."""


class FlagUse:
    """Knows who asks for flags."""

    def __init__(self, series: Counted, sidecars: SidecarRegistry) -> None:
        self._series = series
        self._sidecars = sidecars

    async def last_asked(self, app: str, flags: Mapping[str, Collection[str]]) -> Mapping[str, Asked]:
        """Return what is known of an app's flags, given with their variants; raise `LastAskedUnknownError`.

        Those that were not asked for in the last days are left out, unless a sidecar has a route with them.
        """
        wanted = [
            Wanted(FlagId(app, flag), f"{Metric.VARIANT_PREFIX}{variant}")
            for flag, variants in flags.items()
            for variant in variants
        ]
        try:
            since_ms = await self._series.now_ms() - RECENT_DAYS * DAY_MS
            counted = await self._series.last_counted(wanted, since_ms)
        except SeriesUnavailableError as error:
            raise LastAskedUnknownError(str(error)) from error
        moments: dict[str, int] = {}
        for each, at_ms in counted.items():
            moments[each.flag_id.flag] = max(at_ms, moments.get(each.flag_id.flag, 0))
        routed = self._routed(app, flags)
        return {flag: Asked(moments.get(flag), tuple(routed.get(flag, ()))) for flag in moments.keys() | routed.keys()}

    def _routed(self, app: str, flags: Collection[str]) -> dict[str, list[str]]:
        routed: dict[str, list[str]] = {}
        for sidecar in self._sidecars.of(app):
            if not sidecar.silent:
                for flag in sidecar.presence.route_flags:
                    if flag in flags:
                        routed.setdefault(flag, []).append(sidecar.presence.instance)
        return routed
