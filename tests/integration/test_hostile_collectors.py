"""What a collector may answer instead of taking spans: it costs spans, never more, and the log says why."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from authorities import Authority
from collector import collector
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from sidecar_bench import Raw, raw_upstream
from structlog.testing import capture_logs

from tailslide_embedded.addresses import any_free_port
from tailslide_runtime.errors import StartError
from tailslide_runtime.tracing import pipeline
from tailslide_runtime.tracing.pipeline import Tracing

WAIT_S = 20.0
Lines = list[Any]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    monkeypatch.setattr(pipeline, "EVERY_MS", 20)
    monkeypatch.setattr(pipeline, "TIMEOUT_S", 0.5)
    with capture_logs() as told:
        yield told


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def tracing_to(url: str) -> AsyncIterator[Tracing]:
    tracing = Tracing(url, "test", {}, ALWAYS_ON)
    try:
        yield tracing
    finally:
        await tracing.close()


def end_spans(tracing: Tracing, number: int = 1) -> None:
    for _ in range(number):
        tracing.provider.get_tracer("test").start_span("work").end()


def sent(tracing: Tracing) -> float:
    return {family.name: family.samples[0].value for family in tracing.counts.collect()}["tailslide_traces_spans_sent"]


def says(head: str, body: bytes = b"") -> Raw:
    """Answer each request with a head, whose body's length is added, and a body."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return talk


