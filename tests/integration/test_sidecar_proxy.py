"""The proxy between a real client and real upstreams: what passes, what counts, and what breaks how."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from sidecar_bench import Bench, Raw, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_core.circuit import Circuit, State
from tailslide_core.ruleset import CircuitSettings
from tailslide_embedded.stack import Endpoints

MIB = 1_048_576
Talk = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


@asynccontextmanager
async def connection(sidecar: Sidecar) -> AsyncIterator[Talk]:
    """Yield a connection to the proxy, on which nothing may take for ever."""
    host, _, port = sidecar.proxy.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(15):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):  # broken off by the other side
            await writer.wait_closed()


async def exchange(sidecar: Sidecar, request: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back until the connection ends."""
    async with connection(sidecar) as (reader, writer):
        writer.write(request)
        return await reader.read()


async def test_the_flag_decides_between_feature_and_fallback(bench: Bench, client: aiohttp.ClientSession) -> None:
    await bench.put(bench.ruleset(rollout=0.0, allow=frozenset({"u1"})))
    async with upstream(answer("new")) as feature, upstream(answer("old")) as fallback:
        sidecar = await bench.start(bench.route(feature, fallback))
        async with client.get(sidecar.proxy, headers={"X-User-Id": "u1"}) as got:
            assert await got.text() == "new"
            marker = f"flag={bench.flag_id().flag}; active=true; reason=TARGETING_MATCH; circuit=closed; variant=on"
            assert got.headers["x-tailslide"] == marker
        async with client.get(sidecar.proxy) as got:
            assert await got.text() == "old"
            assert "active=false; reason=STATIC" in got.headers["x-tailslide"]
        await bench.until_counted(success=1, failure=0)


async def test_no_route_is_a_404(bench: Bench, client: aiohttp.ClientSession) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start({"match": {"path_prefix": "/a"}, "upstream": "http://127.0.0.1:9"})
    async with client.get(f"{sidecar.proxy}/ab") as got:
        assert got.status == 404
        assert (await got.json())["error"]["code"] == "NO_ROUTE"


async def test_heads_go_on_as_they_are(bench: Bench) -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
            b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
        )
        await writer.drain()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server})
        received = await exchange(
            sidecar,
            b"GET //a/../b%2f%7E;x?q=%20+&z=? HTTP/1.1\r\nHost: shop.example\r\nConnection: close, X-Mine\r\n"
            b"X-Mine: 1\r\nX-Forwarded-For: 9.9.9.9\r\nX-Name: \xe9\r\nCookie: a=b\r\n\r\n",
        )

    request_line, *headers = seen[0].decode("latin-1").split("\r\n")
    assert request_line == "GET //a/../b%2f%7E;x?q=%20+&z=? HTTP/1.1"
    assert sorted(header.lower() for header in headers if header) == [
        "cookie: a=b",
        'forwarded: for=127.0.0.1;host="shop.example";proto=http',
        "host: shop.example",
        "via: 1.1 tailslide",
        "x-forwarded-for: 9.9.9.9, 127.0.0.1",
        "x-forwarded-host: shop.example",
        "x-forwarded-proto: http",
        "x-name: é",
    ]
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *answer_headers = head.decode().split("\r\n")
    assert status_line == "HTTP/1.1 200 Fine"
    assert body == b"abc"
    assert sorted(header for header in answer_headers if not header.startswith("Date: ")) == [
        "Connection: close",
        "Content-Encoding: gzip",
        "Content-Length: 3",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "Via: 1.1 tailslide",
    ]


async def test_a_target_with_a_host_is_served_as_a_forward_proxy_does(bench: Bench) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} {request.raw_path}")

    await bench.put(bench.ruleset())
    async with upstream(handle) as server:
        sidecar = await bench.start({"match": {"host": "*.example"}, "upstream": server})
        received = await exchange(
            sidecar, b"GET http://shop.example/x?y HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"
        )
    assert received.endswith(b"shop.example /x?y")


