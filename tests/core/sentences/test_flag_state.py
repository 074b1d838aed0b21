"""A flag's state in words: the brief's examples, each state, and what holds for every flag."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import circuits, rulesets, texts, trip_reasons

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import CircuitSettings, Requirement, Rule, Ruleset
from tailslide_core.sentences.facts import Arrival, Deed, FlagFacts, Missing, MissingSidecar, Opening
from tailslide_core.sentences.flag_state import FlagState, state_in_words
from tailslide_core.sentences.phrases import Zone
from tailslide_core.windows import WindowCounts

HERE = Zone(0, "")


def at(time: str) -> int:
    return round(datetime.fromisoformat(f"2026-11-28T{time}+00:00").astimezone(UTC).timestamp() * 1000)


NOW = at("14:03:12")
FLAG = Ruleset("shop", "new-checkout", 3, active=True, rollout=25.0, salt="s", circuit=CircuitSettings())
SLOW = replace(FLAG, circuit=CircuitSettings(slow_call_ms=500, slow_threshold=80.0))
WHY = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)
OPEN = Circuit(State.OPEN, 0.0, 1, 4, 0, at("14:03:00"), at("14:03:40"), WHY)
RECOVERING = Circuit(State.RECOVERING, 30.0, 1, 7, 0, at("14:03:10"), at("14:03:15"), WHY)
CLOSED = Circuit(State.CLOSED, 100.0, 1, 9, 0, at("14:01:00"), at("14:03:30"), WHY)
TEN_S = (WindowCounts(10_000, 4210, 51),)


def said(ruleset: Ruleset = FLAG, now_ms: int = NOW, **facts: Any) -> str:
    return state_in_words(FlagFacts(ruleset, **facts), now_ms).text(HERE)


def word(ruleset: Ruleset = FLAG, **facts: Any) -> str:
    return state_in_words(FlagFacts(ruleset, **facts), NOW).word


EXAMPLES = {
    "On for 25% of users. 1.2% of 4,210 calls failed in the last 10 s; it opens at 50%.": {"counts": TEN_S},
    "Circuit open for 12 s: nobody gets it, and calls go to the fallback. "
    "62% of 141 calls failed in 10 s; the threshold is 50%. "
    "The circuit lets users back in by itself from 14:03:40, 10% first.": {"circuit": OPEN},
    "Recovering: 30% of the rollout since 14:03:10, next step (40%) in 3 s. "
    "No call has failed in this step; it opens again at 50%.": {
        "circuit": replace(RECOVERING, reason=None),
        "step_counts": WindowCounts(2_000, 120, 0),
    },
    "Turned off by editor@example.org 2 h ago: “payments incident”. The circuit is not judged while it is off.": {
        "ruleset": replace(FLAG, active=False),
        "deed": Deed(NOW - 2 * 3_600_000, "editor@example.org", "payments incident"),
    },
    "Held off by a person (forced open) for 3 min. Calls go to the fallback.": {
        "ruleset": replace(FLAG, circuit=CircuitSettings(forced_open=True)),
        "deed": Deed(NOW - 200_000),
    },
    "On for 25% of users. No calls in the last 10 min.": {
        "counts": (WindowCounts(10_000), WindowCounts(600_000)),
    },
    "On for 25% of users. Settings changed 2 s ago; arrived in 11 of 12 sidecars.": {
        "arrival": Arrival(11, 12, (MissingSidecar("pay-7f9c", Missing.BEHIND, NOW),), NOW - 2_000),
    },
    "Shown as of 14:02:51: the live connection is gone, trying again. On for 25% of users.": {
        "as_of_ms": at("14:02:51"),
    },
}


@pytest.mark.parametrize(("sentence", "facts"), EXAMPLES.items())
def test_state_reads_as_the_brief_has_it(sentence: str, facts: dict[str, Any]) -> None:
    assert said(**facts) == sentence


MORE = {
    # on
    "On for all users.": {"ruleset": replace(FLAG, rollout=100.0)},
    "On for nobody yet: the rollout is 0%.": {"ruleset": replace(FLAG, rollout=0.0)},
    "On for nobody but whom a list of users lets in.": {
        "ruleset": replace(FLAG, rollout=0.0, allow=frozenset({"u1"})),
    },
    "On for 25% of users, except where its rule decides; it requires new-api.": {
        "ruleset": replace(
            FLAG, rules=(Rule((Condition("c", Operator.IN, ("DE",)),)),), requires=(Requirement("new-api"),)
        )
    },
    # calls
    "On for 25% of users. None of 4,210 calls failed in the last 10 s; it opens at 50%.": {
        "counts": (WindowCounts(10_000, 4210),)
    },
    "On for 25% of users. The only call failed in the last 10 s; it opens at 50%.": {
        "counts": (WindowCounts(10_000, 1, 1),)
    },
    "On for 25% of users. All 12 calls failed in the last 30 min; it opens at 50%.": {
        "counts": (WindowCounts(10_000), WindowCounts(1_800_000, 12, 14))
    },
    "On for 25% of users. Less than 0.1% of 90,000 calls failed in the last 10 s; it has no circuit.": {
        "ruleset": replace(FLAG, circuit=None),
        "counts": (WindowCounts(10_000, 90_000, 3),),
    },
    "On for 25% of users. 1.2% of 4,210 calls failed in the last 10 s; it opens at 50%. "
    "10% of 4,210 calls were slow; it opens at 80%.": {
        "ruleset": SLOW,
        "counts": (WindowCounts(10_000, 4210, 51, 421),),
    },
    "On for 25% of users. How its calls go is not known: the time series cannot be read.": {"counts_readable": False},
    # open
    "Circuit open for 12 s: nobody gets it, and calls go to the fallback. "
    "85.1% of 141 calls were slow (over 500 ms) in 10 s; "
    "the threshold is 80%. The circuit lets users back in by itself from 14:03:40, 10% first.": {
        "ruleset": SLOW,
        "circuit": replace(OPEN, reason=replace(WHY, rule=TripRule.SLOW_CALL_RATE, observed=85.106, threshold=80.0)),
    },
    "Circuit open for 12 s: nobody gets it, and calls go to the fallback. "
    "Why it opened is not known. It stays open until a person resets it.": {
        "ruleset": replace(FLAG, circuit=CircuitSettings(recovery=None)),
        "circuit": replace(OPEN, reason=None, next_ms=None),
    },
    "Circuit open for 12 s: nobody gets it, and calls go to the fallback. "
    "62% of 141 calls failed in 10 s; the threshold is 50%. "
    "Users were due back at 14:03:01, 10% first, and have not been let in yet: Aerobat, which lets them in, "
    "may be down.": {"circuit": replace(OPEN, next_ms=at("14:03:01"))},
    "Circuit open for 12 s: nobody gets it, and calls go to the fallback. "
    "All 10 calls in 250 ms broke a rule that only a newer Tailslide knows; "
    "the threshold is 50%. The circuit lets users back in by itself from 14:03:40, 10% first.": {
        "circuit": replace(OPEN, reason=TripReason(TripRule.UNKNOWN, 100.0, 70.0, 50.0, 10, 250)),
    },
    # recovering
    "Recovering: 30% of the rollout since 14:03:10, next step (40%) in 3 s. 5% of 20 calls failed in this step; "
    "it opens again at 50%. It opened at 14:01:00: 62% of 141 calls failed in 10 s; the threshold was 50%.": {
        "circuit": RECOVERING,
        "step_counts": WindowCounts(2_000, 20, 1),
        "last_opening": Opening(at("14:01:00"), WHY),
    },
    "Recovering: 30% of the rollout since 14:03:00, and waits for more calls: too many of this step have failed. "
    "60% of 5 calls failed in this step; it opens again at 50%. It had opened: 62% of 141 calls failed in 10 s; "
    "the threshold was 50%.": {
        "circuit": replace(RECOVERING, since_ms=at("14:03:00"), next_ms=at("14:03:05")),
        "step_counts": WindowCounts(12_000, 5, 3),
    },
    "Recovering: 30% of the rollout since 14:03:06, next step with its first calls, or without any in 9 s. "
    "No calls in this step yet.": {
        "circuit": replace(RECOVERING, since_ms=at("14:03:06"), next_ms=at("14:03:11"), reason=None),
        "step_counts": WindowCounts(6_000),
    },
    "Recovering: 30% of the rollout since 14:02:00, and has not moved on: Aerobat, which judges it, may be down.": {
        "circuit": replace(RECOVERING, since_ms=at("14:02:00"), next_ms=at("14:02:05"), reason=None),
    },
    # after recovery
    "On for 25% of users. Its circuit last opened: 62% of 141 calls failed in 10 s; the threshold was 50%. "
    "It closed again at 14:01:00.": {"circuit": CLOSED},
    "On for 25% of users. Its circuit last opened at 2026-11-25 13:00:00: 62% of 141 calls failed in 10 s; "
    "the threshold was 50%. It closed again at 2026-11-25 13:04:00, after 4 min.": {
        "last_opening": Opening(at("13:00:00") - 3 * 86_400_000, WHY, at("13:04:00") - 3 * 86_400_000),
    },
    "On for 25% of users. Its circuit last opened at 14:03:00: 62% of 141 calls failed in 10 s; "
    "the threshold was 50%.": {"ruleset": replace(FLAG, circuit=CircuitSettings(reset_generation=1)), "circuit": OPEN},
    # off and held off
    "Turned off: nobody gets it.": {"ruleset": replace(FLAG, active=False, circuit=None)},
    "Off since it was created by a@example.org 5 days ago.": {
        "ruleset": replace(FLAG, active=False, circuit=None),
        "deed": Deed(NOW - 5 * 86_400_000, "a@example.org", created=True),
    },
    "Held off by a@example.org (forced open) for 3 min: “too slow”. Calls go to the fallback.": {
        "ruleset": replace(FLAG, circuit=CircuitSettings(forced_open=True)),
        "deed": Deed(NOW - 200_000, "a@example.org", "too slow"),
    },
    "Archived by a@example.org 2 h ago: “nobody uses it”. Sidecars do not get it; "
    "callers fall back to their own default.": {
        "archived_ms": NOW - 2 * 3_600_000,
        "deed": Deed(NOW - 2 * 3_600_000, "a@example.org", "nobody uses it"),
    },
    "Archived 2 h ago. Sidecars do not get it; callers fall back to their own default. "
    "Arrived in 1 of 2 sidecars; a has not been heard from for 40 s.": {
        "archived_ms": NOW - 2 * 3_600_000,
        "circuit": OPEN,
        "arrival": Arrival(1, 2, (MissingSidecar("a", Missing.SILENT, NOW - 40_000),), NOW - 2 * 3_600_000),
    },
    # unknown
    "On for 25% of users. Whether its circuit is open is not known: nothing has been read of circuits yet.": {
        "circuit_known": False
    },
    "Shown as of 14:02:51: NATS cannot be reached, trying again. On for 25% of users.": {
        "circuit_as_of_ms": at("14:02:51")
    },
    "Turned off: nobody gets it. The circuit is not judged while it is off.": {
        "ruleset": replace(FLAG, active=False),
        "circuit_as_of_ms": at("14:02:51"),
    },
    "On for 25% of users. Whether it is published is not known: NATS cannot be reached.": {
        "arrival": Arrival(0, 2, published=None, problem="NATS cannot be reached"),
    },
    # a change on its way
    "On for 25% of users. Settings changed 2 s ago; not yet published: NATS cannot be reached.": {
        "arrival": Arrival(0, 12, changed_ms=NOW - 2_000, published=False, problem="NATS cannot be reached"),
    },
    "On for 25% of users. Not yet published.": {"arrival": Arrival(0, 12, published=False)},
    "On for 25% of users. Settings changed 2 h ago; arrived in 9 of 12 sidecars; a still answers from before it; "
    "b and c cannot read it and answer from before it.": {
        "arrival": Arrival(
            9,
            12,
            (
                MissingSidecar("a", Missing.BEHIND, NOW),
                MissingSidecar("b", Missing.REFUSED, NOW),
                MissingSidecar("c", Missing.REFUSED, NOW),
            ),
            NOW - 2 * 3_600_000,
        ),
    },
    "On for 25% of users. Arrived in 11 of 12 sidecars; pay-7f9c has not been heard from for 40 s.": {
        "arrival": Arrival(11, 12, (MissingSidecar("pay-7f9c", Missing.SILENT, NOW - 40_000),), NOW - 3_600_000),
    },
    "On for 25% of users. Arrived in 1 of 5 sidecars; a, b and 2 others have not been heard from for 40 s.": {
        "arrival": Arrival(
            1, 5, tuple(MissingSidecar(name, Missing.SILENT, NOW - 40_000) for name in "abcd"), NOW - 3_600_000
        ),
    },
    "On for 25% of users. Settings changed 5 s ago; arrived in 1 of 1 sidecar.": {
        "arrival": Arrival(1, 1, (), NOW - 5_000)
    },
    "On for 25% of users. No sidecar of this app has been heard from.": {"arrival": Arrival(0, 0, (), NOW - 5_000)},
}


@pytest.mark.parametrize(("sentence", "facts"), MORE.items())
def test_state_is_said_in_each_case(sentence: str, facts: dict[str, Any]) -> None:
    assert said(**facts) == sentence


def test_change_that_is_everywhere_is_spoken_of_for_a_minute() -> None:
    assert "arrived" in said(arrival=Arrival(12, 12, (), NOW - 59_000))
    assert said(arrival=Arrival(12, 12, (), NOW - 61_000)) == said()


def test_last_opening_is_kept_for_a_week() -> None:
    week_ms = 7 * 86_400_000
    assert "last opened" in said(circuit=replace(CLOSED, since_ms=NOW - week_ms))
    assert said(circuit=replace(CLOSED, since_ms=NOW - week_ms - 1)) == said()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "On · 25%"),
        ({"ruleset": replace(FLAG, active=False)}, "Off"),
        ({"archived_ms": NOW, "circuit": OPEN}, "Archived"),
        ({"circuit": OPEN}, "Open"),
        ({"circuit": RECOVERING}, "Recovering · 30%"),
        ({"ruleset": replace(FLAG, circuit=CircuitSettings(forced_open=True)), "circuit": OPEN}, "Held off"),
        ({"arrival": Arrival(11, 12, (MissingSidecar("a", Missing.BEHIND, NOW),), NOW)}, "Arriving 11/12"),
        ({"arrival": Arrival(11, 12, (MissingSidecar("a", Missing.SILENT, 0),), NOW)}, "On · 25%"),
        ({"arrival": Arrival(0, 0, published=False)}, "Arriving"),
        ({"circuit": OPEN, "arrival": Arrival(0, 2, published=False)}, "Open"),
        ({"ruleset": replace(FLAG, active=False), "arrival": Arrival(0, 2, published=False)}, "Arriving 0/2"),
        ({"circuit_known": False}, "Unknown"),
        ({"ruleset": replace(FLAG, circuit=None), "circuit_known": False}, "On · 25%"),
        ({"as_of_ms": NOW - 60_000, "circuit": OPEN}, "Unknown"),
    ],
)
def test_each_state_has_its_word(facts: dict[str, Any], expected: str) -> None:
    assert word(**facts) == expected


def test_state_that_settles_is_said_beside_one_that_passes() -> None:
    off = replace(FLAG, active=False)
    arriving = state_in_words(FlagFacts(off, arrival=Arrival(0, 2, published=False)), NOW)
    assert (arriving.state, arriving.settled) == (FlagState.ARRIVING, FlagState.OFF)


def test_times_are_those_of_the_zone_that_is_asked_for() -> None:
    words = state_in_words(FlagFacts(FLAG, OPEN), NOW)
    assert "from 14:03:40 UTC," in words.text()
    assert "from 23:33:40 ACST," in words.text(Zone(570, "ACST"))
    assert "from 00:03:40," in words.text(Zone(600, ""))


def test_parts_carry_moments_and_ages_for_a_page_that_counts_by_itself() -> None:
    shown = state_in_words(FlagFacts(FLAG, OPEN), NOW).json()
    assert shown["parts"] == [
        [
            {"text": "Circuit open for "},
            {"age": OPEN.since_ms},
            {"text": ": nobody gets it, and calls go to the fallback."},
        ],
        [{"text": "62% of 141 calls failed in 10 s; the threshold is 50%."}],
        [
            {"text": "The circuit lets users back in by itself from "},
            {"moment": OPEN.next_ms},
            {"text": ", 10% first."},
        ],
    ]


def test_ages_stand_still_where_nothing_is_heard_any_more() -> None:
    words = state_in_words(FlagFacts(FLAG, OPEN, as_of_ms=NOW), NOW + 600_000)
    assert "Circuit open for 12 s: nobody gets it, and calls go to the fallback." in words.text()
    assert not any("age" in part for sentence in words.sentences for part in sentence.json())


moments = st.one_of(st.integers(0, 2**53), st.integers(NOW - 10**9, NOW + 10**9))
window_counts = st.builds(
    WindowCounts, st.integers(250, 86_400_000), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)
)
deeds = st.builds(Deed, moments, st.none() | texts, st.none() | texts, st.booleans())
openings = st.builds(Opening, moments, st.none() | trip_reasons, st.none() | moments)
missing = st.builds(MissingSidecar, texts, st.sampled_from(Missing), moments)
arrivals = st.builds(
    Arrival,
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.lists(missing, max_size=4).map(tuple),
    st.none() | moments,
    st.none() | st.booleans(),
    st.none() | texts,
)
all_facts = st.builds(
    FlagFacts,
    rulesets,
    st.none() | circuits(),
    st.booleans(),
    st.none() | moments,
    st.none() | st.lists(window_counts, max_size=3),
    st.booleans(),
    st.none() | window_counts,
    st.none() | deeds,
    st.none() | openings,
    st.none() | arrivals,
    st.none() | moments,
    st.none() | moments,
)


@given(all_facts, moments)
def test_whatever_is_known_of_a_flag_comes_out_as_sentences(facts: FlagFacts, now_ms: int) -> None:
    words = state_in_words(facts, now_ms)
    assert words.word
    assert words.sentences
    for sentence in words.sentences:
        text = sentence.text(now_ms)
        assert text.isprintable()
        assert "  " not in text
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")
        assert not text.endswith("..")
        for part in sentence.json():
            assert len(part) == 1
        assert re.search(r"\b(nan|inf)%", text) is None
    assert words.json()["state"] in set(FlagState)


@given(all_facts, moments)
def test_state_that_settles_is_none_that_passes(facts: FlagFacts, now_ms: int) -> None:
    words = state_in_words(facts, now_ms)
    assert words.settled is not FlagState.ARRIVING
    if words.state not in {FlagState.ARRIVING, FlagState.UNKNOWN}:
        assert words.state is words.settled


@pytest.mark.parametrize("who", [None, "", " ", "\0", "\u200b", "\u3164"])
@pytest.mark.parametrize("created", [False, True])
def test_who_has_no_name_that_can_be_shown_leaves_no_gap(who: str | None, created: bool) -> None:
    off, held = replace(FLAG, active=False), replace(FLAG, circuit=CircuitSettings(forced_open=True))
    deed = Deed(NOW, who, created=created)
    for facts in (
        FlagFacts(off, deed=deed),
        FlagFacts(held, OPEN, deed=deed),
        FlagFacts(FLAG, deed=deed, archived_ms=NOW),
    ):
        text = state_in_words(facts, NOW).text()
        assert "  " not in text
        assert "by less" not in text
