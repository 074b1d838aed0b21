"""Which side a call goes to, what its caller sees of that, and what its end counts as."""

from dataclasses import replace
from unittest.mock import ANY

import pytest
from call_desk import REQUEST, SETTINGS, SWITCH, USER, Desk, at_fallback
from proxy_requests import PlainRequest

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.decisions import Reason
from tailslide_core.flag_contracts import encode_segment
from tailslide_core.naming import RULESETS_BUCKET
from tailslide_core.outcomes import CallEnd
from tailslide_core.ruleset import CircuitSettings, LocalGuard, Rule
from tailslide_core.segment import Segment
from tailslide_runtime.bucket_watch import Entry
from tailslide_sidecar.calls import Calls, Terms, Verdict, describe
from tailslide_sidecar.evaluation_counts import UNKNOWN_FLAG, EvaluationCounts
from tailslide_sidecar.flag_store import FlagStore
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.outcome_counts import OutcomeCounts
from tailslide_sidecar.proxy.routes import FixedAnswer, Switch


def samples_of(counts: EvaluationCounts) -> dict[tuple[str, str, str], float]:
    samples = [sample for metric in counts.collect() for sample in metric.samples]
    return {(each.labels["flag"], each.labels["active"], each.labels["reason"]): each.value for each in samples}


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
    desk.calls.end(desk.begin(), end, status, latency_ms)
    assert desk.buffer.take() == {("f", metric): 1 for metric in counted}


@pytest.mark.parametrize(
    ("end", "status", "latency_ms", "counted"),
    [
        (CallEnd.ANSWERED, 200, 101.0, set()),
        (CallEnd.ANSWERED, 500, 3.0, set()),
        (CallEnd.UPGRADED, 101, 3.0, set()),
        (CallEnd.CUT_OFF, 200, 3.0, set()),
        (CallEnd.TIMED_OUT, 200, 3.0, set()),
        (CallEnd.TIMED_OUT, None, 2000.0, {"failure", "slow", "latency_le_2000"}),
        (CallEnd.REFUSED, None, 0.5, {"failure", "latency_le_1"}),
        (CallEnd.BROKEN, None, 100.0, {"failure", "latency_le_100"}),
        (CallEnd.NO_CAPACITY, None, 0.5, set()),
        (CallEnd.CLIENT_GONE, None, 3.0, set()),
        (CallEnd.CLIENT_GONE, 200, 3.0, set()),
    ],
)
def test_of_a_reported_call_only_a_missing_answer_is_counted(
    end: CallEnd, status: int | None, latency_ms: float, counted: set[str]
) -> None:
    desk = Desk()
    desk.calls.end_reported(desk.begin(), end, status, latency_ms)
    assert desk.buffer.take() == {("f", metric): 1 for metric in counted}


def test_a_reported_call_that_outlives_its_circuit_is_not_counted() -> None:
    desk = Desk()
    call = desk.begin()
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    desk.calls.end_reported(call, CallEnd.REFUSED, None, 1.0)
    desk.calls.end_reported(call, CallEnd.ANSWERED, 500, 1.0)
    assert (desk.stale, desk.buffer.take()) == (1, {})


@pytest.mark.parametrize(
    ("end", "status", "latency_ms", "counted"),
    [
        (CallEnd.ANSWERED, 200, 3.0, {"fallback_success"}),
        (CallEnd.ANSWERED, 429, 3.0, {"fallback_failure"}),
        (CallEnd.ANSWERED, 200, 101.0, {"fallback_success", "fallback_slow"}),
        (CallEnd.TIMED_OUT, None, 2000.0, {"fallback_failure", "fallback_slow"}),
        (CallEnd.REFUSED, None, 0.5, {"fallback_failure"}),
        (CallEnd.UPGRADED, 101, 3.0, {"fallback_success"}),
        (CallEnd.NO_CAPACITY, None, 0.5, set()),
        (CallEnd.CLIENT_GONE, 500, 3.0, set()),
    ],
)
def test_a_call_to_the_fallback_is_counted_by_itself(
    end: CallEnd, status: int | None, latency_ms: float, counted: set[str]
) -> None:
    desk = Desk()
    desk.ruleset = replace(desk.ruleset, rollout=0.0)
    desk.put(None)
    desk.calls.end_at_fallback(at_fallback(desk), end, status, latency_ms)
    assert desk.buffer.take() == {("f", metric): 1 for metric in counted}


