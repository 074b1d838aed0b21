"""Traces of Tower and Aerobat as a collector gets them: from a change to its publication, from a verdict to the log."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aerobat_bench import Aerobat, Calls, closing
from collector import Collector, Taken, collector
from tower_bench import Tower, TowerBench
from webhook_receivers import Receiver, receiver

from tailslide_core.naming import FlagId
from tailslide_runtime.server_urls import RedisUrl
from tailslide_sidecar.timeseries import RedisSeries

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RECORDED, UNRECORDED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
FLAG = FlagId("shop", "checkout")
CIRCUIT = {"error_threshold": 20.0, "min_calls": 5, "window_ms": 1_000}


@pytest.fixture
async def taking() -> AsyncIterator[Collector]:
    async with collector() as running:
        yield running


@pytest.fixture
async def tower(bench: TowerBench, taking: Collector) -> AsyncIterator[Tower]:
    async with bench.tower_process(
        {"TAILSLIDE_TRACES_URL": taking.url, "TAILSLIDE_ALERT_ALLOWED_NETWORKS": "127.0.0.0/8"}
    ) as (running, _):
        await running.ok("POST", "/apps", {"key": FLAG.app})
        await running.ok("POST", f"/apps/{FLAG.app}/flags", {"key": FLAG.flag, "circuit": CIRCUIT})
        await running.until_published()
        yield running


def names(spans: list[Taken]) -> set[str]:
    return {span.name for span in spans}


def breaches(taking: Collector) -> list[Taken]:
    return [span for span in taking.named("write verdict") if span.attributes["tailslide.signal"] == "breach"]


async def test_the_trace_of_a_change_has_its_statements_and_its_publication(tower: Tower, taking: Collector) -> None:
    answer = await tower.call(
        "PATCH", f"/apps/{FLAG.app}/flags/{FLAG.flag}", {"active": True}, traceparent=RECORDED, tracestate="a=1"
    )
    assert answer.status == 200, answer
    await taking.until(lambda: "publish rulesets" in names(taking.of(TRACE)))
    spans = taking.of(TRACE)
    (request,) = (span for span in spans if span.kind == "SERVER")
    assert (request.name, request.parent_id) == ("PATCH /api/v1/apps/{app}/flags/{flag}", CALLER)
    assert request.attributes == {
        "http.request.method": "PATCH",
        "http.route": "/api/v1/apps/{app}/flags/{flag}",
        "url.scheme": "http",
        "url.path": f"/api/v1/apps/{FLAG.app}/flags/{FLAG.flag}",
        "http.response.status_code": 200,
    }
    (publication,) = (span for span in spans if span.name == "publish rulesets")
    assert publication.parent_id == request.span_id
    statements = [span for span in spans if "db.query.text" in span.attributes]
    assert {span.parent_id for span in statements} == {request.span_id, publication.span_id}
    # Their values are not told.
    assert not any(FLAG.flag in str(span.attributes["db.query.text"]) for span in statements)
    assert {span.resource["service.name"] for span in spans} == {"tailslide-tower"}


async def test_what_its_caller_does_not_record_is_not_recorded(tower: Tower, taking: Collector) -> None:
    await tower.call("GET", "/apps", traceparent=UNRECORDED)
    await tower.call("GET", "/metrics", traceparent=RECORDED)
    await tower.call("GET", "/apps", traceparent=RECORDED.replace(TRACE, "1" * 32))
    await taking.until(lambda: taking.of("1" * 32))
    assert taking.of(TRACE) == []


async def test_looks_at_the_database_are_no_traces_of_their_own(tower: Tower, taking: Collector) -> None:
    await tower.call("GET", "/nowhere")
    await taking.until(lambda: taking.named("GET"))
    roots = {(span.name, span.kind) for span in taking.spans if not span.parent_id}
    assert {kind for _, kind in roots} <= {"SERVER", "INTERNAL", "CONSUMER"}
    assert ("GET", "SERVER") in roots
    (unknown,) = taking.named("GET")
    assert (unknown.attributes["url.path"], "http.route" in unknown.attributes) == ("/api/v1/nowhere", False)


async def test_the_way_of_an_alert_is_recorded_without_the_secrets_of_its_url(tower: Tower, taking: Collector) -> None:
    async with receiver() as hook:
        await webhook(tower, hook)
        await tower.ok("POST", f"/apps/{FLAG.app}/flags/{FLAG.flag}/toggle", {"active": True})
        await taking.until(lambda: hook.received)
        await taking.until(lambda: taking.named("deliver alert") and taking.named("POST"))
    (sent,) = taking.named("POST")
    assert sent.attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    assert hook.received[0].headers["traceparent"].split("-")[1:3] == [sent.trace_id, sent.span_id]
    assert "s3cret" not in str([span.attributes for span in taking.spans])


async def webhook(tower: Tower, hook: Receiver) -> None:
    await tower.ok(
        "POST",
        "/webhooks",
        {"name": "ops", "url": hook.url("/s3cret"), "kind": "generic", "app": FLAG.app, "occasions": ["toggled"]},
    )


async def test_an_opened_circuit_is_one_trace_from_the_counts_to_the_log(
    bench: TowerBench, tower: Tower, taking: Collector, tmp_path: Path
) -> None:
    aerobat = Aerobat(tmp_path / "aerobat.sock")
    await aerobat.start(
        {
            "TAILSLIDE_NATS_URL": bench.nats_url,
            "TAILSLIDE_REDIS_URL": bench.redis_url,
            "TAILSLIDE_TRACES_URL": taking.url,
            "TAILSLIDE_LOG_FORMAT": "json",
        }
    )
    try:
        await tower.ok("PATCH", f"/apps/{FLAG.app}/flags/{FLAG.flag}", {"active": True})
        await tower.until_published()
        # Being turned on resets the circuit; only calls from then on count.
        await taking.until(lambda: taking.named("circuit event"))
        async with closing(RedisSeries(RedisUrl.parse(bench.redis_url), FLAG.app)) as series:
            await series.add(Calls(failure=50).of(FLAG), None)
        await taking.until(lambda: breaches(taking))
        trace = breaches(taking)[0].trace_id
        await taking.until(lambda: {"circuit event", "tick"} <= names(taking.of(trace)))
        ticks = await aerobat.metric("tailslide_aerobat_ticks_total")
    finally:
        assert await aerobat.end(signal.SIGTERM) == 0

    spans = {span.name: span for span in taking.of(trace)}
    logged, verdict, tick = spans["circuit event"], spans["write verdict"], spans["tick"]
    assert (logged.kind, logged.parent_id, logged.resource["service.name"]) == (
        "CONSUMER",
        verdict.span_id,
        "tailslide-tower",
    )
    assert (verdict.parent_id, tick.parent_id) == (tick.span_id, "")
    assert {spans[name].parent_id for name in ("read marks", "read and judge")} == {tick.span_id}
    assert verdict.attributes == {
        "feature_flag.key": FLAG.flag,
        "tailslide.app": FLAG.app,
        "tailslide.signal": "breach",
        "tailslide.circuit": "open",
    }
    assert tick.attributes["tailslide.circuits_moved"] == 1
    # Of the ticks that did nothing none is sent, unless it was late.
    told = [span for span in taking.named("tick") if span.took_ns < 250_000_000]
    assert len(told) < ticks
    assert all(span.attributes["tailslide.circuits_moved"] for span in told)


async def test_a_collector_that_hangs_keeps_neither_process_from_its_end(
    bench: TowerBench, taking: Collector, tmp_path: Path
) -> None:
    taking.hangs = True
    environment = {"TAILSLIDE_TRACES_URL": taking.url, "TAILSLIDE_TRACES_SAMPLE_PERCENT": "100"}
    async with bench.tower_process(environment) as (running, process):
        await running.call("GET", "/apps")
        await taking.until(lambda: taking.requests)
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0
    taking.requests.clear()
    aerobat = Aerobat(tmp_path / "aerobat.sock")
    await aerobat.start({**environment, "TAILSLIDE_NATS_URL": bench.nats_url, "TAILSLIDE_REDIS_URL": bench.redis_url})
    try:
        await taking.until(lambda: taking.requests)
    finally:
        assert await aerobat.end(signal.SIGTERM) == 0
