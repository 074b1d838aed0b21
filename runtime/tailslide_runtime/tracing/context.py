"""How a trace goes on from one process to the next, and how a failure is told in it.

The fields are those of W3C Trace Context, and no others. Needs `opentelemetry-api`, which the extras `tower`, `aerobat`
and `tracing` bring.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

PROPAGATOR = TraceContextTextMapPropagator()
"""Reads and writes `traceparent` and `tracestate`; writes nothing where there is no trace. The library's global one
would also pass on baggage, which is no business of ours."""

# The library warns of each field that it cannot read, with its text: any caller could fill the log with lines.
for _name in ("opentelemetry.trace.span", "opentelemetry.trace.propagation.tracecontext"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def continued(parents: Sequence[str], states: Iterable[str]) -> Context:
    """Return the trace that a message goes on with, by all its fields `traceparent` and `tracestate`.

    Without a trace, with one that is not valid, and with two, it is empty (W3C Trace Context §3.2). Fields `tracestate`
    are one list (§3.3).
    """
    if len(parents) != 1:
        return Context()
    return PROPAGATOR.extract({"traceparent": parents[0], "tracestate": ",".join(states)})


@contextmanager
def recorded(
    tracer: Tracer,
    name: str,
    context: Context | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes = None,
    links: Sequence[Link] = (),
    answers: tuple[type[Exception], ...] = (),
) -> Iterator[Span]:
    """Record a span around what is done in it. An error that comes out makes it a failed one, by the error's class.

    The library would also record the error's text, and those of a database or of a receiver have secrets in them.
    What is raised to answer with (`answers`) is no error.
    """
    with tracer.start_as_current_span(
        name, context, kind, attributes, links, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            if not isinstance(error, answers):
                failed(span, type(error).__name__)
            raise


def failed(span: Span, kind: str) -> None:
    """Mark a span as failed; `kind` is a class of errors, of which there are few."""
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
