"""How long Aerobat's tick takes, and what it costs, by the number of flags and of those with calls; and takeovers.

Real Aerobats on a real NATS and Redis, asked from outside; sidecars are simulated by one process that writes what many
would, with the sidecar's own writer. Beside it the plain way to read all counts, one TS.MRANGE. Then: what Redis has
to do for 1, 10 and 100 sidecars, by the number of calls; and how long flags are nobody's when one of two Aerobats dies.

    python benchmarks/aerobat.py [--quick] [--json] [--flags 1000]
"""

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import uvloop
from tick_bench import mrange, redis_load, takeover, ticks
from tick_bench.servers import Servers, running_servers
from tick_bench.ticks import Case, Cell, Row, percentile
from tick_bench.traffic import rulesets
from tick_bench.writer import Writer, simulated_sidecars

from tailslide_core.ruleset import CircuitSettings
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

APPS = 100
CALLS_PER_S = 10.0
"""Of each busy flag, so that nearly all of them have calls in each tick, and nearly two thirds in each flush."""
PAST_STEP_S = 10
PEER = Case(10_000, 500, 1)
"""The case in which all is read the plain way as well."""
TAKEOVER_FLAGS = 1_000
SETTLE_S = 1.0


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    cases: Sequence[Case]
    rounds: int
    alone_s: float
    quiet_s: float
    single_ticks: int
    readings: int
    sidecars: Sequence[int]
    load_rounds: int
    load_s: float
    takeovers: int


def all_cases() -> Iterator[Case]:
    for flags, busy in ((100, (0, 100)), (1_000, (0, 500, 1_000)), (10_000, (0, 500, 10_000))):
        for some in busy:
            yield from (Case(flags, some, aerobats) for aerobats in (1, 2))


QUICK = Extent((PEER,), 1, 1.5, 3.0, 12, 8, (1, 10), 1, 2.0, 0)
FULL = Extent(tuple(all_cases()), 2, 3.0, 5.0, 20, 20, (1, 10, 100), 2, 3.0, 5)


@dataclass(frozen=True)
class Result:
    """All that was measured."""

    cells: Sequence[Cell]
    rows: Sequence[Row]
    """Those that are not of ticks."""
    ratios: dict[str, float]


async def measure(extent: Extent) -> Result:
    cells = [Cell(case) for case in extent.cases]
    readings: list[mrange.Reading] = []
    rows: list[Row] = []
    ratios: dict[str, float] = {}
    for flags in sorted({case.flags for case in extent.cases}):
        async with running_servers() as servers, simulated_sidecars(servers.redis_url) as writer:
            say(f"{flags:,} flags: making them, and their series")
            await servers.put(rulesets(flags, APPS))
            await writer.make(flags, APPS)
            await _measure_ticks(
                servers, writer, [cell for cell in cells if cell.case.flags == flags], extent, readings
            )
            if flags == TAKEOVER_FLAGS and extent.takeovers:
                await writer.write(flags, APPS, calls_per_s=CALLS_PER_S)
                for name, number in (("kill", signal.SIGKILL), ("stop", signal.SIGTERM)):
                    say(f"taking over from an Aerobat after {number.name}, {extent.takeovers} times")
                    taken_s = await takeover.takeovers(servers, flags, number, extent.takeovers)
                    rows.append(_takeover_row(flags, number, taken_s))
                    ratios[f"takeover_s_{flags}_flags_{name}"] = round(max(taken_s), 3)
    rows = [*_reading_rows(readings), *rows]
    async with running_servers() as servers, simulated_sidecars(servers.redis_url) as writer:
        say(f"the load of {', '.join(map(str, extent.sidecars))} sidecars on Redis")
        loads = await redis_load.loads(servers, writer, extent.sidecars, extent.load_rounds, extent.load_s)
        rows += [load.as_json() for load in loads]
    return Result(cells, rows, _tick_ratios(cells, readings) | ratios | {_LOAD_RATIO: redis_load.ratio(loads)})


async def _measure_ticks(
    servers: Servers, writer: Writer, cells: Sequence[Cell], extent: Extent, readings: list[mrange.Reading]
) -> None:
    """Measure the cases of one number of flags, those with fewer busy ones first, since what was busy has a past."""
    with_a_past = 0
    for busy in sorted({cell.case.busy for cell in cells}):
        if busy > with_a_past:
            say(f"  the last half hour of {busy - with_a_past:,} flags that will be busy")
            reach_s = CircuitSettings().long_window_ms // 1000
            await writer.remember(with_a_past, busy, APPS, calls_per_s=CALLS_PER_S, reach_s=reach_s, step_s=PAST_STEP_S)
            with_a_past = busy
        await writer.write(busy, APPS, calls_per_s=CALLS_PER_S)
        base = await ticks.alone(servers, writer, settle_s=SETTLE_S, seconds=extent.alone_s)
        for number in range(extent.rounds):
            for cell in (cell for cell in cells if cell.case.busy == busy):
                case = cell.case
                say(f"  {busy:,} busy, {case.aerobats} Aerobat(s), round {number + 1} of {extent.rounds}")
                cell.goes.append(
                    await ticks.go(
                        servers, writer, case.aerobats, base, quiet_s=extent.quiet_s, single=extent.single_ticks
                    )
                )
                if case == PEER:
                    readings += await mrange.readings(servers, extent.readings, pause_s=ticks.INTERVAL_S / 2)
    await writer.write(0, APPS, calls_per_s=CALLS_PER_S)


