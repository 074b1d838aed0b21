"""A steady load while the sidecar is killed, hangs or is restarted: what callers see of it, held against bounds."""

import asyncio
import math
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from clients_bench.drivers import Driver
from clients_bench.sidecars import FLAG, RealSidecar, now_ms
from clients_bench.timers import Sleep, Timers

DEADLINE_MS = 50.0
"""What the contract has as default for `timeout_ms`."""
NEAR_MS = 10.0
FAR_MS = 100.0
NEAR_PERCENT = 99.0
RETURN_MS = 1_000.0
CALLS_PER_S = 200
WORKERS = 8
_BEFORE_S = 0.5
_OUTAGE_S = 0.5
_HANGS_S = 1.0
_AFTER_S = 1.5
"""Longer than `RETURN_MS`."""
_WARM_UP_S = 1.0


class Trouble(StrEnum):
    """What happens to the sidecar."""

    CALM = "calm"
    """None: what the client and the machine are like by themselves."""
    KILLED = "killed"
    HUNG = "hung"
    RESTARTED = "restarted"


@dataclass(frozen=True)
class Moments:
    """When the old sidecar was gone, or was let go on, and when the harness's own probe had an answer; Unix ms."""

    gone_ms: float
    back_ms: float


@dataclass(frozen=True)
class Bound:
    """What was not held: the bound's name, what was measured, and whether bare timers did not hold it either."""

    name: str
    found: str
    machine_too: bool


@dataclass(frozen=True)
class Stage:
    """One load. Times in milliseconds; of the return they are None without one, or if it was not seen."""

    language: str
    trouble: Trouble
    calls: int
    defaults: int
    raised: int
    near_percent: float
    """Of the calls, those that took no longer than the deadline and `NEAR_MS`."""
    slowest_ms: float
    answer_ms: float | None
    """From the sidecar's return to the first answer."""
    settled_ms: float | None
    """From the sidecar's return to the last default that is no stray."""
    strays: int
    """Defaults after the first answer, at moments when bare timers were late too."""
    timers_near_percent: float
    timers_latest_ms: float

    def missed(self) -> list[Bound]:
        """Return the bounds that were not held."""
        timers = f"bare timers up to {self.timers_latest_ms:.0f} ms late"
        found = []
        if self.raised:
            found.append(Bound("raised", f"{self.raised} calls raised", False))
        if self.near_percent < NEAR_PERCENT:
            share = f"{self.near_percent:.2f}% within {DEADLINE_MS + NEAR_MS:.0f} ms"
            found.append(
                Bound("share", f"{share} ({timers})", self.timers_near_percent < NEAR_PERCENT),
            )
        if self.slowest_ms > DEADLINE_MS + FAR_MS:
            found.append(
                Bound("slowest", f"slowest {self.slowest_ms:.0f} ms ({timers})", self.timers_latest_ms > FAR_MS)
            )
        if self.trouble is not Trouble.CALM:
            for name, value in (("first answer", self.answer_ms), ("last default", self.settled_ms)):
                if value is None or value >= RETURN_MS:
                    after = "not seen" if value is None else f"{value:.0f} ms after the return"
                    found.append(Bound(name, f"{name} {after} ({timers})", False))
        return found

    def as_json(self) -> dict[str, object]:
        """Return it as a row."""
        missed = {one.name: "not held, nor by bare timers" if one.machine_too else "not held" for one in self.missed()}
        bounds = ["raised", "share", "slowest"]
        bounds += [] if self.trouble is Trouble.CALM else ["first answer", "last default"]
        return {"part": "trouble", **asdict(self), "bounds": {name: missed.get(name, "held") for name in bounds}}


async def _kill(sidecar: RealSidecar) -> Moments:
    gone = await sidecar.kill()
    await asyncio.sleep(_OUTAGE_S)
    return Moments(gone, await sidecar.start())


