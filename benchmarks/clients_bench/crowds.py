"""Threads, goroutines or tasks that share one client, and forked children: whether anybody gets another's answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clients_bench.drivers import Driver, percentile
from clients_bench.echo import Echo
from clients_bench.troubles import DEADLINE_MS

_PATIENT_MS = 20_000
_HOLD_MS = 1.5 * DEADLINE_MS
"""A third of the answers comes too late."""
_FORK_CALLS = 500
LEFT = 32
"""Threads or goroutines that may be left: Go has two for each of the 16 connections that a client keeps."""


@dataclass(frozen=True)
class Size:
    """So many workers, each with so many calls."""

    workers: int
    calls: int


_HURRIED = Size(64, 25)
"""Those at most that have a deadline. With thousands every answer would be late, and none could be mixed up."""
SIZES: Mapping[str, Size] = {
    "python": Size(32, 50),
    "python-asyncio": Size(32, 50),
    "javascript": Size(1_000, 4),
    "go": Size(10_000, 2),
    "ruby": Size(32, 50),
    "java": Size(64, 50),
    "csharp": Size(32, 50),
}


@dataclass(frozen=True)
class Crowd:
    """A crowd that waits for every answer, then a smaller one with the usual deadline, for which some come too late."""

    language: str
    workers: int
    calls: int
    """Of both crowds."""
    raised: int
    mixed: int
    unanswered: int
    """Of those that wait."""
    errors: Mapping[str, int]
    """Why they were not answered."""
    late_percent: float
    """Defaults of those with a deadline."""
    p99_ms: float
    """Of those that wait."""
    slowest_hurried_ms: float
    left: int

    def as_json(self) -> dict[str, object]:
        return {"part": "crowd", **asdict(self)}


async def crowd(driver: Driver, echo: Echo, size: Size) -> Crowd:
    """Let a crowd ask, first without hurry, then with it."""
    said: list[dict[str, Any]] = []
    defaults: list[dict[str, int]] = []
    hurried_size = Size(min(size.workers, _HURRIED.workers), _HURRIED.calls)
    for timeout_ms, hold_ms, each in ((_PATIENT_MS, 0.0, size), (DEADLINE_MS, _HOLD_MS, hurried_size)):
        echo.hold_ms = hold_ms
        await driver.open(echo.url, timeout_ms=timeout_ms)
        said.append(await driver.ask("crowd", flag="crowd", workers=each.workers, calls=each.calls))
        defaults.append((await driver.ask("stats"))["result"]["defaults"])
    echo.hold_ms = 0.0
    patient, hurried = said
    return Crowd(
        language=driver.language,
        workers=size.workers,
        calls=patient["calls"] + hurried["calls"],
        raised=patient["raised"] + hurried["raised"],
        mixed=patient["mixed"] + hurried["mixed"],
        unanswered=patient["defaults"],
        errors=defaults[0],
        late_percent=100 * hurried["defaults"] / hurried["calls"],
        p99_ms=percentile(patient["ms"], 99),
        slowest_hurried_ms=max(hurried["ms"]),
        left=max(one["threads_left"] for one in said),
    )


@dataclass(frozen=True)
class Fork:
    """A parent and a child that ask at the same time: answers and outcomes of both together."""

    language: str
    calls: int
    raised: int
    mixed: int
    defaults: int
    sent: int
    """Outcomes that the clients say they have sent."""
    arrived: int

    def as_json(self) -> dict[str, object]:
        return {"part": "fork", **asdict(self)}


async def fork(driver: Driver, echo: Echo) -> Fork | None:
    """Let a driver fork; return None where the language has no forks."""
    await driver.open(echo.url, timeout_ms=1_000)
    before = echo.outcomes
    said = await driver.ask("fork", flag="fork", calls=_FORK_CALLS)
    if said.get("unsupported"):
        return None
    sides = said["parent"], said["child"]

    def both(name: str) -> int:
        return sum(side[name] for side in sides)

    return Fork(
        language=driver.language,
        calls=2 * _FORK_CALLS,
        raised=both("raised"),
        mixed=both("mixed"),
        defaults=both("defaults"),
        sent=both("sent"),
        arrived=echo.outcomes - before,
    )
