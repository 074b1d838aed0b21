"""Traces of proxied calls, as a collector gets them: which calls, which spans, and what upstreams are told."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from collector import Collector, collector
from sidecar_bench import Bench, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_embedded.stack import Endpoints

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RECORDED, UNRECORDED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
USER = {"X-User-Id": "u1"}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=USER) as session:
        yield session


@pytest.fixture
async def taking() -> AsyncIterator[Collector]:
    async with collector() as running:
        yield running


async def echo(request: web.Request) -> web.Response:
    """Answer with the fields of the trace that came."""
    fields = [f"{name.lower()}: {value}" for name, value in request.headers.items() if name.lower().startswith("trace")]
    return web.Response(text="\n".join(fields))


async def broken(request: web.Request) -> web.Response:
    return web.Response(status=503)


async def get(client: aiohttp.ClientSession, sidecar: Sidecar, path: str = "/", **headers: str) -> tuple[int, str]:
    async with client.get(f"{sidecar.proxy}{path}", headers={**USER, **headers}) as got:
        return got.status, await got.text()


def parent_of(text: str) -> tuple[str, str]:
    """Return trace and span of the one `traceparent` that an upstream was sent."""
    match = re.fullmatch(r"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-0[13](?:\ntracestate: .*)?", text)
    assert match is not None, text
    return match[1], match[2]


async def test_a_call_has_a_span_of_its_own_and_one_of_the_feature(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(echo) as feature:
        route = {"match": {"path_prefix": "/shop"}, **bench.route(feature, {"status": 404})}
        sidecar = await bench.start(route, traces={"url": taking.url, "sample_percent": 100})
        _, told = await get(client, sidecar, "/shop/cart?secret=1")
        trace, parent = parent_of(told)
        await taking.until(lambda: len(taking.of(trace)) == 2)

    client_span, server_span = taking.of(trace)
    assert (server_span.name, server_span.kind, server_span.parent_id) == ("GET /shop", "SERVER", "")
    assert (client_span.name, client_span.kind, client_span.parent_id) == ("GET feature", "CLIENT", server_span.span_id)
    assert parent == client_span.span_id
    assert client_span.took_ns <= server_span.took_ns
    assert [span.failed for span in (client_span, server_span)] == [False, False]
    assert server_span.attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "url.path": "/shop/cart",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": int(sidecar.proxy.rpartition(":")[2]),
        "http.route": "/shop",
        "tailslide.route": "* /shop",
        "http.response.status_code": 200,
        "feature_flag.provider.name": "tailslide",
        "feature_flag.key": "appointments",
        "feature_flag.result.reason": "static",
        "feature_flag.result.variant": "on",
        "tailslide.active": True,
        "tailslide.circuit": "closed",
    }
    assert client_span.attributes == {
        "http.request.method": "GET",
        "url.full": f"{feature}/shop/cart",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": int(feature.rpartition(":")[2]),
        "http.response.status_code": 200,
        "tailslide.side": "feature",
        "tailslide.end": "answered",
    }
    assert server_span.resource["service.name"] == "tailslide-sidecar"
    assert server_span.resource["tailslide.app"] == bench.app


async def test_the_trace_of_a_caller_is_continued_if_the_caller_records_it(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(echo) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 0}
        )
        _, told = await get(client, sidecar, Traceparent=RECORDED, Tracestate="a=1,b=2")
        assert told.endswith("\ntracestate: a=1,b=2")
        trace, _ = parent_of(told)
        assert trace == TRACE
        # What nobody records goes on as it came; so does what came without a trace, as none of 100 are recorded.
        assert await get(client, sidecar, Traceparent=UNRECORDED, Tracestate="a=1") == (
            200,
            f"traceparent: {UNRECORDED}\ntracestate: a=1",
        )
        assert await get(client, sidecar) == (200, "")
        await taking.until(lambda: len(taking.spans) == 2)
        await sidecar.end()

    assert {span.trace_id for span in taking.spans} == {TRACE}
    assert [span.parent_id for span in taking.spans if span.kind == "SERVER"] == [CALLER]


@pytest.mark.parametrize(
    "fields",
    [
        [("traceparent", RECORDED), ("traceparent", RECORDED), ("tracestate", "a=1")],
        [("traceparent", f"00-{'0' * 32}-{CALLER}-01"), ("tracestate", "a=1")],
        [("traceparent", f"ff-{TRACE}-{CALLER}-01"), ("tracestate", "a=1")],
        [("traceparent", RECORDED.upper()), ("tracestate", "a=1")],
        [("traceparent", "x" * 4000), ("tracestate", "a=1")],
        [("tracestate", "a=1")],
    ],
    ids=["two", "no-trace", "version-ff", "upper-case", "nonsense", "state-alone"],
)
async def test_fields_that_are_no_trace_are_replaced_by_a_new_one(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector, fields: list[tuple[str, str]]
) -> None:
    async with upstream(echo) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 100}
        )
        async with client.get(sidecar.proxy, headers=[*USER.items(), *fields]) as got:
            told = await got.text()
        trace, _ = parent_of(told)
        assert trace != TRACE
        assert "tracestate" not in told
        await taking.until(lambda: len(taking.of(trace)) == 2)
    assert [span.parent_id for span in taking.of(trace) if span.kind == "SERVER"] == [""]


async def test_a_failure_that_the_fallback_made_up_for_is_seen_at_the_feature_alone(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(broken) as feature, upstream(echo) as fallback:
        route = bench.route(feature, fallback, retry_on_fallback="idempotent")
        sidecar = await bench.start(route, traces={"url": taking.url, "sample_percent": 100})
        status, told = await get(client, sidecar)
        assert status == 200
        trace, parent = parent_of(told)
        await taking.until(lambda: len(taking.of(trace)) == 3)

    first, second, whole = taking.of(trace)
    assert (first.name, first.failed, first.attributes["error.type"]) == ("GET feature", True, "503")
    assert (second.name, second.failed, second.span_id) == ("GET fallback", False, parent)
    assert (whole.failed, whole.attributes["http.response.status_code"]) == (False, 200)
    assert whole.attributes["tailslide.answered_by"] == "fallback"
    assert {span.parent_id for span in (first, second)} == {whole.span_id}


async def test_what_nobody_answers_is_an_error_by_its_cause(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_upstream(leave) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 100}
        )
        assert (await get(client, sidecar))[0] == 502
        await taking.until(lambda: len(taking.spans) == 2)

    tried, whole = taking.spans
    assert (tried.failed, tried.attributes["error.type"]) == (True, "broken")
    assert (whole.failed, whole.attributes["error.type"]) == (True, "broken")
    assert whole.attributes["http.response.status_code"] == 502


async def test_a_fixed_answer_and_a_refusal_have_no_other_span(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    sidecar = await bench.start(
        {"match": {"path_prefix": "/fixed"}, "answer": {"status": 204}},
        traces={"url": taking.url, "sample_percent": 100},
    )
    assert (await get(client, sidecar, "/fixed"))[0] == 204
    assert (await get(client, sidecar, "/nowhere"))[0] == 404
    await taking.until(lambda: len(taking.spans) == 2)
    assert [(span.name, span.attributes["http.response.status_code"], span.failed) for span in taking.spans] == [
        ("GET /fixed", 204, False),
        ("GET", 404, False),
    ]


async def test_no_more_calls_are_recorded_than_allowed(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(echo) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "max_calls_per_s": 1}
        )
        answers = [await get(client, sidecar, Traceparent=RECORDED) for _ in range(50)]
        untouched = sum(told == f"traceparent: {RECORDED}" for _, told in answers)
        assert {status for status, _ in answers} == {200}
        assert untouched > 0
        await sidecar.until_metric("tailslide_sidecar_traces_left_out_total", untouched)
        await taking.until(lambda: len(taking.spans) == 2 * (50 - untouched))


async def test_lines_about_a_recorded_call_name_its_trace(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(echo) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}),
            traces={"url": taking.url, "sample_percent": 100},
            access_log={"sample_percent": 100},
        )
        trace, _ = parent_of((await get(client, sidecar))[1])
    assert [line["trace_id"] for line in sidecar.lines("call")] == [trace]


async def test_a_collector_that_is_away_or_hangs_delays_no_call_and_no_end(
    bench: Bench, client: aiohttp.ClientSession
) -> None:
    async with upstream(answer("new")) as feature, collector() as taking:
        taking.hangs = True
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 100}
        )
        for _ in range(300):
            assert await get(client, sidecar) == (200, "new")
        await taking.until(lambda: taking.requests)
        assert await sidecar.end() == 0
    assert [line["error"] for line in sidecar.lines("traces_not_sent")] == ["no time left"]
    assert taking.spans == []


async def test_it_is_told_once_that_spans_are_lost_and_once_that_they_are_not(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(answer("new")) as feature:
        taking.status = 403
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 100}
        )
        for _ in range(3):
            before = len(taking.requests)
            await get(client, sidecar)
            await taking.until(lambda: len(taking.requests) > before)  # noqa: B023 # awaited in the same turn
        taking.status = 200
        await get(client, sidecar)
        await taking.until(lambda: len(taking.spans) == 2)
        await sidecar.until_metric("tailslide_traces_spans_sent_total", 2)
        assert await sidecar.metric("tailslide_traces_spans_total") == 8

        async def told() -> bool:
            return len(sidecar.lines("traces_sent_again")) == 1

        await sidecar.until(told)
    (lost,) = sidecar.lines("traces_not_sent")
    assert (lost["url"], "403" in lost["error"], lost["process"]) == (f"{taking.url}/v1/traces", True, "sidecar")


async def test_the_last_spans_are_sent_at_the_end(
    bench: Bench, client: aiohttp.ClientSession, taking: Collector
) -> None:
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(
            bench.route(feature, {"status": 404}), traces={"url": taking.url, "sample_percent": 100}
        )
        await get(client, sidecar)
        assert await sidecar.end() == 0
    assert [span.kind for span in taking.spans] == ["CLIENT", "SERVER"]


def test_a_sidecar_without_traces_loads_nothing_that_records_or_sends() -> None:
    said = subprocess.run(
        (sys.executable, "-c", "import sys, tailslide_sidecar.main; print(*sys.modules)"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules = said.stdout.split()
    assert "tailslide_sidecar.proxy.exchange" in modules
    # redis-py loads OpenTelemetry's metrics where it finds them.
    ours = ("tailslide_sidecar.proxy.traced", "tailslide_runtime.tracing.pipeline")
    theirs = ("opentelemetry.exporter", "opentelemetry.sdk.trace.export", "requests", "google.protobuf")
    assert [name for name in modules if name.startswith((*ours, *theirs))] == []
