"""Traffic of a feature: how many calls succeed and fail in each tick.

Calls arrive as a Poisson process and fail independently of each other, so successes and failures are independent
Poisson counts, and one draw a tick gives as much as thousands of single calls would. Real calls come in bursts and
fail in bursts; nothing here knows of that.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from random import Random

TICK_MS = 250
"""Aerobat's default interval. Counts are drawn per tick; in service they are of 100 ms."""
TICKS_A_DAY = 86_400_000 // TICK_MS
NEGLIGIBLE = 1e-25
SPARSE = 0.5
"""Events a tick below which it is cheaper to scatter their sum than to draw each tick."""


@dataclass(frozen=True)
class Counts:
    """A distribution over the whole numbers from `first` on; `mass` sums up to one, `cumulative` to its last."""

    first: int
    mass: tuple[float, ...]
    cumulative: tuple[float, ...]

    def draw(self, random: Random, size: int) -> list[int]:
        if len(self.mass) == 1:
            return [self.first] * size
        values = range(self.first, self.first + len(self.mass))
        return random.choices(values, cum_weights=self.cumulative, k=size)

    def up_to(self, value: int) -> float:
        """Return the probability of at most `value`."""
        index = value - self.first
        return 0.0 if index < 0 else self.cumulative[min(index, len(self.mass) - 1)]


@lru_cache(maxsize=4096)
def poisson(mean: float) -> Counts:
    """Return the Poisson distribution, without what is less probable than 1e-25 of its mode."""
    if mean <= 0:
        return Counts(0, (1.0,), (1.0,))
    mode = int(mean)
    top = math.exp(mode * math.log(mean) - mean - math.lgamma(mode + 1))
    above, below = [top], []
    value = mode
    while above[-1] > top * NEGLIGIBLE or value < mean:
        value += 1
        above.append(above[-1] * mean / value)
    value, mass = mode, top
    while value > 0 and mass > top * NEGLIGIBLE:
        mass *= value / mean
        value -= 1
        below.append(mass)
    whole = tuple(reversed(below)) + tuple(above)
    return Counts(value, whole, tuple(accumulate(whole)))


def per_tick(mean: float, random: Random, ticks: int) -> list[int]:
    """Draw the events of each of so many ticks, `mean` in each on average."""
    if mean < SPARSE:
        [number] = poisson(mean * ticks).draw(random, 1)
        return spread(random, number, ticks)
    return poisson(mean).draw(random, ticks)


def spread(random: Random, number: int, ticks: int) -> list[int]:
    """Scatter events over ticks, each equally likely: how a Poisson process looks when its sum is known."""
    counts = [0] * ticks
    for tick in random.choices(range(ticks), k=number):
        counts[tick] += 1
    return counts


@dataclass
class Traffic:
    """Calls and failures up to each tick, as running totals, so that any window is one subtraction."""

    random: Random
    calls: list[int] = field(default_factory=lambda: [0])
    failures: list[int] = field(default_factory=lambda: [0])

    def run(self, ticks: int, calls_per_s: float, error_rate: float) -> tuple[list[int], list[int]]:
        """Let `ticks` ticks pass; return the successes and the failures of each."""
        mean = calls_per_s * TICK_MS / 1000
        failed = per_tick(mean * error_rate, self.random, ticks)
        succeeded = per_tick(mean * (1 - error_rate), self.random, ticks)
        self.add(succeeded, failed)
        return succeeded, failed

    def add(self, succeeded: Iterable[int], failed: Iterable[int]) -> None:
        failed = list(failed)
        calls = map(int.__add__, succeeded, failed)
        self.calls.extend(list(accumulate(calls, initial=self.calls[-1]))[1:])
        self.failures.extend(list(accumulate(failed, initial=self.failures[-1]))[1:])

    def forget(self, kept: int) -> None:
        """Keep the last `kept` ticks only."""
        del self.calls[: -kept - 1], self.failures[: -kept - 1]

    def __len__(self) -> int:
        return len(self.calls) - 1
