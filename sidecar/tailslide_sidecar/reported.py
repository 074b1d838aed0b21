"""Outcomes that thin clients report of calls that the proxy cannot see: read, judged, counted. No I/O.

`{"outcome": "success" | "failure", "latency_ms": 12.5, "count": 1, "began_ms": 1795363190302}`, or a list of up to a
thousand of them; all but the outcome may be left out.
Whoever may report decides about circuits, so reports can be turned off, and are limited for each flag
(`docs/decisions/0016-what-reports-may-do.md`).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from tailslide_core.circuit import State
from tailslide_core.fields import MAX_INTEGER, is_integer, shown
from tailslide_core.naming import Metric
from tailslide_core.outcomes import Outcome, is_slow, latency_metric
from tailslide_runtime.http import ApiError
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts, Target
from tailslide_sidecar.readiness import NOT_READY, NOTHING_LOADED
from tailslide_sidecar.report_allowance import Allowance

MAX_REPORTS = 1_000
MAX_BYTES = 131_072
"""Of all reports of one request: twice what the longest ones take."""
MAX_COUNT = 1_000_000
DEFAULT_CALLS_PER_S = 10_000
"""About as many calls as one sidecar's proxy carries: what an application does itself is hardly more."""
TELL_EVERY_S = 60.0
AHEAD_MS = 60_000
"""How far ahead of this machine's clock calls may have begun."""
log = structlog.get_logger()
_FIELDS = frozenset({"outcome", "latency_ms", "count", "began_ms"})


@dataclass(frozen=True, slots=True)
class Report:
    """`count` calls that ended alike.

    `latency_ms` is None when it is not known; so is `began_ms`, the Unix time at which the first of them began.
    """

    outcome: Outcome
    latency_ms: float | None
    count: int
    began_ms: int | None = None


class TooManyReportsError(ApiError):
    """More calls than clients may report of a flag; they can be reported in `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(429, "TOO_MANY_REPORTS", message, "body")
        self.retry_after_s = retry_after_s


class Reports:
    """Takes reports and adds them up with the proxy's own counts."""

    def __init__(
        self,
        store: FlagStore,
        buffer: OutcomeBuffer,
        outcomes: OutcomeCounts,
        stale: Callable[[int], None],
        *,
        accepts: bool = True,
        calls_per_s: int = DEFAULT_CALLS_PER_S,
        refused: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`stale` gets the number of reported calls that are ignored because their circuit has opened since they began.

        `accepts` says whether there may be any reports, `calls_per_s` of how many calls for each flag; `refused` is
        told of how many calls reports came beyond that. `clock` gives seconds and never goes back, `wall_clock` Unix
        time in seconds.
        """
        self._store = store
        self._buffer = buffer
        self._outcomes = outcomes
        self._stale = stale
        self._accepts = accepts
        self._allowance = Allowance(calls_per_s)
        self._refused = refused
        self._clock = clock
        self._wall_clock = wall_clock
        self._told_at_s = -math.inf
        self._untold = 0

    def require_accepted(self) -> None:
        """Raise `ApiError` where reports are turned off."""
        if not self._accepts:
            raise ApiError(403, "REPORTS_OFF", "this sidecar takes no reports of outcomes (reported_outcomes is false)")

    def take(self, flag: str, body: object) -> int:
        """Count what a client has reported and return of how many calls; all of it or, with an error, nothing."""
        self.require_accepted()
        held = self._store.held(flag)
        if held is None and self._store.origin is None:
            raise ApiError(503, NOT_READY, NOTHING_LOADED)
        if held is None:
            raise ApiError(404, "FLAG_NOT_FOUND", f"the app {self._store.app} has no flag {flag}", "key")
        reports = read_reports(body, round(self._wall_clock() * 1000))
        calls = sum(report.count for report in reports)
        self._allow(flag, calls)
        if held.effective is not None and held.effective.state is State.OPEN:
            # As for the proxy's calls: what began before the circuit opened says nothing of what comes after.
            self._stale(calls)
            return calls
        slow_call_ms = None if held.ruleset.circuit is None else held.ruleset.circuit.slow_call_ms
        counted = self._outcomes.of(flag, Target.FEATURE)
        for report in reports:
            if report.began_ms is not None and held.opened_ms is not None and report.began_ms < held.opened_ms:
                self._stale(report.count)
                continue
            counted.report(report.outcome, report.count)
            self._buffer.add(flag, report.outcome.value, report.count)
            if report.latency_ms is not None:
                self._buffer.add(flag, latency_metric(report.latency_ms), report.count)
                if is_slow(report.latency_ms, slow_call_ms):
                    counted.slow += report.count
                    self._buffer.add(flag, Metric.SLOW, report.count)
        return calls

    def _allow(self, flag: str, calls: int) -> None:
        allowance, now_s = self._allowance, self._clock()
        if calls > allowance.most:
            raise _invalid(f"expected outcomes of at most {allowance.most} calls in one request, got {calls}", "body")
        wait_s = allowance.take(flag, calls, now_s)
        if not wait_s:
            return
        self._refused(calls)
        self._untold += calls
        if now_s - self._told_at_s >= TELL_EVERY_S:
            log.warning(
                "reports_refused", flag=flag, refused_calls=self._untold, reported_calls_per_s=allowance.calls_per_s
            )
            self._told_at_s, self._untold = now_s, 0
        limit = f"{allowance.calls_per_s} calls a second for each flag, {allowance.most} at once"
        raise TooManyReportsError(f"expected outcomes of at most {limit}; nothing of this was counted", wait_s)


def read_reports(body: object, now_ms: int) -> list[Report]:
    """Read one report or a list of them, at `now_ms` in Unix time; raise `ApiError` that names the field."""
    if not isinstance(body, list):
        return [_report(body, "", now_ms)]
    if not 0 < len(body) <= MAX_REPORTS:
        raise _invalid(f"expected 1 to {MAX_REPORTS} outcomes, got {len(body)}", "body")
    return [_report(item, f"[{index}]", now_ms) for index, item in enumerate(body)]


def _report(item: object, path: str, now_ms: int) -> Report:
    if not isinstance(item, dict):
        raise _invalid("expected an object with outcome, latency_ms, count and began_ms", path or "body")
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
    began_ms = item.get("began_ms")
    if began_ms is not None:
        _check_beginning(began_ms, f"{prefix}began_ms", now_ms)
    return Report(Outcome(outcome), None if latency_ms is None else float(latency_ms), count, began_ms)


def _check_beginning(began_ms: object, field: str, now_ms: int) -> None:
    if not isinstance(began_ms, int) or not is_integer(began_ms, 0, MAX_INTEGER):
        raise _invalid(f"expected Unix time in milliseconds, an integer, got {shown(began_ms, 40)}", field)
    if began_ms > now_ms + AHEAD_MS:
        raise _invalid(f"expected a time at most {AHEAD_MS} ms ahead of this machine's clock, got {began_ms}", field)


def _invalid(problem: str, field: str) -> ApiError:
    return ApiError(400, "INVALID", problem, field)


def _is_latency(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
