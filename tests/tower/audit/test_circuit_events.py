"""What of an event comes into the log."""

from dataclasses import replace

import pytest
from circuit_moves import AT_MS, CLOSED, FLAG, LIFE, OPENED

from tailslide_core.circuit import Signal, Transition
from tailslide_core.contracts import CircuitEvent, encode_event
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, event_subject
from tailslide_tower.audit.circuit_events import entry_of, read_event
from tailslide_tower.audit.entry import Subject, SubjectKind


def test_entry_says_what_the_circuit_was_and_is() -> None:
    entry = entry_of(CircuitEvent(FLAG, OPENED))
    assert (entry.action, entry.subject) == ("circuit.opened", Subject(SubjectKind.CIRCUIT, *FLAG))
    assert entry.author.name == "Aerobat"
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["state"], entry.after["state"]) == ("closed", "open")
    assert (entry.at_ms, entry.details["event_at_ms"], entry.details["generation"]) == (AT_MS, AT_MS, 1)
    assert isinstance(reason := entry.details["reason"], dict)
    assert reason["threshold"] == 50.0


def test_steps_and_what_has_an_entry_already_are_minor() -> None:
    moves = [*LIFE, Transition(Signal.RESET, AT_MS, OPENED.after, CLOSED), Transition(Signal.CALM, 0, CLOSED, CLOSED)]
    moves.append(Transition(Signal.BREACH, AT_MS, LIFE[1].after, OPENED.after))
    entries = [entry_of(CircuitEvent(FLAG, move)) for move in moves]
    assert [(entry.action.partition(".")[2], entry.minor) for entry in entries] == [
        ("opened", False),
        ("recovering", False),
        ("step", True),
        ("closed", False),
        ("reset", True),
        ("calm", True),
        ("reopened", False),
    ]


def test_event_is_read_as_it_was_written() -> None:
    event = CircuitEvent(FLAG, OPENED)
    assert read_event(event_subject(FLAG), encode_event(event)) == event


@pytest.mark.parametrize(
    ("subject", "event", "field"),
    [
        (event_subject(FlagId("shop", "other")), CircuitEvent(FLAG, OPENED), "flag"),
        (event_subject(FLAG), CircuitEvent(FLAG, replace(OPENED, at_ms=2**53)), "at_ms"),
    ],
)
def test_event_that_cannot_be_true_is_refused(subject: str, event: CircuitEvent, field: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_event(subject, encode_event(event))
    assert refused.value.field == field
