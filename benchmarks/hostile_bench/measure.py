"""Carries out an attack and says what it did to the attacked process and to everybody else meanwhile."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from hostile_bench.system import Listener, System
from hostile_bench.vitals import forget_peak

MEBIBYTE = 1 << 20
SETTLE_S = 5.0
QUICK_SETTLE_S = 0.5
ALL = ("flags", "proxy", "tower", "aerobat")

Told = dict[str, str]
"""What an attack has to tell of each listener that it was made on."""
Run = Callable[[System, list[Listener]], Awaitable[Told]]
"""Makes an attack on listeners."""


@dataclass(frozen=True)
class Attack:
    """Something hostile. `run` is called once for each listener, or once for all of them where `together` is set."""

    name: str
    run: Run
    listeners: tuple[str, ...] = ALL
    together: bool = False
    descriptors: int = 4096
    """How many files the sidecar may have open."""


@dataclass(frozen=True)
class Row:
    """One attack on one listener. Times in milliseconds unless named otherwise, memory in MiB."""

    attack: str
    listener: str
    seconds: float
    slowest_proxied_ms: float
    failed_proxied: int
    proxied: int
    slowest_own_ms: float
    """The slowest `/healthz` of the attacked listener; of the flags listener where the proxy is attacked."""
    failed_own: int
    processor_s: float
    memory_before_mib: float
    memory_peak_mib: float
    memory_after_mib: float
    descriptors_left: int
    tracebacks: int
    told: str


async def measure(system: System, attack: Attack) -> list[Row]:
    """Make an attack, on one listener after the other or on all together."""
    listeners = [system.listeners[name] for name in attack.listeners]
    if attack.together:
        return await _measure(system, attack, listeners)
    return [row for listener in listeners for row in await _measure(system, attack, [listener])]


async def _measure(system: System, attack: Attack, listeners: list[Listener]) -> list[Row]:
    settle_s = QUICK_SETTLE_S if system.quick else SETTLE_S
    await system.until_calm()
    before = {listener.name: listener.process.look() for listener in listeners}
    for listener in listeners:
        forget_peak(listener.process.pid)
    began = time.monotonic()
    told = await attack.run(system, listeners)
    ended = time.monotonic()
    peak = {listener.name: listener.process.look().peak_memory for listener in listeners}
    # Calls that were held up are told of only when they end, and what a client has left costs something too.
    await asyncio.sleep(settle_s)
    await system.until_calm()
    until = time.monotonic()
    rows = []
    for listener in listeners:
        first, after = before[listener.name], listener.process.look()
        proxied = system.probes.of("proxy", began, until)
        own = system.probes.of("flags" if listener.name == "proxy" else listener.name, began, until)
        rows.append(
            Row(
                attack=attack.name,
                listener=listener.name,
                seconds=round(ended - began, 1),
                slowest_proxied_ms=_slowest(proxied),
                failed_proxied=_failed(proxied),
                proxied=len(proxied),
                slowest_own_ms=_slowest(own),
                failed_own=_failed(own),
                processor_s=round(after.processor_s - first.processor_s, 2),
                memory_before_mib=_mib(first.memory),
                memory_peak_mib=_mib(peak[listener.name]),
                memory_after_mib=_mib(after.memory),
                descriptors_left=after.descriptors - first.descriptors,
                tracebacks=after.tracebacks - first.tracebacks,
                told=told.get(listener.name, ""),
            )
        )
    return rows


def tally(results: Iterable[str]) -> str:
    """Return results with their numbers, the most frequent first."""
    return ", ".join(
        text if count == 1 else f"{count} × {text}"  # noqa: RUF001 # the sign of multiplication is meant
        for text, count in Counter(results).most_common(6)
    )


def _slowest(calls: list[tuple[float, str]]) -> float:
    return round(max((ms for ms, _ in calls), default=0.0), 1)


def _failed(calls: list[tuple[float, str]]) -> int:
    return sum(result != "200" for _, result in calls)


def _mib(size: int) -> float:
    return round(size / MEBIBYTE, 1)
