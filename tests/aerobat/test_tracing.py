"""Which ticks are sent: those that tell something, whole; of the others a share."""

import asyncio
from contextlib import suppress
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, Tracer, set_span_in_context

from tailslide_aerobat import tracing
from tailslide_aerobat.judge import MOVES, TICK
from tailslide_aerobat.tracing import TellingTicks

INTERVAL_NS = 1_000


class Ticks:
    def __init__(self, share: float = 0.0, *, interval_ns: int = INTERVAL_NS) -> None:
        self.sent = InMemorySpanExporter()
        self.filter = TellingTicks(SimpleSpanProcessor(self.sent), interval_ns=interval_ns, share=share)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(self.filter)
        self.tracer: Tracer = provider.get_tracer("test")

    def tick(self, *, moves: int = 0, took_ns: int = 1, part_fails: bool = False) -> None:
        span = self.tracer.start_span(TICK, start_time=1)
        part = self.tracer.start_span("part", set_span_in_context(span), start_time=1)
        if part_fails:
            part.set_status(StatusCode.ERROR)
        part.end(1)
        span.set_attribute(MOVES, moves)
        span.end(1 + took_ns)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.sent.get_finished_spans()]


@pytest.mark.parametrize(
    "telling", [{"moves": 1}, {"took_ns": INTERVAL_NS + 1}, {"part_fails": True}], ids=["moves", "late", "fails"]
)
def test_a_tick_that_tells_something_is_sent_whole(telling: dict[str, Any]) -> None:
    ticks = Ticks()
    ticks.tick()
    ticks.tick(took_ns=INTERVAL_NS)
    assert ticks.names == []
    ticks.tick(**telling)
    assert ticks.names == ["part", TICK]


def test_a_share_of_the_others_is_sent() -> None:
    ticks = Ticks(share=0.25)
    for _ in range(2_000):
        ticks.tick()
    assert 300 < ticks.names.count(TICK) < 700
    assert ticks.names.count("part") == ticks.names.count(TICK)
    whole = Ticks(share=1.0)
    whole.tick()
    assert whole.names == ["part", TICK]


def test_what_is_of_no_tick_is_sent() -> None:
    ticks = Ticks()
    ticks.tracer.start_span("restore").end()
    assert ticks.names == ["restore"]


def test_spans_whose_tick_never_ends_take_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_MOST_WAITING", 3)
    ticks = Ticks()
    lost = set_span_in_context(ticks.tracer.start_span(TICK))
    for _ in range(10):
        ticks.tracer.start_span("part", lost).end()
    assert sum(len(spans) for spans in ticks.filter._waiting.values()) == 3
    # They make place for the next tick, which is sent whole.
    ticks.tick(moves=1)
    assert ticks.names == ["part", TICK]
    assert ticks.filter._waiting == {}


def test_of_a_tick_with_too_many_spans_the_first_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_MOST_WAITING", 3)
    ticks = Ticks()
    span = ticks.tracer.start_span(TICK, attributes={MOVES: 5})
    for number in range(5):
        ticks.tracer.start_span(f"part {number}", set_span_in_context(span)).end()
    span.end()
    assert ticks.names == ["part 0", "part 1", "part 2", TICK]


endings = st.sampled_from(["in order", "fails", "is given up"])


@given(st.lists(st.tuples(endings, st.lists(endings, max_size=4), st.integers(0, 2)), max_size=8))
def test_a_tick_is_sent_whole_or_not_at_all_and_nothing_waits(
    lives: list[tuple[str, list[str], int]],
) -> None:
    ticks, expected = Ticks(interval_ns=2**63), 0
    for whole, parts, moves in lives:
        with (
            suppress(TickError, asyncio.CancelledError),
            ticks.tracer.start_as_current_span(TICK, start_time=1) as span,
        ):
            for part in parts:
                with ticks.tracer.start_as_current_span("part"):
                    end(part)
            span.set_attribute(MOVES, moves)
            end(whole)
        # What ends a part ends its tick as well.
        lived = list(takewhile("in order".__eq__, parts))
        how = whole if len(lived) == len(parts) else parts[len(lived)]
        if how == "fails" or (moves and len(lived) == len(parts)):
            expected += min(len(lived) + 1, len(parts)) + 1
    assert ticks.filter._waiting == {}
    assert ticks.filter._count == 0
    assert len(ticks.names) == expected


class TickError(Exception):
    pass


def end(how: str) -> None:
    if how == "fails":
        raise TickError
    if how == "is given up":
        raise asyncio.CancelledError
