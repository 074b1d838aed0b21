"""Outcomes that thin clients report of calls that the proxy cannot see: read, judged, counted. No I/O.

`{"outcome": "success" | "failure", "latency_ms": 12.5, "count": 1}`, or a list of up to a thousand of them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tailslide_core.circuit import State
from tailslide_core.fields import shown
from tailslide_core.naming import Metric
from tailslide_core.outcomes import Outcome, is_slow, latency_metric
from tailslide_runtime.http import ApiError
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.outcome_buffer import OutcomeBuffer

MAX_REPORTS = 1_000
MAX_COUNT = 1_000_000
_FIELDS = frozenset({"outcome", "latency_ms", "count"})


@dataclass(frozen=True, slots=True)
class Report:
    """`count` calls that ended alike; `latency_ms` is None when it is not known."""

    outcome: Outcome
    latency_ms: float | None
    count: int


class Reports:
    """Takes reports and adds them up with the proxy's own counts."""

    def __init__(self, store: FlagStore, buffer: OutcomeBuffer, stale: Callable[[int], None]) -> None:
        """`stale` is told of how many calls reports came while the circuit was open; they count for nothing."""
        self._store = store
        self._buffer = buffer
        self._stale = stale

    def take(self, flag: str, body: object) -> int:
        """Count what a client has reported and return of how many calls; all of it or, with an error, nothing."""
        held = self._store.held(flag)
        if held is None:
            raise ApiError(404, "FLAG_NOT_FOUND", f"the app {self._store.app} has no flag {flag}", "key")
        reports = read_reports(body)
        calls = sum(report.count for report in reports)
        if held.effective is not None and held.effective.state is State.OPEN:
            # As for the proxy's calls: what began before the circuit opened says nothing of what comes after.
            self._stale(calls)
            return calls
        slow_call_ms = None if held.ruleset.circuit is None else held.ruleset.circuit.slow_call_ms
        for report in reports:
            self._buffer.add(flag, report.outcome.value, report.count)
            if report.latency_ms is not None:
                self._buffer.add(flag, latency_metric(report.latency_ms), report.count)
                if is_slow(report.latency_ms, slow_call_ms):
                    self._buffer.add(flag, Metric.SLOW, report.count)
        return calls


def read_reports(body: object) -> list[Report]:
    """Read one report or a list of them; raise `ApiError` that names the field."""
    if not isinstance(body, list):
        return [_report(body, "")]
    if not 0 < len(body) <= MAX_REPORTS:
        raise _invalid(f"expected 1 to {MAX_REPORTS} outcomes, got {len(body)}", "body")
    return [_report(item, f"[{index}]") for index, item in enumerate(body)]


def _report(item: object, path: str) -> Report:
    if not isinstance(item, dict):
        raise _invalid("expected an object with outcome, latency_ms and count", path or "body")
    prefix = f"{path}." if path else ""
    for name in item:
        if name not in _FIELDS:
            raise _invalid("unknown field", f"{prefix}{name}")
    outcome, latency_ms, count = item.get("outcome"), item.get("latency_ms"), item.get("count", 1)
    if outcome not in tuple(Outcome):
        raise _invalid(f"expected success or failure, got {shown(outcome, 40)}", f"{prefix}outcome")
    if latency_ms is not None and not _is_latency(latency_ms):
        raise ApiError(
            400, "INVALID", f"expected milliseconds, at least 0, got {shown(latency_ms, 40)}", f"{prefix}latency_ms"
        )
    if isinstance(count, bool) or not isinstance(count, int) or not 0 < count <= MAX_COUNT:
        raise ApiError(
            400, "INVALID", f"expected an integer from 1 to {MAX_COUNT}, got {shown(count, 40)}", f"{prefix}count"
        )
    return Report(Outcome(outcome), None if latency_ms is None else float(latency_ms), count)


def _invalid(problem: str, field: str) -> ApiError:
    return ApiError(400, "INVALID", problem, field)


def _is_latency(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
