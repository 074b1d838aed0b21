"""Which settings of the circuit keep what it promises: the same questions asked of many settings, on the same draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from random import Random

from sim_bench import detection, false_trips
from sim_bench.rules import WindowRule, core_ladder, exact_ladder, wilson_ladder
from sim_bench.traffic import TICK_MS
from tailslide_core.ruleset import CircuitSettings

SECOND_MS, MINUTE_MS = 1_000, 60_000
SCAN = tuple(10 ** (step / 4) / 60 for step in range(24))
"""Calls a second, from one a minute on, four to the decade: a rule that is calm at 1 and at 10 can be nervous at 3."""
FALSE_TRIPS_AIM = 1.0
"""In 30 days, at half the threshold."""
DEAD_AT_100_AIM_S = 1.2
DATA_WAY_S = 0.2
"""What a flush and the write of a verdict add in service."""
DEAD_AT_1_AIM_CALLS = 15


class Bound(StrEnum):
    """How sure a rule wants to be: the core's way, and two that it could have taken."""

    OURS = "ours"
    WILSON = "Wilson alone"
    EXACT = "exact alone"


LADDERS = {Bound.OURS: core_ladder, Bound.WILSON: wilson_ladder, Bound.EXACT: exact_ladder}


@dataclass(frozen=True)
class Chosen:
    """The settings that a row of the table is about; the rest are the defaults."""

    confidence: float
    min_calls: int
    window_ms: int
    long_window_ms: int
    bound: Bound = Bound.OURS

    def rule(self, threshold: float, name: str) -> WindowRule:
        settings = CircuitSettings(
            confidence=self.confidence,
            min_calls=self.min_calls,
            window_ms=self.window_ms,
            long_window_ms=self.long_window_ms,
            error_threshold=threshold,
        )
        return LADDERS[self.bound](settings, name)

    def __str__(self) -> str:
        return " | ".join(
            (
                self.bound,
                f"{self.confidence:.9g}",
                str(self.min_calls),
                f"{self.window_ms / 1000:g}",
                f"{self.long_window_ms / 1000:g}",
            )
        )


_DEFAULTS = CircuitSettings()
DEFAULT = Chosen(_DEFAULTS.confidence, _DEFAULTS.min_calls, _DEFAULTS.window_ms, _DEFAULTS.long_window_ms)
WILSON_ALONE = replace(DEFAULT, bound=Bound.WILSON)
FULL_GRID = (
    *(
        replace(DEFAULT, confidence=confidence, min_calls=min_calls)
        for confidence, min_calls in product((0.999, 0.9995, 0.9999, 0.99999), (5, 10, 20))
    ),
    *(replace(DEFAULT, window_ms=window_ms) for window_ms in (5_000, 20_000)),
    replace(DEFAULT, long_window_ms=600_000),
    *(replace(WILSON_ALONE, confidence=confidence) for confidence in (0.9999, 0.9999999, 0.999999999)),
    replace(WILSON_ALONE, confidence=0.999999999, min_calls=20),
    *(replace(DEFAULT, confidence=confidence, bound=Bound.EXACT) for confidence in (0.9999, 0.99999, 0.999999)),
)
QUICK_GRID = (DEFAULT, WILSON_ALONE)


@dataclass(frozen=True)
class Verdict:
    """How settings do at one threshold."""

    chosen: Chosen
    threshold: float
    false_trips: float
    """In 30 days at half the threshold, at the worst volume; inf where they are too many to tell apart."""
    worst_per_s: float
    """That volume, in calls a second."""
    seconds_at_100: tuple[float, float]
    """Until a dead feature trips, half of the runs and 99 % of them, without the way of the data."""
    calls_at_1: tuple[float, float]
    """Calls to a dead feature, one a second on average: half of the runs, and 99 % of them."""
    steady_calls_at_1: int | None
    """The same with exactly one call a second; None for never."""
    steady_calls_at_1_a_minute: int | None
    """With exactly one call a minute; None for never."""

    @property
    def calm(self) -> bool:
        return self.false_trips < FALSE_TRIPS_AIM

    @property
    def quick_at_100(self) -> bool:
        return self.seconds_at_100[1] + DATA_WAY_S <= DEAD_AT_100_AIM_S

    @property
    def quick_at_1(self) -> bool:
        """Half of the runs, not all: how regular calls come is chance, and bunched ones fill windows badly."""
        return self.calls_at_1[0] <= DEAD_AT_1_AIM_CALLS

    @property
    def steady_at_1(self) -> bool:
        return self.steady_calls_at_1 is not None and self.steady_calls_at_1 <= DEAD_AT_1_AIM_CALLS

    @property
    def finds_the_quiet(self) -> bool:
        return self.steady_calls_at_1_a_minute is not None

    @property
    def meets(self) -> bool:
        return self.calm and self.quick_at_100 and self.quick_at_1 and self.steady_at_1 and self.finds_the_quiet


def judge(grid: Sequence[Chosen], threshold: float, runs: int, samples: int) -> list[Verdict]:
    """Ask everything of every settings at one threshold."""
    rules = {chosen: chosen.rule(threshold, str(chosen)) for chosen in grid}
    at_100 = detection.of_windows(detection.Case(100, threshold, 1.0), list(rules.values()), runs)
    at_1 = detection.of_windows(detection.Case(1, threshold, 1.0), list(rules.values()), runs)
    verdicts = []
    for chosen, rule in rules.items():
        worst, volume = worst_false_trips(rule, threshold, samples)
        seconds, calls = at_100[rule.name], at_1[rule.name]
        verdicts.append(
            Verdict(
                chosen,
                threshold,
                worst,
                volume,
                (_or_never(seconds.after_s(50)), _or_never(seconds.after_s(99))),
                (_or_never(calls.after_calls(50)), _or_never(calls.after_calls(99))),
                steady_calls_to_trip(rule, SECOND_MS),
                steady_calls_to_trip(rule, MINUTE_MS),
            )
        )
    return verdicts


def _or_never(found: float | None) -> float:
    return math.inf if found is None else found


def worst_false_trips(rule: WindowRule, threshold: float, samples: int) -> tuple[float, float]:
    """Return the most false trips in 30 days over the volumes of `SCAN`, and the volume in calls a second."""
    found = {volume: false_trips.breaches(rule, volume, threshold / 200) for volume in SCAN}
    bounds = {volume: 30 * false_trips.bound_per_day(breaches) for volume, breaches in found.items()}
    worst = (0.0, SCAN[0])
    for volume in sorted(bounds, key=lambda volume: -bounds[volume]):
        if bounds[volume] <= worst[0]:
            break
        estimate = false_trips.of_windows(rule, volume, threshold / 200, Random(f"scan {volume}"), samples)
        worst = max(worst, (math.inf if estimate is None else 30 * estimate.per_day, volume))
    return worst


def steady_calls_to_trip(rule: WindowRule, gap_ms: int) -> int | None:
    """Return after how many failing calls, `gap_ms` apart, the rule trips; None when it never does.

    All calls before were healthy, and a window never holds more of them than its length: the hardest case.
    """
    lengths = {window * TICK_MS // gap_ms for window in rule.windows}
    needed = [rule.least[calls] for calls in lengths if calls and rule.least[calls] <= calls]
    return min(needed, default=None)


def best(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the one that meets all aims and finds a dead feature with the fewest calls, then the soonest."""
    return min(
        (verdict for verdict in verdicts if verdict.meets),
        key=lambda verdict: (verdict.calls_at_1, verdict.seconds_at_100, verdict.steady_calls_at_1_a_minute or 0),
        default=None,
    )
