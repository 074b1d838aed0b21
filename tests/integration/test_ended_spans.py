"""However a proxied call ends, each of its spans ends once: one of the call, and one of each side that it went to.

The proxy runs in the process of the test, so that spans which never end are seen as well.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from call_desk import USER, Desk
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from sidecar_bench import raw_upstream

from tailslide_core.circuit import Circuit, State
from tailslide_core.ruleset import CircuitSettings, LocalGuard
from tailslide_embedded.addresses import any_free_port
from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.limits import ProxyOptions
from tailslide_sidecar.proxy.listener import ProxyListener
from tailslide_sidecar.proxy.routes import (
    Address,
    FixedAnswer,
    ForwardHost,
    Match,
    Route,
    RouteTable,
    Side,
    Switch,
    Timeouts,
)
from tailslide_sidecar.proxy.traced import CallTraces

WAIT_S = 20.0
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Spans(SpanProcessor):
    """All spans, begun and ended."""

    def __init__(self) -> None:
        self.begun: list[Span] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.begun.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.ended if span.kind is kind]


@dataclass
class Stage:
    """A proxy in this process, one upstream behind it, and what it has recorded."""

    listener: ProxyListener
    port: int
    upstream_port: int
    spans: Spans
    came: asyncio.Event

    @asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                await asyncio.sleep(0.005)

    async def over(self) -> None:
        """Wait until nothing is under way."""
        await self.until(lambda: not self.listener.clients and not self.listener.running)


def answers(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


USUAL = Timeouts()
OK = answers("200 OK", b"new")


@asynccontextmanager
async def upstream_of(came: asyncio.Event) -> AsyncIterator[int]:
    """Run an upstream that does what the path of a request says; yield its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(1_000):
            head = await reader.readuntil(b"\r\n\r\n")
            came.set()
            kind = head.split(b" ")[1].partition(b"?")[0].rpartition(b"/")[2].decode()
            if kind == "stale" and number:
                return
            if kind in {"expect", "body"}:
                if kind == "expect":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await reader.readexactly(4)
            said, goes_on = SAID[kind]
            writer.write(said)
            if goes_on is None:
                return
            if not goes_on:
                await asyncio.Event().wait()

    async with raw_upstream(talk) as url:
        yield int(url.rpartition(":")[2])