async def _hang(sidecar: RealSidecar) -> Moments:
    sidecar.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(_HANGS_S)
    finally:
        sidecar.send(signal.SIGCONT)
    return Moments(now_ms(), await sidecar.first_answer())


async def _restart(sidecar: RealSidecar) -> Moments:
    return Moments(await sidecar.terminate(), await sidecar.start())


_DOINGS: Mapping[Trouble, Callable[[RealSidecar], Awaitable[Moments]]] = {
    Trouble.KILLED: _kill,
    Trouble.HUNG: _hang,
    Trouble.RESTARTED: _restart,
}


async def stages(driver: Driver, sidecar: RealSidecar, timers: Timers, troubles: Sequence[Trouble]) -> list[Stage]:
    """Measure a language's client, through each trouble in a load of its own."""
    await driver.open(sidecar.url, timeout_ms=DEADLINE_MS)
    await _load(driver, _WARM_UP_S)
    return [await _stage(driver, sidecar, timers, trouble) for trouble in troubles]


async def _stage(driver: Driver, sidecar: RealSidecar, timers: Timers, trouble: Trouble) -> Stage:
    seconds = _BEFORE_S + _AFTER_S
    if trouble is Trouble.HUNG:
        seconds += _HANGS_S
    elif trouble is not Trouble.CALM:
        # A start takes longer under the load than without.
        seconds += _OUTAGE_S + 2 * sidecar.start_s
    await timers.sleeps()
    moments = None
    async with asyncio.TaskGroup() as group:
        load = group.create_task(_load(driver, seconds))
        if trouble is not Trouble.CALM:
            await asyncio.sleep(_BEFORE_S)
            moments = await _DOINGS[trouble](sidecar)
    return stage(driver.language, trouble, load.result(), moments, await timers.sleeps())


async def _load(driver: Driver, seconds: float) -> dict[str, Any]:
    return await driver.ask(
        "load", within_s=seconds + 30, flag=FLAG, seconds=seconds, calls_per_s=CALLS_PER_S, workers=WORKERS
    )


def stage(
    language: str, trouble: Trouble, said: Mapping[str, Any], moments: Moments | None, sleeps: Sequence[Sleep]
) -> Stage:
    """Return what a driver's answer comes to."""
    took, answered, defaults = said["ms"], said["answered_at"], said["defaults_at"]
    answer_ms = settled_ms = None
    strays = 0
    if moments is not None:
        first = min((at for at in answered if at >= moments.gone_ms), default=math.inf)
        if first < math.inf:  # it may have come before the probe's
            answer_ms = max(0.0, first - moments.back_ms)
        left = [at for at in defaults if at <= first or not _machine_was_late(sleeps, at)]
        strays = len(defaults) - len(left)
        if max([*answered, *defaults], default=0) >= moments.back_ms + RETURN_MS:
            settled_ms = max(0.0, max(left, default=0) - moments.back_ms)
    return Stage(
        language=language,
        trouble=trouble,
        calls=said["calls"],
        defaults=len(defaults),
        raised=said["raised"],
        near_percent=_share(took, DEADLINE_MS + NEAR_MS),
        slowest_ms=max(took, default=0.0),
        answer_ms=answer_ms,
        settled_ms=settled_ms,
        strays=strays,
        timers_near_percent=_share([one.late_ms for one in sleeps], NEAR_MS),
        timers_latest_ms=max((one.late_ms for one in sleeps), default=0.0),
    )


def _machine_was_late(sleeps: Sequence[Sleep], at_ms: float) -> bool:
    """Return whether a bare timer was late around the time when a call waited that had its default then.

    A deadline more on either side: those who only sleep are woken sooner than those who work.
    """
    return any(
        one.late_ms > NEAR_MS and at_ms - 2 * DEADLINE_MS <= one.ended_ms <= at_ms + DEADLINE_MS + one.late_ms
        for one in sleeps
    )


def _share(values: Sequence[float], bound: float) -> float:
    return 100 * sum(value <= bound for value in values) / max(1, len(values))
