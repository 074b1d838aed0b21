"""What all thin clients make of a sidecar that is killed, hangs or restarts, and of crowds, and what they cost.

Each language's driver uses its client as an application does. Troubles and overheads are of a real sidecar on real
servers; in crowds a server answers whose question it was. Bounds are those of the clients' contract: nothing raises, 99
in 100 calls end within the deadline and 10 ms, all of them within the deadline and 100 ms, and a second after the
sidecar's return there are answers and no defaults. Beside each load, bare timers show what the machine adds.

    python benchmarks/clients.py [--quick] [--json] [--languages python,go] [--parts troubles,crowds,overheads]
"""

import argparse
import json
import resource
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import uvloop
from clients_bench.crowds import SIZES, Size, crowd, fork
from clients_bench.drivers import LANGUAGES, DriverError, MissingLanguageError, running_driver
from clients_bench.echo import Echo, running_echo
from clients_bench.overhead import overhead
from clients_bench.report import Result, text
from clients_bench.sidecars import RealSidecar, running_sidecar
from clients_bench.timers import Timers, running_timers
from clients_bench.troubles import DEADLINE_MS, WORKERS, Trouble, stages

from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

PARTS = ("troubles", "crowds", "overheads")


@dataclass(frozen=True)
class Extent:
    """How much is measured, and of whom."""

    languages: Sequence[str]
    parts: Sequence[str]
    troubles: Sequence[Trouble]
    calls: int
    """Of the overheads."""
    most_workers: int
    """Of a crowd."""


FULL = Extent([name for name in LANGUAGES if "-" not in name], PARTS, tuple(Trouble), 3_000, 10_000)
QUICK = replace(FULL, troubles=(Trouble.HUNG,), calls=300, most_workers=500)


async def measure(extent: Extent) -> Result:
    result = Result()
    async with running_sidecar() as sidecar, running_echo() as echo, running_timers(DEADLINE_MS, WORKERS) as timers:
        for language in extent.languages:
            say(language)
            try:
                await _language(result, language, extent, sidecar, echo, timers)
            except* MissingLanguageError as errors:
                result.skipped.append(f"{language} is skipped: {_first(errors)}.")
            except* DriverError as errors:
                result.broken.append(str(_first(errors)))
    return result


async def _language(
    result: Result, language: str, extent: Extent, sidecar: RealSidecar, echo: Echo, timers: Timers
) -> None:
    async with running_driver(language, sidecar.folder) as driver:
        await driver.open(sidecar.url)  # built by now
        if "troubles" in extent.parts:
            result.stages += await stages(driver, sidecar, timers, extent.troubles)
        if "crowds" in extent.parts:
            size = SIZES[language]
            size = Size(min(size.workers, extent.most_workers), size.calls)
            result.crowds.append(await crowd(driver, echo, size))
            forked = await fork(driver, echo)
            result.forks += [forked] if forked else []
        if "overheads" in extent.parts:
            result.overheads.append(await overhead(driver, sidecar, extent.calls))


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what reads a list of some of these names."""

    def read(given: str) -> list[str]:
        found = given.split(",")
        if not set(found) <= set(known):
            raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}")
        return found

    return read


def _first(errors: BaseException) -> BaseException:
    """Return what one of several tasks raised."""
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors


def say(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one trouble, smaller crowds, fewer calls; under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    parser.add_argument("--languages", type=_names(LANGUAGES), help=f"only these, of {','.join(LANGUAGES)}")
    parser.add_argument("--parts", type=_names(PARTS), help=f"only these, of {','.join(PARTS)}")
    options = parser.parse_args()
    configure("clients", LogLevel.ERROR, LogFormat.CONSOLE)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each of 10,000 goroutines
    extent = QUICK if options.quick else FULL
    extent = replace(extent, languages=options.languages or extent.languages, parts=options.parts or extent.parts)
    try:
        result = uvloop.run(measure(extent))
    except* StartError as errors:
        sys.exit(f"Error: {_first(errors)}")
    except* KeyboardInterrupt:
        sys.exit(130)
    print(text(result))
    if options.json:
        print(json.dumps({"benchmark": "clients", "rows": result.rows(), "ratios": result.ratios()}))
    sys.exit(1 if result.fails else 0)


if __name__ == "__main__":
    main()
