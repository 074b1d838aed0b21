"""Traces of Tower, put together. Imported only where they are on, since it needs the extra `tracing`.

Statements are recorded here and not by OpenTelemetry's own package for SQLAlchemy, which does nothing with version 2.1.
"""

from typing import Any

import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Tracer
from prometheus_client import CollectorRegistry
from sqlalchemy.engine import Connection, Engine, ExceptionContext, ExecutionContext

from tailslide_runtime.tracing.context import failed
from tailslide_runtime.tracing.pipeline import Tracing
from tailslide_tower.database import Database
from tailslide_tower.settings import TowerSettings

_MOST_OF_A_STATEMENT = 2_000


def trace_tower(settings: TowerSettings, database: Database, registry: CollectorRegistry) -> Tracing:
    """Let requests, statements, publications and deliveries be recorded; return what is to be closed at the end."""
    assert settings.traces_url is not None
    # What a caller records is recorded here too, and what it does not is not.
    sampler = ParentBased(TraceIdRatioBased(settings.traces_sample_percent / 100))
    tracing = Tracing(settings.traces_url, "tailslide-tower", {}, sampler)
    trace.set_tracer_provider(tracing.provider)
    record_statements(database.engine.sync_engine, trace.get_tracer("tailslide.tower"))
    registry.register(tracing.counts)
    return tracing


def record_statements(engine: Engine, tracer: Tracer) -> None:
    """Record statements within spans that are recorded: by themselves, most are looks for what is new.

    Neither parameters nor texts of errors are told, which may have them.
    """

    def before(
        _connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: ExecutionContext, _many: bool
    ) -> None:
        if not trace.get_current_span().is_recording():
            return
        operation = statement.lstrip().partition(" ")[0].upper()
        named = {
            "db.system.name": "postgresql",
            "db.operation.name": operation,
            "db.query.text": statement[:_MOST_OF_A_STATEMENT],
        }
        vars(context)[_SPAN] = tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=named)

    def after(
        _connection: Connection, _cursor: Any, _statement: str, _parameters: Any, context: ExecutionContext, _many: bool
    ) -> None:
        span = _taken(context)
        if span is not None:
            span.end()

    def refused(error: ExceptionContext) -> None:
        span = None if error.execution_context is None else _taken(error.execution_context)
        if span is not None:
            failed(span, type(error.original_exception).__name__)
            span.end()

    sa.event.listen(engine, "before_cursor_execute", before)
    sa.event.listen(engine, "after_cursor_execute", after)
    sa.event.listen(engine, "handle_error", refused)


_SPAN = "_tailslide_span"


def _taken(context: ExecutionContext) -> Span | None:
    span: Span | None = vars(context).pop(_SPAN, None)
    return span