SAID: dict[str, tuple[bytes, bool | None]] = {
    # what is said, and whether the connection goes on; None closes it
    "ok": (OK, True),
    "stale": (OK, True),
    "body": (OK, True),
    "expect": (OK, True),
    "bad": (answers("503 Sorry"), True),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n0\r\n\r\n", True),
    "until-close": (b"HTTP/1.1 200 OK\r\n\r\nnew", None),
    "silent": (b"", False),
    "drop": (b"", None),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnew", None),
    "half": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnew", False),
    "garbage": (b"SSH-2.0\r\n\r\n", None),
    "switch": (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", False),
}


def table(port: int, closed: int, timeouts: Timeouts) -> RouteTable:
    here, nobody = Side((Address("http", "127.0.0.1", port),)), Side((Address("http", "127.0.0.1", closed),))

    def flagged(prefix: str, feature: Side, fallback: Side | FixedAnswer, **more: Any) -> Route:
        switch = Switch("f", fallback, USER, retries_on_fallback=True, **more)
        return Route(Match(path_prefix=prefix), feature, switch, timeouts)

    return RouteTable(
        (
            flagged("/flag/fixed", here, FixedAnswer(200, "old")),
            flagged("/flag/back", here, here),
            flagged("/flag/nobody-back", nobody, here),
            flagged("/flag/back-nobody", here, nobody),
            flagged("/flag/variants", nobody, FixedAnswer(503), variants=(("on", here),)),
            Route(Match(path_prefix="/nobody"), nobody, timeouts=timeouts),
            Route(
                Match(path_prefix="/several"),
                Side(tuple(a for s in (nobody, here) for a in s.addresses)),
                None,
                timeouts,
            ),
            Route(Match(path_prefix="/fixed"), FixedAnswer(204)),
            Route(Match(path_prefix="/small"), here, timeouts=timeouts, max_body_bytes=4),
            Route(Match(path_prefix="/none"), here, timeouts=timeouts, max_calls=0),
            Route(Match(path_prefix="/new"), here, timeouts=timeouts, rewrite_prefix="/"),
            Route(Match(path_prefix="/plain"), here, timeouts=timeouts),
        ),
        (ForwardHost("127.0.0.1", port),),
    )


@asynccontextmanager
async def stage(timeouts: Timeouts = USUAL, desk: Desk | None = None) -> AsyncIterator[Stage]:
    spans, came = Spans(), asyncio.Event()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(spans)
    async with upstream_of(came) as port:
        desk = desk or Desk()
        desk.ruleset = replace(desk.ruleset, allow=frozenset({"u"}))
        desk.put(desk.circuit)
        listener = ProxyListener(
            table(port, any_free_port(), timeouts),
            desk.calls,
            Accounts(),
            ProxyOptions(),
            descriptors=1_000,
        )
        listener.new_exchange = CallTraces(provider.get_tracer("test"), 100.0, 1_000_000).exchange
        server = await asyncio.get_running_loop().create_server(listener.protocol, "127.0.0.1", 0)
        keeping_time = asyncio.create_task(listener.run())
        try:
            yield Stage(listener, server.sockets[0].getsockname()[1], port, spans, came)
        finally:
            server.close()
            await listener.drained(0)
            keeping_time.cancel()
            await asyncio.gather(keeping_time, return_exceptions=True)


def holds(spans: Spans, caplog: pytest.LogCaptureFixture) -> None:
    """See that each span that was begun has ended, once, and that the sides' are within that of their call."""
    ids = Counter(span.context.span_id for span in spans.ended)
    assert set(ids.values()) <= {1}
    assert [span.name for span in spans.begun if span.context.span_id not in ids] == []
    # The library tells of a span that is ended or changed when it has ended.
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []
    calls = {span.context.span_id: span for span in spans.of(SpanKind.SERVER)}
    for span in spans.of(SpanKind.CLIENT):
        assert span.parent is not None
        whole = calls[span.parent.span_id]
        assert whole.start_time <= span.start_time <= span.end_time <= whole.end_time  # type: ignore[operator] # they have ended


def request(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: shop", "X-User-Id: u", *fields]
    if body and not any("chunked" in name for name in fields):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


CHUNKED = "Transfer-Encoding: chunked"
Sides = list[tuple[str, str]]


@dataclass(frozen=True)
class Scene:
    """What a client sends, how the sides that were tried have ended, and why the call has failed if it has."""

    sent: bytes
    sides: Sides
    error: str | None = None
    timeouts: Timeouts = USUAL
    leaves: bool = False
    """Whether the client goes away as soon as the upstream has been asked."""
    then: bytes = b""
    """What it sends once the upstream has been asked."""
    calls: int = 1


def one(end: str) -> Sides:
    return [("GET upstream", end)]


SOON = Timeouts(connect_ms=60, first_byte_ms=60, idle_ms=60)
SCENES = {
    "answered": Scene(request("/plain/ok"), one("answered")),
    "chunks": Scene(request("/plain/chunked"), one("answered")),
    "until-close": Scene(request("/plain/until-close"), one("answered")),
    "http-1.0": Scene(request("/plain/ok", version="1.0"), one("answered")),
    "close": Scene(request("/plain/ok", "Connection: close"), one("answered")),
    "head": Scene(request("/plain/ok", method="HEAD"), [("HEAD upstream", "answered")]),
    "body": Scene(request("/plain/body", method="POST", body="four"), [("POST upstream", "answered")]),
    "chunked-body": Scene(
        request("/plain/ok", CHUNKED, method="POST", body="4\r\nfour\r\n0\r\nA: b\r\n\r\n"),
        [("POST upstream", "answered")],
    ),
    "expect": Scene(
        request("/plain/expect", "Expect: 100-continue", method="PUT", body="four"), [("PUT upstream", "answered")]
    ),
    "early": Scene(request("/plain/ok", "Content-Length: 9", method="PUT"), [("PUT upstream", "answered")]),
    "upgrade": Scene(request("/plain/switch", "Connection: upgrade", "Upgrade: websocket"), one("upgraded")),
    "not-upgraded": Scene(request("/plain/ok", "Connection: upgrade", "Upgrade: websocket"), one("answered")),
    "unasked-upgrade": Scene(request("/plain/switch"), one("broken"), "broken"),
    "rewritten": Scene(request("/new/plain/ok?secret=1"), one("answered")),
    "dropped": Scene(request("/plain/drop"), one("broken"), "broken"),
    "garbage": Scene(request("/plain/garbage"), one("broken"), "broken"),
    "cut": Scene(request("/plain/cut"), one("cut_off"), "cut_off"),
    "refused": Scene(request("/nobody/ok"), one("refused"), "refused"),
    "another-server": Scene(request("/several/ok") * 2, one("answered") * 2, calls=2),
    "first-byte-late": Scene(request("/plain/silent"), one("timed_out"), "timed_out", SOON),
    "stands-still": Scene(request("/plain/half"), one("timed_out"), "timed_out", SOON),
    "all-late": Scene(request("/plain/silent"), one("timed_out"), "timed_out", Timeouts(total_ms=60)),
    "slow-client": Scene(
        request("/plain/silent", "Content-Length: 9", method="PUT"),
        [("PUT upstream", "client_gone")],
        None,
        Timeouts(total_ms=60),
    ),
    "leaves": Scene(request("/plain/silent"), one("client_gone"), leaves=True),
    "leaves-within-answer": Scene(request("/plain/half"), one("client_gone"), leaves=True),
    "leaves-within-body": Scene(
        request("/plain/silent", "Content-Length: 9", method="PUT", body=""),
        [("PUT upstream", "client_gone")],
        leaves=True,
    ),
    "broken-body": Scene(
        request("/plain/silent", CHUNKED, method="PUT", body="4\r\nfour\r\n"),
        [("PUT upstream", "client_gone")],
        then=b"zz\r\n\r\n",
    ),
    "broken-body-at-once": Scene(request("/plain/silent", CHUNKED, method="PUT", body="4\r\nfour\r\nzz\r\n"), []),
    "stale": Scene(request("/plain/stale") * 2, one("answered") * 2, calls=2),
    "pipelined": Scene(request("/plain/ok") * 100, one("answered") * 100, calls=100),
    "pipelined-refusals": Scene(request("/") * 100, [], calls=100),
    "pipelined-and-gone": Scene(request("/plain/silent") * 3, one("client_gone"), leaves=True),
    "pipelined-nonsense": Scene(request("/plain/ok") + b"x\r\n\r\n", one("answered")),
    "forwarded": Scene(request("http://127.0.0.1:{port}/ok"), one("answered")),
    "not-forwarded": Scene(request("http://elsewhere.example/ok"), []),
    "fixed": Scene(request("/fixed"), []),
    "no-route": Scene(request("/"), []),
    "too-large": Scene(request("/small/ok", method="PUT", body="fives"), []),
    "too-large-at-once": Scene(
        request("/small/silent", CHUNKED, method="PUT", body="3\r\nsix\r\n3\r\nsix\r\n0\r\n\r\n"), []
    ),
    "too-large-in-chunks": Scene(
        request("/small/silent", CHUNKED, method="PUT", body="3\r\nsix\r\n"),
        [("PUT upstream", "client_gone")],
        then=b"3\r\nsix\r\n0\r\n\r\n",
    ),
    "too-many": Scene(request("/none/ok"), [], "no_capacity"),
    "no-further": Scene(request("/plain/ok", "Max-Forwards: 0", method="OPTIONS"), []),
    "trace": Scene(request("/plain/ok", method="TRACE"), [], calls=0),
    "feature": Scene(request("/flag/fixed/ok"), [("GET feature", "answered")]),
    "variant": Scene(request("/flag/variants/ok"), [("GET feature", "answered")]),
    "saved-by-fixed": Scene(request("/flag/fixed/bad"), [("GET feature", "answered")]),
    "saved-from-drop": Scene(request("/flag/fixed/drop"), [("GET feature", "broken")]),
    "saved-by-another": Scene(
        request("/flag/nobody-back/ok"), [("GET feature", "refused"), ("GET fallback", "answered")]
    ),
    "both-fail": Scene(
        request("/flag/back-nobody/bad"), [("GET feature", "answered"), ("GET fallback", "refused")], "refused"
    ),
    "fallback-cut": Scene(
        request("/flag/nobody-back/cut"), [("GET feature", "refused"), ("GET fallback", "cut_off")], "cut_off"
    ),
    "fallback-bad": Scene(
        request("/flag/back/bad"), [("GET feature", "answered"), ("GET fallback", "answered")], "503"
    ),
    "not-repeatable": Scene(
        request("/flag/fixed/drop", method="POST", body="four"), [("POST feature", "broken")], "broken"
    ),
    "feature-left": Scene(request("/flag/fixed/silent"), [("GET feature", "client_gone")], leaves=True),
    "both-late": Scene(
        request("/flag/back/silent"),
        [("GET feature", "timed_out"), ("GET fallback", "timed_out")],
        "timed_out",
        SOON,
    ),
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
async def test_every_span_ends_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async with stage(scene.timeouts) as on:
        async with on.client() as (_, writer):
            writer.write(scene.sent.replace(b"{port}", b"%d" % on.upstream_port))
            if scene.leaves or scene.then:
                await asyncio.wait_for(on.came.wait(), WAIT_S)
                writer.write(scene.then)
            if not scene.leaves:
                await on.until(lambda: len(on.spans.of(SpanKind.SERVER)) >= scene.calls)
        await on.over()
    holds(on.spans, caplog)
    whole, sides = on.spans.of(SpanKind.SERVER), on.spans.of(SpanKind.CLIENT)
    assert len(whole) == scene.calls
    assert [(span.name, (span.attributes or {})["tailslide.end"]) for span in sides] == scene.sides
    if scene.calls == 1:
        assert (whole[0].attributes or {}).get("error.type") == scene.error
        assert whole[0].status.is_ok is (scene.error is None)
    if sides:
        named = sides[0].attributes or {}
        assert "secret" not in str(named)
        assert str(named["url.full"]).startswith("http://127.0.0.1:" + str(named["server.port"]) + "/")


async def test_a_call_that_was_sent_again_is_one_span_that_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as on:
        async with on.client() as (_, writer):
            for calls in (1, 2):
                writer.write(request("/plain/stale"))
                await on.until(lambda: len(on.spans.of(SpanKind.SERVER)) == calls)  # noqa: B023 # awaited in the same turn
        await on.over()
    holds(on.spans, caplog)
    first, second = ((span.attributes or {}).get("http.request.resend_count") for span in on.spans.of(SpanKind.CLIENT))
    assert (first, second) == (None, 1)


async def test_spans_end_with_a_proxy_that_is_drained(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as on, on.client() as (_, one), on.client() as (_, other):
        one.write(request("/plain/silent"))
        other.write(request("/flag/back/half"))
        await on.until(lambda: len(on.spans.begun) == 4)
        on.listener.close()
        await on.listener.drained(0)
        await on.over()
    holds(on.spans, caplog)
    assert len(on.spans.ended) == 4


async def test_spans_of_calls_that_were_never_begun_with_end_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of requests at once have turns; who leaves before the next turn leaves one that was read."""
    async with stage() as on:
        begun: list[int] = []
        for _ in range(5):
            async with on.client() as (_, writer):
                writer.write(request("/") * 2_000)
                before = len(on.spans.begun)
                await on.until(lambda: len(on.spans.begun) > before)  # noqa: B023 # awaited in the same turn
            await on.over()
            begun.append(len(on.spans.begun))
    holds(on.spans, caplog)


async def test_a_call_that_the_local_guard_keeps_away_has_the_fallback_s_span_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(CircuitSettings(local_guard=LocalGuard(consecutive_failures=3)))
    async with stage(desk=desk) as on:
        async with on.client() as (_, writer):
            for calls in range(1, 5):
                writer.write(request("/flag/nobody-back/ok"))
                await on.until(lambda: len(on.spans.of(SpanKind.SERVER)) == calls)  # noqa: B023 # as above
        await on.over()
    holds(on.spans, caplog)
    guarded = [(span.attributes or {}).get("tailslide.guarded") for span in on.spans.of(SpanKind.SERVER)]
    assert guarded == [None, None, None, True]
    last = on.spans.of(SpanKind.SERVER)[-1]
    assert (last.attributes or {})["tailslide.answered_by"] == "fallback"
    mine = [
        span for span in on.spans.of(SpanKind.CLIENT) if span.parent and span.parent.span_id == last.context.span_id
    ]
    assert [span.name for span in mine] == ["GET fallback"]


async def test_an_open_circuit_is_told_as_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.circuit = Circuit(state=State.OPEN, generation=1, since_ms=1)
    async with stage(desk=desk) as on:
        async with on.client() as (_, writer):
            writer.write(request("/flag/back/ok"))
            await on.until(lambda: on.spans.of(SpanKind.SERVER))
        await on.over()
    holds(on.spans, caplog)
    named = on.spans.of(SpanKind.SERVER)[0].attributes or {}
    assert named["tailslide.circuit"] == "open"
    assert named["tailslide.active"] is False
