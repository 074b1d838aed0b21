"""Routes on the real thing: which upstream gets a call, for whom, and what its caller and the log are told."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from http.cookies import SimpleCookie

import aiohttp
import pytest
from aiohttp import web
from proxy_endings import refusing_address, silent_address
from proxy_load import (
    BrokenOffError,
    ask,
    calls_by_result,
    connection,
    get,
    post,
    post_chunks,
    read_answer,
)
from sidecar_bench import FLAG, Bench, Handler, answer, bench_on, raw_upstream, upstream

from tailslide_core.conditions import Condition, Operator
from tailslide_core.ruleset import Rule
from tailslide_embedded.stack import Endpoints

OLD = {"status": 203, "body": "old"}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def echo(request: web.Request) -> web.Response:
    """Answer what was asked for."""
    return web.Response(text=f"{request.method} {request.host} {request.raw_path} {(await request.read()).decode()}")


# Several servers


async def test_the_server_with_the_fewest_calls_under_way_gets_the_next(bench: Bench) -> None:
    release, arrived, got = asyncio.Event(), asyncio.Semaphore(0), Counter[str]()

    def named(name: str) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            got[name] += 1
            arrived.release()
            await release.wait()
            return web.Response(text=name)

        return handle

    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(upstream(named(name))) for name in ("a", "b", "c")]
        sidecar = await bench.start({"upstream": servers})
        calls = []
        for _ in range(12):
            calls.append(asyncio.create_task(ask(sidecar, get("/"))))
            await arrived.acquire()
        assert got == {"a": 4, "b": 4, "c": 4}
        release.set()
        assert [(await call).status for call in calls] == [200] * 12


async def test_a_server_that_refuses_is_left_out_until_it_is_back(bench: Bench) -> None:
    with refusing_address() as away:
        async with upstream(answer("here")) as here:
            sidecar = await bench.start(bench.route([away, here], OLD))  # type: ignore[arg-type] # a list is as good
            for _ in range(20):
                got = await ask(sidecar, get("/"))
                assert (got.status, got.body) == (200, b"here")
            # It was tried once, or a few times if a second has passed since.
            assert 1 <= await sidecar.metric(f'tailslide_sidecar_upstream_refusals{{upstream="{away}"}}') <= 4
            await bench.until_counted(success=20, failure=0)

            port = int(away.rpartition(":")[2])
    back = web.AppRunner(web.Application(), access_log=None)
    await back.setup()
    try:
        await web.TCPSite(back, "127.0.0.1", port).start()

        async def is_back() -> bool:
            await ask(sidecar, get("/"))
            return await sidecar.metric(f'tailslide_sidecar_upstream_connects_total{{upstream="{away}"}}') >= 1

        await sidecar.until(is_back)
        assert await sidecar.metric(f'tailslide_sidecar_upstream_refusals{{upstream="{away}"}}') == 0
    finally:
        await back.cleanup()


async def test_a_server_that_does_not_accept_in_time_is_left_out_too(bench: Bench) -> None:
    with silent_address() as silent:
        async with upstream(answer("here")) as here:
            route = {**bench.route("", OLD), "feature": [silent, here], "timeouts": {"connect_ms": 300}}
            sidecar = await bench.start(route)
            for _ in range(10):
                got = await ask(sidecar, post("/"))
                assert (got.status, got.body) == (200, b"here")
            assert await sidecar.metric(f'tailslide_sidecar_upstream_refusals{{upstream="{silent}"}}') >= 1
            await bench.until_counted(success=10, failure=0)


async def test_when_all_refuse_the_caller_is_told(bench: Bench) -> None:
    with refusing_address() as one, refusing_address() as other:
        sidecar = await bench.start(bench.route([one, other], OLD))  # type: ignore[arg-type] # a list is as good
        for _ in range(3):
            got = await ask(sidecar, post("/"))
            assert got.status == 502
            assert b"UPSTREAM_REFUSED" in got.body
        await bench.until_counted(failure=3, success=0)


# What is taken, and how it is sent on


async def test_rewriting_fixed_answers_and_what_a_route_matches(bench: Bench) -> None:
    async with upstream(echo) as server:
        sidecar = await bench.start(
            {"match": {"path": "/healthz"}, "answer": {"status": 200, "body": "ok", "headers": {"X-From": "here"}}},
            {"match": {"path_prefix": "/gone"}, "answer": {"status": 204}},
            {
                "match": {"path_prefix": "/api", "headers": {"x-plan": "pro"}},
                "upstream": server,
                "rewrite_prefix": "/v2",
            },
            {"match": {"path_prefix": "/api", "headers": {"x-beta": True}}, "answer": {"status": 200, "body": "beta"}},
            {"match": {"path_prefix": "/api", "methods": ["DELETE"]}, "answer": {"status": 403}},
            {"match": {"path_prefix": "/api"}, "upstream": server, "rewrite_prefix": "/"},
            {"match": {"host": "*.example"}, "upstream": server},
        )
        fixed = await ask(sidecar, get("/healthz?x"))
        assert (fixed.status, fixed.body, fixed.header("x-from")) == (200, b"ok", "here")
        assert fixed.header("content-type") == "text/plain; charset=utf-8"
        empty = await ask(sidecar, get("/gone"))
        assert (empty.status, empty.body, empty.header("content-length")) == (204, b"", None)
        for request, expected in [
            (get("/api/x//y?q=/api", X_Plan="pro"), "GET shop.example /v2/x//y?q=/api "),
            (get("/api", X_Plan="pro"), "GET shop.example /v2 "),
            (get("/api//%2e?a=b", X_Plan="free"), "GET shop.example /%2e?a=b "),
            (get("/api/x", X_Beta=""), "beta"),
            (get("/apix"), "GET shop.example /apix "),
            (post("/api?x"), "POST shop.example /?x a body of some bytes"),
        ]:
            got = await ask(sidecar, request)
            assert (got.status, got.body.decode()) == (200, expected)
        refused = await ask(sidecar, post("/api/x", method="DELETE"))
        assert refused.status == 403
        elsewhere = await ask(sidecar, b"GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n")
        assert (elsewhere.status, b"UNKNOWN_HOST" in elsewhere.body) == (404, False)


async def test_a_host_that_no_route_takes_is_a_421(bench: Bench) -> None:
    sidecar = await bench.start({"match": {"host": "*.example"}, "answer": {"status": 200}})
    got = await ask(sidecar, b"GET / HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n")
    assert got.status == 421
    assert b"no route takes the host elsewhere.test" in got.body
    assert (await ask(sidecar, get("/"))).status == 200


# For whom


def token(**claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"signature"))


@pytest.mark.parametrize(
    ("source", "request_of"),
    [
        ({"header": "x-user"}, lambda user: get("/", X_User=user)),
        ({"cookie": "uid"}, lambda user: get("/", Cookie=f"a=b; uid={user}; c=d")),
        ({"query": "user"}, lambda user: get(f"/?x=1&user={user.replace('a', '%61')}")),
        ({"jwt_claim": "sub"}, lambda user: get("/", Authorization=f"Bearer {token(sub=user)}")),
        ({"jwt_claim": "sub", "cookie": "session"}, lambda user: get("/", Cookie=f"session={token(sub=user)}")),
        ({"jwt_claim": "sub", "header": "x-token"}, lambda user: get("/", X_Token=token(sub=user))),
    ],
)
async def test_the_targeting_key_and_where_it_comes_from(
    bench: Bench, source: object, request_of: Callable[[str], bytes]
) -> None:
    await bench.put(bench.ruleset(rollout=0.0, allow=frozenset({"alice"})))
    async with upstream(echo) as feature:
        sidecar = await bench.start(bench.route(feature, OLD, targeting_key=source))
        assert (await ask(sidecar, request_of("alice"))).status == 200
        assert (await ask(sidecar, request_of("alan"))).status == 203
        assert (await ask(sidecar, get("/"))).status == 203


async def test_attributes_decide_by_the_rules_of_the_flag(bench: Bench) -> None:
    condition = Condition("country", Operator.IN, ("DE",))
    await bench.put(bench.ruleset(rollout=0.0, rules=(Rule((condition,), 100.0),)))
    async with upstream(echo) as feature:
        sidecar = await bench.start(bench.route(feature, OLD, attributes={"country": {"header": "x-country"}}))
        assert (await ask(sidecar, get("/", X_Country="DE"))).status == 200
        assert (await ask(sidecar, get("/", X_Country="FR"))).status == 203


async def test_the_anonymous_stay_with_the_side_that_they_got(bench: Bench) -> None:
    await bench.put(bench.ruleset(rollout=50.0))
    async with upstream(answer("new")) as feature, upstream(answer("old")) as fallback:
        sidecar = await bench.start(bench.route(feature, fallback, targeting_key={"cookie": "uid"}, anonymous="cookie"))
        sides: Counter[bytes] = Counter()
        for _ in range(40):
            first = await ask(sidecar, get("/"))
            sides[first.body] += 1
            cookie = first.header("set-cookie")
            assert cookie is not None
            # In lower case as all of the head is here, so that the key is read from the connection itself below.
            assert cookie.endswith("; path=/; max-age=31536000; httponly; samesite=lax")
        assert sides[b"new"] > 5
        assert sides[b"old"] > 5

        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(sidecar.proxy) as got:
                side, jar = await got.text(), SimpleCookie(got.headers["Set-Cookie"])
            assert len(jar["tailslide_id"].value) >= 20
            for _ in range(5):
                async with session.get(sidecar.proxy) as got:
                    assert await got.text() == side
                    assert "Set-Cookie" not in got.headers
        # Who has a key needs none.
        assert (await ask(sidecar, get("/", Cookie="uid=alice"))).header("set-cookie") is None


# As a forward proxy


async def test_calls_of_an_application_that_knows_its_proxy(bench: Bench, client: aiohttp.ClientSession) -> None:
    async with upstream(answer("new")) as feature, upstream(echo) as other:
        port = other.rpartition(":")[2]
        sidecar = await bench.start(
            bench.route(feature, OLD, match={"host": "pay.internal", "path_prefix": "/v1"}),
            {"match": {"path_prefix": "/"}, "answer": {"status": 200, "body": "for the sidecar itself"}},
            forward_allow=[f"localhost:{port}"],
        )
        for url, status, text in [
            ("http://pay.internal/v1/charges", 200, "new"),
            ("http://pay.internal/v2", 404, "NO_ROUTE"),
            (f"http://localhost:{port}/x?y", 200, f"GET localhost:{port} /x?y "),
            ("http://localhost:1/", 403, "HOST_NOT_ALLOWED"),
            ("http://elsewhere.test/", 403, "HOST_NOT_ALLOWED"),
            (f"{sidecar.proxy}/", 200, "for the sidecar itself"),
        ]:
            async with client.get(url, proxy=sidecar.proxy, headers={"X-User-Id": "u1"}) as got:
                assert (url, got.status) == (url, status)
                assert text in await got.text()
        await bench.until_counted(success=1, failure=0)


async def test_curl_with_http_proxy(bench: Bench) -> None:
    async with upstream(answer("new")) as feature:
        sidecar = await bench.start(bench.route(feature, OLD, match={"host": "pay.internal"}))

        async def curl(*arguments: str) -> tuple[int, str]:
            process = await asyncio.create_subprocess_exec(
                *("curl", "--silent", "--show-error", "--max-time", "10", *arguments),
                env={"http_proxy": sidecar.proxy, "https_proxy": sidecar.proxy},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
            assert process.returncode is not None
            return process.returncode, output.decode()

        assert await curl("-H", "X-User-Id: u1", "http://pay.internal/v1") == (0, "new")
        code, output = await curl("https://pay.internal/v1")
        assert code != 0
        assert "405" in output


@pytest.mark.parametrize("target", ["https://pay.internal/", "HTTPS://pay.internal/", "ftp://pay.internal/"])
async def test_what_would_have_to_be_encrypted_is_not_sent_in_the_clear(bench: Bench, target: str) -> None:
    sidecar = await bench.start({"match": {"host": "pay.internal"}, "answer": {"status": 200}})
    got = await ask(sidecar, f"GET {target} HTTP/1.1\r\nHost: pay.internal\r\n\r\n".encode())
    assert got.status == 400
    assert b"http://host/path" in got.body


# When the feature fails


async def test_the_fallback_makes_up_for_what_can_be_made_again(bench: Bench) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if b"/silent" in request:
            await reader.read()
        elif b"/begins" in request:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            await writer.drain()
        elif b"/failing" in request:
            writer.write(b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
            await writer.drain()

    async with raw_upstream(talk) as feature, upstream(echo) as fallback:
        sidecar = await bench.start(
            bench.route(feature, fallback, retry_on_fallback="idempotent", timeout_ms=300),
            limits={"replay_limit_bytes": 1_000},
        )
        small, large = b"x" * 900, b"x" * 1_100
        for request, expected in [
            (get("/silent"), "GET shop.example /silent "),
            (get("/left"), "GET shop.example /left "),
            (get("/failing"), "GET shop.example /failing "),
            (post("/silent", small, method="PUT"), f"PUT shop.example /silent {small.decode()}"),
            (post_chunks("/failing", b"by", b"parts", method="PUT"), "PUT shop.example /failing byparts"),
        ]:
            got = await ask(sidecar, request)
            assert (got.status, got.body.decode()) == (200, expected)
            assert (got.header("x-tailslide") or "").endswith("; circuit=closed; variant=on; answered_by=fallback")
        for request, status in [
            (post("/failing", small), 503),
            (post("/left", small), 502),
            (post("/silent", large, method="PUT"), 504),
            (post("/failing", large, method="PUT"), 503),
        ]:
            got = await ask(sidecar, request)
            assert got.status == status
            assert "answered_by" not in (got.header("x-tailslide") or "")
        with pytest.raises(BrokenOffError):
            await ask(sidecar, get("/begins"))
        # The feature has failed each time; what the fallback made of it does not count.
        await bench.until_counted(failure=10, success=0)
        assert await sidecar.metric('tailslide_sidecar_proxied_retries_on_fallback_total{route="* /"}') == 5
        assert await calls_by_result(sidecar, "fallback") == {"answered": 5}
        # The operator sees each of them as what it was, though its caller saw nothing.
        saved = sidecar.lines("feature_failed")
        assert [(line["flag"], line["cause"], line["feature_status"], line["status"]) for line in saved] == [
            (FLAG, "timed_out", None, 200),
            (FLAG, "broken", None, 200),
            (FLAG, "5xx", 503, 200),
            (FLAG, "timed_out", None, 200),
            (FLAG, "5xx", 503, 200),
        ]
        told = await sidecar.samples("tailslide_sidecar_outcomes_total")
        causes = {labels["cause"]: value for labels, value in told if labels["target"] == "feature" and value}
        assert causes == {"timed_out": 3, "broken": 2, "cut_off": 1, "5xx": 4}


async def test_a_fallback_that_fails_as_well_is_the_answer(bench: Bench) -> None:
    with refusing_address() as away:
        async with upstream(answer("broken", 500)) as fallback:
            sidecar = await bench.start(bench.route(away, fallback, retry_on_fallback="idempotent"))
            assert (await ask(sidecar, get("/"))).status == 500
            await bench.until_counted(failure=1, success=0)


# What callers and people are told


async def test_all_answers_of_flagged_routes_say_how_they_were_decided(bench: Bench) -> None:
    on = f"flag={FLAG}; active=true; reason=static; circuit=closed; variant=on"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"upgrade" in (await reader.readuntil(b"\r\n\r\n")).lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\nX-Tailslide: forged\r\n\r\n")
        await writer.drain()

    with refusing_address() as away:
        async with raw_upstream(talk) as feature:
            routes = (
                bench.route(away, OLD, match={"path": "/refused"}),
                bench.route(away, OLD, match={"path": "/unknown"}, flag="unknown"),
                bench.route(feature, OLD, match={"path": "/small"}, max_body_bytes=1),
                {"match": {"path": "/plain"}, "upstream": feature},
                bench.route(feature, OLD),
            )
            told = await bench.start(*routes)
            silent = await bench.start(*routes, answer_header=False)
            for request, status, expected in [
                (get("/"), 200, on),
                (get("/", Connection="Upgrade", Upgrade="x"), 101, on),
                (get("/refused"), 502, on),
                (get("/unknown"), 203, "flag=unknown; active=false; reason=flag_not_found"),
                (get("/plain"), 200, None),
            ]:
                got = await ask(told, request)
                assert (got.status, got.header("x-tailslide")) == (status, expected)
                got = await ask(silent, request)
                assert (got.status, got.header("x-tailslide")) == (status, None)


async def test_traces_go_on_and_the_log_keeps_secrets(bench: Bench) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(f"{request.headers['traceparent']} {request.headers['tracestate']}")
        return web.Response(status=500, headers={"Set-Cookie": "sid=S3CRET-set"})

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, OLD), access_log={"sample_percent": 100})
        await ask(
            sidecar,
            get(
                "/orders?token=S3CRET-query",
                traceparent=trace,
                tracestate="a=b,c=d",
                Cookie="sid=S3CRET-cookie",
                Authorization="Bearer S3CRET-token",
                Referer="http://h/?S3CRET-referer",
            ),
        )
        absolute = get("/").replace(b" / ", b" http://shop.example/orders?S3CRET-absolute ")
        assert (await ask(sidecar, absolute)).status == 403
    assert seen == [f"{trace} a=b,c=d"]
    assert await sidecar.end() == 0
    assert "S3CRET" not in sidecar.log()
    first, second = [line for line in map(json.loads, sidecar.log().splitlines()) if line["event"] == "call"]
    expected = {
        "method": "GET",
        "host": "shop.example",
        "path": "/orders",
        "status": 500,
        "end": "answered",
        "side": "feature",
        "route": "* /",
        "traceparent": trace,
        "decision": f"flag={FLAG}; active=true; reason=STATIC; circuit=closed; variant=on",
    }
    assert expected.items() <= first.items()
    assert (second["path"], second["status"], second["route"]) == ("/orders", 403, None)


# What goes on for long


async def test_events_of_a_flagged_route_come_at_once(bench: Bench) -> None:
    next_one = asyncio.Semaphore(0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n")
        for number in range(5):
            await next_one.acquire()
            writer.write(b"data: %d\n\n" % number)
            await writer.drain()

    async with raw_upstream(talk) as feature:
        sidecar = await bench.start(bench.route(feature, OLD))
        async with connection(sidecar) as (reader, writer):
            writer.write(get("/events"))
            assert b"transfer-encoding: chunked" in (await reader.readuntil(b"\r\n\r\n")).lower()
            for number in range(5):
                next_one.release()
                # The next one is not sent before this one has come.
                assert f"data: {number}\n\n".encode() in await reader.readuntil(b"\n\n\r\n")
            assert await reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
        await bench.until_counted(success=1, failure=0)


async def test_a_websocket_is_judged_by_its_handshake(bench: Bench, client: aiohttp.ClientSession) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/refused":
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "leave":
                assert request.transport is not None
                request.transport.abort()
            else:
                await socket.send_str(message.data)
        return socket

    user = {"X-User-Id": "u1"}
    async with upstream(handle) as feature:
        sidecar = await bench.start(bench.route(feature, OLD, timeouts={"idle_ms": 400}))
        async with client.ws_connect(sidecar.proxy, headers=user) as socket:
            for _ in range(8):
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
                await asyncio.sleep(0.1)  # in all longer than it may be idle
            # An end without a close frame, as of an upstream that dies, is nobody's failure.
            await socket.send_str("leave")
            assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSED
        async with client.ws_connect(sidecar.proxy, headers=user) as socket:
            assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSED  # idle for too long
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.ws_connect(f"{sidecar.proxy}/refused", headers=user)
        await bench.until_counted(success=2, failure=1)
        assert await calls_by_result(sidecar) == {"upgraded": 2, "answered": 1}


async def test_requests_behind_each_other_are_answered_in_their_order(bench: Bench) -> None:
    async def handle(request: web.Request) -> web.Response:
        with suppress(ValueError):
            await asyncio.sleep(float(request.query_string))  # the first one takes longest
        return web.Response(text=request.path)

    async with upstream(handle) as feature:
        sidecar = await bench.start(
            bench.route(feature, OLD, match={"path_prefix": "/new"}),
            {"match": {"path": "/fixed"}, "answer": {"status": 200, "body": "/fixed"}},
            {"upstream": feature},
        )
        paths = ["/new/1?0.2", "/fixed", "/other?0.05", "/new/2", "/fixed"]
        async with connection(sidecar) as (reader, writer):
            writer.write(b"".join(get(path) for path in paths))
            for path in paths:
                assert (await read_answer(reader)).body.decode() == path.partition("?")[0]
        await bench.until_counted(success=2, failure=0)
