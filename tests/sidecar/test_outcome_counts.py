"""Outcomes with their causes: the same calls that are written for Aerobat, and what they failed of."""

from dataclasses import replace

import pytest
from call_desk import Desk, at_fallback
from hypothesis import given
from hypothesis import strategies as st
from outcome_samples import samples_of

from tailslide_core.circuit import Circuit, State
from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.outcome_counts import OutcomeCounts, Target

ANSWERS = (CallEnd.ANSWERED, CallEnd.UPGRADED, CallEnd.CUT_OFF, CallEnd.TIMED_OUT, CallEnd.CLIENT_GONE)


@pytest.mark.parametrize(
    ("end", "status", "outcome", "cause"),
    [
        (CallEnd.ANSWERED, 200, "success", "none"),
        (CallEnd.ANSWERED, 404, "success", "none"),
        (CallEnd.UPGRADED, 101, "success", "none"),
        (CallEnd.ANSWERED, 429, "failure", "4xx"),
        (CallEnd.ANSWERED, 503, "failure", "5xx"),
        (CallEnd.REFUSED, None, "failure", "refused"),
        (CallEnd.BROKEN, None, "failure", "broken"),
        (CallEnd.CUT_OFF, 200, "failure", "cut_off"),
        (CallEnd.TIMED_OUT, None, "failure", "timed_out"),
        (CallEnd.TIMED_OUT, 200, "failure", "timed_out"),
    ],
)
def test_an_outcome_is_counted_with_its_cause(end: CallEnd, status: int | None, outcome: str, cause: str) -> None:
    desk = Desk()
    desk.calls.end(desk.begin(), end, status, 3.0)
    told = samples_of(desk.outcomes)
    assert told["outcomes", "feature", outcome, cause] == 1
    assert sum(told.values()) == 1


def test_the_usual_failures_are_told_with_zero_before_the_first() -> None:
    desk = Desk()
    desk.begin()
    assert samples_of(desk.outcomes) == {
        ("outcomes", "feature", "success", "none"): 0,
        ("outcomes", "feature", "failure", "5xx"): 0,
        ("outcomes", "feature", "failure", "refused"): 0,
        ("outcomes", "feature", "failure", "broken"): 0,
        ("outcomes", "feature", "failure", "timed_out"): 0,
        ("outcomes_slow", "feature", "", ""): 0,
    }


def test_what_says_nothing_of_the_feature_is_counted_nowhere() -> None:
    desk = Desk()
    call = desk.begin()
    desk.calls.end(call, CallEnd.CLIENT_GONE, 500, 3.0)
    desk.calls.end(call, CallEnd.NO_CAPACITY, None, 3.0)
    desk.calls.end_reported(call, CallEnd.ANSWERED, 500, 3.0)
    desk.put(Circuit(State.OPEN, 0.0, trips=1))
    desk.calls.end(call, CallEnd.ANSWERED, 500, 3.0)
    assert sum(samples_of(desk.outcomes).values()) == 0


@given(
    calls=st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([*CallEnd]),
            st.sampled_from([101, 200, 302, 404, 429, 500, 503, 599]),
            st.sampled_from([1.0, 100.0, 101.0]),
        ),
        max_size=30,
    )
)
def test_the_same_calls_are_told_as_are_written(calls: list[tuple[bool, CallEnd, int, float]]) -> None:
    desk = Desk()
    feature = desk.begin()
    desk.ruleset = replace(desk.ruleset, allow=frozenset(), rollout=0.0)
    desk.put(None)
    fallback = at_fallback(desk)
    for to_feature, end, status, latency_ms in calls:
        has_status = status if end in ANSWERS else None
        if to_feature:
            desk.calls.end(feature, end, has_status, latency_ms)
        else:
            desk.calls.end_at_fallback(fallback, end, has_status, latency_ms)
    told, written = samples_of(desk.outcomes), desk.buffer.take()
    for target, prefix in ((Target.FEATURE, ""), (Target.FALLBACK, "fallback_")):
        for outcome in ("success", "failure"):
            number = sum(count for (_, to, what, _), count in told.items() if (to, what) == (target, outcome))
            assert number == written.get(("f", f"{prefix}{outcome}"), 0)
        assert told["outcomes_slow", target, "", ""] == written.get(("f", f"{prefix}slow"), 0)


def test_counts_of_a_flag_are_always_the_same_ones() -> None:
    counts = OutcomeCounts("clinic")
    assert counts.of("f", Target.FEATURE) is counts.of("f", Target.FEATURE)
    assert counts.of("f", Target.FEATURE) is not counts.of("f", Target.FALLBACK)
    assert counts.of("g", Target.FEATURE) is not counts.of("f", Target.FEATURE)
