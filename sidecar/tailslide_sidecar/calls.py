"""Which side a flagged call goes to, and what its end means for the feature. No I/O.

Carrying calls out is `proxy`; adding outcomes up is `outcome_buffer`; when calls are kept away from a feature that
cannot be connected to is `local_guard`.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from tailslide_core.circuit import State
from tailslide_core.decisions import Decision, Reason
from tailslide_core.evaluation import decide
from tailslide_core.naming import Metric
from tailslide_core.outcomes import (
    LATENCY_BOUNDS_MS,
    LATENCY_METRICS,
    CallEnd,
    Outcome,
    StatusSet,
    classify,
    failure_cause,
    is_slow,
)
from tailslide_core.ruleset import CircuitSettings
from tailslide_sidecar.evaluation_counts import EvaluationCounts, Tally
from tailslide_sidecar.flag_store import FlagStore, HeldFlag
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.local_guard import Guard, has_failed_to_connect
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts, Target, TargetOutcomes
from tailslide_sidecar.proxy.routes import Request, Switch
from tailslide_sidecar.proxy.sources import context_of
from tailslide_sidecar.readiness import NOT_READY

_DEFAULTS = CircuitSettings()
_ANSWERED = CallEnd.ANSWERED  # a global costs a fifth of a member of an enum
_CALL = object()
_KEPT_AWAY = object()
"""What a held flag keeps its verdicts by, together with the decision."""

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be carried out twice (RFC 9110 §9.2.2), of those that are proxied."""

OUTCOME_HEADER = "x-tailslide"
GUARDED = "; guarded=true; answered_by=fallback"
"""What that header says of a call that was kept away from the feature."""


def describe(flag: str, active: bool, reason: str, circuit: State | None, variant: str) -> str:
    """Return the value of the response header that says how a flagged call was decided.

    `circuit` is None, and `variant` empty, where there is none.
    """
    text = f"flag={flag}; active={'true' if active else 'false'}; reason={reason}"
    if circuit is not None:
        text = f"{text}; circuit={circuit}"
    return f"{text}; variant={variant}" if variant else text


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings that judge a call to a feature or to a fallback, as they were when the call began."""

    flag: str
    held: HeldFlag
    failure_statuses: StatusSet
    slow_call_ms: int | None
    guard: Guard | None
    """That of the stretch of time in which the call began, if the flag has one; never for a fallback's call."""
    counted: TargetOutcomes
    """Where its outcome is counted for people."""

    def fails_with(self, status: int) -> bool:
        """Whether an answer with this status is a failure."""
        return status in self.failure_statuses.codes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which side a call goes to, what its caller sees of that, and how its end is judged."""

    active: bool
    """Whether it goes to the feature."""
    variant: str
    """What the flag gives; empty for an unknown flag."""
    marker: str
    block: bytes
    """The header that says so, as a line that begins with CR LF."""
    tally: Tally
    """Where calls that are decided so are counted."""
    terms: Terms | None
    """None where nothing is counted: for an unknown flag, and for a call that is kept away from the feature."""


class Calls:
    """Decides and counts the calls of flagged routes."""

    def __init__(
        self,
        store: FlagStore,
        buffer: OutcomeBuffer,
        counts: EvaluationCounts,
        outcomes: OutcomeCounts,
        guards: GuardedFlags,
        stale: Callable[[], None],
    ) -> None:
        """`stale` is called for each call that no longer speaks of the feature as it is."""
        self._store = store
        self._counts = counts
        self._outcomes = outcomes
        self._buffer = buffer
        self._guards = guards
        self._stale = stale

    def decide(self, switch: Switch, request: Request, anonymous_key: str | None = None) -> Verdict:
        """Evaluate the flag of a route for the user of a request, and count that.

        `anonymous_key` stands in where the request names no user.
        """
        held = self._store.held(switch.flag)
        if held is None:
            self._counts.unknown += 1
            reason = NOT_READY if self._store.origin is None else Reason.FLAG_NOT_FOUND
            return _verdict(False, "", describe(switch.flag, False, reason, None, ""), Tally(), None)
        key, attributes = context_of(switch, request)
        decision = decide(held.prepared, key or anonymous_key, attributes)
        verdict: Verdict | None = held.answers.get((_CALL, decision))
        if verdict is None:
            verdict = self._verdict(switch.flag, held, decision)
        verdict.tally.count += 1
        return verdict

    def _verdict(self, flag: str, held: HeldFlag, decision: Decision) -> Verdict:
        """Return a verdict that is kept until the flag changes; or, while its guard holds, one for this call."""
        guard = self._guards.guard(flag, held) if decision.active else None
        if guard is not None and guard.struck_at_s is not None:
            self._guards.count_kept_away(flag)
            kept_away: Verdict | None = held.answers.get((_KEPT_AWAY, decision))
            if kept_away is None:
                kept_away = self._made(flag, held, decision, False, None, GUARDED)
                held.answers[_KEPT_AWAY, decision] = kept_away
            return kept_away
        # A flag without a circuit is counted by the usual settings.
        circuit = held.ruleset.circuit or _DEFAULTS
        counted = self._outcomes.of(flag, Target.FEATURE if decision.active else Target.FALLBACK)
        terms = Terms(flag, held, circuit.failure_statuses, circuit.slow_call_ms, guard, counted)
        verdict = held.answers[_CALL, decision] = self._made(flag, held, decision, decision.active, terms)
        return verdict

    def _made(
        self, flag: str, held: HeldFlag, decision: Decision, active: bool, terms: Terms | None, addition: str = ""
    ) -> Verdict:
        state = None if held.effective is None else held.effective.state
        marker = describe(flag, decision.active, decision.reason, state, decision.variant) + addition
        return _verdict(active, decision.variant, marker, self._counts.tally(flag, decision), terms)

    def end(self, terms: Terms, end: CallEnd, status: int | None, latency_ms: float, connected: bool = True) -> None:
        """Count a call to a feature, unless it says nothing about the feature or its circuit has opened since it began.

        `connected` says whether it had a connection when it ended; only the flag's guard asks for that.
        """
        if end is _ANSWERED:
            failed = status in terms.failure_statuses.codes
        else:
            outcome = classify(end, status, terms.failure_statuses)
            if outcome is None:
                return
            failed = outcome is Outcome.FAILURE
        held = self._store.held(terms.flag)
        if held is terms.held or (held is not None and held.is_as(terms.held)):
            if terms.guard is not None:
                self._tell_guard(terms.guard, held, terms.flag, end, connected)
        elif not self._still_speaks(terms):
            return
        buffer, counted = self._buffer, terms.counted
        if failed:
            counted.fail(failure_cause(end, status))
        else:
            counted.successes += 1
        buffer.add_both(
            terms.flag,
            Metric.FAILURE if failed else Metric.SUCCESS,
            LATENCY_METRICS[bisect_left(LATENCY_BOUNDS_MS, latency_ms)],
        )
        if is_slow(latency_ms, terms.slow_call_ms):
            counted.slow += 1
            buffer.add(terms.flag, Metric.SLOW)

    def end_reported(
        self, terms: Terms, end: CallEnd, status: int | None, latency_ms: float, connected: bool = True
    ) -> None:
        """Count a call to a feature, as `end` does, if it was never answered; the application reports the others."""
        if status is None:
            self.end(terms, end, status, latency_ms, connected)
        elif terms.guard is not None and classify(end, status, terms.failure_statuses) is not None:
            held = self._store.held(terms.flag)
            if held is not None and held.is_as(terms.held):
                self._tell_guard(terms.guard, held, terms.flag, end, connected)

    def end_at_fallback(self, terms: Terms, end: CallEnd, status: int | None, latency_ms: float) -> None:
        """Count a call that its flag sent to a fallback, for graphs alone."""
        if end is _ANSWERED:
            failed = status in terms.failure_statuses.codes
        else:
            outcome = classify(end, status, terms.failure_statuses)
            if outcome is None:
                return
            failed = outcome is Outcome.FAILURE
        if self._store.held(terms.flag) is None:
            return
        counted = terms.counted
        if failed:
            counted.fail(failure_cause(end, status))
        else:
            counted.successes += 1
        self._buffer.add(terms.flag, Metric.FALLBACK_FAILURE if failed else Metric.FALLBACK_SUCCESS)
        if is_slow(latency_ms, terms.slow_call_ms):
            counted.slow += 1
            self._buffer.add(terms.flag, Metric.FALLBACK_SLOW)

    def _tell_guard(self, guard: Guard, held: HeldFlag, flag: str, end: CallEnd, connected: bool) -> None:
        if end is _ANSWERED or not has_failed_to_connect(end, connected):
            guard.connected()
        elif self._guards.failed(flag, guard):
            answers = held.answers
            for key in [key for key in answers if key[0] is _CALL]:
                del answers[key]

    def _still_speaks(self, terms: Terms) -> bool:
        """Whether a call says something of the flag's feature although the flag has changed since it began."""
        held = self._store.held(terms.flag)
        if held is None:
            return False
        if held.openings != terms.held.openings or (held.effective is not None and held.effective.state is State.OPEN):
            self._stale()
            return False
        return True


def _verdict(active: bool, variant: str, marker: str, tally: Tally, terms: Terms | None) -> Verdict:
    return Verdict(active, variant, marker, f"\r\n{OUTCOME_HEADER}: {marker}".encode("ascii"), tally, terms)
