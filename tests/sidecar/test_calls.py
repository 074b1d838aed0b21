"""What a call to a feature counts as."""

import pytest
from multidict import CIMultiDict

from tailslide_core.circuit import Circuit, State
from tailslide_core.evaluation import Evaluation, Reason
from tailslide_core.outcomes import CallEnd, StatusSet
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_sidecar.calls import Calls, describe
from tailslide_sidecar.evaluation_counts import UNKNOWN_FLAG, EvaluationCounts
from tailslide_sidecar.flag_store import Content, FlagStore
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.routes import FixedAnswer, RequestHead, Source, SourceKind, Switch

SETTINGS = CircuitSettings(failure_statuses=StatusSet.parse(["5xx", 429]), slow_call_ms=100, slow_threshold=50.0)


def samples_of(counts: EvaluationCounts) -> dict[tuple[str, str, str], float]:
    samples = [sample for metric in counts.collect() for sample in metric.samples]
    return {(each.labels["flag"], each.labels["active"], each.labels["reason"]): each.value for each in samples}


class Desk:
    """A store with one flag, and the calls that are counted on it."""

    def __init__(self, settings: CircuitSettings | None = SETTINGS) -> None:
        self.ruleset = Ruleset("clinic", "f", 1, active=True, rollout=100.0, salt="f", circuit=settings)
        self.store = FlagStore("clinic")
        self.put(None)
        self.buffer = OutcomeBuffer()
        self.stale = 0
        self.counts = EvaluationCounts()
        self.calls = Calls(self.store, self.buffer, self.counts, self.count_stale)

    def put(self, circuit: Circuit | None) -> None:
        self.store.restore(Content({"f": self.ruleset}, {} if circuit is None else {"f": circuit}))

    def count_stale(self) -> None:
        self.stale += 1


@pytest.mark.parametrize(
    ("end", "status", "latency_ms", "counted"),
    [
        (CallEnd.ANSWERED, 200, 3.0, {"success", "latency_le_5"}),
        (CallEnd.ANSWERED, 404, 3.0, {"success", "latency_le_5"}),
        (CallEnd.ANSWERED, 429, 3.0, {"failure", "latency_le_5"}),
        (CallEnd.ANSWERED, 200, 101.0, {"success", "slow", "latency_le_200"}),
        (CallEnd.TIMED_OUT, None, 2000.0, {"failure", "slow", "latency_le_2000"}),
        (CallEnd.REFUSED, None, 0.5, {"failure", "latency_le_1"}),
        (CallEnd.BROKEN, None, 100.0, {"failure", "latency_le_100"}),
        (CallEnd.CLIENT_GONE, 500, 3.0, set()),
    ],
)
def test_an_end_is_counted(end: CallEnd, status: int | None, latency_ms: float, counted: set[str]) -> None:
    desk = Desk()
    desk.calls.end(desk.calls.begin("f"), end, status, latency_ms)
    assert desk.buffer.take() == {("f", metric): 1 for metric in counted}


def test_a_flag_without_a_circuit_is_counted_by_the_usual_settings() -> None:
    desk = Desk(None)
    desk.calls.end(desk.calls.begin("f"), CallEnd.ANSWERED, 503, 9000.0)
    assert desk.buffer.take() == {("f", "failure"): 1, ("f", "latency_le_10000"): 1}


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        (None, Circuit(), 0),
        (None, Circuit(State.OPEN, 0.0, trips=1), 1),
        (None, Circuit(State.RECOVERING, 10.0, trips=1), 1),
        (Circuit(State.RECOVERING, 10.0, trips=1), Circuit(State.RECOVERING, 20.0, trips=1), 0),
        (Circuit(State.RECOVERING, 10.0, trips=1), Circuit(State.OPEN, 0.0, trips=2), 1),
        (Circuit(State.RECOVERING, 10.0, trips=1), Circuit(trips=1), 0),
    ],
)
def test_a_call_that_outlives_its_circuit_is_not_counted(before: Circuit | None, after: Circuit, stale: int) -> None:
    desk = Desk()
    desk.put(before)
    call = desk.calls.begin("f")
    desk.put(after)
    desk.calls.end(call, CallEnd.ANSWERED, 500, 1.0)
    assert (desk.stale, bool(desk.buffer.take())) == (stale, not stale)


def test_a_call_of_a_flag_that_is_gone_is_not_counted() -> None:
    desk = Desk()
    call = desk.calls.begin("f")
    desk.store.restore(Content({}, {}))
    desk.calls.end(call, CallEnd.ANSWERED, 500, 1.0)
    assert (desk.stale, desk.buffer.take()) == (0, {})


def test_the_user_of_the_request_decides() -> None:
    switch = Switch("f", FixedAnswer(503), Source(SourceKind.HEADER, "x-user-id"))
    head = RequestHead("GET", "h", "/", "", CIMultiDict({"X-User-Id": "u"}))
    desk = Desk()
    assert desk.calls.decide(switch, head) == Evaluation("f", True, Reason.SPLIT, State.CLOSED, 1)
    assert samples_of(desk.counts) == {("f", "true", "split"): 1}


def test_a_route_to_an_unknown_flag_is_decided_and_counted() -> None:
    desk = Desk()
    switch = Switch("gone", FixedAnswer(503), Source(SourceKind.HEADER, "x-user-id"))
    head = RequestHead("GET", "h", "/", "", CIMultiDict())
    assert desk.calls.decide(switch, head) == Evaluation("gone", False, Reason.FLAG_NOT_FOUND)
    assert samples_of(desk.counts) == {(UNKNOWN_FLAG, "false", "flag_not_found"): 1}


def test_the_header_says_how_it_was_decided() -> None:
    assert describe(Evaluation("f", True, Reason.SPLIT, State.CLOSED, 1)) == (
        "flag=f; active=true; reason=SPLIT; circuit=closed"
    )
    assert describe(Evaluation("f", False, Reason.FLAG_NOT_FOUND)) == "flag=f; active=false; reason=FLAG_NOT_FOUND"
