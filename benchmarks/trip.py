"""How long a failing feature still gets calls: from its first failing answer to the last call that reaches it.

Real servers, a real sidecar, default settings but for the error threshold (10 %). Each run begins with healthy traffic
for as long as the window looks back, so that the failure has to stand out from it as it would at work.

    python benchmarks/trip.py [--quick] [--json] [--runs N]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import uvloop

from tailslide_core.circuit import State
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import CircuitSettings
from tailslide_embedded.circuit_log import CircuitLog
from tailslide_embedded.demo.services import Services, running_services
from tailslide_embedded.demo.traffic import Traffic
from tailslide_embedded.whole_loop import Plan, WholeLoop, temporary_data_dir, until_exit_or, whole_loop
from tailslide_runtime.logs import LogFormat, LogLevel, configure

PATH = "/appointments"
THRESHOLD = 10.0
TRIP_TIMEOUT_S = 60.0
SILENCE_S = 0.5
"""The feature has been left alone when no call came for so long; at 50 calls a second that is 25 missing calls."""


@dataclass(frozen=True)
class Case:
    """One row: calls a second, and the percentage of them that fail."""

    rate: int
    percent: int


@dataclass(frozen=True)
class Row:
    """What the runs of a case came to, in seconds; `achieved` is the rate that was really reached."""

    case: Case
    achieved: float
    times_s: list[float]

    def as_json(self) -> dict[str, object]:
        return {
            "calls_per_s": self.case.rate,
            "achieved_calls_per_s": round(self.achieved, 1),
            "error_percent": self.case.percent,
            "runs": len(self.times_s),
            "min_s": round(min(self.times_s), 3),
            "median_s": round(statistics.median(self.times_s), 3),
            "max_s": round(max(self.times_s), 3),
        }


FULL = [Case(rate, percent) for rate in (200, 50, 1000) for percent in (100, 50, 20)]
QUICK = [Case(200, 100)]


def plan(services: Services) -> Plan:
    return Plan(
        app="bench",
        flag="appointments",
        path_prefix=PATH,
        feature_url=services.new.url,
        fallback_url=services.old.url,
        flag_settings={"active": True, "rollout": 100, "circuit": {"error_threshold": THRESHOLD}},
        route_settings={"targeting_key": {"header": "x-user-id"}},
    )


async def one_run(loop: WholeLoop, services: Services, circuits: CircuitLog, case: Case, warm_up_s: float) -> float:
    """Break the feature and return for how many seconds calls still came; leaves the circuit closed."""
    new = services.new
    await asyncio.sleep(warm_up_s)
    new.arrivals.clear()
    new.failures.clear()
    new.break_down(case.percent)
    async with asyncio.timeout(TRIP_TIMEOUT_S):
        await circuits.wait_for(lambda circuit: circuit.state is State.OPEN)
        while (silence_s := time.monotonic() - new.arrivals[-1]) < SILENCE_S:  # noqa: ASYNC110 # silence is no event
            await asyncio.sleep(SILENCE_S - silence_s)
    taken = new.arrivals[-1] - new.failures[0]
    new.heal()
    await loop.reset_circuit()
    async with asyncio.timeout(TRIP_TIMEOUT_S):
        await circuits.wait_for(lambda circuit: circuit.state is State.CLOSED)
    return taken


async def measure(cases: Iterable[Case], runs: int, warm_up_s: float) -> list[Row]:
    rows: list[Row] = []
    with temporary_data_dir() as folder:
        async with running_services(PATH) as services, whole_loop(folder, plan(services)) as loop:
            circuits = CircuitLog(loop.stack.endpoints.nats_url, FlagId("bench", "appointments"))
            reading = asyncio.create_task(circuits.run())
            try:
                for case in cases:
                    rows.append(await _row(loop, services, circuits, case, runs, warm_up_s))
                    print(_line(rows[-1]), file=sys.stderr, flush=True)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
    return rows


async def _row(
    loop: WholeLoop, services: Services, circuits: CircuitLog, case: Case, runs: int, warm_up_s: float
) -> Row:
    traffic = Traffic(f"{loop.addresses.proxy}{PATH}", case.rate)
    times_s: list[float] = []
    started = time.monotonic()

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            load = group.create_task(traffic.run())
            for index in range(runs):
                times_s.append(await one_run(loop, services, circuits, case, warm_up_s))
                print(
                    f"  {case.rate}/s, {case.percent} %: run {index + 1} of {runs}: {times_s[-1]:.3f} s",
                    file=sys.stderr,
                    flush=True,
                )
            load.cancel()

    await until_exit_or(loop.stack, asyncio.create_task(work()))
    return Row(case, traffic.tally.total / (time.monotonic() - started), times_s)


def _line(row: Row) -> str:
    values = row.as_json()
    return (
        f"{values['calls_per_s']:>7} {values['achieved_calls_per_s']:>9} {values['error_percent']:>7} %"
        f" {values['runs']:>5} {values['min_s']:>8} {values['median_s']:>9} {values['max_s']:>8}"
    )


HEADER = "calls/s  achieved   errors  runs    min s  median s    max s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one case, three runs, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--runs", type=int, help="runs of each case (20; 3 with --quick)")
    parser.add_argument("--rate", type=int, choices=(50, 200, 1000), help="only the cases of this many calls a second")
    options = parser.parse_args()
    runs = options.runs or (3 if options.quick else 20)
    configure("trip", LogLevel.ERROR, LogFormat.CONSOLE)
    warm_up_s = CircuitSettings().window_ms / 1000
    cases = [case for case in (QUICK if options.quick else FULL) if options.rate in {None, case.rate}]
    rows = uvloop.run(measure(cases, runs, warm_up_s))
    print(HEADER)
    for row in rows:
        print(_line(row))
    if options.json:
        ratios = {
            f"median_trip_s_{row.case.rate}rps_{row.case.percent}pct": round(statistics.median(row.times_s), 3)
            for row in rows
        }
        print(json.dumps({"benchmark": "trip", "rows": [row.as_json() for row in rows], "ratios": ratios}))


if __name__ == "__main__":
    main()
