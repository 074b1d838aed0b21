"""What the simulation found, and what that says of each aim. How it is shown is `report`'s and `settings_page`'s."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sim_bench.detection import Case, Found
from sim_bench.false_trips import FalseTrips
from sim_bench.settings import (
    DATA_WAY_S,
    DEAD_AT_1_AIM_CALLS,
    DEAD_AT_100_AIM_S,
    DEFAULT,
    FALSE_TRIPS_AIM,
    Bound,
    Verdict,
)

DAY_S = 86_400


@dataclass(frozen=True)
class Check:
    """False trips a day as they were estimated and as they were counted on `days` of plain traffic."""

    bound: Bound
    case: Case
    estimated: FalseTrips
    counted: FalseTrips
    days: float

    @property
    def calls(self) -> float:
        return self.case.calls_per_s * self.days * DAY_S


@dataclass(frozen=True)
class Aim:
    """One aim at one threshold: what is asked for, what was seen, and whether that is enough."""

    threshold: float
    asked: str
    seen: str
    met: bool


@dataclass
class Result:
    """Everything that was measured; `busy` is counted at the highest volume, with half the threshold in errors."""

    false_trips: dict[Case, dict[str, FalseTrips]] = field(default_factory=dict)
    found: dict[Case, dict[str, Found]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    busy: list[Check] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    runs: int = 0

    @property
    def thresholds(self) -> list[float]:
        return sorted({case.threshold for case in self.found}, reverse=True)

    @property
    def volumes(self) -> list[float]:
        return sorted({case.calls_per_s for case in self.found})

    def of_defaults(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.chosen == DEFAULT]


def aims(result: Result) -> Iterator[Aim]:
    """Hold the defaults against each aim, one threshold after another."""
    busy = {check.case.threshold: check for check in result.busy}
    for verdict in result.of_defaults():
        yield from _of_verdict(verdict)
        if verdict.threshold in busy:
            yield _of_busy(busy[verdict.threshold])


def _of_verdict(verdict: Verdict) -> Iterator[Aim]:
    threshold = verdict.threshold
    yield Aim(
        threshold,
        f"half the threshold, any volume: under {FALSE_TRIPS_AIM:g} false trip in 30 days",
        f"{number(verdict.false_trips)}, worst at {per_s(verdict.worst_per_s)}",
        verdict.calm,
    )
    half, most = verdict.seconds_at_100
    yield Aim(
        threshold,
        f"dead at 100/s: within {DEAD_AT_100_AIM_S:g} s",
        f"half: {told(half, 's')}, 99 %: {told(most, 's')}, and {DATA_WAY_S:g} s for the data's way",
        verdict.quick_at_100,
    )
    steady = verdict.steady_calls_at_1
    yield Aim(
        threshold,
        f"dead at 1/s: within {DEAD_AT_1_AIM_CALLS} calls, when they come a second apart",
        "never trips" if steady is None else f"trips at call {steady}",
        verdict.steady_at_1,
    )
    few, many = verdict.calls_at_1
    by_chance = f"dead at 1/s: within {DEAD_AT_1_AIM_CALLS} calls, when they come by chance"
    yield Aim(threshold, f"{by_chance}, half of the runs", told(few, "calls"), verdict.quick_at_1)
    yield Aim(threshold, f"{by_chance}, 99 % of the runs", told(many, "calls"), many <= DEAD_AT_1_AIM_CALLS)
    minutely = verdict.steady_calls_at_1_a_minute
    yield Aim(
        threshold,
        "dead at one call a minute, a minute apart: trips",
        "never trips" if minutely is None else f"trips at call {minutely}",
        verdict.finds_the_quiet,
    )


def _of_busy(check: Check) -> Aim:
    trips = round(check.counted.per_day * check.days)
    return Aim(
        check.case.threshold,
        f"{per_s(check.case.calls_per_s)} with half the threshold in errors: does not trip",
        f"{number(check.estimated.per_day)} a day by weight; {trips or 'none'} counted in {check.calls:,.0f} calls",
        trips == 0 and 30 * check.estimated.per_day < FALSE_TRIPS_AIM,
    )


def told(value: float, unit: str) -> str:
    return "never" if math.isinf(value) else f"{value:g} {unit}"


def number(value: float) -> str:
    if math.isinf(value):
        return "too many"
    if value == 0:
        return "0"
    if value < 1e-4:
        return "< 0.0001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def per_s(calls_per_s: float) -> str:
    if calls_per_s < 0.5:
        return f"{calls_per_s * 60:.3g}/min"
    return f"{calls_per_s:.3g}/s" if calls_per_s < 100 else f"{calls_per_s:,.0f}/s"
