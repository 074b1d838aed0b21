"""How fast a circuit trips and how often wrongly, by the core's own judgement on simulated traffic; no servers.

Beside it the classic rules on the same traffic, and other settings on the same aims. A full run also writes
`docs/circuit/simulation.md` and `docs/circuit/simulation.svg`. Seeded: the same code gives the same figures.

    python benchmarks/circuit_sim.py [--quick] [--json]
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sim_bench import detection, false_trips, plot, report
from sim_bench.detection import FIVE_IN_A_ROW, LAST_100, Case
from sim_bench.false_trips import FalseTrips
from sim_bench.report import Result
from sim_bench.rules import WindowRule, fixed_ratio
from sim_bench.settings import DEFAULT, FULL_GRID, QUICK_GRID, Chosen, judge

DOCS = Path(__file__).parent.parent / "docs/circuit"
DAY_S = 86_400
VOLUMES = (1 / 60, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
BELOW = (0.5, 0.8)
ABOVE = (1.0, 1.2, 2.0)
"""Times the threshold; and all calls failing. Below it trips are false, and without failures there are none."""


@dataclass(frozen=True)
class Extent:
    """How much is simulated; `days` are of plain traffic, to check the estimates."""

    thresholds: tuple[float, ...]
    runs: int
    samples: int
    grid: tuple[Chosen, ...]
    judged_runs: int
    judged_samples: int
    days: float


FULL = Extent((50.0, 10.0, 5.0), 200, 400, FULL_GRID, 100, 80, 20)
QUICK = Extent((50.0, 10.0), 20, 60, QUICK_GRID, 30, 30, 2)


def simulate(extent: Extent) -> Result:
    result = Result(runs=extent.runs)
    for threshold in extent.thresholds:
        ours = DEFAULT.rule(threshold)
        for case in (Case(volume, threshold, threshold * times / 100) for times in BELOW for volume in VOLUMES):
            say(f"false trips, {_name(case)}")
            result.false_trips[case] = of_all_rules(case, ours, extent)
        for rate in sorted({min(1.0, threshold * times / 100) for times in ABOVE} | {1.0}):
            for case in (Case(volume, threshold, rate) for volume in VOLUMES):
                say(f"time to trip, {_name(case)}")
                found = detection.of_all(case, ours, extent.runs)
                result.found[case] = {name.replace(ours.name, "ours"): each for name, each in found.items()}
    for threshold in extent.thresholds:
        say(f"settings, threshold {threshold:g} %")
        result.verdicts += judge(extent.grid, threshold, extent.judged_runs, extent.judged_samples)
    for case in (Case(10, 10.0, 0.05), Case(100, 10.0, 0.05)):
        say(f"check, {_name(case)}")
        counted = false_trips.direct(
            DEFAULT.rule(case.threshold), case.calls_per_s, case.error_rate, Random(f"check {case.seed}"), extent.days
        )
        result.checks.append((case, result.false_trips[case]["ours"], counted))
    return result


def of_all_rules(case: Case, ours: WindowRule, extent: Extent) -> dict[str, FalseTrips]:
    """Return the false trips a day of our rule and of the classic ones."""
    random = Random(f"false {case.seed}")
    per_call = false_trips.of_count_window(case.threshold, case.error_rate, random, extent.samples)
    in_a_row = false_trips.in_a_row(case.error_rate)
    calls = case.calls_per_s * DAY_S
    return {
        "ours": of_windows(ours, case, random, extent),
        "fixed ratio": of_windows(fixed_ratio(case.threshold), case, random, extent),
        FIVE_IN_A_ROW: FalseTrips(in_a_row * calls, in_a_row * calls, in_a_row * calls, in_a_row * calls),
        LAST_100: FalseTrips(
            per_call.per_day * calls, per_call.low * calls, per_call.high * calls, per_call.bound * calls
        ),
    }


def of_windows(rule: WindowRule, case: Case, random: Random, extent: Extent) -> FalseTrips:
    """Estimate by weight; where trips are too common for that, count them."""
    estimate = false_trips.of_windows(rule, case.calls_per_s, case.error_rate, random, extent.samples)
    if estimate is not None:
        return estimate
    return false_trips.direct(rule, case.calls_per_s, case.error_rate, random, extent.days)


def _name(case: Case) -> str:
    return f"threshold {case.threshold:g} %, true rate {100 * case.error_rate:g} %, {report.per_s(case.calls_per_s)}"


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, thresholds and settings; writes no page")
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
    if options.json:
        print(json.dumps({"benchmark": "circuit_sim", "rows": result.rows(), "ratios": result.ratios()}))


if __name__ == "__main__":
    main()
