"""How fast a circuit trips and how often wrongly, by the core's own judgement on simulated traffic; no servers.

Beside it Wilson's bound alone and the classic rules on the same traffic, and other settings on the same aims. A full
run also writes `simulation.md` and `simulation.svg` in `docs/circuit`, and the measured tables of `settings.md` there.
Seeded: the same code gives the same figures.

    python benchmarks/circuit_sim.py [--quick] [--json]
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sim_bench import detection, false_trips, plot, report, settings_page
from sim_bench.detection import FIVE_IN_A_ROW, LAST_100, Case
from sim_bench.false_trips import FalseTrips
from sim_bench.result import Check, Result, per_s
from sim_bench.rules import WindowRule, fixed_ratio
from sim_bench.settings import DEFAULT, FULL_GRID, QUICK_GRID, WILSON_ALONE, Bound, Chosen, judge
from sim_bench.summary import summary

DOCS = Path(__file__).parent.parent / "docs/circuit"
DAY_S = 86_400
BUSIEST = 10_000.0
BELOW = (0.5, 0.8)
"""Times the threshold, where each trip is a false one."""


@dataclass(frozen=True)
class Extent:
    """How much is simulated; `days` are of plain traffic, to check the estimates, `busy_days` at the busiest."""

    thresholds: tuple[float, ...]
    volumes: tuple[float, ...]
    above: tuple[float, ...]
    """Times the threshold; a feature of which all calls fail is looked at besides."""
    runs: int
    samples: int
    grid: tuple[Chosen, ...]
    judged_runs: int
    judged_samples: int
    days: float
    busy_days: float


FULL = Extent(
    thresholds=(80.0, 50.0, 10.0, 5.0),
    volumes=(1 / 60, 1 / 6, 1.0, 10.0, 100.0, 1_000.0, BUSIEST),
    above=(1.0, 1.2, 1.5, 2.0),
    runs=200,
    samples=400,
    grid=FULL_GRID,
    judged_runs=100,
    judged_samples=80,
    days=5,
    busy_days=1,
)
QUICK = Extent(
    thresholds=(80.0, 50.0, 5.0),
    volumes=(1 / 60, 1.0, 100.0, BUSIEST),
    above=(1.2, 2.0),
    runs=16,
    samples=50,
    grid=QUICK_GRID,
    judged_runs=30,
    judged_samples=20,
    days=0.5,
    busy_days=1 / 48,
)


def simulate(extent: Extent) -> Result:
    result = Result(runs=extent.runs)
    for threshold in extent.thresholds:
        rules = rules_at(threshold)
        for case in (at_times(times, threshold, volume) for times in BELOW for volume in extent.volumes):
            say(f"false trips, {_name(case)}")
            result.false_trips[case] = of_all_rules(case, rules, extent)
        for rate in sorted({min(1.0, at_times(times, threshold, 1).error_rate) for times in extent.above} | {1.0}):
            for case in (Case(volume, threshold, rate) for volume in extent.volumes):
                say(f"time to trip, {_name(case)}")
                result.found[case] = detection.of_all(case, rules, extent.runs)
    for threshold in extent.thresholds:
        say(f"settings, threshold {threshold:g} %")
        result.verdicts += judge(extent.grid, threshold, extent.judged_runs, extent.judged_samples)
        result.busy.append(check(Bound.OURS, at_times(0.5, threshold, BUSIEST), result, extent.busy_days))
    for threshold in (threshold for threshold in extent.thresholds if threshold <= 10):
        result.checks += [
            check(Bound.OURS, at_times(0.8, threshold, 1), result, extent.days),
            check(Bound.OURS, at_times(0.8, threshold, 100), result, extent.days),
            check(Bound.WILSON, at_times(0.5, threshold, 1), result, extent.days),
            check(Bound.WILSON, at_times(0.5, threshold, 100), result, extent.days),
        ]
    return result


def at_times(times: float, threshold: float, volume: float) -> Case:
    """Return the case of a true error rate of so many times the threshold."""
    return Case(volume, threshold, threshold * times / 100)


def rules_at(threshold: float) -> list[WindowRule]:
    """Return the rules that look at windows, ours the first."""
    return [
        DEFAULT.rule(threshold, Bound.OURS),
        WILSON_ALONE.rule(threshold, Bound.WILSON),
        fixed_ratio(threshold),
    ]


def of_all_rules(case: Case, rules: list[WindowRule], extent: Extent) -> dict[str, FalseTrips]:
    """Return the false trips a day of each rule, those that count calls among them."""
    random = Random(f"false {case.seed}")
    calls = case.calls_per_s * DAY_S
    in_a_row = false_trips.in_a_row(case.error_rate) * calls
    of_last = false_trips.of_count_window(case.threshold, case.error_rate, random, extent.samples)
    return {
        **{rule.name: of_windows(rule, case, random, extent) for rule in rules},
        FIVE_IN_A_ROW: FalseTrips(in_a_row, in_a_row, in_a_row, in_a_row),
        LAST_100: FalseTrips(of_last.per_day * calls, of_last.low * calls, of_last.high * calls, of_last.bound * calls),
    }


def of_windows(rule: WindowRule, case: Case, random: Random, extent: Extent) -> FalseTrips:
    """Estimate by weight; where trips are too common for that, count them."""
    estimate = false_trips.of_windows(rule, case.calls_per_s, case.error_rate, random, extent.samples)
    if estimate is not None:
        return estimate
    return false_trips.direct(rule, case.calls_per_s, case.error_rate, random, extent.days)


def check(bound: Bound, case: Case, result: Result, days: float) -> Check:
    """Count on plain traffic what was estimated."""
    say(f"check, {bound}, {_name(case)}")
    [rule] = (rule for rule in rules_at(case.threshold) if rule.name == bound)
    random = Random(f"check {case.seed}")
    counted = false_trips.direct(rule, case.calls_per_s, case.error_rate, random, days)
    return Check(bound, case, result.false_trips[case][bound], counted, days)


def _name(case: Case) -> str:
    return f"threshold {case.threshold:g} %, true rate {100 * case.error_rate:g} %, {per_s(case.calls_per_s)}"


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, volumes and settings; writes no page")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args()
    try:
        result = simulate(QUICK if options.quick else FULL)
    except KeyboardInterrupt:
        sys.exit(130)
    text = report.page(result)
    print(text)
    if not options.quick:
        (DOCS / "simulation.md").write_text(text, encoding="utf-8")
        (DOCS / "simulation.svg").write_text(plot.svg(result), encoding="utf-8")
        page = DOCS / "settings.md"
        page.write_text(settings_page.with_tables(page.read_text(encoding="utf-8"), result), encoding="utf-8")
    if options.json:
        print(json.dumps(summary(result), allow_nan=False))


if __name__ == "__main__":
    main()