def test_calls_to_the_fallback_are_counted_whatever_the_circuit_does() -> None:
    desk = Desk(None)
    desk.ruleset = replace(desk.ruleset, active=False)
    desk.put(None)
    call = at_fallback(desk)
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    desk.calls.end_at_fallback(call, CallEnd.ANSWERED, 500, 9000.0)
    assert (desk.stale, desk.buffer.take()) == (0, {("f", "fallback_failure"): 1})
    desk.store.apply(RULESETS_BUCKET, Entry("clinic.f", None, 2))
    desk.calls.end_at_fallback(call, CallEnd.ANSWERED, 500, 1.0)
    assert desk.buffer.take() == {}


def test_a_flag_without_a_circuit_is_counted_by_the_usual_settings() -> None:
    desk = Desk(None)
    desk.calls.end(desk.begin(), CallEnd.ANSWERED, 503, 9000.0)
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
    call = desk.begin()
    desk.put(after)
    desk.calls.end(call, CallEnd.ANSWERED, 500, 1.0)
    assert (desk.stale, bool(desk.buffer.take())) == (stale, not stale)


def test_a_call_from_before_a_trip_is_not_counted_after_a_reset_either() -> None:
    """A reset takes `trips` back to what it was when the call began."""
    desk = Desk()
    call = desk.begin()
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    desk.put(Circuit(reset_generation=1))
    desk.calls.end(call, CallEnd.TIMED_OUT, None, 30_000.0)
    assert (desk.stale, desk.buffer.take()) == (1, {})


def test_a_call_of_a_flag_that_is_gone_is_not_counted() -> None:
    desk = Desk()
    call = desk.begin()
    desk.store.apply(RULESETS_BUCKET, Entry("clinic.f", None, 2))
    assert desk.store.held("f") is None
    desk.calls.end(call, CallEnd.ANSWERED, 500, 1.0)
    assert (desk.stale, desk.buffer.take()) == (0, {})


def test_the_user_of_the_request_decides() -> None:
    desk = Desk()
    desk.ruleset = replace(desk.ruleset, rollout=0.0, allow=frozenset({"u"}))
    desk.put(None)
    for _ in range(2):  # verdicts are kept
        verdict = desk.calls.decide(SWITCH, REQUEST)
        assert (verdict.active, verdict.terms is not None) == (True, True)
        assert verdict.marker == "flag=f; active=true; reason=TARGETING_MATCH; circuit=closed; variant=on"
        assert verdict.block == b"\r\nx-tailslide: " + verdict.marker.encode()
        other = desk.calls.decide(SWITCH, PlainRequest(fields=[("x-user-id", "v")]))
        assert (other.active, other.variant) == (False, "off")
        assert other.marker == "flag=f; active=false; reason=STATIC; circuit=closed; variant=off"
    assert samples_of(desk.counts) == {("f", "true", "targeting_match"): 2, ("f", "false", "static"): 2}


def test_a_key_stands_in_for_who_names_none() -> None:
    desk = Desk()
    desk.ruleset = replace(desk.ruleset, rollout=0.0, allow=frozenset({"anyone"}))
    desk.put(None)
    assert desk.calls.decide(SWITCH, PlainRequest(), "anyone").active
    assert not desk.calls.decide(SWITCH, PlainRequest(), "another").active
    assert not desk.calls.decide(SWITCH, REQUEST, "anyone").active
    assert not desk.calls.decide(SWITCH, PlainRequest()).active
    desk.ruleset = replace(desk.ruleset, rollout=50.0)
    desk.put(None)
    assert "reason=TARGETING_KEY_MISSING" in desk.calls.decide(SWITCH, PlainRequest()).marker


def test_verdicts_change_with_the_circuit() -> None:
    desk = Desk()
    assert desk.calls.decide(SWITCH, REQUEST).active
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    verdict = desk.calls.decide(SWITCH, REQUEST)
    assert verdict.marker == "flag=f; active=false; reason=CIRCUIT_OPEN; circuit=open; variant=off"
    assert not verdict.active


def test_the_terms_say_which_statuses_fail() -> None:
    terms = Desk().begin()
    assert [status for status in (200, 404, 429, 500, 599) if terms.fails_with(status)] == [429, 500, 599]


def test_a_route_to_an_unknown_flag_is_decided_and_counted() -> None:
    desk = Desk()
    verdict = desk.calls.decide(Switch("gone", FixedAnswer(503), USER), PlainRequest())
    assert (verdict.active, verdict.variant, verdict.terms) == (False, "", None)
    assert verdict.marker == "flag=gone; active=false; reason=FLAG_NOT_FOUND"
    assert samples_of(desk.counts) == {(UNKNOWN_FLAG, "false", "flag_not_found"): 1}


