"""What the simulation found, as the page `docs/circuit/simulation.md` and as lines to read at once."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from sim_bench.detection import FIVE_IN_A_ROW, LAST_100, Case, Found
from sim_bench.false_trips import FalseTrips
from sim_bench.settings import (
    DATA_WAY_S,
    DEAD_AT_1_AIM_CALLS,
    DEAD_AT_100_AIM_S,
    DEFAULT,
    FALSE_TRIPS_AIM,
    Bound,
    Verdict,
    best,
)

_HEAD = """# How fast a circuit trips, and how often wrongly

Written by `benchmarks/circuit_sim.py`; do not edit. The core's own judgement on simulated traffic: calls that arrive by
chance (a Poisson process) and fail independently of each other, a look every 250 ms. Real failures come in bursts, so
real false trips are more than these. Seeded; {runs} runs for each distribution of times.

![Time to trip and false trips, by volume](simulation.svg)

The classic rules, on the same traffic:

- **fixed ratio**: the failures of the last 10 s are at least the threshold, of at least 20 calls.
- **5 in a row**: five consecutive failures. Envoy's `consecutive_5xx` of one host counts just so, and to five as well.
- **100 calls**: resilience4j's count window, the threshold or more of the last 100 calls, judged from the 100th on.

The ratios among them are set to the threshold of the row (at 50 % these are their makers' defaults): at 50 % they would
find nothing where the threshold is 5 %. Rules that count calls do so in one process that sees all of them; spread over
ten sidecars each sees a tenth.
"""

_FALSE = """## False trips a day

True error rates below the threshold; without any failures there are none. With the 95 % interval of the estimate, where
it has one. A trip that follows within the longest window that matters belongs to the same bad luck and is counted once.
All calls are let in at all times here; a circuit that would trip a thousand times a day is in truth hardly ever closed.
These are not counted by waiting but weighed by their probability: `sim_bench/false_trips.py` says how.
"""

_CHECK = """### Checked against counting

The same, counted on plain traffic where that takes no years.
"""

_TIME = """## Time to trip

From the first moment of the true rate, after healthy traffic for longer than any window looks back, without the way
of the data (about 0.2 s): half of the runs, 90 %, 99 %. In brackets the share that trips within an hour, where it is
not all; "-" where fewer tripped. At the threshold itself no trip is wanted, nor is one wrong. Rules that look at
windows look every 250 ms, hence no less than that.
"""

_SETTINGS = """## Which settings meet the aims

False trips at half the threshold and at the worst volume, searched from one call a minute to 9,400 a second. Dead: all
calls fail. At one a minute the calls come exactly a minute apart, which is harder than by chance: a window never holds
more than its length. "All aims" takes the median at one call a second. Two bounds are none of the core's, and show what
it could do: "exact" is the exact binomial bound (Clopper-Pearson) in place of Wilson's; "guarded" is Wilson's, and that
so many failures have a chance of less than 1e-8 at half the threshold.
"""

RULES = ("ours", "fixed ratio", FIVE_IN_A_ROW, LAST_100)


@dataclass
class Result:
    """Everything that was measured; `checks` are (threshold, calls a second, estimated, counted) false trips."""

    false_trips: dict[Case, dict[str, FalseTrips]] = field(default_factory=dict)
    found: dict[Case, dict[str, Found]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    checks: list[tuple[Case, FalseTrips, FalseTrips]] = field(default_factory=list)
    runs: int = 0

    def rows(self) -> list[dict[str, object]]:
        return [
            *(_false_row(case, name, value) for case, each in self.false_trips.items() for name, value in each.items()),
            *(_found_row(case, name, value) for case, each in self.found.items() for name, value in each.items()),
            *(_verdict_row(verdict) for verdict in self.verdicts),
        ]

    def ratios(self) -> dict[str, float]:
        """Return the figures of the defaults that the aims are about."""
        figures: dict[str, float] = {}
        for verdict in self.of_defaults():
            at = f"{verdict.threshold:g}pct"
            if math.isfinite(verdict.false_trips):
                figures[f"false_trips_30d_{at}"] = round(verdict.false_trips, 3)
            figures[f"dead_100rps_p99_s_{at}"] = verdict.seconds_at_100[1]
            figures[f"dead_1rps_median_calls_{at}"] = verdict.calls_at_1[0]
            if verdict.minutes_at_1_a_minute is not None:
                figures[f"dead_1_a_minute_calls_{at}"] = verdict.minutes_at_1_a_minute
        return figures

    def of_defaults(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.chosen == DEFAULT]


def aims(verdicts: Iterable[Verdict]) -> list[str]:
    """Say of each aim whether it is met."""
    lines = []
    for verdict in verdicts:
        at = f"threshold {verdict.threshold:g} %: "
        worst = (
            f"{number(verdict.false_trips)} false trips in 30 days at half of it, worst at {per_s(verdict.worst_per_s)}"
        )
        lines.append(f"{at}{worst} (under {FALSE_TRIPS_AIM:g}: {_met(verdict.calm)})")
        half, most = verdict.seconds_at_100
        lines.append(
            f"{at}dead at 100/s: {half:g} s, 99 % within {most:g} s, and {DATA_WAY_S:g} s for the data's way"
            f" (within {DEAD_AT_100_AIM_S:g} s: {_met(verdict.quick_at_100)})"
        )
        few, many = verdict.calls_at_1
        lines.append(
            f"{at}dead at 1/s: half of the runs within {few:g} calls, 99 % within {many:g}"
            f" (within {DEAD_AT_1_AIM_CALLS}: half {_met(few <= DEAD_AT_1_AIM_CALLS)},"
            f" 99 % {_met(many <= DEAD_AT_1_AIM_CALLS)})"
        )
        minutes = verdict.minutes_at_1_a_minute
        when = "never trips" if minutes is None else f"trips at call {minutes}"
        lines.append(f"{at}dead at one call a minute to the second: {when} (trips: {_met(minutes is not None)})")
    return lines


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def page(result: Result) -> str:
    """Return the page of the documentation."""
    parts = [_HEAD.format(runs=result.runs), "## The aims, with the defaults\n"]
    parts += [f"- {line}" for line in aims(result.of_defaults())]
    parts += ["", _FALSE, *_false_table(result), "", _CHECK, *_check_table(result), "", _TIME]
    for threshold in sorted({case.threshold for case in result.found}, reverse=True):
        parts += [f"### Threshold {threshold:g} %\n", *_time_table(result, threshold), ""]
    parts += [_SETTINGS, *_settings_table(result), ""]
    for threshold in sorted({verdict.threshold for verdict in result.verdicts}, reverse=True):
        parts.append(_best_line(result, threshold))
    return "\n".join(parts).rstrip() + "\n"


def _false_table(result: Result) -> list[str]:
    lines = [f"| threshold | true rate | calls | {' | '.join(RULES)} |", "|---|---|---|" + "---|" * len(RULES)]
    for case, each in result.false_trips.items():
        cells = " | ".join(_interval(each[name]) for name in RULES)
        lines.append(f"| {case.threshold:g} % | {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} | {cells} |")
    return lines


def _check_table(result: Result) -> list[str]:
    lines = ["| threshold | true rate | calls | estimated | counted |", "|---|---|---|---|---|"]
    for case, estimate, counted in result.checks:
        where = f"| {case.threshold:g} % | {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} |"
        lines.append(f"{where} {_interval(estimate)} | {_interval(counted)} |")
    return lines


def _time_table(result: Result, threshold: float) -> list[str]:
    lines = [f"| true rate | calls | {' | '.join(RULES)} |", "|---|---|" + "---|" * len(RULES)]
    for case, each in result.found.items():
        if case.threshold == threshold:
            cells = " | ".join(_quantiles(each[name]) for name in RULES)
            lines.append(f"| {100 * case.error_rate:g} % | {per_s(case.calls_per_s)} | {cells} |")
    return lines


def _settings_table(result: Result) -> list[str]:
    lines = [
        "| threshold | bound | confidence | `min_calls` | `window_ms` s | `long_window_ms` s | false trips in 30 days"
        " | worst at | dead at 100/s: half, 99 % | dead at 1/s: half, 99 % | dead at 1/min | all aims |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for verdict in result.verdicts:
        minutes = verdict.minutes_at_1_a_minute
        lines.append(
            f"| {verdict.threshold:g} % | {verdict.chosen} | {number(verdict.false_trips)}"
            f" | {per_s(verdict.worst_per_s)} | {verdict.seconds_at_100[0]:g}, {verdict.seconds_at_100[1]:g} s"
            f" | {verdict.calls_at_1[0]:g}, {verdict.calls_at_1[1]:g} calls"
            f" | {'never' if minutes is None else f'{minutes} calls'} | {'met' if verdict.meets else ''} |"
        )
    return lines


def _best_line(result: Result, threshold: float) -> str:
    of_threshold = [verdict for verdict in result.verdicts if verdict.threshold == threshold]
    bounds = [bound for bound in Bound if any(verdict.chosen.bound is bound for verdict in of_threshold)]
    found = [best([verdict for verdict in of_threshold if verdict.chosen.bound is bound]) for bound in bounds]
    named = (
        f"{bound}: none of these" if verdict is None else str(verdict.chosen).replace(" | ", ", ")
        for bound, verdict in zip(bounds, found, strict=True)
    )
    return f"- Threshold {threshold:g} %, quickest that meets all aims: {'; '.join(named)}."


def number(value: float) -> str:
    if math.isinf(value):
        return "too many"
    if value == 0:
        return "0"
    if value < 1e-4:
        return "< 0.0001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def per_s(calls_per_s: float) -> str:
    if calls_per_s < 0.1:
        return f"{calls_per_s * 60:.3g}/min"
    return f"{calls_per_s:.3g}/s" if calls_per_s < 100 else f"{calls_per_s:,.0f}/s"


def _interval(value: FalseTrips) -> str:
    if value.high == 0:
        return "0"
    if value.high < 1e-4:
        return "< 0.0001"
    if value.per_day == 0:
        return f"< {number(value.high)}"
    low, high = number(value.low), number(value.high)
    return number(value.per_day) if low == high else f"{number(value.per_day)} ({low} to {high})"


def _quantiles(found: Found) -> str:
    if not found.seconds:
        return "none"
    times = ", ".join("-" if value is None else seconds(value) for value in map(found.after_s, (50, 90, 99)))
    return times if found.share == 1 else f"{times} ({100 * found.share:.0f} %)"


def seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.0f} ms" if value >= 0.001 else "< 1 ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _false_row(case: Case, name: str, value: FalseTrips) -> dict[str, object]:
    return {
        "table": "false_trips",
        "rule": name,
        **_case(case),
        "per_day": value.per_day,
        "low": value.low,
        "high": value.high,
    }


def _found_row(case: Case, name: str, value: Found) -> dict[str, object]:
    return {
        "table": "time_to_trip",
        "rule": name,
        **_case(case),
        "share": value.share,
        **{f"p{percent}_s": value.after_s(percent) for percent in (50, 90, 99)},
        **{f"p{percent}_calls": value.after_calls(percent) for percent in (50, 90, 99)},
    }


def _verdict_row(verdict: Verdict) -> dict[str, object]:
    return {
        "table": "settings",
        "bound": verdict.chosen.bound,
        "confidence": verdict.chosen.confidence,
        "min_calls": verdict.chosen.min_calls,
        "window_ms": verdict.chosen.window_ms,
        "long_window_ms": verdict.chosen.long_window_ms,
        "threshold": verdict.threshold,
        "false_trips_30d": verdict.false_trips if math.isfinite(verdict.false_trips) else None,
        "worst_calls_per_s": round(verdict.worst_per_s, 4),
        "dead_100rps_s": verdict.seconds_at_100,
        "dead_1rps_calls": verdict.calls_at_1,
        "dead_1_a_minute_calls": verdict.minutes_at_1_a_minute,
        "meets": verdict.meets,
    }


def _case(case: Case) -> dict[str, object]:
    return {
        "calls_per_s": round(case.calls_per_s, 6),
        "threshold": case.threshold,
        "error_percent": round(100 * case.error_rate, 6),
    }
