"""What goes around every request of Tower: here, how it is recorded in traces."""

import asyncio
from collections.abc import Mapping

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_urldispatcher import SystemRoute, UrlMappingMatchInfo
from multidict import CIMultiDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from yarl import URL

from tailslide_tower import access

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(access, "_tracer", provider.get_tracer("test"))
    return exporter


def asked(method: str, path: str, headers: Mapping[str, str] | None = None) -> web.Request:
    """Make a request that no route takes."""
    request = make_mocked_request(method, path, headers).clone(scheme="http")
    request._match_info = UrlMappingMatchInfo({}, SystemRoute(web.HTTPNotFound()))
    return request


async def bound(_: web.Request) -> web.StreamResponse:
    """Answer with what each line of the log would say besides."""
    return web.json_response(structlog.contextvars.get_contextvars())


async def ask(path: str, **headers: str) -> str:
    answer = await access.record(asked("GET", path, headers), bound)
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


async def test_a_handler_that_fails_is_an_error_without_its_text(spans: InMemorySpanExporter) -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError("s3cret")

    with pytest.raises(ZeroDivisionError):
        await access.record(asked("GET", "/api/v1/apps"), fail)
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok
    assert (span.attributes or {})["error.type"] == "ZeroDivisionError"
    assert "s3cret" not in span.to_json()


@pytest.mark.parametrize(
    ("raised", "status", "fails"),
    [
        (web.HTTPFound("/s3cret"), 302, False),
        (web.HTTPNotFound(text="s3cret"), 404, False),
        (web.HTTPBadGateway(text="s3cret"), 502, True),
    ],
    ids=["redirect", "not-found", "bad-gateway"],
)
async def test_an_answer_that_is_raised_is_told_by_its_status(
    spans: InMemorySpanExporter, raised: web.HTTPException, status: int, fails: bool
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        raise raised

    with pytest.raises(web.HTTPException):
        await access.record(asked("GET", "/api/v1/apps"), answer)
    (span,) = spans.get_finished_spans()
    attributes = span.attributes or {}
    assert attributes["http.response.status_code"] == status
    assert attributes.get("error.type") == (str(status) if fails else None)
    assert span.status.is_ok is not fails
    assert (span.events, "s3cret" in span.to_json()) == ((), False)


async def test_a_request_that_is_given_up_ends_its_span(spans: InMemorySpanExporter) -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(access.record(asked("GET", "/api/v1/apps"), hang))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (span,) = spans.get_finished_spans()
    assert span.status.is_ok


@pytest.mark.parametrize(
    ("method", "name", "told"),
    [("GET", "GET", "GET"), ("PROPFIND", "HTTP", "_OTHER"), ("s3cret", "HTTP", "_OTHER")],
)
async def test_neither_methods_nor_paths_of_callers_make_names(
    spans: InMemorySpanExporter, method: str, name: str, told: str
) -> None:
    await access.record(asked(method, f"/api/{'x' * 1_000}?s3cret=1"), bound)
    (span,) = spans.get_finished_spans()
    attributes = span.attributes or {}
    assert span.name == name
    assert attributes["http.request.method"] == told
    assert "http.route" not in attributes
    assert attributes["url.path"] == f"/api/{'x' * 495}"
    assert "s3cret" not in span.to_json()


async def test_a_path_that_is_no_utf_8_can_be_sent(spans: InMemorySpanExporter) -> None:
    request = asked("GET", "/api/x")
    request._rel_url = URL.build(path="/api/\udcff", encoded=True)
    await access.record(request, bound)
    (span,) = spans.get_finished_spans()
    assert encode_spans([span]).SerializeToString()


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", f"00-{TRACE}-{CALLER}-01")] * 2,
        [("traceparent", f"00-{TRACE}-{CALLER}-01"), ("Traceparent", f"00-{TRACE}-{CALLER}-00")],
        [("traceparent", f"00-{TRACE}-{CALLER}-01-x")],
        [("traceparent", "x" * 600)],
    ],
    ids=["two", "two-spellings", "longer", "nonsense"],
)
async def test_fields_that_are_no_trace_begin_a_new_one(
    spans: InMemorySpanExporter, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    await access.record(asked("GET", "/api/v1/apps", CIMultiDict(headers)), bound)
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert caplog.text == ""


async def test_the_state_of_a_trace_is_one_list(spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    parent = ("traceparent", f"00-{TRACE}-{CALLER}-01")
    for states, known in ((["a=1", "b=2"], {"a": "1", "b": "2"}), (["a=1", "evil line"], {})):
        spans.clear()
        headers = CIMultiDict([parent, *[("tracestate", state) for state in states]])
        await access.record(asked("GET", "/api/v1/apps", headers), bound)
        (span,) = spans.get_finished_spans()
        assert span.context is not None
        assert dict(span.context.trace_state) == known
    # Whoever may send a request could fill the log.
    assert caplog.text == ""
