"""A collector of OpenTelemetry in the process of the test: takes OTLP over HTTP, read by OpenTelemetry's own schema."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

WAIT_S = 20.0


@dataclass(frozen=True)
class Taken:
    """One span. Ids are in hexadecimal digits, that of a parent is empty for a root."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, object]
    failed: bool
    took_ns: int
    links: tuple[str, ...]
    """The traces that it names besides."""
    resource: dict[str, object]


@dataclass
class Collector:
    """Keeps what it takes; answers with `status`, or, while it `hangs`, not at all."""

    url: str = ""
    spans: list[Taken] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    status: int = 200
    hangs: bool = False

    def named(self, name: str) -> list[Taken]:
        return [span for span in self.spans if span.name == name]

    def of(self, trace_id: str) -> list[Taken]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for what was taken to hold."""
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.02)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if self.status == 200:
            self.spans += read(body)
        return web.Response(status=self.status)


def read(body: bytes) -> list[Taken]:
    """Read the body of a request to `/v1/traces`."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        Taken(
            span.name,
            Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            {each.key: _value(each) for each in span.attributes},
            span.status.code == Status.STATUS_CODE_ERROR,
            span.end_time_unix_nano - span.start_time_unix_nano,
            tuple(link.trace_id.hex() for link in span.links),
            {each.key: _value(each) for each in resource.resource.attributes},
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _value(given: KeyValue) -> object:
    kind = given.value.WhichOneof("value")
    return None if kind is None else getattr(given.value, kind)


@asynccontextmanager
async def collector(port: int = 0) -> AsyncIterator[Collector]:
    """Run a collector on a port of 127.0.0.1, any free one by default."""
    running = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", running.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        running.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield running
    finally:
        await runner.cleanup()
