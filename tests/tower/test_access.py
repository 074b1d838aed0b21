"""What goes around every request of Tower: here, how it is recorded in traces."""

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tailslide_tower import access

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(access, "_tracer", provider.get_tracer("test"))
    return exporter


async def bound(_: web.Request) -> web.StreamResponse:
    """Answer with what each line of the log would say besides."""
    return web.json_response(structlog.contextvars.get_contextvars())


async def ask(path: str, **headers: str) -> str:
    answer = await access.record(make_mocked_request("GET", path, headers), bound)
    assert isinstance(answer, web.Response)
    return answer.text or ""


async def test_lines_about_a_recorded_request_name_its_trace(spans: InMemorySpanExporter) -> None:
    assert TRACE in await ask("/api/v1/apps", traceparent=f"00-{TRACE}-{CALLER}-01")
    assert TRACE not in str(structlog.contextvars.get_contextvars())
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == CALLER


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/metrics", {}),
        ("/healthz", {}),
        ("/apps/shop", {}),
        ("/api/v1/live", {"Upgrade": "websocket"}),
        ("/api/v1/apps", {"traceparent": f"00-{TRACE}-{CALLER}-00"}),
    ],
    ids=["metrics", "health", "page", "socket", "unrecorded"],
)
async def test_requests_that_are_not_recorded(spans: InMemorySpanExporter, path: str, headers: dict[str, str]) -> None:
    assert "trace_id" not in await ask(path, **headers)
    assert spans.get_finished_spans() == ()


async def test_a_handler_that_fails_is_an_error(spans: InMemorySpanExporter) -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await access.record(make_mocked_request("GET", "/api/v1/apps"), fail)
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok
