"""Which side a flagged call goes to, and what its end means for the feature. No I/O, no clock.

Carrying calls out is `proxy`; adding outcomes up is `outcome_buffer`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tailslide_core.circuit import State
from tailslide_core.evaluation import Evaluation, Reason, decide
from tailslide_core.naming import Metric
from tailslide_core.outcomes import CallEnd, StatusSet, classify, is_slow, latency_metric
from tailslide_core.ruleset import CircuitSettings
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.routes import RequestHead, Switch, context_of

_DEFAULTS = CircuitSettings()

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be carried out twice (RFC 9110 §9.2.2), of those that a proxy sees."""

OUTCOME_HEADER = "x-tailslide"


def describe(evaluation: Evaluation) -> str:
    """Return the value of the response header that says how a flagged call was decided."""
    text = f"flag={evaluation.flag}; active={'true' if evaluation.active else 'false'}; reason={evaluation.reason}"
    return text if evaluation.circuit is None else f"{text}; circuit={evaluation.circuit}"


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a feature, as stamped when it begins."""

    flag: str
    trips: int
    failure_statuses: StatusSet
    slow_call_ms: int | None

    def fails_with(self, status: int) -> bool:
        """Whether an answer with this status is a failure of the feature."""
        return status in self.failure_statuses


class Calls:
    """Decides and counts the calls of flagged routes."""

    def __init__(
        self, store: FlagStore, buffer: OutcomeBuffer, counts: EvaluationCounts, stale: Callable[[], None]
    ) -> None:
        """`stale` is called for each call that no longer speaks of the feature as it is."""
        self._store = store
        self._counts = counts
        self._buffer = buffer
        self._stale = stale

    def decide(self, switch: Switch, head: RequestHead) -> Evaluation:
        """Evaluate the flag of a route for the user of a request, and count that."""
        held = self._store.held(switch.flag)
        if held is None:
            self._counts.unknown += 1
            return Evaluation(switch.flag, active=False, reason=Reason.FLAG_NOT_FOUND)
        context = context_of(switch, head)
        decision = decide(held.ruleset, held.effective, context.targeting_key, context.attributes)
        self._counts.add(switch.flag, decision)
        state = None if held.effective is None else held.effective.state
        return Evaluation(switch.flag, decision.active, decision.reason, state, held.ruleset.version)

    def begin(self, flag: str) -> Call:
        """Stamp a call to the feature of a known flag. A flag without a circuit is counted by the usual settings."""
        ruleset = self._store.ruleset(flag)
        circuit = _DEFAULTS if ruleset is None or ruleset.circuit is None else ruleset.circuit
        return Call(flag, self._store.trips(flag), circuit.failure_statuses, circuit.slow_call_ms)

    def end(self, call: Call, end: CallEnd, status: int | None, latency_ms: float) -> None:
        """Count a call; not when it says nothing of the feature, nor when its circuit has opened since it began."""
        outcome = classify(end, status, call.failure_statuses)
        if outcome is None or self._store.ruleset(call.flag) is None:
            return
        effective = self._store.effective(call.flag)
        if self._store.trips(call.flag) != call.trips or (effective is not None and effective.state is State.OPEN):
            self._stale()
            return
        self._buffer.add(call.flag, outcome.value)
        self._buffer.add(call.flag, latency_metric(latency_ms))
        if is_slow(latency_ms, call.slow_call_ms):
            self._buffer.add(call.flag, Metric.SLOW)
