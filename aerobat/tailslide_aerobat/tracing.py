"""Traces of ticks, put together. Imported only where they are on, since it needs the extra `tracing`.

A tick that does nothing is as good as the next one, and there are four a second. So all are recorded, and sent are
those that moved a circuit, failed, or took longer than their interval, with a few of the others.
"""

from collections.abc import Callable
from functools import partial

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from prometheus_client.registry import Collector

from tailslide_aerobat.judge import MOVES, TICK
from tailslide_aerobat.settings import AerobatSettings
from tailslide_runtime.tracing.pipeline import Tracing

_MOST_WAITING = 10_000
"""Of spans whose tick has not ended; a tick that moves thousands of circuits has no more than some for each."""


def trace_ticks(settings: AerobatSettings, worker: str, follow: Callable[[Collector], None]) -> Tracing:
    """Let ticks be recorded; `follow` is handed the metrics. Return what is to be closed at the end."""
    assert settings.traces_url is not None
    through = partial(
        TellingTicks, interval_ns=settings.aerobat_tick_ms * 1_000_000, share=settings.traces_sample_percent / 100
    )
    named = {"service.instance.id": worker}
    tracing = Tracing(settings.traces_url, "tailslide-aerobat", named, ALWAYS_ON, through=through)
    trace.set_tracer_provider(tracing.provider)
    follow(tracing.counts)
    return tracing


class TellingTicks(SpanProcessor):
    """Hands on the spans of ticks that tell something, once the tick has ended, and all that are of no tick."""

    def __init__(self, following: SpanProcessor, *, interval_ns: int, share: float) -> None:
        """Of the ticks that tell nothing, `share` (0 to 1) are handed on all the same."""
        self._following = following
        self._interval_ns = interval_ns
        self._below = round(share * 2**64)
        self._waiting: dict[int, list[ReadableSpan]] = {}
        self._count = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span until its tick ends, or hand on all of them, or none."""
        trace_id = 0 if span.context is None else span.context.trace_id
        if span.parent is not None:
            if self._count >= _MOST_WAITING:
                self._forget_oldest(trace_id)
            if self._count < _MOST_WAITING:
                self._waiting.setdefault(trace_id, []).append(span)
                self._count += 1
            return
        spans = self._waiting.pop(trace_id, [])
        self._count -= len(spans)
        spans.append(span)
        if span.name != TICK or self._tells(span, spans, trace_id):
            for each in spans:
                self._following.on_end(each)

    def _forget_oldest(self, trace_id: int) -> None:
        """Make place by what waits for a tick that will not end any more, unless all of it is of this one."""
        oldest = next(iter(self._waiting))
        if oldest != trace_id:
            self._count -= len(self._waiting.pop(oldest))

    def _tells(self, tick: ReadableSpan, spans: list[ReadableSpan], trace_id: int) -> bool:
        # By the last eight bytes, which are random (W3C Trace Context, Level 2, §3.2.2.3.1).
        return (
            any(not each.status.is_ok for each in spans)
            or bool(tick.attributes and tick.attributes.get(MOVES))
            or (tick.end_time or 0) - (tick.start_time or 0) > self._interval_ns
            or trace_id % 2**64 < self._below
        )
