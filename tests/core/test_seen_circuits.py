"""What has moved a circuit, told from what it was and what it is."""

from dataclasses import replace

import pytest
from circuit_moves import CLOSED, LIFE, OPEN, RECOVERED, RECOVERING

from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.seen_circuits import SeenCircuits


def test_a_life_is_seen_as_it_was() -> None:
    seen = SeenCircuits()
    assert seen.saw("f", CLOSED) is None
    for transition in LIFE:
        assert seen.saw("f", transition.after) == transition
        assert seen.saw("f", transition.after) is None


@pytest.mark.parametrize(
    ("circuit", "signal"),
    [(CLOSED, None), (RECOVERED, None), (OPEN, Signal.BREACH), (RECOVERING, Signal.DELAY_OVER)],
)
def test_what_is_seen_first_has_moved_if_it_is_not_closed(circuit: Circuit, signal: Signal | None) -> None:
    transition = SeenCircuits().saw("f", circuit)
    assert (None if transition is None else transition.signal) == signal


def test_flags_are_seen_each_by_itself_and_none_after_its_circuit_is_gone() -> None:
    seen = SeenCircuits()
    assert seen.saw("f", OPEN) is not None
    assert seen.saw("g", OPEN) is not None
    assert seen.saw("f", None) is None
    assert seen.saw("f", OPEN) is not None


def test_a_step_that_was_missed_is_told_by_where_it_led() -> None:
    seen = SeenCircuits()
    seen.saw("f", RECOVERING)
    transition = seen.saw("f", replace(OPEN, generation=7))
    assert transition is not None
    assert transition.signal is Signal.BREACH


def test_mended_times_are_no_move() -> None:
    seen = SeenCircuits()
    seen.saw("f", OPEN)
    assert seen.saw("f", replace(OPEN, since_ms=OPEN.since_ms + 1, next_ms=None)) is None


def test_of_a_closed_circuit_only_that_its_trips_are_forgotten_is_told() -> None:
    seen = SeenCircuits()
    seen.saw("f", RECOVERED)
    calm = replace(RECOVERED, trips=0, generation=5, next_ms=None, reason=None)
    transition = seen.saw("f", calm)
    assert transition is not None
    assert transition.signal is Signal.CALM
    assert seen.saw("f", replace(calm, reset_generation=1, generation=6)) is None


def test_a_reset_is_known_by_its_number() -> None:
    seen = SeenCircuits()
    seen.saw("f", RECOVERING)
    transition = seen.saw("f", Circuit(State.CLOSED, generation=3, reset_generation=1))
    assert transition is not None
    assert transition.signal is Signal.RESET
