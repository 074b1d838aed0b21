"""Transcripts of an intermediary (RFC 9110, 9112): from raw bytes of a client, an upstream's raw bytes, and back.

What pretends to be something else is in `test_proxy_smuggling`.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from proxy_stage import LAST, Stage, stage_on
from proxy_transcripts import NotStrictError, answers_in

from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST_HEAD = LAST.replace(b"GET", b"HEAD")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(servers: Endpoints) -> AsyncIterator[Stage]:
    async with stage_on(servers) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(running: Stage) -> AsyncIterator[Stage]:
    running.upstream.begin()
    yield running
    await running.end_of_test()


# Refused before any upstream hears of it

REFUSED = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, b"BAD_REQUEST"),
    "a bad request line": (b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400, b"BAD_REQUEST"),
    "CONNECT": (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405, b"METHOD_NOT_ALLOWED"),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405, b"METHOD_NOT_ALLOWED"),
    "a body that is too large": (
        b"PUT / HTTP/1.1\r\nHost: small\r\nContent-Length: 11\r\n\r\n",
        413,
        b"BODY_TOO_LARGE",
    ),
    "a target that is too long": (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414, b"TARGET_TOO_LONG"),
    "an endless target": (b"GET /" + b"a" * 20_000, 414, b"TARGET_TOO_LONG"),
    "another expectation": (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417, b"EXPECTATION_FAILED"),
    "headers that are too large": (
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        431,
        b"HEADERS_TOO_LARGE",
    ),
    "too many headers": (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431, b"TOO_MANY_HEADERS"),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, b"UNKNOWN_METHOD"),
    "another version": (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505, b"UNKNOWN_VERSION"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, b"UNKNOWN_VERSION"),
    "a circle": (b"GET / HTTP/1.1\r\nHost: h\r\nVia: " + b"1.1 tailslide," * 16 + b"\r\n\r\n", 508, b"LOOP"),
}


@pytest.mark.parametrize(("request_bytes", "status", "code"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_ends_the_connection(stage: Stage, request_bytes: bytes, status: int, code: bytes) -> None:
    (answer,) = answers_in(await stage.sends(request_bytes + LAST), "GET")
    assert answer.status == status
    assert b'"code":"' + code in answer.body
    assert answer.one("content-type") == b"application/json; charset=utf-8"
    assert answer.one("connection") == b"close"
    assert answer.one("date") is not None
    assert (answer.one("allow") is not None) == (status == 405)
    assert stage.upstream.heard == []


async def test_a_host_that_no_route_takes_is_a_421_and_no_reason_to_end(stage: Stage) -> None:
    first, last = await stage.asks(b"GET / HTTP/1.1\r\nHost: nobody.knows\r\n\r\n", LAST)
    assert (first.status, last.status) == (421, 200)
    assert first.one("via") == b"1.1 tailslide"
    assert stage.upstream.asked() == [("GET", b"/last", b"")]


async def test_a_host_that_may_not_be_called_is_a_403(stage: Stage) -> None:
    first, last = await stage.asks(b"GET http://nobody.knows/ HTTP/1.1\r\nHost: h\r\n\r\n", LAST)
    assert (first.status, last.status) == (403, 200)


async def test_garbage_behind_a_request_is_answered_behind_its_answer(stage: Stage) -> None:
    first, refusal = answers_in(await stage.sends(GET + b"what is this?\r\n\r\n"), "GET", "GET")
    assert (first.status, first.one("connection")) == (200, None)
    assert refusal.status in {400, 501}
    assert refusal.one("connection") == b"close"


# What goes on to upstreams


async def test_a_head_goes_on_byte_for_byte_but_for_this_hop(stage: Stage) -> None:
    await stage.asks(
        b'PATCH //a/../b%2f%7E;x?q=%20+&z=? HTTP/1.1\r\nHost: h\r\nX-Name: \xe9 "y"\r\nx-name:2\r\n'
        b"Accept-Encoding: br\r\n"
        b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Connection: x\r\nX_Forwarded_For: 6.6.6.6\r\n"
        b"Proxy-Authorization: Basic x\r\nTE: trailers, gzip\r\nVia: 1.0 a\r\n"
        b"traceparent: 00-x\r\nContent-Length: 2\r\n\r\nok"
    )
    (message,) = stage.upstream.heard
    assert message.first_line == b"PATCH //a/../b%2f%7E;x?q=%20+&z=? HTTP/1.1"
    assert message.body == b"ok"
    assert message.fields == [
        ("host", b"h"),
        ("x-name", b'\xe9 "y"'),
        ("x-name", b"2"),
        ("accept-encoding", b"br"),
        ("traceparent", b"00-x"),
        ("content-length", b"2"),
        ("x-forwarded-for", b"127.0.0.1"),
        ("x-forwarded-proto", b"http"),
        ("x-forwarded-host", b"h"),
        ("forwarded", b'for=127.0.0.1;host="h";proto=http'),
        ("via", b"1.0 a, 1.1 tailslide"),
        ("connection", b"TE"),
        ("te", b"trailers"),
    ]


async def test_a_trusted_peer_is_believed_and_another_is_not(stage: Stage) -> None:
    says = (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 9.9.9.9\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop\r\n"
        b"Forwarded: for=9.9.9.9\r\nConnection: close\r\n\r\n"
    )
    await stage.asks(says)
    await stage.asks(says, to=stage.doubting)
    believed, replaced = stage.upstream.heard
    assert believed.one("x-forwarded-for") == b"9.9.9.9, 127.0.0.1"
    assert (believed.one("x-forwarded-proto"), believed.one("x-forwarded-host")) == (b"https", b"shop")
    assert believed.one("forwarded") == b'for=9.9.9.9, for=127.0.0.1;host="h";proto=http'
    assert replaced.one("x-forwarded-for") == b"127.0.0.1"
    assert (replaced.one("x-forwarded-proto"), replaced.one("x-forwarded-host")) == (b"http", b"h")
    assert replaced.one("forwarded") == b'for=127.0.0.1;host="h";proto=http'


async def test_an_absolute_target_goes_on_as_path_and_host(stage: Stage) -> None:
    (answer,) = await stage.asks(
        b"GET http://shop.example:80/x?y HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n"
    )
    (message,) = stage.upstream.heard
    assert (answer.status, message.target, message.one("host")) == (200, b"/x?y", b"shop.example:80")


async def test_options(stage: Stage) -> None:
    own, _, star, last = await stage.asks(
        b"OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\n\r\n",
        b"OPTIONS /x HTTP/1.1\r\nHost: h\r\nMax-Forwards: 3\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        LAST,
    )
    assert own.status == 204
    allowed = own.one("allow")
    assert allowed is not None
    assert allowed.split(b", ") == [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"]
    assert (star.body, last.body) == (b"*", b"/last")
    assert [message.target for message in stage.upstream.heard] == [b"/x", b"*", b"/last"]
    assert stage.upstream.heard[0].one("max-forwards") == b"2"


async def test_chunks_and_trailers_go_up(stage: Stage) -> None:
    await stage.asks(
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nHost: evil\r\nAuthorization: Basic x\r\n\r\n"
    )
    (message,) = stage.upstream.heard
    assert (message.body, message.is_chunked, message.one("content-length")) == (b"abcde", True, None)
    assert message.trailers == [("x-sum", b"5")]
    assert message.one("trailer") == b"X-Sum"


# Keeping connections


@pytest.mark.parametrize(
    ("request_bytes", "connection", "via"),
    [
        (b"GET / HTTP/1.0\r\nHost: h\r\n\r\n", b"close", b"1.0 tailslide"),
        (b"GET / HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n", b"close", b"1.0 tailslide"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", b"close", b"1.1 tailslide"),
    ],
)
async def test_the_last_request_ends_the_connection(
    stage: Stage, request_bytes: bytes, connection: bytes, via: bytes
) -> None:
    (answer,) = await stage.asks(request_bytes)
    assert (answer.status, answer.one("connection")) == (200, connection)
    assert stage.upstream.heard[0].one("via") == via
    assert stage.upstream.heard[0].one("connection") is None


async def test_http_1_0_may_keep_its_connection(stage: Stage) -> None:
    keeps = b"GET /1 HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n"
    one, two, last = await stage.asks(keeps, keeps, b"GET /3 HTTP/1.0\r\nHost: h\r\n\r\n")
    assert [answer.one("connection") for answer in (one, two, last)] == [b"keep-alive", b"keep-alive", b"close"]
    assert [answer.body for answer in (one, two, last)] == [b"/1", b"/1", b"/3"]


async def test_http_1_0_without_a_host_takes_no_route_for_one(stage: Stage) -> None:
    (answer,) = await stage.asks(b"GET / HTTP/1.0\r\n\r\n")
    assert answer.status == 421
    (answer,) = await stage.asks(b"GET / HTTP/1.0\r\n\r\n", to=stage.doubting)
    assert answer.status == 200
    assert stage.upstream.heard[0].one("host") == stage.upstream.url.removeprefix("http://").encode()


async def test_two_hundred_requests_at_once_are_answered_in_order(stage: Stage) -> None:
    requests = [
        b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number
        if number % 3
        else b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" % number
        if number % 2
        else b"PUT /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" % number
        for number in range(200)
    ]
    answers = await stage.asks(*requests, LAST)
    assert [answer.body for answer in answers] == [b"/%d" % number for number in range(200)] + [b"/last"]
    assert [message.target for message in stage.upstream.heard] == [answer.body for answer in answers]


async def test_a_request_in_single_bytes_is_the_same_request(stage: Stage) -> None:
    request = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    received = await stage.sends(*[request[place : place + 1] for place in range(len(request))])
    assert answers_in(received, "POST")[0].body == b"/x"
    assert stage.upstream.asked() == [("POST", b"/x", b"hello")]


# What comes back


async def test_an_answer_goes_back_byte_for_byte_but_for_this_hop(stage: Stage) -> None:
    stage.upstream.says(
        b"HTTP/1.1 299 S\xef so\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nset-cookie:c=3\r\nX-Tailslide: forged\r\n"
        b"Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n"
        b"Content-Encoding: gzip\r\nDate: then\r\nVia: 1.1 b\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
    )
    first, _ = await stage.asks(GET, LAST)
    assert first.first_line == b"HTTP/1.1 299 S\xef so"
    assert first.body == b"\x1f\x8b\x00"
    assert first.fields == [
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("set-cookie", b"c=3"),
        ("content-encoding", b"gzip"),
        ("date", b"then"),
        ("content-length", b"3"),
        ("via", b"1.1 b, 1.1 tailslide"),
    ]


async def test_a_date_is_added_where_there_is_none(stage: Stage) -> None:
    first, _ = await stage.asks(GET, LAST)
    date = first.one("date")
    assert date is not None
    assert date.endswith(b" GMT")


async def made(stage: Stage) -> float:
    """Return how many connections to the upstream have been made."""
    return await stage.trusting.metric(f'tailslide_sidecar_upstream_connects_total{{upstream="{stage.upstream.url}"}}')


@pytest.mark.parametrize(
    ("method", "answer", "length", "coding"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"5", None),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, b"chunked"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n", None, None),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None, None),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", None, None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"5", None),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", None, None),
    ],
)
async def test_an_answer_without_a_body_leaves_both_connections_usable(
    stage: Stage, method: str, answer: bytes, length: bytes | None, coding: bytes | None
) -> None:
    stage.upstream.says(answer)
    before = await made(stage)
    first, last = await stage.asks(
        f"{method} / HTTP/1.1\r\nHost: h\r\n\r\n".encode(), LAST if method == "GET" else LAST_HEAD
    )
    assert (first.one("content-length"), first.one("transfer-encoding"), first.body) == (length, coding, b"")
    assert (first.one("connection"), last.one("connection")) == (None, b"close")
    assert len(stage.upstream.heard) == 2
    assert await made(stage) - before == 1


@pytest.mark.parametrize(
    ("answer", "lasts"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nProxy-Connection: close\r\n\r\nok", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok", False),
    ],
)
async def test_an_upstream_s_connection_is_used_for_as_long_as_it_says(
    stage: Stage, answer: bytes, lasts: bool
) -> None:
    stage.upstream.says(answer)
    before = await made(stage)
    answers = await stage.asks(GET, GET, LAST)
    assert [message.body for message in answers] == [b"ok"] * 3
    assert await made(stage) - before == (1 if lasts else 3)


@pytest.mark.parametrize(
    ("answer", "closes", "trailers"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\nVia: x\r\n\r\n",
            False,
            [("x-sum", b"5")],
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nabcde", True, []),
        (b"HTTP/1.0 200 OK\r\n\r\nabcde", True, []),
    ],
)
async def test_what_has_no_length_comes_in_chunks(
    stage: Stage, answer: bytes, closes: bool, trailers: list[tuple[str, bytes]]
) -> None:
    stage.upstream.says(answer, closes=closes)
    first, last = await stage.asks(GET, LAST)
    for message in (first, last):
        assert (message.body, message.is_chunked, message.one("content-length")) == (b"abcde", True, None)
        assert message.trailers == trailers
    assert first.one("connection") is None


async def test_http_1_0_gets_no_chunks_but_the_end_of_the_connection(stage: Stage) -> None:
    stage.upstream.says(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"
    )
    (answer,) = await stage.asks(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
    assert (answer.body, answer.one("transfer-encoding"), answer.one("connection")) == (b"abcde", None, b"close")


# Interim answers


async def test_interim_answers_go_back_but_not_to_http_1_0(stage: Stage) -> None:
    stage.upstream.says(
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n"
        b"Link: </b>\r\nConnection: x\r\nX: y\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    )
    processing, hints, answer, *_ = await stage.asks(GET, LAST)
    assert (processing.first_line, processing.fields) == (b"HTTP/1.1 102 Processing", [])
    assert (hints.first_line, hints.fields) == (b"HTTP/1.1 103 Early Hints", [("link", b"</a>"), ("link", b"</b>")])
    assert answer.body == b"ok"
    answers = await stage.asks(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    assert [message.status for message in answers] == [200]


async def test_leave_to_continue_is_the_upstream_s_to_give(stage: Stage) -> None:
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nExpect: 100-continue\r\n" in head
        asked.set()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(4)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n" + body)
        await writer.drain()

    stage.upstream.talk = talk
    async with stage.connection() as (reader, writer):
        writer.write(
            b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert asked.is_set()
        writer.write(b"body")
        (answer,) = answers_in(await reader.read(), "PUT")
    assert answer.body == b"body"


async def test_a_client_that_is_told_no_does_not_have_to_send(stage: Stage) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    stage.upstream.talk = talk
    (answer,) = answers_in(
        await stage.sends(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"), "PUT"
    )
    assert (answer.status, answer.one("connection")) == (417, b"close")


async def test_an_upgrade_opens_a_way_in_both_directions(stage: Stage) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nConnection: Upgrade\r\nUpgrade: chat\r\n" in head
        writer.write(b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: chat\r\nX-A: b\r\n\r\nhello")
        while data := await reader.read(100):
            writer.write(data.upper())
            await writer.drain()

    stage.upstream.talk = talk
    async with stage.connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\nearly\0\xff")
        (answer,) = answers_in(await reader.readuntil(b"EARLY\0\xff"), "GET", switched=True)
        assert (answer.status, answer.one("x-a"), answer.body) == (101, b"b", b"helloEARLY\0\xff")
        writer.write(GET)
        assert await reader.readexactly(len(GET)) == GET.upper()
        writer.write_eof()
        assert await reader.read() == b""


# Upstreams that fail


@pytest.mark.parametrize(
    ("host", "status", "code"), [(b"gone", 502, b"UPSTREAM_REFUSED"), (b"slow", 504, b"UPSTREAM_TIMEOUT")]
)
async def test_an_upstream_that_does_not_answer(stage: Stage, host: bytes, status: int, code: bytes) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    stage.upstream.talk = hang
    request = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host
    one, other = await stage.asks(request, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (one.status, other.status) == (status, status)
    assert b'"code":"' + code in one.body
    assert (one.one("connection"), other.one("connection")) == (None, b"close")


@pytest.mark.parametrize(
    "said", [b"", b"H", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 100 Continue\r\n\r\n", b"what?\r\n\r\n"]
)
async def test_an_upstream_that_breaks_off_before_its_answer_is_a_502(stage: Stage, said: bytes) -> None:
    stage.upstream.says(said, closes=True)
    answers = await stage.asks(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answers[-1].status == 502
    assert b'"code":"UPSTREAM_BROKEN"' in answers[-1].body
    assert len(stage.upstream.heard) == 1


async def test_a_call_too_many_is_a_503_that_says_when_to_come_back(stage: Stage) -> None:
    arrived, release = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    stage.upstream.talk = talk
    request = b"GET / HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n"
    first = asyncio.create_task(stage.asks(request))
    await arrived.wait()
    (second,) = await stage.asks(request)
    release.set()
    assert (second.status, second.one("retry-after")) == (503, b"1")
    assert b'"code":"NO_CAPACITY"' in second.body
    assert (await first)[0].status == 200


CUT_OFF = {
    "of a length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    "of a length, before its first byte": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "amid a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nabc",
    "before the last chunk's end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    "with chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
}


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("answer", CUT_OFF.values(), ids=CUT_OFF)
async def test_an_answer_that_is_cut_off_is_never_whole(stage: Stage, answer: bytes, version: bytes) -> None:
    stage.upstream.says(answer, closes=True)
    async with stage.connection() as (reader, writer):
        writer.write(b"GET / HTTP/%b\r\nHost: h\r\n\r\n" % version)
        received, error = b"", None
        try:
            while data := await reader.read(65_536):
                received += data
        except ConnectionResetError as reset:
            error = reset
    # Where only the end of the connection tells the end of the answer, that has to be a reset.
    if error is None:
        with pytest.raises(NotStrictError, match=r"cut off"):
            answers_in(received, "GET")
        assert b"Content-Length: 10" in received or b"chunked" in received
    else:
        assert version == b"1.0"


async def test_an_answer_that_ends_with_a_reset_is_cut_off(stage: Stage) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nabc")
        await writer.drain()
        await heard.wait()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    heard = asyncio.Event()
    stage.upstream.talk = talk
    async with stage.connection() as (reader, writer):
        writer.write(GET)
        received = await reader.readuntil(b"abc")
        heard.set()
        received += await reader.read()
    with pytest.raises(NotStrictError, match="cut off"):
        answers_in(received, "GET")
