"""Statements within a recorded span: each ends once, however it ends, and none tells what is in it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer
from sqlalchemy.exc import DBAPIError
from tower_bench import TowerBench

from tailslide_runtime.server_urls import DatabaseUrl
from tailslide_runtime.tracing.context import recorded
from tailslide_tower.database import Database
from tailslide_tower.tracing import record_statements

SECRET = "s3cret"
NOTES = sa.Table("notes_of_traces", sa.MetaData(), sa.Column("text", sa.Text), prefixes=["TEMPORARY"])


class Begins(SpanProcessor):
    """The spans that have begun."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.spans.append(span)


@dataclass
class Recording:
    database: Database
    tracer: Tracer
    exporter: InMemorySpanExporter
    begun: list[Span]

    def ended(self) -> list[tuple[str, object]]:
        """Return the statements that have ended and why they failed, and forget them."""
        spans = self.exporter.get_finished_spans()
        self.exporter.clear()
        assert SECRET not in "".join(span.to_json() for span in spans)
        return [(span.name, (span.attributes or {}).get("error.type")) for span in spans if span.name != "work"]


@pytest.fixture
async def recording(bench: TowerBench) -> AsyncIterator[Recording]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    begins = Begins()
    provider.add_span_processor(begins)
    tracer = provider.get_tracer("test")
    database = Database(DatabaseUrl.parse(bench.database_url))
    record_statements(database.engine.sync_engine, tracer)
    try:
        yield Recording(database, tracer, exporter, begins.spans)
    finally:
        await database.close()


async def test_statements_of_every_kind_end_without_their_values(recording: Recording) -> None:
    with recorded(recording.tracer, "work"):
        async with recording.database.begin() as connection:
            await connection.run_sync(NOTES.create)
            assert recording.ended()[-1] == ("CREATE", None)
            await connection.execute(sa.insert(NOTES), [{"text": SECRET}, {"text": "b"}])
            await connection.execute(sa.insert(NOTES).returning(NOTES.c.text), [{"text": SECRET}] * 3_000)
            statements = recording.ended()
            assert len(statements) > 2  # many values are sent in several statements
            assert set(statements) == {("INSERT", None)}
            await connection.execute(sa.select(NOTES).where(NOTES.c.text == SECRET))
            assert recording.ended() == [("SELECT", None)]


async def test_a_statement_that_fails_ends_as_a_failed_one(recording: Recording) -> None:
    with pytest.raises(DBAPIError), recorded(recording.tracer, "work"):
        async with recording.database.begin() as connection:
            await connection.execute(sa.text("SELECT CAST(:given AS int)"), {"given": SECRET})
    (statement,) = recording.ended()
    assert statement[0] == "SELECT"
    assert statement[1]


async def test_a_statement_that_is_given_up_ends(recording: Recording) -> None:
    async def wait() -> None:
        with recorded(recording.tracer, "work"):
            async with recording.database.begin() as connection:
                await connection.execute(sa.text("SELECT pg_sleep(60), :given"), {"given": SECRET})

    task = asyncio.create_task(wait())
    async with asyncio.timeout(20):
        while len(recording.begun) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recording.ended() == [("SELECT", "CancelledError")]


async def test_statements_outside_a_recorded_span_are_not_recorded(recording: Recording) -> None:
    async with recording.database.begin() as connection:
        await connection.execute(sa.text("SELECT 1"))
    assert recording.exporter.get_finished_spans() == ()