def _takeover_row(flags: int, number: signal.Signals, taken_s: Sequence[float]) -> Row:
    return {
        "measure": f"takeover after {number.name}",
        "flags": flags,
        "times": len(taken_s),
        "min_s": round(min(taken_s), 3),
        "median_s": round(statistics.median(taken_s), 3),
        "max_s": round(max(taken_s), 3),
    }


def _reading_rows(readings: Sequence[mrange.Reading]) -> Iterator[Row]:
    if readings:
        milliseconds = [one.seconds * 1000 for one in readings]
        yield {
            "measure": "one TS.MRANGE over all",
            "flags": PEER.flags,
            "busy": PEER.busy,
            "series": readings[-1].series,
            "times": len(readings),
            "p50_ms": percentile(milliseconds, 50),
            "p99_ms": percentile(milliseconds, 99),
            "cpu_ms": round(statistics.fmean(one.own_s for one in readings) * 1000, 2),
            "redis_cpu_ms": round(statistics.fmean(one.redis_s for one in readings) * 1000, 2),
        }


_LOAD_RATIO = "redis_commands_1000_calls_vs_10"


def _tick_ratios(cells: Sequence[Cell], readings: Sequence[mrange.Reading]) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for cell in cells:
        case = cell.case
        if case.flags == PEER.flags and case.aerobats == 1:
            name = f"{case.flags}_flags_{case.busy}_busy"
            ratios |= {f"tick_ms_{name}": cell.median_ms, f"tick_p99_ms_{name}": percentile(cell.single_ms, 99)}
        if case == PEER:
            plain_ms = statistics.median(one.seconds for one in readings) * 1000
            ratios[f"mrange_vs_ours_{name}"] = round(plain_ms / cell.median_ms, 2)
    return ratios


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Aim:
    """What a figure should be."""

    figure: str
    under: float

    def line(self, value: float) -> str:
        return f"{self.figure:<40}{value:>10}   under {self.under:<6g} {'met' if value < self.under else 'MISSED'}"


AIMS = {
    aim.figure: aim
    for aim in (
        Aim("tick_ms_10000_flags_500_busy", 50),
        Aim("tick_ms_10000_flags_10000_busy", 400),
        Aim(_LOAD_RATIO, 1.1),
        Aim(f"takeover_s_{TAKEOVER_FLAGS}_flags_kill", 3),
    )
}
_WIDTHS = {
    "flags": 7, "busy": 7, "aerobats": 9, "ticks": 6, "p50_ms": 9, "p99_ms": 9, "mean_ms": 9, "cpu_ms": 9,
    "redis_cpu_ms": 13, "read_kb": 10, "flags_read": 11, "ticks_per_s": 12, "skipped": 8, "cores": 7,
    "samples_per_s": 14, "flushes_lost": 13,
}  # fmt: skip # a table of one line a column would be as long as what it prints


def report(result: Result) -> None:
    print("".join(f"{name:>{width}}" for name, width in _WIDTHS.items()))
    for cell in result.cells:
        row = cell.as_json()
        print("".join(f"{row[name]!s:>{width}}" for name, width in _WIDTHS.items()))
    print()
    for row in result.rows:
        print("  ".join(str(value) if name == "measure" else f"{name} {value}" for name, value in row.items()))
    print()
    for name, value in result.ratios.items():
        print(AIMS[name].line(value) if name in AIMS else f"{name:<40}{value:>10}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one case, fewer sidecars, no takeovers; under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--flags", type=int, choices=(100, 1_000, 10_000), help="only the cases of so many flags")
    options = parser.parse_args()
    extent = QUICK if options.quick else FULL
    if options.flags is not None:
        extent = replace(extent, cases=[case for case in extent.cases if case.flags == options.flags])
    configure("aerobat-bench", LogLevel.ERROR, LogFormat.CONSOLE)
    try:
        result = uvloop.run(measure(extent))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    report(result)
    if options.json:
        rows = [cell.as_json() for cell in result.cells] + list(result.rows)
        print(json.dumps({"benchmark": "aerobat", "rows": rows, "ratios": result.ratios}))


if __name__ == "__main__":
    main()