def for_ever(head: str, piece: bytes, pause: Callable[[], Awaitable[None]], ended: asyncio.Event) -> Raw:
    """Answer with a body that has no end, until the other side has left."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\n\r\n".encode())
        try:
            while True:
                writer.write(piece)
                await writer.drain()
                await pause()
        finally:
            ended.set()

    return talk


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(lines: Lines, status: int) -> None:
    async with collector() as other, raw_upstream(says(f"{status} Go\r\nLocation: {other.url}/v1/traces")) as url:
        async with tracing_to(f"{url}/v1/traces") as tracing:
            end_spans(tracing)
            await until(lambda: lines)
            assert sent(tracing) == 0
        assert other.requests == []
    assert lines[0]["event"] == "traces_not_sent"
    assert lines[0]["error"] == f"the collector answered {status}, and redirects are not followed"


@pytest.mark.parametrize("head", ["200 OK", "302 Found\r\nLocation: /", "400 Bad Request"])
@pytest.mark.parametrize(
    "framing", ["Content-Length: 9999999999", "Content-Encoding: gzip\r\nContent-Length: 9999999999"]
)
async def test_an_answer_without_an_end_is_not_read_to_its_end(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, head: str, framing: str
) -> None:
    monkeypatch.setattr(pipeline, "TIMEOUT_S", 3_600.0)  # the size alone is to end it

    async def at_once() -> None:
        await asyncio.sleep(0)

    ended = asyncio.Event()
    talk = for_ever(f"{head}\r\n{framing}", b"x" * 65_536, at_once, ended)
    async with raw_upstream(talk) as url, tracing_to(url) as tracing:
        end_spans(tracing)
        await asyncio.wait_for(ended.wait(), WAIT_S)
        await until(lambda: lines or sent(tracing) == 1)
        assert sent(tracing) == (1 if head.startswith("200") else 0)


async def test_an_answer_that_drips_holds_up_no_further_batches(lines: Lines) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.02)

    ended = asyncio.Event()
    talk = for_ever("200 OK\r\nContent-Length: 1000", b"\0", slowly, ended)
    async with raw_upstream(talk) as url, tracing_to(url) as tracing:
        end_spans(tracing)
        await until(lambda: sent(tracing) == 1)
        end_spans(tracing)
        await until(lambda: sent(tracing) == 2)


@pytest.mark.parametrize("after", ["31536000", formatdate(4_000_000_000, usegmt=True), "-1", "x", "9" * 5_000])
async def test_nobody_is_waited_for_as_long_as_the_collector_says(lines: Lines, after: str) -> None:
    async with raw_upstream(says(f"429 Slow Down\r\nRetry-After: {after}")) as url, tracing_to(url) as tracing:
        end_spans(tracing)
        await until(lambda: lines)
    assert lines[0]["error"] == "the collector answered 429 Slow Down"


async def test_spans_that_a_collector_refuses_of_a_batch_are_not_sent_ones(lines: Lines) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    head = "200 OK\r\nContent-Type: application/x-protobuf"
    async with raw_upstream(says(head, answer.SerializeToString())) as url, tracing_to(url) as tracing:
        end_spans(tracing, 5)
        await until(lambda: lines)
        assert sent(tracing) == 3
    assert lines[0]["error"] == "the collector refused 2 spans: too old"


@pytest.mark.parametrize("rejected", [-1, 2**62])
async def test_no_more_spans_are_refused_than_there_are(lines: Lines, rejected: int) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = rejected
    async with raw_upstream(says("200 OK", answer.SerializeToString())) as url, tracing_to(url) as tracing:
        end_spans(tracing, 5)
        await until(lambda: lines or sent(tracing))
        assert sent(tracing) == (5 if rejected < 0 else 0)


async def test_no_cookies_are_kept(lines: Lines) -> None:
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        name = f"name{len(asked)}"
        writer.write(f"HTTP/1.1 200 OK\r\nSet-Cookie: {name}=x; Path=/\r\nContent-Length: 0\r\n\r\n".encode())

    async with raw_upstream(talk) as url, tracing_to(url) as tracing:
        for number in (1, 2, 3):
            end_spans(tracing)
            await until(lambda: sent(tracing) == number)  # noqa: B023 # awaited in the same turn
        assert len(tracing._sending._session.cookies) == 0
    assert not any(b"\r\ncookie:" in head.lower() for head in asked)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SSH-2.0-x\r\n")


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (hang_up, "Remote end closed connection without response"),
        (no_http, "SSH-2.0-x"),
        (says(f"503 {'no ' * 5_000}"), "the collector answered 503 no no"),
    ],
    ids=["hangs-up", "no-http", "long-reason"],
)
async def test_the_log_says_in_a_few_words_why_spans_are_lost(lines: Lines, talk: Raw, why: str) -> None:
    async with raw_upstream(talk) as url, tracing_to(url) as tracing:
        end_spans(tracing)
        await until(lambda: lines)
    assert lines[0]["error"].startswith(why)
    assert len(lines[0]["error"]) <= 300


async def test_the_log_says_that_nobody_is_there(lines: Lines) -> None:
    async with tracing_to(f"http://127.0.0.1:{any_free_port()}") as tracing:
        end_spans(tracing)
        await until(lambda: lines)
    assert lines[0]["error"] == "Connection refused"


async def test_the_log_says_what_is_wrong_with_a_certificate(lines: Lines, tmp_path: Path) -> None:
    own = Authority().issue().write(tmp_path, "collector")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server, tracing_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as tracing:
        end_spans(tracing)
        await until(lambda: lines)
    assert "certificate" in lines[0]["error"]
    assert "HTTPSConnectionPool" not in lines[0]["error"]


async def test_what_waits_for_a_collector_is_bounded(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MOST_WAITING", 200)
    async with collector() as taking:
        taking.hangs = True
        async with tracing_to(f"{taking.url}/v1/traces") as tracing:
            end_spans(tracing)
            await taking.until(lambda: taking.requests)
            end_spans(tracing, 5_000)
            assert len(tracing._batches._batch_processor._queue) == 200


@pytest.mark.parametrize("name", ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_EVENT_COUNT_LIMIT"])
def test_a_variable_that_cannot_be_read_ends_the_start_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "many")
    with pytest.raises(StartError, match=f"^traces: {name} must be .* but got many$"):
        Tracing("http://127.0.0.1:9", "test", {}, ALWAYS_ON)


async def test_a_key_that_cannot_be_read_is_not_told(
    lines: Lines, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")
    async with tracing_to("http://127.0.0.1:9"):
        pass
    assert [line["event"] for line in lines] == ["traces_headers_refused"]
    assert "s3cret" not in str(lines) + caplog.text


async def test_all_that_was_recorded_is_sent_at_the_end_and_the_thread_ends(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "EVERY_MS", 60_000)
    async with collector() as taking:
        async with tracing_to(f"{taking.url}/v1/traces") as tracing:
            end_spans(tracing, 300)
        assert len(taking.spans) == 300
    assert lines == []
    await until(lambda: not tracing._batches._batch_processor._worker_thread.is_alive())


def test_a_variable_that_is_read_with_the_packages_ends_the_start_in_a_sentence() -> None:
    name = "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
    said = subprocess.run(
        (sys.executable, "-c", "from tailslide_runtime.tracing import require_packages; require_packages()"),
        env={**os.environ, name: "many"},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    last = said.stderr.splitlines()[-1]
    assert last.startswith(f"tailslide_runtime.errors.StartError: traces: {name} must be ")
