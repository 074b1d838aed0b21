"""How often a rule trips although the true error rate is below its threshold.

Waiting for it would take simulated years: fewer than one in 30 days is the aim. So the breach is put in by hand and
weighed by its probability.

- The probability that one look at one window breaches is summed up exactly. Times looks a day, over all windows, it
  bounds the false trips from above (the union bound): no draw is involved.
- Breaches come in clusters, since windows overlap: several looks at several windows see the same bad luck, which trips
  once. A window is drawn in proportion to its probability, its calls on the condition that it breaches, and the calls
  around it freely. With N breaches in the cluster, the mean of 1/N times the bound is without bias the number of
  clusters (Naiman & Priebe 2001, "Computing Scan Statistic p Values Using Importance Sampling"; Adler, Blanchet &
  Liu 2012, "Efficient Monte Carlo for High Excursions of Gaussian Random Fields").

Where breaches are anything but rare, clusters run into each other, and the bound and one cluster per reach are what is
left to say: `direct` counts them on plain traffic, and checks the estimate where both work.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, count
from random import Random
from statistics import fmean, stdev

from sim_bench.rules import IN_A_ROW, LAST_CALLS, CountWindow, WindowRule
from sim_bench.traffic import TICK_MS, TICKS_A_DAY, Traffic, poisson, spread

OF_NO_ACCOUNT = 1e-17
"""A window is left out when one look at it breaches less often than this: once in a million years."""
COMMON = 0.3
"""Expected clusters within the reach of the longest window, above which they cannot be told apart."""


@dataclass(frozen=True)
class FalseTrips:
    """False trips a day: the estimate with its 95 % interval, and what they cannot exceed."""

    per_day: float
    low: float
    high: float
    bound: float


NEVER = FalseTrips(0, 0, 0, 0)


@dataclass(frozen=True)
class Breach:
    """One window's chance to breach at one look, and how failures and successes are spread when it does."""

    window: int
    probability: float
    failed: tuple[int, ...]
    cumulative: tuple[float, ...]
    succeeded: dict[int, tuple[int, int]]
    """For each number of failures, the fewest and the most successes with which it is a breach."""
    mean_succeeded: float

    def draw(self, random: Random) -> tuple[int, int]:
        """Return the successes and failures of a window that breaches."""
        [failures] = random.choices(self.failed, cum_weights=self.cumulative)
        fewest, most = self.succeeded[failures]
        counts = poisson(self.mean_succeeded)
        at = random.uniform(counts.up_to(fewest - 1), counts.up_to(most))
        return min(max(counts.first + bisect_left(counts.cumulative, at), fewest), most), failures


def breach_of(rule: WindowRule, window: int, calls_per_s: float, error_rate: float) -> Breach | None:
    """Sum up the chance that a window breaches at one look; None when it is of no account."""
    mean = calls_per_s * window * TICK_MS / 1000
    if error_rate <= 0 or _chernoff(mean, error_rate, rule.threshold / 100) < OF_NO_ACCOUNT:
        return None
    failed, succeeded = poisson(mean * error_rate), poisson(mean * (1 - error_rate))
    values = range(failed.first, failed.first + len(failed.mass))
    weights: list[float] = []
    spans: dict[int, tuple[int, int]] = {}
    most = -1
    for failures, mass in zip(values, failed.mass, strict=True):
        fewest = max(0, rule.min_calls - failures)
        most = max(most, fewest - 1)
        while rule.least[failures + most + 1] <= failures:
            most += 1
        reached = most >= fewest
        weights.append(mass * max(0.0, succeeded.up_to(most) - succeeded.up_to(fewest - 1)) if reached else 0.0)
        spans[failures] = fewest, most
        if not reached:
            most = -1
    probability = math.fsum(weights)
    if probability < OF_NO_ACCOUNT:
        return None
    return Breach(window, probability, tuple(values), tuple(accumulate(weights)), spans, mean * (1 - error_rate))


def _chernoff(mean: float, error_rate: float, threshold: float) -> float:
    """Bound the chance that a window of `mean` expected calls shows a rate of `threshold` or more."""
    if error_rate >= threshold:
        return 1.0
    affinity = (error_rate / threshold) ** threshold * ((1 - error_rate) / (1 - threshold)) ** (1 - threshold)
    return math.exp(-mean * (1 - affinity))


def breaches(rule: WindowRule, calls_per_s: float, error_rate: float) -> list[Breach]:
    found = (breach_of(rule, window, calls_per_s, error_rate) for window in rule.windows)
    return [breach for breach in found if breach is not None]


def bound_per_day(found: list[Breach]) -> float:
    """Return the union bound: what the false trips of a day cannot exceed on average."""
    return TICKS_A_DAY * math.fsum(breach.probability for breach in found)


