"""The flags that this sidecar may keep calls away from by itself: their guards, and what is told and counted of these.

A guard is made for one state of its flag, so whatever arrives for the flag (a verdict, a change or a reset) puts an end
to it. A change of a segment, or of a flag that it requires, does not: that says nothing about its feature. Only flags
whose ruleset asks for a guard have one, and only once they are called. When a guard strikes is `local_guard`'s to say.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tailslide_core.ruleset import LocalGuard
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_sidecar.flag_store import FlagStore, HeldFlag
from tailslide_sidecar.local_guard import Guard

LOOK_EVERY_S = 0.25
"""How late it may be told that a time is up; calls go to the feature again at once."""

log = structlog.get_logger()


class _Record:
    """The present guard of a flag, and what its guards have done so far."""

    __slots__ = ("guard", "held", "kept_away", "kept_away_before", "since_ms", "strikes")

    def __init__(self, held: HeldFlag, guard: Guard) -> None:
        self.held = held
        self.guard = guard
        self.strikes = 0
        self.kept_away = 0
        self.kept_away_before = 0
        """`kept_away` when the guard struck last."""
        self.since_ms: int | None = None
        """When that was, in Unix time; None if it never was."""


class GuardedFlags(Collector):
    """Keeps the guards of one sidecar."""

    def __init__(
        self,
        store: FlagStore,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives seconds and never goes back; `wall_clock` gives Unix time, for people."""
        self._store = store
        self._clock = clock
        self._wall_clock = wall_clock
        self._records: dict[str, _Record] = {}
        self._holding: dict[str, _Record] = {}
        """The records of flags whose calls are being kept away."""

    def guard(self, flag: str, held: HeldFlag) -> Guard | None:
        """Return the guard that speaks for a flag as it is held now; None for a flag without one.

        If it has struck, calls are to be kept away.
        """
        settings = guard_settings(held)
        if settings is None:
            return None
        record = self._records.get(flag)
        if record is None:
            record = self._records[flag] = _Record(held, Guard(settings))
            return record.guard
        now_s = self._clock()
        if not record.held.is_as(held) or record.guard.is_over(now_s):
            self._let_go(flag, record, now_s)
            record.held, record.guard = held, Guard(settings)
        return record.guard

    def failed(self, flag: str, guard: Guard) -> bool:
        """Take the end of a call that failed to connect; say whether calls are to be kept away from now on."""
        if not guard.failed(self._clock()):
            return False
        record = self._records[flag]
        record.strikes += 1
        record.kept_away_before = record.kept_away
        record.since_ms = round(self._wall_clock() * 1000)
        self._holding[flag] = record
        settings = guard.settings
        log.warning(
            "local_guard_struck",
            message="calls go to the fallback for a while, since the feature cannot be connected to",
            flag=flag,
            consecutive_failures=settings.consecutive_failures,
            max_ms=settings.max_ms,
        )
        return True

    def count_kept_away(self, flag: str) -> None:
        """Count a call that went to the fallback because of the guard."""
        self._records[flag].kept_away += 1

    def look(self) -> None:
        """Let go of what there is no reason to hold any longer."""
        if not self._holding:
            return
        now_s = self._clock()
        for flag, record in list(self._holding.items()):
            held = self._store.held(flag)
            if held is None or not held.is_as(record.held) or record.guard.is_over(now_s):
                self._let_go(flag, record, now_s)

    def _let_go(self, flag: str, record: _Record, now_s: float) -> None:
        if self._holding.pop(flag, None) is None:
            return
        by_time = record.guard.is_over(now_s)
        log.info(
            "local_guard_let_go",
            message="calls are no longer kept away from the feature",
            flag=flag,
            because="max_ms is over" if by_time else "its ruleset or its circuit has changed",
            after_ms=record.guard.held_for_ms(now_s),
            kept_away=record.kept_away - record.kept_away_before,
        )

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            raise_if_cancelled()
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def report(self, flag: str) -> Mapping[str, object] | None:
        """Return how it stands with the guard of a flag, as JSON has it; None for a flag without one."""
        self.look()
        held = self._store.held(flag)
        if held is None or guard_settings(held) is None:
            return None
        record = self._records.get(flag)
        if record is None:
            return {"active": False, "since_ms": None, "remaining_ms": 0, "strikes": 0, "kept_away": 0}
        active = flag in self._holding
        return {
            "active": active,
            "since_ms": record.since_ms if active else None,
            "remaining_ms": record.guard.remaining_ms(self._clock()) if active else 0,
            "strikes": record.strikes,
            "kept_away": record.kept_away,
        }

    def collect(self) -> Iterator[Metric]:
        """Return what Prometheus asks for, of all flags that have or had a guard."""
        self.look()
        active = GaugeMetricFamily(
            "tailslide_sidecar_local_guard_active",
            "Whether calls are kept away from a feature that this sidecar cannot connect to",
            labels=["flag"],
        )
        strikes = CounterMetricFamily(
            "tailslide_sidecar_local_guard_strikes",
            "Times that so many calls in a row failed to connect that further ones were kept away",
            labels=["flag"],
        )
        kept_away = CounterMetricFamily(
            "tailslide_sidecar_local_guard_kept_away",
            "Calls that went to the fallback, since the feature could not be connected to before",
            labels=["flag"],
        )
        guarded = {flag for flag, held in self._store.all_held().items() if guard_settings(held) is not None}
        for flag in sorted(guarded | self._records.keys()):
            record = self._records.get(flag)
            active.add_metric([flag], float(flag in self._holding))
            strikes.add_metric([flag], 0 if record is None else record.strikes)
            kept_away.add_metric([flag], 0 if record is None else record.kept_away)
        yield from (active, strikes, kept_away)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the labels are not known beforehand."""
        return []


def guard_settings(held: HeldFlag) -> LocalGuard | None:
    """Return when the calls of a flag are to be kept away; None when never."""
    circuit = held.ruleset.circuit
    return None if circuit is None else circuit.local_guard
