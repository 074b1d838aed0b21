"""A preview of settings: reads the counts of the past, and has the core run the circuit over them."""

import asyncio
from collections.abc import Iterator
from typing import Any

from tailslide_core.breach import TripReason
from tailslide_core.circuit import Signal, Transition
from tailslide_core.flag_contracts import circuit_settings_json
from tailslide_core.naming import JUDGED_METRICS, RESOLUTIONS
from tailslide_core.preview import KeptCounts, Preview, preview
from tailslide_core.ruleset import CircuitSettings
from tailslide_tower import times
from tailslide_tower.flags import flag as flag_changes
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.models import FlagChange
from tailslide_tower.preview.models import PREVIEW_RANGES, PreviewAsked
from tailslide_tower.timeseries.grid import Grid, source_of
from tailslide_tower.timeseries.series import GraphSeries, Reading, Wanted
from tailslide_tower.timeseries.service import points_json

MAX_TRANSITIONS = 500
"""So many are listed, the last ones; a feature that fails all day moves its circuit a few times a minute."""
SETTLED_MS = 1_000
"""What is younger is left out: sidecars may still be writing it."""
AT_ONCE = 2
"""Previews that are worked out side by side; each takes a thread and up to half a second of the processor."""

Json = dict[str, Any]


class PreviewService:
    """Says what settings would have done; raises `ContractError` on them, and `SeriesUnavailableError`."""

    def __init__(self, series: GraphSeries) -> None:
        self._series = series
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def preview(self, flag: Flag, asked: PreviewAsked) -> Json:
        """Return what the flag's circuit would have done with the settings asked for, as the API shows it."""
        settings = settings_of(flag, asked)
        now_ms = await self._series.now_ms()
        length_ms, bucket_ms = PREVIEW_RANGES[asked.range]
        end_ms = (now_ms - SETTLED_MS) // bucket_ms * bucket_ms
        grid = Grid(end_ms - length_ms, bucket_ms, length_ms // bucket_ms)
        wanted = [Wanted(flag.flag_id, metric) for metric in JUDGED_METRICS]
        reading = await self._series.read(wanted, grid, source_of(grid, RESOLUTIONS, now_ms))
        kept = _kept(reading, wanted)
        async with self._turns:
            found = await asyncio.to_thread(preview, flag.ruleset, settings, kept)
        return {
            "app": flag.flag_id.app,
            "flag": flag.flag_id.flag,
            "points": points_json(reading, now_ms),
            "settings": circuit_settings_json(settings),
            "counted": bool(reading.columns),
            "calls": sum(kept.calls),
            "failures": found.failures,
            **_moves_json(found, end_ms),
            "avoided": {
                "failures": round(found.avoided_failures, 1),
                "successes": round(found.avoided_successes, 1),
                "estimate": True,
            },
            "limits": [
                {"code": code, "message": message}
                for code, message in limits(flag.ruleset.circuit, settings, bucket_ms)
            ],
        }


def settings_of(flag: Flag, asked: PreviewAsked) -> CircuitSettings:
    """Return the settings asked for, over the flag's own as a change of it would have them; raise `ContractError`."""
    given = asked.circuit.model_dump(exclude_unset=True)
    changed = flag_changes.changed(flag, FlagChange.model_validate({"circuit": given}), times.now())
    settings = changed.ruleset.circuit
    assert settings is not None, "a change that gives a circuit makes one"
    return settings


def _kept(reading: Reading, wanted: list[Wanted]) -> KeptCounts:
    grid = reading.grid
    nothing: list[int | None] = [None] * grid.points
    successes, failures, slow = ([each or 0 for each in reading.columns.get(one, nothing)] for one in wanted)
    calls = [good + bad for good, bad in zip(successes, failures, strict=True)]
    return KeptCounts(grid.start_ms, grid.bucket_ms, calls, failures, slow)


def _moves_json(found: Preview, end_ms: int) -> Json:
    listed = found.transitions[-MAX_TRANSITIONS:]
    ends = [*(transition.at_ms for transition in listed[1:]), end_ms]  # one more than there are, where none is
    return {
        "opened": sum(transition.signal is Signal.BREACH for transition in found.transitions),
        "open_ms": found.open_ms,
        "recovering_ms": found.recovering_ms,
        "state": found.circuit.state,
        "transitions": [_transition_json(each, until_ms) for each, until_ms in zip(listed, ends, strict=False)],
        "omitted_transitions": len(found.transitions) - len(listed),
    }


def _transition_json(transition: Transition, until_ms: int) -> Json:
    after = transition.after
    reason = after.reason if transition.signal is Signal.BREACH else None
    return {
        "at_ms": transition.at_ms,
        "signal": transition.signal,
        "state": after.state,
        "percentage": after.percentage,
        "lasted_ms": until_ms - transition.at_ms,
        "reason": None if reason is None else _reason_json(reason),
    }


def _reason_json(reason: TripReason) -> Json:
    return {
        "rule": reason.rule,
        "observed": reason.observed,
        "lower_bound": reason.lower_bound,
        "threshold": reason.threshold,
        "calls": reason.calls,
        "window_ms": reason.window_ms,
    }


def limits(own: CircuitSettings | None, tried: CircuitSettings, bucket_ms: int) -> Iterator[tuple[str, str]]:
    """Yield what a preview of these settings cannot say, as codes and sentences.

    Only sums are kept, of calls that were judged as failed or slow when they were made: under the flag's own settings,
    or, where it has no circuit, under the defaults.
    """
    before = own or CircuitSettings()
    yield (
        "ESTIMATE",
        "The avoided calls are an estimate: they are those that did reach the feature while the simulated circuit "
        "would have kept them out.",
    )
    yield (
        "REAL_CIRCUIT",
        "While the real circuit was open or recovering, fewer calls reached the feature, and the simulated circuit has "
        "no others to judge.",
    )
    if tried.failure_statuses != before.failure_statuses:
        yield (
            "FAILURE_STATUSES",
            "Failures are counted as the flag has them now "
            f"({', '.join(before.failure_statuses.patterns) or 'no status'}); which calls would fail under the "
            "failure_statuses that are tried is not kept.",
        )
    if tried.slow_call_ms != before.slow_call_ms:
        said = "No slow calls are counted" if before.slow_call_ms is None else f"Slow is over {before.slow_call_ms} ms"
        yield (
            "SLOW_CALL_MS",
            f"{said} as the flag is now; which calls would be slow under the slow_call_ms that is tried is not kept.",
        )
    shortest_ms = min(tried.window_ms, tried.recovery.interval_ms if tried.recovery is not None else tried.window_ms)
    if bucket_ms > 250:
        said = f"Counts of more than an hour are kept in sums of {bucket_ms // 1000} s: times are exact to that"
        more = ", and shorter windows and recovery steps last as long" if shortest_ms < 4 * bucket_ms else ""
        yield ("RESOLUTION", f"{said}{more}.")
    if tried.local_guard is not None:
        yield ("LOCAL_GUARD", "What sidecars do by themselves (local_guard) is not simulated.")
    if tried.forced_open:
        yield ("FORCED_OPEN", "The circuit is simulated as if it were not forced open.")