def of_windows(
    rule: WindowRule, calls_per_s: float, error_rate: float, random: Random, samples: int
) -> FalseTrips | None:
    """Estimate the false trips a day of a rule that looks at windows; None when they are too common for clusters."""
    found = breaches(rule, calls_per_s, error_rate)
    bound = bound_per_day(found)
    if not found:
        return NEVER
    total = math.fsum(breach.probability for breach in found)
    # Windows that add less than a ten thousandth change neither the number of clusters nor what belongs to one.
    found = [breach for breach in found if breach.probability > total * 1e-4]
    reach = max(breach.window for breach in found)
    cumulative = list(accumulate(breach.probability for breach in found))
    shares = []
    for breach in random.choices(found, cum_weights=cumulative, k=samples):
        traffic = Traffic(random)
        traffic.run(2 * reach - breach.window, calls_per_s, error_rate)
        succeeded, failed = breach.draw(random)
        traffic.add(spread(random, succeeded, breach.window), spread(random, failed, breach.window))
        traffic.run(reach, calls_per_s, error_rate)
        last = len(traffic) + 1
        seen = sum(sum(rule.flags(traffic, one.window, reach, last)) for one in found)
        shares.append(1 / seen)
    mean = fmean(shares)
    if bound * mean * reach > COMMON * TICKS_A_DAY:
        return None
    margin = 1.96 * stdev(shares) / math.sqrt(samples)
    return FalseTrips(bound * mean, bound * max(0.0, mean - margin), bound * (mean + margin), bound)


def direct(rule: WindowRule, calls_per_s: float, error_rate: float, random: Random, days: float) -> FalseTrips:
    """Count false trips on plain traffic, each followed by a fresh start as after a recovery."""
    reach = max(rule.windows)
    end = round(days * TICKS_A_DAY)
    trips = passed = 0
    traffic = Traffic(random)
    traffic.run(reach, calls_per_s, error_rate)
    chunk = FIRST_CHUNK
    while passed < end and trips < ENOUGH:
        first = len(traffic) + 1
        traffic.run(chunk, calls_per_s, error_rate)
        found = rule.first_trip(traffic, first, len(traffic) + 1)
        if found is None:
            passed += chunk
            traffic.forget(reach)
            chunk = min(chunk * 4, LAST_CHUNK)
            continue
        passed += found - first + 1
        trips += 1
        traffic = Traffic(random)
        traffic.run(reach, calls_per_s, error_rate)
        chunk = FIRST_CHUNK
    return counted(trips, passed / TICKS_A_DAY)


FIRST_CHUNK, LAST_CHUNK, ENOUGH = 8, 8192, 200


def counted(trips: int, days: float) -> FalseTrips:
    """Return the rate of so many trips in so many days; without any, the rule of three bounds it."""
    if trips == 0:
        return FalseTrips(0, 0, 3 / days, 3 / days)
    margin = 1.96 * math.sqrt(trips)
    high = (trips + margin) / days
    return FalseTrips(trips / days, max(0.0, trips - margin) / days, high, high)


def in_a_row(error_rate: float) -> float:
    """Return the false trips per call of failures in a row: exact, one in the mean calls to the first such run."""
    if error_rate <= 0:
        return 0.0
    run = error_rate**IN_A_ROW
    return 1.0 if error_rate >= 1 else run * (1 - error_rate) / (1 - run)


def of_count_window(threshold: float, error_rate: float, random: Random, samples: int) -> FalseTrips:
    """Estimate the false trips per call of the count window, looked at after each call.

    By weight; where they are common by counting, each trip followed by a fresh window.

    """
    least = math.ceil(threshold * LAST_CALLS / 100)
    mass = [math.comb(LAST_CALLS, k) * error_rate**k * (1 - error_rate) ** (LAST_CALLS - k) for k in range(101)]
    probability = math.fsum(mass[least:])
    if probability < 1e-30:
        return NEVER
    shares = []
    for failures in random.choices(range(least, 101), weights=mass[least:], k=samples):
        middle = [1] * failures + [0] * (LAST_CALLS - failures)
        random.shuffle(middle)
        around = [int(random.random() < error_rate) for _ in range(2 * LAST_CALLS)]
        total = list(accumulate([*around[:LAST_CALLS], *middle, *around[LAST_CALLS:]], initial=0))
        seen = sum(late - early >= least for early, late in zip(total, total[LAST_CALLS:], strict=False))
        shares.append(1 / seen)
    mean = fmean(shares)
    if probability * mean * LAST_CALLS > COMMON:
        calls = [_calls_to_trip(threshold, error_rate, random) for _ in range(samples)]
        rate = 1 / fmean(calls)
        margin = 1.96 * stdev(calls) / math.sqrt(samples) * rate * rate
        return FalseTrips(rate, rate - margin, rate + margin, rate + margin)
    margin = 1.96 * stdev(shares) / math.sqrt(samples)
    return FalseTrips(
        probability * mean, probability * max(0.0, mean - margin), probability * (mean + margin), probability
    )


def _calls_to_trip(threshold: float, error_rate: float, random: Random) -> int:
    window = CountWindow(threshold)
    for _ in range(LAST_CALLS - 1):
        window.call(random.random() < error_rate)
    return next(number for number in count(1) if window.call(random.random() < error_rate))
