"""How a trace goes on from one process to the next: the fields of W3C Trace Context, and no others.

Needs `opentelemetry-api`, which the extras `tower`, `aerobat` and `tracing` bring.
"""

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()
"""Reads and writes `traceparent` and `tracestate`; writes nothing where there is no trace. The library's global one
would also pass on baggage, which is no business of ours."""
