"""What traces cost a proxied call: sidecars that record none, some or all of them, beside one without traces.

Real processes on real NATS and Redis, each alone on one core; nginx as the upstream, the load and the collector share
the other. All in turn in each round. A ratio is the median, over the rounds, of the quotient within a round, of answers
per second of the sidecars' own processor time. Every call takes a flagged route.

    python benchmarks/traces.py [--quick] [--json]
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack

import uvloop
from flags_bench.comparison import pinned
from flags_bench.live import memory_of
from flags_bench.servers import Bench, Cores, cores
from proxy_bench import comparison, loads
from proxy_bench.comparison import Comparison, Row
from proxy_bench.proxies import Proxy, Starter, allow_descriptors

from tailslide_embedded.stack import embedded_servers
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

WITHOUT = "without"
TRACES: Mapping[str, Mapping[str, object] | None] = {
    WITHOUT: None,
    "none": {"sample_percent": 0},
    "one in 100": {"sample_percent": 1, "max_calls_per_s": 10_000},
    "all": {"sample_percent": 100, "max_calls_per_s": 10_000},
    "100 a second": {"sample_percent": 100},
}
"""How many calls each sidecar records."""
AIMS = {"none": 0.95, "100 a second": 0.8}
"""The least share of the rate without traces."""
LOAD = loads.LOADS["get-32"]


async def measure(rounds: int, seconds: float, pinning: Cores) -> tuple[list[Row], dict[str, float]]:
    """Return the rows and the ratios."""
    with temporary_data_dir() as folder:
        async with embedded_servers(folder) as stack, AsyncExitStack() as ending:
            starter = Starter(Bench(stack, pinning, ending), install=False)
            upstreams = await starter.upstreams()
            url = await starter.collector()
            proxies = []
            for name, settings in TRACES.items():
                traces = None if settings is None else {"url": url, **settings}
                target = await starter.flagged_sidecar(name, upstreams, traces)
                proxies.append(Proxy(name, target, memory_of(target.pid)))
            cells = comparison.plan([LOAD], proxies)
            await cells.measure(rounds, seconds)
            return cells.rows(), ratios(cells)


def ratios(cells: Comparison) -> dict[str, float]:
    """Return each sidecar's rate as a share of that without traces."""
    base = cells.cells[LOAD.name, WITHOUT].drives
    return {
        name: round(
            statistics.median(
                one.per_core_s / other.per_core_s
                for one, other in zip(cells.cells[LOAD.name, name].drives, base, strict=True)
            ),
            3,
        )
        for name in TRACES
        if name != WITHOUT
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, half a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args()
    configure("traces", LogLevel.ERROR, LogFormat.CONSOLE)
    rounds, seconds = (3, 0.5) if options.quick else (9, 1.0)
    try:
        pinning = cores()
        allow_descriptors()
        with pinned(pinning.load):  # what starts inherits it; sidecars are moved to their own
            rows, found = uvloop.run(measure(rounds, seconds, pinning))
    except StartError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(comparison.HEADER)
    for row in rows:
        print(comparison.line(row))
    print()
    for name, value in found.items():
        aim = AIMS.get(name)
        met = "" if aim is None else f"   at least {aim}: {'met' if value >= aim else 'MISSED'}"
        print(f"recording {name:<12}{value:>8} of the rate without traces{met}")
    if options.json:
        print(json.dumps({"benchmark": "traces", "rows": rows, "ratios": found}))


if __name__ == "__main__":
    main()