def test_before_anything_is_loaded_the_header_says_so() -> None:
    store = FlagStore("clinic")
    calls = Calls(
        store, OutcomeBuffer(), EvaluationCounts(), OutcomeCounts("clinic"), GuardedFlags(store), lambda: None
    )
    verdict = calls.decide(Switch("f", FixedAnswer(503), USER), PlainRequest())
    assert (verdict.active, verdict.marker) == (False, "flag=f; active=false; reason=NOT_READY")


def test_the_header_says_how_it_was_decided() -> None:
    said = describe("f", True, Reason.SPLIT, State.CLOSED, "blue")
    assert said == "flag=f; active=true; reason=SPLIT; circuit=closed; variant=blue"
    assert describe("f", False, Reason.DISABLED, None, "off") == "flag=f; active=false; reason=DISABLED; variant=off"
    assert describe("f", False, Reason.FLAG_NOT_FOUND, None, "") == "flag=f; active=false; reason=FLAG_NOT_FOUND"


GUARDED = replace(SETTINGS, local_guard=LocalGuard(consecutive_failures=2, max_ms=1_000))
KEPT_AWAY = "; guarded=true; answered_by=fallback"


class GuardDesk(Desk):
    """A desk whose flag has a guard, which strikes at the second failure in a row."""

    def __init__(self, settings: CircuitSettings = GUARDED) -> None:
        super().__init__(settings)

    def decides(self, user: str = "u") -> Verdict:
        return self.calls.decide(SWITCH, PlainRequest(fields=[("x-user-id", user)]))

    def ends(self, end: CallEnd, status: int | None = None, *, terms: Terms | None = None, connected: bool) -> None:
        terms = terms or self.decides().terms
        assert terms is not None
        self.calls.end(terms, end, status, 1.0, connected)

    def refused(self, times: int) -> None:
        for _ in range(times):
            self.ends(CallEnd.REFUSED, connected=False)


def test_after_so_many_failures_to_connect_the_fallback_gets_the_calls() -> None:
    desk = GuardDesk()
    desk.refused(1)
    assert desk.decides().active
    desk.refused(1)
    for _ in range(3):
        verdict = desk.decides()
        assert (verdict.active, verdict.terms) == (False, None)
        assert verdict.marker == "flag=f; active=true; reason=STATIC; circuit=closed; variant=on" + KEPT_AWAY
        assert verdict.block == b"\r\nx-tailslide: " + verdict.marker.encode()
    assert desk.guards.report("f") == {
        "active": True,
        "since_ms": ANY,
        "remaining_ms": 1_000,
        "strikes": 1,
        "kept_away": 3,
    }
    # The two that were tried, and no outcome of those that were not.
    assert desk.buffer.take() == {("f", "failure"): 2, ("f", "latency_le_1"): 2}
    assert samples_of(desk.counts) == {("f", "true", "static"): 6}


def test_users_of_the_allow_list_are_kept_away_as_well() -> None:
    desk = GuardDesk()
    desk.ruleset = replace(desk.ruleset, allow=frozenset({"u"}), rollout=50.0)
    desk.put(None)
    desk.refused(2)
    assert (
        desk.decides().marker == "flag=f; active=true; reason=TARGETING_MATCH; circuit=closed; variant=on" + KEPT_AWAY
    )


def test_who_is_not_let_in_is_not_kept_away() -> None:
    desk = GuardDesk()
    desk.ruleset = replace(desk.ruleset, allow=frozenset({"u"}), rollout=0.0)
    desk.put(None)
    desk.refused(2)
    assert desk.decides("v").marker == "flag=f; active=false; reason=STATIC; circuit=closed; variant=off"
    report = desk.guards.report("f")
    assert report is not None
    assert report["kept_away"] == 0


def test_once_it_is_over_the_feature_is_called_again() -> None:
    desk = GuardDesk()
    desk.refused(2)
    desk.now_s = 0.999
    assert not desk.decides().active
    desk.now_s = 1.0
    for _ in range(2):
        verdict = desk.decides()
        assert (verdict.active, KEPT_AWAY in verdict.marker) == (True, False)
    desk.refused(1)
    assert desk.decides().active
    desk.refused(1)
    assert not desk.decides().active


def test_a_circuit_that_arrives_has_the_last_word() -> None:
    desk = GuardDesk()
    desk.refused(2)
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    assert desk.decides().marker == "flag=f; active=false; reason=CIRCUIT_OPEN; circuit=open; variant=off"
    desk.put(Circuit(trips=1))
    assert desk.decides().active


