"""Answers a second of ours, of nginx and of a plain aiohttp application: which cells there are, and the rounds.

In each round every cell has its turn, so that whatever else the machine does falls on all alike. A ratio is the median
of the quotients within the rounds, of answers per second of the servers' processor time.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson

from flags_bench.load import Drive, Target, ask, drive
from flags_bench.questions import (
    LANGUAGE,
    bulk,
    flag_keys,
    language_flags,
    members,
    native,
    of_language,
    rulesets,
    single,
)
from flags_bench.servers import Bench
from tailslide_runtime.errors import StartError

MANY = 10_000
BULK = 100
WARM_UP_S = 0.2


@dataclass
class Cell:
    """One question to one server; `flags` is how many flags the server has, all of which are asked for in turn."""

    question: str
    flags: int
    server: str
    target: Target
    requests: Sequence[bytes]
    drives: list[Drive] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, int, str]:
        """Return what tells the cell from all others."""
        return self.question, self.flags, self.server

    def as_json(self) -> dict[str, object]:
        rates = [drive.rate for drive in self.drives]

        def median_us(seconds: Sequence[float]) -> float:
            return round(statistics.median(seconds) * 1e6, 1)

        return {
            "question": self.question,
            "flags": self.flags,
            "server": self.server,
            "rounds": len(rates),
            "per_core_s": round(statistics.median(drive.per_core_s for drive in self.drives)),
            "counted_per_s": round(statistics.median(rates)),
            "min_per_s": round(min(rates)),
            "max_per_s": round(max(rates)),
            "own_us": median_us([drive.user_s / drive.answers for drive in self.drives]),
            "system_us": median_us([drive.system_s / drive.answers for drive in self.drives]),
            "server_busy": round(statistics.median(drive.server_busy for drive in self.drives), 2),
            "load_busy": round(statistics.median(drive.load_busy for drive in self.drives), 2),
        }


RATIOS = {
    "ours_vs_nginx": (("single", 1, "ours"), ("single", 1, "nginx")),
    "ours_vs_plain_aiohttp": (("single", 1, "ours"), ("single", 1, "plain aiohttp")),
    "ours_10000_flags_vs_1_flag": (("single", MANY, "ours"), ("single", 1, "ours")),
    "ours_10000_flags_vs_plain_aiohttp": (("single", MANY, "ours"), ("single", MANY, "plain aiohttp")),
    "ours_unix_vs_nginx": (("single", 1, "ours, unix"), ("single", 1, "nginx")),
    "ours_unix_vs_nginx_unix": (("single", 1, "ours, unix"), ("single", 1, "nginx, unix")),
    "ours_unix_10000_flags_vs_1_flag": (("single", MANY, "ours, unix"), ("single", 1, "ours, unix")),
    "native_vs_nginx": (("native", 1, "ours"), ("native", 1, "nginx")),
    "native_vs_plain_aiohttp": (("native", 1, "ours"), ("native", 1, "plain aiohttp")),
    "native_10000_flags_vs_1_flag": (("native", MANY, "ours"), ("native", 1, "ours")),
    **{f"ours_{used}_vs_rollout": ((used, 1, "ours"), ("single", 1, "ours")) for used in LANGUAGE},
    "bulk_vs_nginx": (("bulk", BULK, "ours"), ("bulk", BULK, "nginx")),
    "bulk_vs_plain_aiohttp": (("bulk", BULK, "ours"), ("bulk", BULK, "plain aiohttp")),
}


async def start_cells(bench: Bench) -> list[Cell]:
    """Start all servers, with 1, 100 and 10,000 flags, see that they answer alike, and return who is asked what."""
    apps = {count: f"app{count}" for count in (1, BULK, MANY)}
    plains, tcps, unixes = {}, {}, {}
    for count, app in apps.items():
        flags = rulesets(app, count)
        await bench.put(flags)
        plains[count] = await bench.plain(flags, f"plain aiohttp with {count} flags")
        tcps[count] = await bench.sidecar(app, bench.tcp(), f"sidecar with {count} flags")
        unixes[count] = await bench.sidecar(app, bench.unix(), f"sidecar with {count} flags on a unix socket")
    requests = {  # what is compared has its turn soon after one another
        ("single", 1): single(flag_keys(1)),
        ("single", MANY): single(flag_keys(MANY)),
        ("native", 1): native(flag_keys(1)),
        ("native", MANY): native(flag_keys(MANY)),
        ("bulk", BULK): bulk(),
    }
    paths = {"single": "/ofrep/v1/evaluate/flags/", "native": "/v1/flags/", "bulk": "= /ofrep/v1/evaluate/flags"}
    bodies = {
        paths[question]: ask(tcps[count].address, requests[question, count][0])[1]
        for question, count in (("single", 1), ("native", 1), ("bulk", BULK))
    }
    nginx, nginx_unix = await bench.nginx(bodies)
    cells = []
    for (question, count), asked in requests.items():
        if count != MANY:  # its answer is the same, however many flags there are
            cells += [
                Cell(question, count, "nginx", nginx, asked),
                Cell(question, count, "nginx, unix", nginx_unix, asked),
            ]
        cells += [
            Cell(question, count, "plain aiohttp", plains[count], asked),
            Cell(question, count, "ours", tcps[count], asked),
            Cell(question, count, "ours, unix", unixes[count], asked),
        ]
        check_alike(plains[count], tcps[count], asked)
        check_alike(plains[count], unixes[count], asked)
    return cells + await _language_cells(bench)


async def _language_cells(bench: Bench) -> list[Cell]:
    """Start a sidecar whose flags use more of the language, and return who is asked what."""
    app = "language"
    await bench.put(language_flags(app), [members(app)])
    sidecar = await bench.sidecar(app, bench.tcp(), "sidecar with rules, segments and prerequisites")
    return [Cell(used, 1, "ours", sidecar, of_language(used)) for used in LANGUAGE]


def check_alike(plain: Target, ours: Target, requests: Sequence[bytes]) -> None:
    """Raise `StartError` unless both give the same answers; only then is their speed worth comparing."""
    for request in requests[:20]:
        expected, got = ask(plain.address, request), ask(ours.address, request)
        expected_body, got_body = orjson.loads(expected[1]), orjson.loads(got[1])
        got_body.pop("eventStreams", None)  # we have change notices, a plain application has none
        if (expected[0], expected_body) != (got[0], got_body):
            raise StartError(f"{ours.name} answers {got}, {plain.name} answers {expected} to {request!r}")


def measure(bench: Bench, cells: Sequence[Cell], rounds: int, seconds: float) -> None:
    """Give each cell its turn in each round."""
    with pinned(bench.cores.load):
        for cell in cells:
            drive(cell.target, cell.requests, WARM_UP_S)
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for cell in cells:
                cell.drives.append(drive(cell.target, cell.requests, seconds))


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this thread on one core until the end of the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def ratios(cells: Sequence[Cell]) -> dict[str, float]:
    """Return the ratios by name, and how many bulk answers a second our core gives."""
    drives = {cell.name: cell.drives for cell in cells}
    found = {}
    for name, (over, under) in RATIOS.items():
        quotients = [
            ours.per_core_s / theirs.per_core_s for ours, theirs in zip(drives[over], drives[under], strict=True)
        ]
        found[name] = round(statistics.median(quotients), 3)
    found["bulk_100_per_s"] = round(statistics.median(drive.per_core_s for drive in drives["bulk", BULK, "ours"]))
    return found


HEADER = (
    f"{'question':<9}{'flags':>6}  {'server':<15}{'per core-s':>11}{'own us':>9}{'system us':>11}"
    f"{'counted/s':>11}{'min':>9}{'max':>9}{'server busy':>13}{'load busy':>11}"
)


def line(row: dict[str, object]) -> str:
    """Return a row of the table."""
    return (
        f"{row['question']:<9}{row['flags']:>6}  {row['server']:<15}{row['per_core_s']:>11}{row['own_us']:>9}"
        f"{row['system_us']:>11}{row['counted_per_s']:>11}{row['min_per_s']:>9}{row['max_per_s']:>9}"
        f"{row['server_busy']:>13}{row['load_busy']:>11}"
    )
