"""How fast the sidecar proxies, against nginx, HAProxy, Caddy, Envoy and a plain aiohttp proxy, and with what memory.

Real processes, the sidecars' on real NATS and Redis; the upstream is nginx. One core for the proxy under test, and one
for the upstream and the load together, all proxies in turn in each round. Since load and upstream are often the slower
side, ratios and aims are of answers per second of the proxy's own processor time. Then: a gigabyte down and up, once
each, and 512 idle WebSockets.

    python benchmarks/proxy.py [--quick] [--json] [--proxies nginx,ours] [--loads get-32] [--profile]
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import uvloop
from flags_bench.comparison import pinned
from flags_bench.live import memory_of
from flags_bench.load import Target
from flags_bench.servers import Bench, Cores, cores
from proxy_bench import comparison, large, loads, profiled, websockets
from proxy_bench.comparison import Row
from proxy_bench.drive import drive
from proxy_bench.proxies import NAMES, Proxy, Starter, Upstreams, allow_descriptors

from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

MEBIBYTE = 1 << 20
ALL_LOADS = (*loads.LOADS, *loads.LARGE, loads.WEBSOCKETS)
OURS = ("ours", "flagged")


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    seconds: float
    loads: Sequence[str]
    proxies: Sequence[str]
    install: bool
    """Whether what is missing may be fetched."""


QUICK = Extent(3, 0.3, ("get-1", "get-32", "1mb-32", "websockets"), NAMES, install=False)
FULL = Extent(5, 0.8, ALL_LOADS, NAMES, install=True)


@dataclass(frozen=True)
class Result:
    """All that was measured."""

    comparison: Sequence[Row]
    large: Sequence[Row]
    memory: Sequence[Row]
    ratios: dict[str, float]
    versions: dict[str, str]


async def measure(extent: Extent, pinning: Cores) -> Result:
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, AsyncExitStack() as ending:
            bench = Bench(stack, pinning, ending)
            starter = Starter(bench, install=extent.install)
            say("starting the upstreams and the proxies, and comparing their answers")
            upstreams = await starter.upstreams()
            proxies = await starter.proxies(extent.proxies, upstreams)
            growth: dict[str, float] = {}
            # First, since what a process has once taken it takes again without growing.
            transfers = await _transfers(extent, proxies, upstreams, growth)
            cells = comparison.plan([loads.LOADS[name] for name in extent.loads if name in loads.LOADS], proxies)
            await cells.measure(extent.rounds, extent.seconds)
            memory = [_memory_row(proxy) for proxy in proxies if proxy.name != "direct"]
            if loads.WEBSOCKETS in extent.loads:
                for name in (proxy.name for proxy in proxies if proxy.name in OURS):
                    target = await starter.fresh_sidecar(name, upstreams)
                    memory.append(_websockets(name, target, growth))
                    await bench.stop(target)
            return Result(cells.rows(), transfers, memory, cells.ratios() | growth, starter.versions)


def _memory_row(proxy: Proxy) -> Row:
    after = memory_of(proxy.target.pid)
    return {
        "measure": "memory",
        "proxy": proxy.name,
        "idle_mib": _mib(proxy.idle.now),
        "after_mib": _mib(after.now),
        "peak_mib": _mib(after.peak),
    }


async def _transfers(
    extent: Extent, proxies: Sequence[Proxy], upstreams: Upstreams, growth: dict[str, float]
) -> list[Row]:
    rows: list[Row] = []
    wanted = [name for name in loads.LARGE if name in extent.loads]
    if wanted:
        large.read_once(upstreams.gigabyte)
    for which in wanted:
        say(f"{which} through each proxy")
        for proxy in proxies:
            target = proxy.target
            if proxy.name == "direct" and which == loads.UPLOAD:
                target = upstreams.own
            one = large.transfer(target, which, upstreams.gigabyte)
            await asyncio.sleep(0)  # a cancellation takes effect here
            row: Row = {
                "load": which,
                "proxy": proxy.name,
                "mb_per_s": round(loads.GIGABYTE / 1e6 / one.seconds),
                "own_s": round(one.user_s, 2),
                "system_s": round(one.system_s, 2),
                "before_mib": _mib(one.before),
                "peak_mib": _mib(one.peak),
                "growth_mib": _mib(one.peak - one.before),
            }
            rows.append(row)
            if proxy.name == "ours":
                growth[f"{which.replace('-', '_')}_growth_mib"] = _mib(one.peak - one.before)
    return rows


def _websockets(name: str, target: Target, growth: dict[str, float]) -> Row:
    say(f"{websockets.COUNT} idle WebSockets through {name}")
    one = websockets.idle(target)
    growth[f"websockets_{websockets.COUNT}_{name}_mib"] = _mib(max(one.open, one.used) - one.before)
    return {
        "measure": f"{websockets.COUNT} idle WebSockets",
        "proxy": name,
        "before_mib": _mib(one.before),
        "open_mib": _mib(one.open),
        "used_mib": _mib(one.used),
    }


async def profile(extent: Extent, pinning: Cores) -> None:
    names = [name for name in extent.proxies if name in OURS][:1] or ["ours"]
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, AsyncExitStack() as ending:
            bench = Bench(stack, pinning, ending)
            file = bench.folder / "sidecar.prof"
            starter = Starter(bench, install=False, profile=file)
            [proxy] = await starter.proxies(names, await starter.upstreams())
            os.kill(proxy.target.pid, profiled.BEGIN)
            for name in extent.loads:
                if name in loads.LOADS:
                    say(f"{proxy.name} under {name}")
                    drive(proxy.target, loads.LOADS[name], extent.rounds * extent.seconds)
            await bench.stop(proxy.target)
            profiled.show(file)


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

    def line(self, value: float) -> str:
        met = value >= self.bound if self.at_least else value < self.bound
        aim = f"{'at least' if self.at_least else 'under':>8} {self.bound:<6g}"
        return f"{self.figure:<36}{value:>10}   {aim} {'met' if met else 'MISSED'}"


AIMS = {
    aim.figure: aim
    for aim in (
        Aim("ours_vs_nginx", 0.6, at_least=True),
        Aim("ours_vs_envoy", 1, at_least=True),
        Aim("flagged_vs_unflagged", 0.909, at_least=True),
        Aim("added_p50_vs_nginx", 1.5),
        Aim("1gb_down_growth_mib", 16),
        Aim("1gb_up_growth_mib", 16),
        Aim("websockets_512_ours_mib", 40),
    )
}


def report(result: Result) -> None:
    if result.versions:
        print(", ".join(f"{name} {version}" for name, version in result.versions.items()))
    if result.comparison:
        print(comparison.HEADER)
    before = None
    for row in result.comparison:
        if before not in {None, row["load"]}:
            print()
        before = row["load"]
        print(comparison.line(row))
    print()
    for row in (*result.large, *result.memory):
        print("  ".join(f"{value:<9}" if isinstance(value, str) else f"{name} {value}" for name, value in row.items()))
    print()
    for name, value in result.ratios.items():
        print(AIMS[name].line(value) if name in AIMS else f"{name:<36}{value:>10}")


def _selected(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, got {name!r}")
        return [name for name in known if name in names]

    return read


def _extent(options: argparse.Namespace) -> Extent:
    """Return what the options ask for; added latency needs the direct way, so that comes along where it matters."""
    extent = QUICK if options.quick else FULL
    wanted = options.loads or (["get-32"] if options.profile else extent.loads)
    proxies = options.proxies or extent.proxies
    if options.proxies and any(name.endswith("-1") for name in wanted):
        proxies = [name for name in NAMES if name == "direct" or name in proxies]
    return replace(
        extent,
        loads=wanted,
        proxies=proxies,
        rounds=options.rounds or extent.rounds,
        seconds=options.seconds or extent.seconds,
    )


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not 0 < value <= 1000:
            raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1000, got {text!r}")
        return value

    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, few loads, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--proxies", type=_selected(NAMES), help=f"only these of {','.join(NAMES)}")
    parser.add_argument("--loads", type=_selected(ALL_LOADS), help=f"only these of {','.join(ALL_LOADS)}")
    parser.add_argument("--rounds", type=_positive(int), help=f"so many rounds ({FULL.rounds}; quick {QUICK.rounds})")
    parser.add_argument("--seconds", type=_positive(float), help="so long a go of one proxy under one load")
    parser.add_argument("--profile", action="store_true", help="only run ours, or flagged, under cProfile")
    options = parser.parse_args()
    configure("proxy", LogLevel.ERROR, LogFormat.CONSOLE)
    extent = _extent(options)
    try:
        pinning = cores()
        allow_descriptors()
        with pinned(pinning.load):  # what starts inherits it; proxies are moved to their own
            if options.profile:
                uvloop.run(profile(extent, pinning))
                return
            result = uvloop.run(measure(extent, pinning))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    report(result)
    if options.json:
        rows = [*result.comparison, *result.large, *result.memory]
        print(json.dumps({"benchmark": "proxy", "rows": rows, "ratios": result.ratios}))


if __name__ == "__main__":
    main()
