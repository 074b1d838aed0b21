"""How fast the sidecar answers flags, against nginx's `return 200` and a plain aiohttp application, and how it lives.

Real sidecar processes on real NATS and Redis. One core for the server under test and one for the load, all cells in
turn in each round. On a machine that does other things too, neither side gets its whole core; ratios and aims are
therefore of answers per second of the server's own processor time, which is what its core would do if it had nothing
else to do. Answers per second as they were counted are in the table as well. Then: the start and the memory of a
sidecar with 10,000 flags, and the time from a change in Tower, on a real PostgreSQL, to the first changed answer.

    python benchmarks/flags.py [--quick] [--json] [--profile]
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop
from flags_bench import comparison, hot_profile, live
from flags_bench.questions import flag_keys
from flags_bench.servers import Bench, cores, nginx_program

from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

MANY = comparison.MANY
MEBIBYTE = 1 << 20
Row = dict[str, object]


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    seconds: float
    starts: int
    toggles: int
    apps_of_tower: Sequence[int]
    """With how many flags in the app changes are measured."""


QUICK = Extent(rounds=2, seconds=0.3, starts=1, toggles=50, apps_of_tower=(1,))
FULL = Extent(rounds=7, seconds=0.8, starts=5, toggles=300, apps_of_tower=(1, MANY))


@dataclass(frozen=True)
class Result:
    """All that was measured; `life` are the rows that are not of answers a second."""

    cells: Sequence[comparison.Cell]
    life: Sequence[Row]
    ratios: dict[str, float]


async def measure(extent: Extent) -> Result:
    pinning = cores()
    nginx_program()
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, AsyncExitStack() as ending:
            bench = Bench(stack, pinning, ending)
            say("starting nginx, the plain application and the sidecars, with 1, 100 and 10,000 flags")
            cells = await comparison.start_cells(bench)
            comparison.measure(bench, cells, extent.rounds, extent.seconds)
            many = next(cell.target for cell in cells if cell.name == ("single", MANY, "ours, unix"))
            in_use = live.memory_in_use(many, flag_keys(MANY))
            await bench.stop_all()
            rows, ratios = await _life(bench, extent)
    rows.append({"measure": "memory in use", "flags": MANY, "mib": _mib(in_use.now), "peak_mib": _mib(in_use.peak)})
    ratios["memory_in_use_10000_flags_mib"] = _mib(in_use.now)
    return Result(cells, rows, comparison.ratios(cells) | ratios)


async def _life(bench: Bench, extent: Extent) -> tuple[list[Row], dict[str, float]]:
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for source, from_snapshot in (("jetstream", False), ("snapshot", True)):
        say(f"starting a sidecar with 10,000 flags from {source}")
        found = await live.starts(bench, f"app{MANY}", extent.starts, from_snapshot=from_snapshot)
        ready_s = [start.ready_s for start in found]
        memory = [start.memory for start in found]
        median = round(statistics.median(ready_s), 3)
        rows.append(
            {
                "measure": f"start to ready, {source}",
                "flags": MANY,
                "times": len(found),
                "median_s": median,
                "max_s": round(max(ready_s), 3),
                "mib": _mib(int(statistics.median(one.now for one in memory))),
                "peak_mib": _mib(max(one.peak for one in memory)),
            }
        )
        ratios[f"ready_s_{source}_10000_flags"] = median
        if not from_snapshot:
            ratios["memory_10000_flags_mib"] = _mib(int(statistics.median(one.now for one in memory)))
    await bench.drop_bucket()
    tower = await live.start_tower(bench)
    for count in extent.apps_of_tower:
        say(f"changing a flag of an app with {count:,} in Tower, {extent.toggles} times")
        found_changes = await live.changes_in_app(bench, tower, f"live{count}", count, extent.toggles)
        row: Row = {"measure": "change to answer", "flags": count, "times": extent.toggles}
        for name, values in (("answer", found_changes.answer_ms), ("tower", found_changes.tower_ms)):
            row |= {f"{name}_p50_ms": percentile(values, 50), f"{name}_p99_ms": percentile(values, 99)}
            row[f"{name}_max_ms"] = round(max(values), 1)
        rows.append(row)
        suffix = "" if count == 1 else f"_{count}_flags"
        ratios |= {
            f"change_to_answer_{p}_ms{suffix}": percentile(found_changes.answer_ms, int(p[1:])) for p in ("p50", "p99")
        }
    return rows, ratios


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the nearest-rank percentile, to a tenth."""
    return round(sorted(values)[max(0, -(-len(values) * percent // 100) - 1)], 1)


def _mib(size: int) -> float:
    return round(size / MEBIBYTE, 1)


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Aim:
    """What a figure should be."""

    figure: str
    bound: float
    at_least: bool = False

    def line(self, ratios: dict[str, float]) -> str:
        value = ratios[self.figure]
        met = value >= self.bound if self.at_least else value < self.bound
        aim = f"{'at least' if self.at_least else 'under':>8} {self.bound:<6g}"
        return f"{self.figure:<42}{value:>10}   {aim} {'met' if met else 'MISSED'}"


AIMS = (
    Aim("ours_vs_nginx", 0.6, at_least=True),
    Aim("ours_vs_plain_aiohttp", 4, at_least=True),
    Aim("ours_10000_flags_vs_1_flag", 0.9, at_least=True),
    Aim("bulk_100_per_s", 3000, at_least=True),
    Aim("ready_s_jetstream_10000_flags", 2),
    Aim("memory_10000_flags_mib", 120),
    Aim("memory_in_use_10000_flags_mib", 120),
    Aim("change_to_answer_p99_ms", 30),
)


def report(result: Result) -> None:
    print(comparison.HEADER)
    for cell in result.cells:
        print(comparison.line(cell.as_json()))
    print()
    for row in result.life:
        print("  ".join(str(row["measure"]) if name == "measure" else f"{name} {value}" for name, value in row.items()))
    print()
    aims = {aim.figure for aim in AIMS}
    for aim in AIMS:
        print(aim.line(result.ratios))
    for name, value in result.ratios.items():
        if name not in aims:
            print(f"{name:<42}{value:>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, one start, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--profile", action="store_true", help="only show where the time of an answer goes")
    options = parser.parse_args()
    configure("flags", LogLevel.ERROR, LogFormat.CONSOLE)
    if options.profile:
        hot_profile.show()
        return
    try:
        result = uvloop.run(measure(QUICK if options.quick else FULL))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    report(result)
    if options.json:
        rows = [cell.as_json() for cell in result.cells] + list(result.life)
        print(json.dumps({"benchmark": "flags", "rows": rows, "ratios": result.ratios}))


if __name__ == "__main__":
    main()
