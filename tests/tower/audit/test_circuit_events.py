"""What of an event comes into the log, and into its trace."""

from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from circuit_moves import AT_MS, CLOSED, FLAG, LIFE, OPENED
from nats.aio.msg import Msg
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from tailslide_core.circuit import Signal, Transition
from tailslide_core.contracts import CircuitEvent, encode_event
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, event_subject
from tailslide_tower.audit import circuit_events
from tailslide_tower.audit.circuit_events import CircuitEvents, entry_of, read_event
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.database import DatabaseUnavailableError


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


@dataclass
class Message:
    """An event as NATS hands it out, in the trace of who published it."""

    data: bytes
    headers: dict[str, str]
    subject: str = event_subject(FLAG)
    done: list[str] = field(default_factory=list)

    async def nak(self, delay: float) -> None:
        self.done.append("nak")

    async def ack(self) -> None:
        self.done.append("ack")


class Store:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def add(self, event: CircuitEvent, entry: LogEntry) -> bool:
        if self.error is not None:
            raise self.error
        return True


@pytest.mark.parametrize("error", [None, DatabaseUnavailableError("s3cret")], ids=["taken", "waits"])
async def test_an_event_goes_on_with_its_trace_and_fails_in_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(circuit_events, "_tracer", provider.get_tracer("test"))
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    message = Message(encode_event(CircuitEvent(FLAG, OPENED)), {"traceparent": f"00-{trace}-{parent}-01"})
    events = CircuitEvents(Store(error), LogMetrics(CollectorRegistry()))
    await events._note(cast(Msg, message))
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (trace, parent)
    assert (message.done, span.status.is_ok) == ((["ack"], True) if error is None else (["nak"], False))
    assert "s3cret" not in span.to_json()
