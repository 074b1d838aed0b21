"""Attempts to let one message pass for two: each is refused, or goes on as exactly what the client has sent.

From the literature: CL.TE, TE.CL, TE.TE (Linhart and others, 2005; Kettle, "HTTP Desync Attacks", 2019), CL.0 and 0.CL
("Browser-Powered Desync Attacks", 2022; "HTTP/1.1 must die", 2025), h2c, chunk extensions, bare CR and LF. What the
upstream gets is read by a parser of its own, which takes nothing that is in doubt.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from proxy_stage import LAST, Stage, stage_on
from proxy_transcripts import answers_in, split_at

from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: h\r\n"
CHUNKED_EVIL = b"0\r\n\r\n" + EVIL


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(servers: Endpoints) -> AsyncIterator[Stage]:
    async with stage_on(servers) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(running: Stage) -> AsyncIterator[Stage]:
    running.upstream.begin()
    yield running
    await running.end_of_test()


REFUSED = {
    "CL.TE": (
        POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(CHUNKED_EVIL) + CHUNKED_EVIL,
        400,
    ),
    "TE.CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n23\r\n" + EVIL + b"\r\n0\r\n\r\n", 400),
    "CL.TE with an empty body": (POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "CL.CL": (POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL, 400),
    "CL.CL in one field": (POST + b"Content-Length: 0, %d\r\n\r\n" % len(EVIL) + EVIL, 400),
    "the same length twice": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a length with a plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "a length with a vertical tab": (POST + b"Content-Length: \x0b3\r\n\r\nabc", 400),
    "a length behind a space": (POST + b"Content-Length : 3\r\n\r\nabc", 400),
    "TE.TE, space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, tab before the colon": (POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, chunked and identity": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKED_EVIL,
        400,
    ),
    "TE.TE, identity and chunked": (
        POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL,
        501,
    ),
    "TE.TE, chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKED_EVIL, 400),
    "TE.TE, a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, a NUL": (POST + b"Transfer-Encoding: chunked\0\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, folded": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, behind a folded field": (POST + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, behind a bare line feed": (POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, behind a bare carriage return": (POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE.TE, no value": (POST + b"Transfer-Encoding:\r\n\r\n" + CHUNKED_EVIL, 400),
    "TE in HTTP/1.0": (b"POST /first HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED_EVIL, 400),
    "a head that ends in bare line feeds": (b"GET /first HTTP/1.1\r\nHost: h\n\n" + EVIL, 400),
    "a head of bare carriage returns": (b"GET /first HTTP/1.1\rHost: h\r\r" + EVIL, 400),
    "a bare carriage return in a value": (
        b"GET /first HTTP/1.1\r\nHost: h\r\nX: a\rContent-Length: 9\r\n\r\n" + EVIL,
        400,
    ),
    "a NUL in a value": (b"GET /first HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n" + EVIL, 400),
    "a request line in a request line": (b"GET /first HTTP/1.1 GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "two hosts": (b"GET /first HTTP/1.1\r\nHost: h\r\nHost: gone\r\n\r\n" + EVIL, 400),
    "two hosts in one field": (b"GET /first HTTP/1.1\r\nHost: h, gone\r\n\r\n" + EVIL, 400),
    "a host behind a space": (b"GET /first HTTP/1.1\r\nHost: h\r\nHost : gone\r\n\r\n" + EVIL, 400),
    "a folded host": (b"GET /first HTTP/1.1\r\nHost: h\r\n gone\r\n\r\n" + EVIL, 400),
    "a target with a user": (b"GET http://gone@h/first HTTP/1.1\r\nHost: h\r\n\r\n" + EVIL, 400),
    "HTTP/0.9": (b"GET /first\r\n\r\n" + EVIL, 400),
    "HTTP/2 without being asked": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + EVIL, 505),
    "CONNECT": (b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n" + EVIL, 405),
    "CONNECT with a body": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL, 405),
}


@pytest.mark.parametrize(("attempt", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_is_in_doubt_is_refused_and_the_connection_ends(stage: Stage, attempt: bytes, status: int) -> None:
    for parts in ([attempt + LAST], split_at(attempt + LAST, [len(attempt) // 3, len(attempt) - 1])):
        (answer,) = answers_in(await stage.sends(*parts), "GET")
        assert answer.status == status
        assert answer.one("connection") == b"close"
    assert stage.upstream.heard == []


IN_THE_MIDST = {
    "a bare line feed behind the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare line feed in an extension (TERM.EXT)": b"5;a\nhello\r\n0\r\n\r\n",
    "a bare carriage return in an extension (EXT.TERM)": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a bare line feed behind the data": b"5\r\nhello\n0\r\n\r\n",
    "two bytes too many (ONE.TWO)": b"5\r\nhelloxx0\r\n\r\n",
    "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a size in another base": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size that wraps around": b"100000000000000005\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a last chunk with a bare line feed": b"0\n\r\n",
    "a trailer behind a space": b"0\r\nX : y\r\n\r\n",
    "a length in the trailers": b"0\r\nContent-Length: 5\r\n\r\n",
    "a coding in the trailers": b"0\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
}


@pytest.mark.parametrize("body", IN_THE_MIDST.values(), ids=IN_THE_MIDST)
async def test_chunks_in_doubt_end_the_call_and_the_connection(stage: Stage, body: bytes) -> None:
    attempt = POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + EVIL + LAST
    (answer,) = answers_in(await stage.sends(attempt), "GET")
    assert (answer.status, answer.one("connection")) == (400, b"close")
    # What went on of it is no whole request, so no upstream may have taken it for one.
    assert stage.upstream.heard == []


FORWARDED = {
    "CL.0": (POST + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL, ("POST", b"/first", EVIL)),
    "CL.0 of a GET": (
        b"GET /first HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
        ("GET", b"/first", EVIL),
    ),
    "CL.0 with a wish to upgrade": (
        POST + b"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
        ("POST", b"/first", EVIL),
    ),
    "CL.0 with h2c": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
        ("POST", b"/first", EVIL),
    ),
    "chunks with h2c": (
        POST
        + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(EVIL), EVIL),
        ("POST", b"/first", EVIL),
    ),
    "0.CL": (b"GET /first HTTP/1.1\r\nHost: h\r\nContent_Length: %d\r\n\r\n" % len(EVIL), ("GET", b"/first", b"")),
    "0.TE": (b"GET /first HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\n\r\n", ("GET", b"/first", b"")),
    "a length that Connection names": (
        POST + b"Connection: Content-Length\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
        ("POST", b"/first", EVIL),
    ),
    "a coding that Connection names": (
        POST
        + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(EVIL), EVIL),
        ("POST", b"/first", EVIL),
    ),
    "extensions of chunks": (
        POST + b'Transfer-Encoding: chunked\r\n\r\n%x;a="0\t0";b\r\n%b\r\n0;c=d\r\n\r\n' % (len(EVIL), EVIL),
        ("POST", b"/first", EVIL),
    ),
    "a size with zeroes": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n0000%x\r\n%b\r\n00000\r\n\r\n" % (len(EVIL), EVIL),
        ("POST", b"/first", EVIL),
    ),
    "a coding in capitals": (
        POST + b"tRANSFER-eNCODING:\tChUnKeD \r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(EVIL), EVIL),
        ("POST", b"/first", EVIL),
    ),
    "a length with zeroes": (POST + b"Content-Length: 000%d\r\n\r\n" % len(EVIL) + EVIL, ("POST", b"/first", EVIL)),
    "another host in an absolute target": (
        b"GET http://shop.example/first HTTP/1.1\r\nHost: gone\r\n\r\n",
        ("GET", b"/first", b""),
    ),
    "the host of the connection that Connection names": (
        b"GET /first HTTP/1.1\r\nHost: h\r\nConnection: Host\r\n\r\n",
        ("GET", b"/first", b""),
    ),
    "a target that looks like another host": (
        b"GET //gone/first HTTP/1.1\r\nHost: h\r\n\r\n",
        ("GET", b"//gone/first", b""),
    ),
    "line ends in the target": (
        b"GET /first%0d%0aHost:%20gone%0d%0a HTTP/1.1\r\nHost: h\r\n\r\n",
        ("GET", b"/first%0d%0aHost:%20gone%0d%0a", b""),
    ),
    "keep-alive of the one before": (
        b"GET /first HTTP/1.1\r\nHost: h\r\nProxy-Connection: close\r\n\r\n",
        ("GET", b"/first", b""),
    ),
    "an expectation": (
        POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
        ("POST", b"/first", EVIL),
    ),
}


@pytest.mark.parametrize(("attempt", "heard"), FORWARDED.values(), ids=FORWARDED)
async def test_what_goes_on_goes_on_as_one_request(
    stage: Stage, attempt: bytes, heard: tuple[str, bytes, bytes]
) -> None:
    for parts in ([attempt + LAST], split_at(attempt + LAST, [len(attempt) // 3, len(attempt) - 1])):
        stage.upstream.begin()
        first, last = answers_in(await stage.sends(*parts), "GET", "GET")
        assert (first.status, first.body) == (200, heard[1])
        assert (last.status, last.body) == (200, b"/last")
        assert stage.upstream.asked() == [heard, ("GET", b"/last", b"")]
        framings = [
            message.all("content-length") + message.all("transfer-encoding") for message in stage.upstream.heard
        ]
        assert [len(framing) for framing in framings] == [int(bool(heard[2])), 0]


async def test_a_request_behind_an_upgrade_that_is_refused_is_a_request(stage: Stage) -> None:
    wish = b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    for parts in ([wish + LAST], [wish, LAST], split_at(wish + LAST, [len(wish) + 10])):
        stage.upstream.begin()
        first, last = answers_in(await stage.sends(*parts), "GET", "GET")
        assert (first.body, last.body) == (b"/ws", b"/last")
        assert stage.upstream.asked() == [("GET", b"/ws", b""), ("GET", b"/last", b"")]


async def test_what_is_behind_a_refused_upgrade_is_held_against_the_routes(stage: Stage) -> None:
    """A proxy that tunnels once Upgrade was asked for lets anything through."""
    wish = (
        b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 777\r\n\r\n"
    )
    hidden = b"GET /hidden HTTP/1.1\r\nHost: nobody.knows\r\nConnection: close\r\n\r\n"
    stage.upstream.says(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n")
    first, second = answers_in(await stage.sends(wish + hidden), "GET", "GET")
    assert (first.status, second.status) == (426, 421)
    assert stage.upstream.asked() == [("GET", b"/ws", b"")]


async def test_an_early_answer_leaves_no_body_to_be_read_as_requests(stage: Stage) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    stage.upstream.talk = talk
    async with stage.connection() as (reader, writer):
        writer.write(POST + b"Content-Length: %d\r\n\r\n" % (len(EVIL) + 1))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
        writer.write(EVIL + b"x" + LAST)
        answers_in(head + await reader.read(), "POST")
    assert stage.upstream.heard == []


# From upstreams: nothing that one answer brings along becomes the answer to another request

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
TOO_MUCH = {
    "two answers": ("GET", ANSWER + POISON, b"good"),
    "half an answer behind one": ("GET", ANSWER + POISON[:30], b"good"),
    "two answers, the first in chunks": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + POISON,
        b"good",
    ),
    "half an answer behind chunks": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n" + POISON[:-20],
        b"good",
    ),
    "a body behind 204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, b""),
    "a body behind 204 with a length": (
        "GET",
        b"HTTP/1.1 204 No\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON,
        b"",
    ),
    "a body behind 204 in chunks": ("GET", b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "a body behind 304": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON,
        b"",
    ),
    "a body behind HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON, b""),
    "a body behind HEAD in chunks": ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    "an interim answer behind the answer": ("GET", ANSWER + b"HTTP/1.1 100 Continue\r\n\r\n" + POISON, b"good"),
}


@pytest.mark.parametrize(("method", "answer", "body"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_what_is_behind_an_answer_is_nobody_s(stage: Stage, method: str, answer: bytes, body: bytes) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        first = connections == 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer if first else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
            await writer.drain()

    stage.upstream.talk = talk
    first = f"{method} /first HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    one, other = await stage.asks(first, LAST)
    assert one.body == body
    assert other.body == b"next"
    assert connections == 2


IN_DOUBT = {
    "CL.TE": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + POISON,
    "CL.CL": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "TE.TE": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
    "a folded field": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 3\r\n\r\nabc",
    "a bare line feed": b"HTTP/1.1 200 OK\r\nX: y\nSet-Cookie: evil\r\nContent-Length: 3\r\n\r\nabc",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: y\rSet-Cookie: evil\r\nContent-Length: 3\r\n\r\nabc",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 3\r\n\r\nabc",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a change of protocols that nobody wished for": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    + POISON,
    "a change of protocols to nothing": b"HTTP/1.1 101 Go\r\n\r\n" + POISON,
    "a status below all": b"HTTP/1.1 042 What\r\nContent-Length: 0\r\n\r\n" + POISON,
}


@pytest.mark.parametrize("answer", IN_DOUBT.values(), ids=IN_DOUBT)
async def test_an_answer_in_doubt_is_a_502(stage: Stage, answer: bytes) -> None:
    stage.upstream.says(answer)
    first = b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n"
    one, other = await stage.asks(first, LAST)
    assert (one.status, other.status) == (502, 502)
    assert b"UPSTREAM_BROKEN" in one.body
    assert len(stage.upstream.heard) == 2
