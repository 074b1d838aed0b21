"""How long a failing feature still gets calls: the time from its first bad moment to the trip.

Every rule sees the same draws. Before, the feature was healthy for longer than any window looks back, so that the
failure has to stand out from it. A rule that looks at windows does so once a tick; a rule that counts calls does so at
each call, for which the calls of a tick are put in a random order. What the way of the data takes in service
(a flush, the write of the verdict) is not in these times.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sim_bench import false_trips
from sim_bench.rules import LAST_CALLS, CallRule, CountWindow, InARow, WindowRule
from sim_bench.traffic import TICK_MS, Traffic

HORIZON_S = 3_600
FIRST_CHUNK, LAST_CHUNK = 16, 4096
CALLS_IN_ORDER = 3_000
"""Of so many calls the order is drawn one by one. A rule that has not tripped by then forgets what it has seen, and
trips after a time that is as good as exponential (its rate a call is known from `false_trips`)."""
FIVE_IN_A_ROW = "5 in a row"
LAST_100 = "100 calls"


@dataclass(frozen=True)
class Trip:
    """When a rule tripped, in seconds and calls since the feature failed."""

    after_s: float
    calls: int


@dataclass(frozen=True)
class Found:
    """What the runs came to: trips within the horizon, ascending in each dimension, and how many runs there were."""

    seconds: tuple[float, ...]
    calls: tuple[int, ...]
    runs: int

    @property
    def share(self) -> float:
        return len(self.seconds) / self.runs

    def after_s(self, percent: float) -> float | None:
        """Return within how many seconds so many percent of all runs tripped; None when fewer did."""
        return _at(self.seconds, self.runs, percent)

    def after_calls(self, percent: float) -> float | None:
        return _at(self.calls, self.runs, percent)


def _at(values: Sequence[float], runs: int, percent: float) -> float | None:
    index = math.ceil(runs * percent / 100) - 1
    return values[index] if index < len(values) else None


@dataclass(frozen=True)
class Case:
    """Calls a second, threshold in percent, and the true error rate, 0 to 1."""

    calls_per_s: float
    threshold: float
    error_rate: float

    @property
    def seed(self) -> str:
        return f"{self.calls_per_s} {self.threshold} {self.error_rate}"


def of_windows(case: Case, rules: Sequence[WindowRule], runs: int, horizon_s: int = HORIZON_S) -> dict[str, Found]:
    """Measure rules that look at windows."""
    return _measure(case, rules, runs, horizon_s, by_call=None)


def of_all(case: Case, rules: Sequence[WindowRule], runs: int, horizon_s: int = HORIZON_S) -> dict[str, Found]:
    """Measure rules that look at windows, and beside them those that count calls."""
    random = Random(f"tails {case.seed}")
    count_window = false_trips.of_count_window(case.threshold, case.error_rate, random, 300)
    per_call = {FIVE_IN_A_ROW: false_trips.in_a_row(case.error_rate), LAST_100: count_window.per_day}
    return _measure(case, rules, runs, horizon_s, per_call)


def _measure(
    case: Case, rules: Sequence[WindowRule], runs: int, horizon_s: int, by_call: Mapping[str, float] | None
) -> dict[str, Found]:
    trips: dict[str, list[Trip]] = {name: [] for name in (*(rule.name for rule in rules), *(by_call or ()))}
    for number in range(runs):
        for name, trip in _one_run(case, rules, horizon_s, by_call, Random(f"{case.seed} {number}")):
            if trip.after_s <= horizon_s:
                trips[name].append(trip)
    return {
        name: Found(tuple(sorted(trip.after_s for trip in each)), tuple(sorted(trip.calls for trip in each)), runs)
        for name, each in trips.items()
    }


def _one_run(
    case: Case,
    rules: Sequence[WindowRule],
    horizon_s: int,
    by_call: Mapping[str, float] | None,
    random: Random,
) -> Iterator[tuple[str, Trip]]:
    waiting = list(rules)
    traffic = Traffic(random)
    traffic.run(max(rule.windows[-1] for rule in rules), case.calls_per_s, 0)
    start = len(traffic)
    end = start + horizon_s * 1000 // TICK_MS
    by_ticks: list[tuple[int, int]] = []
    chunk = FIRST_CHUNK
    ordered = 0
    while len(traffic) < end and (waiting or ordered < CALLS_IN_ORDER):
        first = len(traffic) + 1
        drawn = traffic.run(min(chunk, end - len(traffic)), case.calls_per_s, case.error_rate)
        chunk = min(4 * chunk, LAST_CHUNK)
        if by_call is None:
            ordered = CALLS_IN_ORDER
        elif ordered < CALLS_IN_ORDER:
            by_ticks.extend(zip(*drawn, strict=True))
            ordered += traffic.calls[-1] - traffic.calls[first - 1]
        for rule in list(waiting):
            tick = rule.first_trip(traffic, first, len(traffic) + 1)
            if tick is not None:
                waiting.remove(rule)
                yield rule.name, Trip((tick - start) * TICK_MS / 1000, traffic.calls[tick] - traffic.calls[start])
    if by_call is not None:
        yield from _call_by_call(case, by_ticks, by_call, Random(random.random()))


def _call_by_call(
    case: Case, by_ticks: Sequence[tuple[int, int]], by_call: Mapping[str, float], random: Random
) -> Iterator[tuple[str, Trip]]:
    waiting: dict[str, CallRule] = {FIVE_IN_A_ROW: InARow(), LAST_100: CountWindow(case.threshold)}
    calls = 0
    for tick, (succeeded, failed) in enumerate(by_ticks):
        if not succeeded + failed:
            continue
        order = [False] * succeeded + [True] * failed
        random.shuffle(order)
        for number, failure in enumerate(order, 1):
            for name in [name for name, rule in waiting.items() if rule.call(failure)]:
                del waiting[name]
                yield name, Trip((tick + number / len(order)) * TICK_MS / 1000, calls + number)
        calls += len(order)
        if not waiting or calls >= CALLS_IN_ORDER:
            break
    for name in waiting:
        if by_call[name] > 0:
            calls += int(random.expovariate(by_call[name]))
            yield name, Trip(calls / case.calls_per_s, calls)


assert CALLS_IN_ORDER > LAST_CALLS