@pytest.mark.parametrize(
    ("method", "reply", "received"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"Content-Length: 5\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 204 No Content\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', b'ETag: "x"\r\n'),
    ],
)
async def test_answers_without_a_body_have_none(bench: Bench, method: str, reply: bytes, received: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        await writer.drain()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server})
        got = await exchange(sidecar, f"{method} / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    head, _, body = got.partition(b"\r\n\r\n")
    assert received in head + b"\r\n"
    assert body == b""
    assert b"Transfer-Encoding" not in head


async def test_large_bodies_stream_both_ways(bench: Bench, client: aiohttp.ClientSession) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)
        return response

    size = 24 * MIB

    async def body() -> AsyncIterator[bytes]:
        for number in range(size // 65_536):
            yield bytes([number % 251]) * 65_536

    await bench.put(bench.ruleset())
    async with upstream(echo) as server:
        sidecar = await bench.start({"upstream": server})
        digest, received = hashlib.sha256(), 0
        async with client.post(sidecar.proxy, data=body()) as got:
            async for chunk in got.content.iter_any():
                digest.update(chunk)
                received += len(chunk)
    expected = hashlib.sha256()
    async for chunk in body():
        expected.update(chunk)
    assert (received, digest.digest()) == (size, expected.digest())


async def test_a_chunk_arrives_before_the_answer_has_ended(bench: Bench, client: aiohttp.ClientSession) -> None:
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await release.wait()
        return response

    await bench.put(bench.ruleset())
    async with upstream(slow) as server:
        sidecar = await bench.start({"upstream": server})
        async with client.get(sidecar.proxy) as got:
            assert await got.content.readany() == b"first"
            release.set()
            assert await got.content.readany() == b""


async def test_a_client_that_does_not_read_stops_the_upstream(bench: Bench) -> None:
    written = 0
    stalled = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            written += 65_536
            try:
                async with asyncio.timeout(1):
                    await writer.drain()
            except TimeoutError:
                stalled.set()
                return

    await bench.put(bench.ruleset())
    async with raw_upstream(flood) as server:
        sidecar = await bench.start({"upstream": server})
        async with connection(sidecar) as (_, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await stalled.wait()
    assert written < 64 * MIB


async def test_a_client_that_expects_100_continue_gets_it(bench: Bench) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=f"{(await request.read()).decode()} {'Expect' in request.headers}")

    await bench.put(bench.ruleset())
    async with upstream(handle) as server:
        sidecar = await bench.start({"upstream": server})
        async with connection(sidecar) as (reader, writer):
            writer.write(
                b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
            )
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            received = await reader.read()
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"body True")


async def test_a_refused_upstream_needs_no_body(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start({"upstream": "http://127.0.0.1:9"})
    async with connection(sidecar) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"Connection: close\r\n" in head
        assert b"http://127.0.0.1:9 cannot be connected to" in await reader.readuntil(b"}}")


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"what?\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(("talk", "status"), [(hang, 504), (break_off, 502), (nonsense, 502), (None, 502)])
async def test_an_upstream_without_an_answer_is_a_failure(
    bench: Bench, client: aiohttp.ClientSession, talk: Raw | None, status: int
) -> None:
    await bench.put(bench.ruleset())
    async with raw_upstream(talk or hang) as server:
        feature = server if talk else "http://127.0.0.1:9"
        sidecar = await bench.start(bench.route(feature, server, timeout_ms=200))
        async with client.post(sidecar.proxy, headers={"X-User-Id": "u1"}) as got:
            assert got.status == status
            assert set((await got.json())["error"]) == {"code", "message"}
            assert "active=true" in got.headers["x-tailslide"]
        await bench.until_counted(failure=1, success=0)


@pytest.mark.parametrize(
    "ending", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
async def test_an_answer_that_is_cut_off_is_never_whole(bench: Bench, ending: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + ending)
        await writer.drain()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                async with session.get(sidecar.proxy, headers={"X-User-Id": "u1"}) as got:
                    await got.read()
        await bench.until_counted(failure=1, success=0)


async def test_statuses_and_slow_calls_are_counted_as_the_ruleset_says(
    bench: Bench, client: aiohttp.ClientSession
) -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.query.get("slow"):
            await asyncio.sleep(0.15)
        return web.Response(status=int(request.query.get("status", "200")))

    await bench.put(bench.ruleset(circuit=CircuitSettings(slow_call_ms=100, slow_threshold=80.0)))
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        for query in ["", "", "status=404", "status=500", "status=503", "slow=1"]:
            async with client.get(f"{sidecar.proxy}/?{query}", headers={"X-User-Id": "u1"}) as got:
                await got.read()
        await bench.until_counted(success=4, failure=2, slow=1, latency_le_200=1)
        assert await bench.samples("success", ":10s") is not None


async def test_a_slow_client_makes_no_slow_call(bench: Bench) -> None:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    await bench.put(bench.ruleset(circuit=CircuitSettings(slow_call_ms=250, slow_threshold=80.0)))
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}, timeout_ms=300))
        async with connection(sidecar) as (reader, writer):
            writer.write(
                b"POST / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nContent-Length: 2\r\nConnection: close\r\n\r\na"
            )
            await asyncio.sleep(0.5)  # the slowness that is tried here
            writer.write(b"b")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        await bench.until_counted(success=1, failure=0, slow=0)


async def test_a_client_that_leaves_counts_as_nothing(bench: Bench, client: aiohttp.ClientSession) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()
        left.set()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        for rest in (b"\r\n", b"Content-Length: 10\r\n\r\nabc"):
            arrived.clear()
            left.clear()
            async with connection(sidecar) as (_, writer):
                writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\n" + rest)
                await arrived.wait()
            async with asyncio.timeout(10):
                await left.wait()
        sample = 'tailslide_sidecar_proxied_calls_total{result="client_gone",route="* /",side="feature"}'
        await sidecar.until_metric(sample, 2)
    assert await sidecar.end() == 0
    assert (await bench.samples("success"), await bench.samples("failure")) == ({}, {})