@pytest.mark.parametrize(
    ("end", "status", "connected", "strikes"),
    [
        (CallEnd.REFUSED, None, False, True),
        (CallEnd.BROKEN, None, True, True),
        (CallEnd.TIMED_OUT, None, False, True),
        (CallEnd.TIMED_OUT, None, True, False),
        (CallEnd.TIMED_OUT, 200, True, False),
        (CallEnd.CUT_OFF, 200, True, False),
        (CallEnd.ANSWERED, 500, True, False),
        (CallEnd.ANSWERED, 200, True, False),
        (CallEnd.UPGRADED, 101, True, False),
        (CallEnd.NO_CAPACITY, None, False, False),
        (CallEnd.CLIENT_GONE, None, False, False),
    ],
)
def test_only_connections_that_fail_make_it_strike(
    end: CallEnd, status: int | None, connected: bool, strikes: bool
) -> None:
    desk = GuardDesk()
    for _ in range(2):
        desk.ends(end, status, connected=connected)
    assert desk.decides().active != strikes


@pytest.mark.parametrize(
    ("between", "status", "breaks_the_row"),
    [
        (CallEnd.ANSWERED, 200, True),
        (CallEnd.ANSWERED, 500, True),
        (CallEnd.UPGRADED, 101, True),
        (CallEnd.TIMED_OUT, None, True),
        (CallEnd.CUT_OFF, 200, True),
        (CallEnd.NO_CAPACITY, None, False),
        (CallEnd.CLIENT_GONE, None, False),
    ],
)
def test_what_breaks_a_row_and_what_says_nothing(between: CallEnd, status: int | None, breaks_the_row: bool) -> None:
    desk = GuardDesk()
    desk.refused(1)
    desk.ends(between, status, connected=True)
    desk.refused(1)
    assert desk.decides().active == breaks_the_row


def test_the_guard_hears_of_reported_calls_too() -> None:
    desk = GuardDesk()
    call = desk.decides().terms
    assert call is not None
    desk.calls.end_reported(call, CallEnd.REFUSED, None, 1.0, False)
    desk.calls.end_reported(call, CallEnd.ANSWERED, 500, 1.0)
    desk.calls.end_reported(call, CallEnd.REFUSED, None, 1.0, False)
    desk.calls.end_reported(call, CallEnd.CLIENT_GONE, 200, 1.0)
    assert desk.decides().active
    desk.calls.end_reported(call, CallEnd.REFUSED, None, 1.0, False)
    assert not desk.decides().active


def test_calls_of_before_say_nothing_to_the_guard_of_now() -> None:
    desk = GuardDesk()
    under_way = desk.decides().terms
    desk.refused(2)
    desk.now_s = 1.0
    assert desk.decides().active
    for _ in range(3):
        desk.ends(CallEnd.REFUSED, terms=under_way, connected=False)
    assert desk.decides().active
    desk.refused(1)
    desk.ends(CallEnd.ANSWERED, 200, terms=under_way, connected=True)
    desk.refused(1)
    assert not desk.decides().active


def test_calls_that_outlive_their_ruleset_say_nothing_to_the_guard() -> None:
    desk = GuardDesk()
    under_way = desk.decides().terms
    desk.ruleset = replace(desk.ruleset, version=2)
    desk.put(None)
    for _ in range(3):
        desk.ends(CallEnd.REFUSED, terms=under_way, connected=False)
    assert desk.decides().active
    assert desk.buffer.take() == {("f", "failure"): 3, ("f", "latency_le_1"): 3}


def test_answers_that_are_worked_out_anew_change_nothing_of_a_guard() -> None:
    desk = GuardDesk()
    desk.refused(1)
    desk.store.forget_answers()
    desk.refused(1)
    assert not desk.decides().active
    desk.store.forget_answers()
    assert not desk.decides().active


def test_without_a_guard_nothing_is_kept_away() -> None:
    desk = GuardDesk(SETTINGS)
    desk.refused(50)
    assert desk.decides().active
    assert desk.guards.report("f") is None


def test_a_guard_hears_of_a_call_during_which_a_segment_has_changed() -> None:
    desk = Desk(replace(SETTINGS, local_guard=LocalGuard(consecutive_failures=1)))
    rule = Rule((Condition("targetingKey", Operator.IN_SEGMENT, ("vip",)),))
    desk.ruleset = replace(desk.ruleset, rules=(rule,))
    terms = desk.begin()
    segment = Segment("clinic", "vip", 1, frozenset({"u"}))
    desk.store.apply(RULESETS_BUCKET, Entry(str(segment.segment_id), encode_segment(segment), 1))
    assert desk.store.held("f") is not terms.held
    assert desk.calls.decide(SWITCH, REQUEST).active

    desk.calls.end(terms, CallEnd.REFUSED, None, 1.0, connected=False)
    assert not desk.calls.decide(SWITCH, REQUEST).active
