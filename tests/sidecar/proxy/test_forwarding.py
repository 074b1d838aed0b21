"""Heads as they go on: what is added, what is left out, and that all else is as it came."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from proxy_strategies import answers, requests
from proxy_transcripts import Message, answers_in, read_requests, requests_in, sent_on

from tailslide_runtime.http1.fields import block_of
from tailslide_runtime.http1.messages import End, Framing
from tailslide_runtime.http1.refusals import own_answer
from tailslide_runtime.http1.requests import RequestHead
from tailslide_sidecar.proxy import forwarding
from tailslide_sidecar.proxy.forwarding import Origin, client_head, framing_to, interim_head, switching_head
from tailslide_sidecar.proxy.responses import ResponseHead, ResponseReader

STRANGER = Origin("192.0.2.1", trusted=False)
DATE = b"\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT"
HOP_BY_HOP = {
    "connection",
    "proxy-connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
    "proxy-authenticate",
    "http2-settings",
}
OURS_IN_REQUESTS = {"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via", "host"}
PROTECTED = {"host", "content-length", "content-type", "authorization", "cookie", "set-cookie", "cache-control"}


def request_of(data: bytes) -> RequestHead:
    head = read_requests(data)[0]
    assert isinstance(head, RequestHead)
    return head


def answer_of(data: bytes, method: str = "GET") -> ResponseHead:
    reader = ResponseReader()
    reader.expect(method)
    heads = [event for event in reader.feed(data) if isinstance(event, ResponseHead)]
    return heads[-1]


def upstream_gets(data: bytes, origin: Origin = STRANGER) -> Message:
    """Return the one request that an upstream gets of a client's."""
    found, rest = requests_in(sent_on(read_requests(data), origin))
    assert (len(found), rest) == (1, b"")
    return found[0]


