"""Traces of Tower, put together. Imported only where they are on, since it needs the extra `tracing`."""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from prometheus_client import CollectorRegistry

from tailslide_runtime.tracing.pipeline import Tracing
from tailslide_tower.database import Database
from tailslide_tower.settings import TowerSettings


class _Share(TraceIdRatioBased):
    """A part of what begins here, but no statement by itself: much of what Tower asks the database is only a look."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Leave out what is asked of others for nothing that is recorded."""
        if kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return super().should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)


def trace_tower(settings: TowerSettings, database: Database, registry: CollectorRegistry) -> Tracing:
    """Let requests, statements, publications and deliveries be recorded; return what is to be closed at the end."""
    assert settings.traces_url is not None
    # What a caller records is recorded here too, and what it does not is not.
    sampler = ParentBased(_Share(settings.traces_sample_percent / 100))
    tracing = Tracing(settings.traces_url, "tailslide-tower", {}, sampler)
    trace.set_tracer_provider(tracing.provider)
    SQLAlchemyInstrumentor().instrument(engine=database.engine.sync_engine)
    registry.register(tracing.counts)
    return tracing
