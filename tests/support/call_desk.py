"""A store with one flag, and the calls to it as they are decided and counted."""

from dataclasses import replace

from proxy_requests import PlainRequest

from tailslide_core.circuit import Circuit
from tailslide_core.outcomes import StatusSet
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_sidecar.calls import Calls, Terms
from tailslide_sidecar.evaluation_counts import EvaluationCounts
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.proxy.routes import FixedAnswer, Switch
from tailslide_sidecar.proxy.sources import Source, SourceKind

USER = Source(SourceKind.HEADER, "x-user-id")
SWITCH = Switch("f", FixedAnswer(503), USER)
REQUEST = PlainRequest(fields=[("x-user-id", "u")])
SETTINGS = CircuitSettings(failure_statuses=StatusSet.parse(["5xx", 429]), slow_call_ms=100, slow_threshold=50.0)


class Desk:
    """A store with one flag, and the calls that are counted on it."""

    def __init__(self, settings: CircuitSettings | None = SETTINGS) -> None:
        self.ruleset = Ruleset("clinic", "f", 1, active=True, rollout=100.0, salt="f", circuit=settings)
        self.store = FlagStore("clinic")
        self.put(None)
        self.buffer = OutcomeBuffer()
        self.stale = 0
        self.counts = EvaluationCounts()
        self.now_s = 0.0
        self.guards = GuardedFlags(self.store, clock=lambda: self.now_s)
        self.outcomes = OutcomeCounts("clinic")
        self.calls = Calls(self.store, self.buffer, self.counts, self.outcomes, self.guards, self.count_stale)

    def put(self, circuit: Circuit | None) -> None:
        self.circuit = circuit
        self.store.restore(Content({"f": self.ruleset}, {} if circuit is None else {"f": circuit}))

    def count_stale(self) -> None:
        self.stale += 1

    def begin(self) -> Terms:
        """Return the terms of a call to the feature, made at half of the rollout too."""
        self.ruleset = replace(self.ruleset, allow=frozenset({"u"}))
        self.put(self.circuit)
        verdict = self.calls.decide(SWITCH, REQUEST)
        assert verdict.active
        assert verdict.terms is not None
        return verdict.terms


def at_fallback(desk: Desk) -> Terms:
    """Return the terms of a call that the flag sends to the fallback."""
    verdict = desk.calls.decide(SWITCH, PlainRequest(fields=[("x-user-id", "nobody")]))
    assert not verdict.active
    assert verdict.terms is not None
    return verdict.terms