def client_gets(answer: bytes, request: bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", body: bytes = b"") -> Message:
    """Return the answer that a client gets of an upstream's."""
    asked = request_of(request)
    head = answer_of(answer, asked.method)
    framing = framing_to(asked, head)
    sent = client_head(asked, head, framing, b"", DATE, closes=framing is Framing.UNTIL_CLOSE) + body
    return answers_in(sent, asked.method)[-1]


def names_away(message: bytes) -> set[str]:
    """Return what the Connection fields of a message name."""
    lines = [line.partition(b":") for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    named = b",".join(value for name, _, value in lines if name.lower() == b"connection")
    return {option.strip().lower().decode() for option in named.split(b",")} - PROTECTED


def ordinary(message: bytes, special: set[str]) -> list[tuple[str, bytes]]:
    """Return the fields of a raw message that nothing takes away, as they should go on."""
    lines = [line.partition(b":") for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    fields = [(name.decode().lower(), value.strip(b" \t")) for name, _, value in lines]
    gone = special | HOP_BY_HOP
    kept = [field for field in fields if field[0] not in gone | names_away(message)]
    # A server may take `_` for `-`.
    return [field for field in kept if "_" not in field[0] or field[0].replace("_", "-") not in gone | PROTECTED]


@given(requests())
def test_what_is_not_for_this_hop_goes_on_as_it_came(data: bytes) -> None:
    events = read_requests(data)
    assume(isinstance(events[-1], End))
    got = upstream_gets(data)
    special = OURS_IN_REQUESTS | {"expect", "max-forwards"}
    passed = [field for field in got.fields if field[0] not in special | HOP_BY_HOP]
    assert passed == ordinary(data, special)
    assert {name for name, _ in got.fields} & HOP_BY_HOP <= {"connection", "te", "upgrade", "transfer-encoding"}
    assert [value for name, value in got.fields if name == "connection"] in ([], [b"TE"], [b"Upgrade"])
    assert not any("_" in name and name.replace("_", "-").startswith("x-forwarded") for name, _ in got.fields)


@given(answers())
def test_answers_too(data: bytes) -> None:
    assume(b"HTTP/1.1 1" not in data)
    got = answer_of(data)
    body = {Framing.NONE: b"", Framing.LENGTH: bytes(max(got.length, 0))}.get(got.framing, b"0\r\n\r\n")
    sent = client_gets(data, body=body)
    ours = {"via", "date", "x-tailslide"}
    passed = [field for field in sent.fields if field[0] not in ours | HOP_BY_HOP]
    expected = [field for field in ordinary(data, ours) if field[0] != "content-length" or got.status != 204]
    assert passed == expected
    if not names_away(data) & ours:
        assert sent.all("date") == ([value for name, value in ordinary(data, set()) if name == "date"] or [DATE[8:]])
    assert len(sent.all("date")) >= 1
    assert sent.all("via")[-1].endswith(b"tailslide")
    assert sent.all("set-cookie") == [value for name, value in expected if name == "set-cookie"]


def test_nothing_but_what_is_for_this_hop_is_left_out() -> None:
    got = upstream_gets(
        b"POST /x HTTP/1.1\r\nhost: h\r\nX-A:  1 \r\nConnection: keep-alive, X-Mine, cookie\r\nX-Mine: 1\r\n"
        b"Keep-Alive: timeout=9\r\nProxy-Connection: x\r\nProxy-Authorization: Basic s\r\nTE: gzip, trailers\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: A\r\nCookie: a=b\r\nX-a: 2\r\nContent_Length: 4\r\n"
        b"Content-Length: 3\r\n\r\nabc"
    )
    assert got.first_line == b"POST /x HTTP/1.1"
    assert got.body == b"abc"
    assert got.fields == [
        ("host", b"h"),
        ("x-a", b"1"),
        ("cookie", b"a=b"),
        ("x-a", b"2"),
        ("content-length", b"3"),
        ("x-forwarded-for", b"192.0.2.1"),
        ("x-forwarded-proto", b"http"),
        ("x-forwarded-host", b"h"),
        ("forwarded", b'for=192.0.2.1;host="h";proto=http'),
        ("via", b"1.1 tailslide"),
        ("connection", b"TE"),
        ("te", b"trailers"),
    ]


@pytest.mark.parametrize("name", sorted(PROTECTED - {"host", "content-length"}))
def test_what_makes_the_message_cannot_be_named_away(name: str) -> None:
    data = f"GET / HTTP/1.1\r\nHost: h\r\nConnection: {name}, host, content-length\r\n{name}: x\r\n\r\n".encode()
    assert upstream_gets(data).one(name) == b"x"
    assert client_gets(f"HTTP/1.1 204 No\r\nConnection: {name}\r\n{name}: x\r\n\r\n".encode()).one(name) == b"x"


SAYS = (
    b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Proto: https\r\n"
    b'X-Forwarded-Host: shop\r\nForwarded: for=9.9.9.9;proto=https\r\nForwarded: for="[::9]"\r\n\r\n'
)


@pytest.mark.parametrize(
    ("origin", "chain", "forwarded"),
    [
        (Origin("192.0.2.1", trusted=True), b"9.9.9.9, 8.8.8.8, 192.0.2.1", b'for=192.0.2.1;host="h";proto=http'),
        (
            Origin("2001:db8::1", trusted=True),
            b"9.9.9.9, 8.8.8.8, 2001:db8::1",
            b'for="[2001:db8::1]";host="h";proto=http',
        ),
        (Origin(None, trusted=True), b"9.9.9.9, 8.8.8.8", b'for=unknown;host="h";proto=http'),
    ],
)
def test_a_trusted_client_is_believed_and_added_to(origin: Origin, chain: bytes, forwarded: bytes) -> None:
    got = upstream_gets(SAYS, origin)
    assert got.one("x-forwarded-for") == chain
    assert got.one("x-forwarded-proto") == b"https"
    assert got.one("x-forwarded-host") == b"shop"
    assert got.one("forwarded") == b'for=9.9.9.9;proto=https, for="[::9]", ' + forwarded


@pytest.mark.parametrize(
    ("origin", "chain", "forwarded"),
    [
        (Origin("192.0.2.1", trusted=False), b"192.0.2.1", b'for=192.0.2.1;host="h";proto=http'),
        (Origin("2001:db8::1", trusted=False), b"2001:db8::1", b'for="[2001:db8::1]";host="h";proto=http'),
        (Origin(None, trusted=False), None, b'for=unknown;host="h";proto=http'),
    ],
)
def test_what_another_says_of_itself_is_replaced(origin: Origin, chain: bytes | None, forwarded: bytes) -> None:
    for _ in range(2):  # what is told is kept between requests
        got = upstream_gets(SAYS, origin)
        assert got.one("x-forwarded-for") == chain
        assert (got.one("x-forwarded-proto"), got.one("x-forwarded-host")) == (b"http", b"h")
        assert got.one("forwarded") == forwarded
    other = upstream_gets(b"GET / HTTP/1.1\r\nHost: other\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n", origin)
    assert other.one("x-forwarded-host") == b"other"
    assert not any("6.6.6.6" in str(value) for _, value in other.fields)


def test_http_1_0_may_name_no_host() -> None:
    got = upstream_gets(b"GET / HTTP/1.0\r\n\r\n")
    assert got.one("host") == b"upstream.example"
    assert got.one("x-forwarded-host") is None
    assert got.one("forwarded") == b"for=192.0.2.1;proto=http"
    assert got.one("via") == b"1.0 tailslide"


def test_the_host_of_an_absolute_target_goes_on() -> None:
    got = upstream_gets(b"GET http://shop.example:81/x?y HTTP/1.1\r\nHost: other\r\n\r\n")
    assert (got.target, got.one("host")) == (b"/x?y", b"shop.example:81")


def test_via_is_added_to() -> None:
    got = upstream_gets(b"GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 a\r\nVia: 1.1 b, 1.1 c\r\n\r\n")
    assert got.all("via") == [b"1.0 a, 1.1 b, 1.1 c, 1.1 tailslide"]
    got = client_gets(b"HTTP/1.0 204 No\r\nVia: 1.0 a\r\nVia: 1.1 b\r\n\r\n")
    assert got.all("via") == [b"1.0 a, 1.1 b, 1.0 tailslide"]


@pytest.mark.parametrize(("sent", "told"), [(b"5", b"4"), (b"1", b"0"), (b"0", b"0"), (b"99999", b"9998")])
def test_max_forwards_counts_down(sent: bytes, told: bytes) -> None:
    got = upstream_gets(b"OPTIONS * HTTP/1.1\r\nHost: h\r\nMax-Forwards: " + sent + b"\r\n\r\n")
    assert (got.target, got.one("max-forwards")) == (b"*", told)


def test_expect_and_upgrade_go_on() -> None:
    got = upstream_gets(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n")
    assert got.one("expect") == b"100-continue"
    got = upstream_gets(
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\n"
    )
    assert (got.one("connection"), got.one("upgrade"), got.one("te")) == (b"Upgrade", b"websocket", None)


@pytest.mark.parametrize(
    ("fields", "version", "closes", "has"),
    [
        (b"Content-Length: 0", b"1.1", False, {"content-length": b"0"}),
        (b"Transfer-Encoding: chunked", b"1.1", False, {"transfer-encoding": b"chunked"}),
        (b"X: y", b"1.1", False, {"transfer-encoding": b"chunked"}),
        (b"Content-Length: 0", b"1.0", False, {"content-length": b"0", "connection": b"keep-alive"}),
        (b"Transfer-Encoding: chunked", b"1.0", True, {"connection": b"close"}),
        (b"X: y", b"1.0", True, {"connection": b"close"}),
    ],
)
def test_the_client_is_told_where_an_answer_ends(
    fields: bytes, version: bytes, closes: bool, has: dict[str, bytes]
) -> None:
    asked = request_of(b"GET / HTTP/%b\r\nHost: h\r\nConnection: keep-alive\r\n\r\n" % version)
    answer = answer_of(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n")
    framing = framing_to(asked, answer)
    assert (framing is Framing.UNTIL_CLOSE) == closes
    sent = client_head(asked, answer, framing, b"", DATE, closes=closes)
    got = answers_in(sent + (b"0\r\n\r\n" if framing is Framing.CHUNKED else b""), "GET")[0]
    told = {name: got.one(name) for name in ("content-length", "transfer-encoding", "connection")}
    assert {name: value for name, value in told.items() if value is not None} == has


def test_an_answer_to_head_tells_of_the_body_that_it_has_not() -> None:
    for fields in (b"Content-Length: 9", b"Transfer-Encoding: chunked"):
        got = client_gets(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n", b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert got.fields[0] == ("content-length", b"9") or got.one("transfer-encoding") == b"chunked"
        assert got.body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_none(status: int) -> None:
    got = client_gets(b"HTTP/1.1 %d X\r\nContent-Length: 9\r\nETag: x\r\n\r\n" % status)
    assert got.one("content-length") == (b"9" if status == 304 else None)
    assert (got.one("etag"), got.body) == (b"x", b"")


def test_a_date_is_added_where_there_is_none() -> None:
    assert client_gets(b"HTTP/1.1 204 No\r\n\r\n").all("date") == [DATE[8:]]
    assert client_gets(b"HTTP/1.1 204 No\r\ndate: then\r\n\r\n").all("date") == [b"then"]


def test_interim_answers_lose_what_is_for_this_hop() -> None:
    data = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: x\r\nX: 1\r\nContent-Length: 3\r\n\r\n"
    assert interim_head(answer_of(data)) == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n"


def test_a_change_of_protocols_goes_on() -> None:
    data = b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
    sent = switching_head(answer_of(data), b"\r\nx-tailslide: y", DATE)
    got = answers_in(sent + b"\x00\x01", "GET", switched=True)[0]
    assert (got.first_line, got.body) == (b"HTTP/1.1 101 Go", b"\x00\x01")
    assert (got.one("connection"), got.one("upgrade")) == (b"Upgrade", b"websocket")
    assert (got.one("sec-websocket-accept"), got.one("x-tailslide")) == (b"x", b"y")


@pytest.mark.parametrize(
    ("status", "request_line", "closes", "told", "body"),
    [
        (502, b"GET / HTTP/1.1", False, {"content-length": b"2"}, b"no"),
        (502, b"GET / HTTP/1.1", True, {"content-length": b"2", "connection": b"close"}, b"no"),
        (502, b"HEAD / HTTP/1.1", False, {"content-length": b"2"}, b""),
        (502, b"GET / HTTP/1.0", False, {"content-length": b"2", "connection": b"keep-alive"}, b"no"),
        (204, b"OPTIONS / HTTP/1.1", False, {}, b""),
        (304, b"GET / HTTP/1.1", False, {}, b""),
    ],
)
def test_an_answer_of_our_own(
    status: int, request_line: bytes, closes: bool, told: dict[str, bytes], body: bytes
) -> None:
    asked = request_of(request_line + b"\r\nHost: h\r\n\r\n")
    sent = own_answer(status, b"no", block_of([(b"X", b"y")]), DATE, request=asked, closes=closes)
    got = answers_in(sent, asked.method)[0]
    assert (got.status, got.body, got.one("x"), got.one("date")) == (status, body, b"y", DATE[8:])
    found = {name: got.one(name) for name in ("content-length", "connection")}
    assert {name: value for name, value in found.items() if value is not None} == told


@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    st.lists(st.sampled_from([b"X-A: 1", b"b:2"]), max_size=3),
)
def test_chunks_are_as_a_strict_parser_has_them(pieces: list[bytes], trailers: list[bytes]) -> None:
    sent = b"".join(map(forwarding.chunk, pieces)) + forwarding.last_chunk(trailers)
    got = answers_in(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + sent, "GET")[0]
    assert got.body == b"".join(pieces)
    assert len(got.trailers) == len(trailers)
