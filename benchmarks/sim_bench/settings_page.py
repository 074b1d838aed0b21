"""The measured tables of `docs/circuit/settings.md`: the page is written by people, these parts of it are not.

Each stands between `<!-- measured: name -->` and `<!-- end -->`, and is replaced as a whole.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from sim_bench.detection import Case, Found
from sim_bench.false_trips import FalseTrips
from sim_bench.result import Result, number, per_s
from sim_bench.settings import DEFAULT, Bound

CALLS = (10, 20, 30, 100, 1_000, 10_000)
THRESHOLDS = (5.0, 10.0, 20.0, 50.0, 80.0, 99.0)
_BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str, result: Result) -> str:
    """Return the page with every table as it was measured now; raise `ValueError` unless each has its place."""
    tables: dict[str, Callable[[], Sequence[str]]] = {
        "fewest": fewest,
        "dead": lambda: _dead(result),
        "mild": lambda: _mild(result),
        "false": lambda: _false(result),
    }
    named = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(named) != sorted(tables):
        raise ValueError(
            f"docs/circuit/settings.md: expected a place for each of {sorted(tables)}, got {sorted(named)}"
        )
    return _BLOCK.sub(lambda match: match[1] + "\n".join([*tables[match[2]](), ""]) + match[3], text)


def table_of(text: str, name: str) -> list[str]:
    """Return the lines of a table as the page has it; `KeyError` when it has none of that name."""
    tables = {match[2]: match[0].splitlines()[1:-1] for match in _BLOCK.finditer(text)}
    return tables[name]


def fewest() -> list[str]:
    """Return how many failures of how many calls trip, by the core with its defaults."""
    lines = _head(["threshold", *(f"of {calls:,}" for calls in CALLS), "all of them failed"])
    for threshold in THRESHOLDS:
        least = DEFAULT.rule(threshold, Bound.OURS).least
        cells = [f"{least[calls]:,}" if least[calls] <= calls else "-" for calls in CALLS]
        in_a_row = next(calls for calls in range(1, 1_000) if least[calls] <= calls)
        lines.append(_row([f"{threshold:g} %", *cells, f"{in_a_row} calls"]))
    return lines


def _dead(result: Result) -> list[str]:
    thresholds = sorted(result.thresholds)
    lines = _head(["calls", *(f"threshold {threshold:g} %" for threshold in thresholds)])
    for volume in result.volumes:
        dead = (result.found[Case(volume, threshold, 1.0)][Bound.OURS] for threshold in thresholds)
        lines.append(_row([per_s(volume), *(_times(found, (50, 99)) for found in dead)]))
    return lines


def _mild(result: Result) -> list[str]:
    lines = _head(["threshold", "true rate", *(per_s(volume) for volume in result.volumes)])
    for threshold, error_rate in _cases(result.found):
        if threshold / 100 < error_rate < 1:
            found = (result.found[Case(volume, threshold, error_rate)][Bound.OURS] for volume in result.volumes)
            cells = [_times(each, (50, 90)) for each in found]
            lines.append(_row([f"{threshold:g} %", f"{100 * error_rate:.3g} %", *cells]))
    return lines


def _false(result: Result) -> list[str]:
    lines = _head(["threshold", "true rate", *(per_s(volume) for volume in result.volumes)])
    for threshold, error_rate in _cases(result.false_trips):
        trips = (result.false_trips[Case(volume, threshold, error_rate)][Bound.OURS] for volume in result.volumes)
        lines.append(_row([f"{threshold:g} %", f"{100 * error_rate:.3g} %", *map(_in_30_days, trips)]))
    return lines


def _in_30_days(trips: FalseTrips) -> str:
    return number(30 * trips.per_day) if trips.per_day or not trips.high else f"< {number(30 * trips.high)}"


def _cases(cases: Iterable[Case]) -> list[tuple[float, float]]:
    """Return the thresholds and true rates that were looked at."""
    return sorted({(case.threshold, case.error_rate) for case in cases})


def _times(found: Found, percents: Sequence[float]) -> str:
    """Return within what so many percent of the runs tripped; how many did, where that is fewer."""
    times = [found.after_s(percent) for percent in percents]
    if times[0] is None:
        return f"{100 * found.share:.0f} % in 1 h" if found.seconds else "-"
    return ", ".join("-" if time is None else duration(time) for time in times)


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|" + "---|" * len(cells)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
