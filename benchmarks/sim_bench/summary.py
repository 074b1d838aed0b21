"""What the simulation found, as the one object of JSON that every benchmark prints on its last line."""

import math

from sim_bench.detection import Case, Found
from sim_bench.false_trips import FalseTrips
from sim_bench.result import Check, Result, aims
from sim_bench.settings import Verdict

Row = dict[str, object]


def summary(result: Result) -> dict[str, object]:
    """Return the benchmark's name, its rows (each names its `table`) and the figures that the aims are about."""
    return {"benchmark": "circuit_sim", "rows": rows(result), "ratios": ratios(result)}


def rows(result: Result) -> list[Row]:
    return [
        *(
            {"table": "aims", "threshold": aim.threshold, "aim": aim.asked, "seen": aim.seen, "met": aim.met}
            for aim in aims(result)
        ),
        *(_false_row(case, name, value) for case, each in result.false_trips.items() for name, value in each.items()),
        *(_found_row(case, name, value) for case, each in result.found.items() for name, value in each.items()),
        *(_check_row(check) for check in (*result.checks, *result.busy)),
        *(_verdict_row(verdict) for verdict in result.verdicts),
    ]


def ratios(result: Result) -> dict[str, float]:
    """Return the figures of the defaults, those that are numbers: what never trips has none."""
    figures: dict[str, float | None] = {}
    for verdict in result.of_defaults():
        at = f"{verdict.threshold:g}pct"
        figures[f"false_trips_30d_{at}"] = round(verdict.false_trips, 3)
        figures[f"dead_100rps_p99_s_{at}"] = verdict.seconds_at_100[1]
        figures[f"dead_1rps_median_calls_{at}"] = verdict.calls_at_1[0]
        figures[f"dead_1rps_steady_calls_{at}"] = verdict.steady_calls_at_1
        figures[f"dead_1_a_minute_calls_{at}"] = verdict.steady_calls_at_1_a_minute
    return {name: value for name, value in figures.items() if value is not None and math.isfinite(value)}


def _false_row(case: Case, name: str, value: FalseTrips) -> Row:
    return {"table": "false_trips", "rule": name, **_case(case), **_trips(value)}


def _found_row(case: Case, name: str, value: Found) -> Row:
    return {
        "table": "time_to_trip",
        "rule": name,
        **_case(case),
        "share": value.share,
        **{f"p{percent}_s": value.after_s(percent) for percent in (50, 90, 99)},
        **{f"p{percent}_calls": value.after_calls(percent) for percent in (50, 90, 99)},
    }


def _check_row(check: Check) -> Row:
    counted = {f"counted_{name}": value for name, value in _trips(check.counted).items()}
    return {
        "table": "checks",
        "rule": check.bound,
        **_case(check.case),
        **_trips(check.estimated),
        **counted,
        "days": check.days,
    }


def _verdict_row(verdict: Verdict) -> Row:
    return {
        "table": "settings",
        "rule": verdict.chosen.bound,
        "confidence": verdict.chosen.confidence,
        "min_calls": verdict.chosen.min_calls,
        "window_ms": verdict.chosen.window_ms,
        "long_window_ms": verdict.chosen.long_window_ms,
        "threshold": verdict.threshold,
        "false_trips_30d": _finite(verdict.false_trips),
        "worst_calls_per_s": round(verdict.worst_per_s, 4),
        "dead_100rps_s": [_finite(value) for value in verdict.seconds_at_100],
        "dead_1rps_calls": [_finite(value) for value in verdict.calls_at_1],
        "dead_1rps_steady_calls": verdict.steady_calls_at_1,
        "dead_1_a_minute_calls": verdict.steady_calls_at_1_a_minute,
        "meets": verdict.meets,
    }


def _case(case: Case) -> Row:
    return {
        "calls_per_s": round(case.calls_per_s, 6),
        "threshold": case.threshold,
        "error_percent": round(100 * case.error_rate, 6),
    }


def _trips(value: FalseTrips) -> Row:
    return {"per_day": value.per_day, "low": value.low, "high": value.high}


def _finite(value: float) -> float | None:
    """Return None for what is too much to tell, or never: JSON has no infinity."""
    return value if math.isfinite(value) else None