async def test_nonsense_in_a_body_is_the_client_s_own(bench: Bench) -> None:
    arrived = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        async with connection(sidecar) as (_, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nTransfer-Encoding: chunked\r\n\r\n")
            await arrived.wait()
            writer.write(b"zz\r\n")
        await sidecar.until_metric(
            'tailslide_sidecar_proxied_calls_total{result="client_gone",route="* /",side="feature"}', 1
        )
    assert await sidecar.end() == 0
    assert (await bench.samples("success"), await bench.samples("failure")) == ({}, {})


async def test_a_failed_call_is_answered_by_the_fallback(bench: Bench, client: aiohttp.ClientSession) -> None:
    await bench.put(bench.ruleset())
    async with upstream(answer("broken", 500)) as feature, upstream(answer("old")) as fallback:
        sidecar = await bench.start(
            bench.route(feature, fallback, match={"path_prefix": "/a"}, retry_on_fallback="idempotent"),
            bench.route("http://127.0.0.1:9", fallback, match={"path_prefix": "/b"}, retry_on_fallback="idempotent"),
        )
        for method, path, body, status in [
            ("GET", "/a", None, 200),
            ("DELETE", "/a", None, 200),
            ("POST", "/a", None, 500),
            ("PUT", "/a", b"body", 200),
            ("PUT", "/a", bytes(100_000), 500),
            ("GET", "/b", None, 200),
            ("PUT", "/b", b"body", 200),
            ("POST", "/b", b"body", 502),
        ]:
            async with client.request(method, sidecar.proxy + path, data=body, headers={"X-User-Id": "u"}) as got:
                await got.read()
                assert (method, path, got.status) == (method, path, status)
                assert ("answered_by=fallback" in got.headers["x-tailslide"]) == (status == 200)
        await bench.until_counted(failure=8, success=0)


async def test_a_put_whose_connection_breaks_is_not_sent_again_in_part(
    bench: Bench, client: aiohttp.ClientSession
) -> None:
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await reader.readuntil(b"first")

    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0.2)
        yield b"second"

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server})
        async with client.put(sidecar.proxy, data=body()) as got:
            assert got.status == 502
    assert requests == 1


async def test_an_early_answer_ends_the_upload(bench: Bench) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    await bench.put(bench.ruleset())
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server})
        async with connection(sidecar) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413 ")
            # What the client goes on with may be the rest of its body or another request: nobody can tell.
            assert b"\r\nConnection: close\r\n" in head
            writer.write(b"cde")
            assert await reader.read() == b"no"


async def test_a_call_that_outlives_its_circuit_is_not_counted(bench: Bench, client: aiohttp.ClientSession) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response(status=500)

    await bench.put(bench.ruleset())
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        call = asyncio.create_task(client.post(sidecar.proxy, headers={"X-User-Id": "u"}))
        await arrived.wait()
        await bench.put_circuit(Circuit(State.RECOVERING, 50.0, trips=1, generation=2))
        await sidecar.until_answers(circuit="recovering")
        release.set()
        (await call).close()
        await sidecar.until_metric("tailslide_sidecar_outcomes_stale_total", 1)
    assert await bench.samples("failure") == {}


async def test_websockets_pass(bench: Bench, client: aiohttp.ClientSession) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["chat"])
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data * 2)
        return socket

    await bench.put(bench.ruleset())
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        async with client.ws_connect(
            sidecar.proxy, headers={"X-User-Id": "u"}, protocols=["chat"], compress=15, max_msg_size=0
        ) as socket:
            assert socket.protocol == "chat"
            for size in (1, 5_000, 3 * MIB):
                await socket.send_bytes(b"x" * size)
                assert len(await socket.receive_bytes()) == 2 * size
        await bench.until_counted(success=1, failure=0)


async def test_a_refused_websocket_is_an_ordinary_answer(bench: Bench, client: aiohttp.ClientSession) -> None:
    await bench.put(bench.ruleset())
    async with upstream(answer("no", 403)) as server:
        sidecar = await bench.start({"upstream": server})
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(sidecar.proxy)
    assert refused.value.status == 403


async def test_running_calls_end_before_the_process_does(bench: Bench, client: aiohttp.ClientSession) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response(text="done")

    await bench.put(bench.ruleset())
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, {"status": 503}))
        call = asyncio.create_task(client.get(sidecar.proxy, headers={"X-User-Id": "u"}))
        await arrived.wait()
        sidecar.process.terminate()
        async with asyncio.timeout(10):
            while True:
                try:
                    async with connection(sidecar):
                        await asyncio.sleep(0.01)
                except ConnectionError:
                    break
        release.set()
        got = await call
        assert await got.text() == "done"
        assert await sidecar.process.wait() == 0
    assert await bench.total("success") == 1
