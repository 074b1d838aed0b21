"""Transitions of a circuit in words, as the log and the alerts have them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from strategies import flag_keys, rulesets, transitions

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_core.sentences.phrases import Zone
from tailslide_core.sentences.transitions import Move, transition_in_words

HERE = Zone(0, "")
AT = round(datetime(2026, 11, 28, 14, 3, 10, tzinfo=UTC).timestamp() * 1000)
FLAG = Ruleset("shop", "new-checkout", 3, active=True, rollout=25.0, salt="s", circuit=CircuitSettings())
SLOW = replace(FLAG, circuit=CircuitSettings(slow_call_ms=500, slow_threshold=80.0, recovery=None))
WHY = TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000)
CLOSED = Circuit()
OPEN = Circuit(State.OPEN, 0.0, 1, 4, 0, AT, AT + 30_000, WHY)
STEP = Circuit(State.RECOVERING, 10.0, 1, 5, 0, AT, AT + 5_000, WHY)

CASES = {
    Move.OPENED: (
        Transition(Signal.BREACH, AT, CLOSED, OPEN),
        FLAG,
        "The circuit of new-checkout opened: 62% of 141 calls failed in 10 s; the threshold is 50%. "
        "Nobody gets new-checkout now. Calls go to the fallback. "
        "The circuit lets users back in by itself from 14:03:40, 10% first.",
    ),
    Move.REOPENED: (
        Transition(
            Signal.BREACH,
            AT,
            STEP,
            replace(
                OPEN, next_ms=None, reason=TripReason(TripRule.SLOW_CALL_RATE, 85.06, 81.0, 80.0, 87, 10_000), trips=2
            ),
        ),
        SLOW,
        "The circuit of new-checkout opened again while it was recovering: 85.1% of 87 calls were slow (over 500 ms) "
        "in 10 s; the threshold is 80%. Nobody gets new-checkout now. Calls go to the fallback. "
        "It stays open until a person resets it.",
    ),
    Move.RECOVERING: (
        Transition(Signal.DELAY_OVER, AT, OPEN, STEP),
        FLAG,
        "The circuit of new-checkout lets users back in: 10% of the rollout. "
        "10% of the users in the rollout get new-checkout now. "
        "If its calls go well, the next step comes at 14:03:15.",
    ),
    Move.STEP: (
        Transition(Signal.STEP_PASSED, AT, STEP, replace(STEP, percentage=20.0)),
        FLAG,
        "The circuit of new-checkout lets more users back in: 20% of the rollout, after 10%. "
        "20% of the users in the rollout get new-checkout now. "
        "If its calls go well, the next step comes at 14:03:15.",
    ),
    Move.CLOSED: (
        Transition(Signal.RAMP_FINISHED, AT, STEP, replace(CLOSED, since_ms=AT, trips=1)),
        FLAG,
        "The circuit of new-checkout closed: its recovery went well. All users in the rollout get new-checkout.",
    ),
    Move.RESET: (
        Transition(Signal.RESET, AT, OPEN, CLOSED),
        FLAG,
        "The circuit of new-checkout was reset by a person. All users in the rollout get new-checkout.",
    ),
    Move.CALM: (
        Transition(Signal.CALM, AT, CLOSED, CLOSED),
        FLAG,
        "The circuit of new-checkout stayed closed; its earlier trips are forgotten. "
        "All users in the rollout get new-checkout.",
    ),
    Move.UNKNOWN: (
        Transition(Signal.UNKNOWN, AT, CLOSED, OPEN),
        None,
        "The circuit of new-checkout moved from closed to open, for a reason that only a newer Tailslide knows. "
        "Nobody gets new-checkout now. Calls go to the fallback. "
        "The circuit lets users back in by itself from 14:03:40.",
    ),
}


@pytest.mark.parametrize("move", Move)
def test_transition_says_what_why_and_what_comes(move: Move) -> None:
    transition, ruleset, text = CASES[move]
    words = transition_in_words(transition, "new-checkout", ruleset)
    assert words.move is move
    assert words.text(HERE) == text


def test_news_that_comes_late_says_when_it_happened() -> None:
    words = transition_in_words(*CASES[Move.OPENED][:1], "new-checkout", FLAG)
    assert words.news(AT + 5_000, HERE) == words.text(HERE)
    late = words.news(AT + 2 * 3_600_000, HERE)
    assert late == f"This happened 2 h ago, at 14:03:10. {words.text(HERE)}"


def test_fallback_of_a_flag_may_be_said_otherwise() -> None:
    words = transition_in_words(CASES[Move.OPENED][0], "new-checkout", FLAG, fallback="Callers get the off variant")
    assert words.users.text(AT) == "Nobody gets new-checkout now. Callers get the off variant."


def test_circuit_that_was_forced_to_wait_says_so() -> None:
    waiting = replace(STEP, next_ms=None)
    words = transition_in_words(Transition(Signal.DELAY_OVER, AT, OPEN, waiting), "new-checkout", None)
    assert words.following is not None
    assert words.following.text(AT) == "It stays there until a person resets it."


@given(transitions, flag_keys, rulesets)
def test_every_transition_comes_out_as_sentences(transition: Transition, flag: str, ruleset: Ruleset) -> None:
    words = transition_in_words(transition, flag, ruleset)
    for text in (words.text(), words.news(transition.at_ms + 10**7)):
        assert text.isprintable()
        assert "  " not in text
        assert text.endswith(".")
        assert ".." not in text.replace(flag, "")
        assert "NaN" not in text.replace(flag, "")


def test_recovery_that_begins_elsewhere_is_said_with_its_own_percentage() -> None:
    ruleset = replace(FLAG, circuit=CircuitSettings(recovery=Recovery(initial=0.5)))
    words = transition_in_words(CASES[Move.OPENED][0], "new-checkout", ruleset)
    assert words.following is not None
    assert words.following.text(AT, HERE) == "The circuit lets users back in by itself from 14:03:40, 0.5% first."
