"""Requests from raw bytes: what they say, what is refused, and that it does not matter how they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxy_strategies import mutated, requests, splits
from proxy_transcripts import NotStrictError, feed_all, one_by_one, read_requests, requests_in, sent_on, split_at, told

from tailslide_runtime.http1.messages import End, Framing
from tailslide_runtime.http1.refusals import Refusal
from tailslide_runtime.http1.requests import Leftover, RequestHead, RequestReader, read_head
from tailslide_sidecar.proxy.limits import ProxyLimits

HOST = b"Host: h\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n"


def head_of(data: bytes) -> RequestHead:
    """Return the one head that bytes amount to, whether they come at once or one by one."""
    heads = [event for event in read_requests(data) if isinstance(event, RequestHead)]
    assert len(heads) == 1, told(read_requests(data))
    assert told(read_requests(*one_by_one(data))) == told(read_requests(data))
    return heads[0]


def refusal_of(data: bytes) -> Refusal:
    """Return the refusal that ends what bytes amount to, the same whether they come at once or one by one."""
    events = read_requests(data)
    refusal = events[-1]
    assert isinstance(refusal, Refusal), told(events)
    assert told(read_requests(*one_by_one(data))) == told(events)
    return refusal


# The rule: however the bytes come in, they say the same, whether the regular expression or llhttp reads them


@given(st.lists(requests(), min_size=1, max_size=4).map(b"".join), splits)
def test_it_does_not_matter_where_requests_are_split(data: bytes, places: list[int]) -> None:
    whole = told(read_requests(data))
    assert told(read_requests(*split_at(data, places))) == whole
    assert told(read_requests(*one_by_one(data))) == whole


@given(mutated(st.lists(requests(), min_size=1, max_size=3).map(b"".join)), splits)
def test_nor_where_nonsense_is_split(data: bytes, places: list[int]) -> None:
    whole = told(read_requests(data))
    assert told(read_requests(*split_at(data, places))) == whole
    assert told(read_requests(*one_by_one(data))) == whole


@given(mutated(st.lists(requests(), min_size=1, max_size=3).map(b"".join)))
def test_what_goes_on_is_one_request_for_each_that_was_read(data: bytes) -> None:
    events = read_requests(data)
    read = [event for event in events if isinstance(event, RequestHead)]
    ends = sum(isinstance(event, End) for event in events)
    found, rest = requests_in(sent_on(events))
    assert len(found) == ends
    assert [(message.method, message.target.decode()) for message in found] == [
        (head.method, head.target) for head in read[:ends]
    ]
    assert bool(rest) == (len(read) > ends)


@given(mutated(requests()))
def test_nothing_follows_a_refusal(data: bytes) -> None:
    reader = RequestReader(ProxyLimits())
    events = feed_all(reader, data)
    refusals = [place for place, event in enumerate(events) if isinstance(event, Refusal)]
    assert refusals in ([], [len(events) - 1])
    if refusals:
        assert reader.feed(LAST) == []


@given(st.lists(requests(), min_size=1, max_size=3).map(b"".join))
def test_what_is_refused_of_valid_requests_is_refused_for_what_they_ask(data: bytes) -> None:
    for event in read_requests(data):
        if isinstance(event, Refusal):
            assert event.status in {400, 417}
            assert b"xpect" in data.lower() or b"-forwards" in data.lower()


# What heads say


def test_a_plain_request() -> None:
    head = head_of(b"GET /a/b?q=1?2 HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-A: 1\r\nx-a:2\r\n\r\n")
    assert (head.method, head.target, head.path, head.query) == ("GET", "/a/b?q=1?2", "/a/b", "q=1?2")
    assert (head.authority, head.host, head.port) == (b"Shop.Example:8080", "shop.example", 8080)
    assert (head.framing, head.length, head.keeps_alive, head.absolute) == (Framing.NONE, -1, True, False)
    assert (head.get("x-a"), head.get_all("x-a"), head.get("x-b")) == ("1", ["1", "2"], None)
    assert (head.upgrade, head.expects_continue, head.takes_trailers, head.max_forwards) == (b"", False, False, None)


@pytest.mark.parametrize(
    ("head", "host", "target"),
    [
        (b"GET http://shop.example/x?y HTTP/1.1\r\nHost: other\r\n\r\n", "shop.example", "/x?y"),
        (b"GET HTTP://Shop.Example:81?y HTTP/1.1\r\nHost: other\r\n\r\n", "shop.example", "/?y"),
        (b"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", "h", "/"),
        (b"GET http://[::1]:80/ HTTP/1.1\r\nHost: h\r\n\r\n", "::1", "/"),
        (b"OPTIONS http://h HTTP/1.0\r\n\r\n", "h", "/"),
    ],
)
def test_the_host_of_an_absolute_target_wins(head: bytes, host: str, target: str) -> None:
    read = head_of(head)
    assert (read.absolute, read.host, read.target) == (True, host, target)


@pytest.mark.parametrize(
    "target", [b"//a/../b%2f%7E;x?q=%20+&z=?", b"/%00%0d%0a", b'/{}|^`"<>\\', b"/\x7e?\x21", b"/?", b"//evil.example/"]
)
def test_path_and_query_stay_byte_for_byte(target: bytes) -> None:
    assert head_of(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n").target.encode() == target


@pytest.mark.parametrize(
    ("version", "connection", "keeps_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: keep-alive, CLOSE\r\n", False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"1.1", b"Proxy-Connection: close\r\n", True),
        (b"1.1", b"X-Connection: close\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Proxy-Connection: keep-alive\r\n", False),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_whether_another_request_may_follow(version: bytes, connection: bytes, keeps_alive: bool) -> None:
    data = b"GET / HTTP/" + version + b"\r\nHost: h\r\n" + connection + b"\r\n"
    assert head_of(data).keeps_alive is keeps_alive
    for parts in ([data + LAST], one_by_one(data + LAST), [data, LAST]):
        events = read_requests(*parts)
        heads = [event.target for event in events if isinstance(event, RequestHead)]
        assert heads == (["/", "/last"] if keeps_alive else ["/"]), told(events)


@pytest.mark.parametrize("upgrade", [b"websocket", b"chat/2, x"])
def test_what_is_behind_a_wish_to_upgrade_is_for_the_answer_to_say(upgrade: bytes) -> None:
    data = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: " + upgrade + b"\r\n\r\n"
    assert head_of(data).upgrade == upgrade
    for parts in ([data + LAST], one_by_one(data + LAST), [data, LAST]):
        events = read_requests(*parts)
        assert len(events) == 3
        leftover = events[2]
        assert isinstance(leftover, Leftover)
        assert leftover.data == LAST


@pytest.mark.parametrize(
    "fields",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
        b"Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n",
        b"Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n",
        b"Upgrade: websocket\r\n",
        b"Proxy-Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: Upgrade\r\n",
    ],
)
def test_no_other_way_out_of_http_is_opened(fields: bytes) -> None:
    data = b"GET / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n"
    assert head_of(data).upgrade == b""
    whole = told(read_requests(data + LAST))
    assert [record[2] for record in whole if record[0] == "request"] == ["/", "/last"]
    for place in range(1, len(data + LAST)):
        assert told(read_requests(*split_at(data + LAST, [place]))) == whole


WISHES = {
    "a protocol": b"Connection: Upgrade\r\nUpgrade: tcp\r\n",
    "http2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    "of the one before": b"Proxy-Connection: upgrade\r\nUpgrade: tcp\r\n",
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(LAST), b"Transfer-Encoding: chunked"])
def test_a_body_behind_a_wish_to_upgrade_is_a_body(wish: bytes, framing: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\n" + wish + framing + b"\r\n\r\n"
    body = b"%x\r\n%b\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(LAST), LAST) if b"chunked" in framing else LAST
    whole = told(read_requests(head + body + LAST))
    assert whole[1] == ("body", LAST)
    assert whole[2] == (("end", b"X-Sum: 1") if b"chunked" in framing else ("end",))
    is_open = wish == WISHES["a protocol"] and b"chunked" not in framing
    assert [record[0] for record in whole[3:]] == (["beyond"] if is_open else ["request", "end"])
    for place in range(1, len(head + body + LAST)):
        assert told(read_requests(*split_at(head + body + LAST, [place]))) == whole
    assert told(read_requests(*one_by_one(head + body + LAST))) == whole


def test_many_wishes_for_http2_are_many_requests() -> None:
    asked = b"GET http://h/ HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    events = read_requests(asked * 3_000)
    assert sum(isinstance(event, RequestHead) for event in events) == 3_000


def test_bodies() -> None:
    length = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    chunks = (
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b'2;a=b\r\nhe\r\n003;x="y z"\r\nllo\r\n0;last\r\nX-Sum: 1\r\nHost: evil\r\nCookie: a=b\r\n\r\n'
    )
    for data, framing, trailers in ((length, Framing.LENGTH, []), (chunks, Framing.CHUNKED, [b"X-Sum: 1"])):
        for parts in ([data], one_by_one(data), [data[:60], data[60:]]):
            events = read_requests(*parts, LAST)
            head, end = events[0], events[-3]
            assert isinstance(head, RequestHead)
            assert head.framing is framing
            assert isinstance(end, End)
            assert end.trailers == trailers
            assert told(events)[1] == ("body", b"hello")
            assert told(events)[3][2] == "/last"


# What is refused: nothing of it is ever taken for something else

BAD_HEADS = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host in absolute form": b"GET http://h/ HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
    "two hosts, the first empty": b"GET / HTTP/1.1\r\nHost:\r\nHost: h\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost: \r\n\r\n",
    "host with a space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host with a comma": b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with a user": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "host with an odd port": b"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n",
    "host with too large a port": b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n",
    "host that is half an address": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "host beyond ASCII": b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n",
    "absolute target with a bad Host": b"GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n",
    "absolute target with a user": b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute target without a host": b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
    "target of another scheme": b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "target without a slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority as target": b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "star for GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment in absolute form": b"GET http://a/#x HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a tab": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a NUL": b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n",
    "target beyond ASCII": b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "target with a space": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "half a version": b"GET / HTTP/1\r\nHost: a\r\n\r\n",
    "version in small letters": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "space behind the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "bare line feed behind the request line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare line feed behind a field": b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
    "bare line feed at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare line feeds only": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare carriage return in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "bare carriage return before a field": b"GET / HTTP/1.1\r\nHost: a\r\n\rX: a\r\n\r\n",
    "carriage return instead of a line's end": b"GET / HTTP/1.1\rHost: a\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
    "control character in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b\r\n\r\n",
    "DEL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
    "space before a colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n",
    "tab before a colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n",
    "folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "folded line with a tab": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
    "white space before the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "folded empty line": b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\n \r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "name beyond ASCII": b"GET / HTTP/1.1\r\nHost: a\r\n\xe9: x\r\n\r\n",
    "name in brackets": b"GET / HTTP/1.1\r\nHost: a\r\n(x): x\r\n\r\n",
    "Max-Forwards that is no number": b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n",
}

BAD_FRAMINGS = {
    "both framings": b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    "both framings, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    "both framings, no body": b"Content-Length: 0\r\nTransfer-Encoding: chunked",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6",
    "the same length twice": b"Content-Length: 5\r\nContent-Length: 5",
    "two lengths in a list": b"Content-Length: 5, 5",
    "a length in hexadecimal": b"Content-Length: 0x5",
    "a signed length": b"Content-Length: +5",
    "a negative length": b"Content-Length: -1",
    "a length with a point": b"Content-Length: 5.0",
    "an empty length": b"Content-Length: ",
    "a length with a space in it": b"Content-Length: 1 5",
    "a length beyond all bounds": b"Content-Length: 99999999999999999999999",
    "a length with a quote": b'Content-Length: "5"',
    "a length beyond ASCII": b"Content-Length: \xb2",
    "a coding that does not end in chunked": b"Transfer-Encoding: chunked, gzip",
    "another coding": b"Transfer-Encoding: gzip",
    "identity": b"Transfer-Encoding: identity",
    "chunked, and identity behind it": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "no coding": b"Transfer-Encoding:",
    "an empty last coding": b"Transfer-Encoding: chunked\r\nTransfer-Encoding:",
    "nearly chunked": b"Transfer-Encoding: xchunked",
    "chunked in quotes": b'Transfer-Encoding: "chunked"',
    "chunked with a parameter": b"Transfer-Encoding: chunked;q=1",
    "a vertical tab before chunked": b"Transfer-Encoding: \x0bchunked",
    "a space before the colon": b"Transfer-Encoding : chunked",
    "a folded coding": b"Transfer-Encoding:\r\n chunked",
    "a NUL in the name": b"Transfer-Encoding\0: chunked",
    "chunked, beside a length with an underscore": b"Transfer-Encoding: gzip\r\nTransfer_Encoding: chunked",
}


@pytest.mark.parametrize("data", BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_bad_head_is_refused(data: bytes) -> None:
    refusal = refusal_of(data + LAST)
    assert (refusal.status, refusal.code, refusal.closes) == (400, "BAD_REQUEST", True)
    assert len(told(read_requests(data + LAST))) == 1


@pytest.mark.parametrize("fields", BAD_FRAMINGS.values(), ids=BAD_FRAMINGS)
def test_a_framing_in_doubt_is_refused(fields: bytes) -> None:
    data = b"POST / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + LAST
    refusal = refusal_of(data)
    assert (refusal.status, refusal.code, refusal.closes) == (400, "BAD_REQUEST", True)
    assert len(told(read_requests(data))) == 1


@pytest.mark.parametrize(
    "fields", [b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"]
)
def test_a_coding_before_chunked_is_not_served(fields: bytes) -> None:
    refusal = refusal_of(b"POST / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n\r\n0\r\n\r\n")
    assert refusal.status in {400, 501}
    assert refusal.closes


@pytest.mark.parametrize(
    "fields",
    [
        b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"\r\nContent-Length: 5\r\nContent-Length: 5",
        b"\r\nContent-Length: 5, 5",
        b"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"\r\nTransfer-Encoding: chunked, chunked",
        b"\r\nTransfer-Encoding:",
        b"\r\nHost: other",
    ],
)
def test_what_a_head_means_is_judged_whoever_has_read_it(fields: bytes) -> None:
    """llhttp refuses most of these by itself; nothing may depend on that."""
    assert isinstance(read_head("POST", b"/", b"\r\nHost: h" + fields), Refusal)
    assert isinstance(read_head("POST", b"/", fields + b"\r\nHost: h"), Refusal)
    assert isinstance(read_head("POST", b"/", b"\r\nHost: h"), RequestHead)


def test_http_1_0_knows_no_chunks() -> None:
    assert refusal_of(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status == 400


BAD_CHUNKS = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size that is none": b"zz\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-1\r\nhello\r\n0\r\n\r\n",
    "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a size beyond all bounds": b"fffffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "a bare line feed behind the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare carriage return behind the size": b"5\rhello\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a bare carriage return in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a bare line feed in a quoted extension": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "a NUL in an extension": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "no end behind the data": b"5\r\nhello0\r\n\r\n",
    "a bare line feed behind the data": b"5\r\nhello\n0\r\n\r\n",
    "a bare carriage return behind the data": b"5\r\nhello\r0\r\n\r\n",
    "two bytes that are no end": b"5\r\nhelloXX0\r\n\r\n",
    "more data than the size says": b"4\r\nhello\r\n0\r\n\r\n",
    "a bare line feed behind the last chunk": b"0\n\r\n",
    "a bare line feed at the end": b"0\r\n\n",
    "a space before a trailer's colon": b"0\r\nX : 1\r\n\r\n",
    "a folded trailer": b"0\r\nX: 1\r\n 2\r\n\r\n",
    "a bare line feed in a trailer": b"0\r\nX: 1\nY: 2\r\n\r\n",
    "a NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
    "a length in a trailer": b"0\r\nContent-Length: 3\r\n\r\n",
    "a framing in a trailer": b"0\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
}


@pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_bad_chunks_are_refused_in_the_midst(body: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    refusal = refusal_of(head + body + LAST)
    assert (refusal.status, refusal.closes) == (400, True)
    assert not any(record[0] == "end" for record in told(read_requests(head + body + LAST)))


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405, "METHOD_NOT_ALLOWED"),
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nContent-Length: 3\r\n\r\nabc", 405, "METHOD_NOT_ALLOWED"),
        (b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405, "METHOD_NOT_ALLOWED"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n", 417, "EXPECTATION_FAILED"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue, x\r\n\r\n", 417, "EXPECTATION_FAILED"),
        (b"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "UNKNOWN_METHOD"),
        (b"get / HTTP/1.1\r\nHost: h\r\n\r\n", 501, "UNKNOWN_METHOD"),
        (b"SOURCE /a ICE/1.0\r\nHost: h\r\n\r\n", 501, "UNKNOWN_METHOD"),
        (b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505, "UNKNOWN_VERSION"),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "UNKNOWN_VERSION"),
        (b"GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505, "UNKNOWN_VERSION"),
        (b"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 400, "BAD_REQUEST"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "UNKNOWN_VERSION"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nVia: " + b"1.1 tailslide, " * 16 + b"\r\n\r\n", 508, "LOOP"),
    ],
)
def test_what_else_is_refused(data: bytes, status: int, code: str) -> None:
    refusal = refusal_of(data + LAST)
    assert (refusal.status, refusal.code, refusal.closes) == (status, code, True)


def test_an_expectation_is_read_in_any_case() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 0\r\n\r\n"
    assert head_of(head).expects_continue
    assert not head_of(head.replace(b"1.1", b"1.0", 1)).expects_continue


def test_empty_lines_before_a_request_are_none() -> None:
    for data in (b"\r\n" + LAST, b"\r\n\r\n" + LAST + b"\r\n" + LAST + b"\r\n"):
        whole = told(read_requests(data))
        assert [record[2] for record in whole if record[0] == "request"] == ["/last"] * data.count(b"/last")
        assert told(read_requests(*one_by_one(data))) == whole


# Limits

SMALL = ProxyLimits(max_header_bytes=1_000, max_headers=10, max_target_bytes=100)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414, "TARGET_TOO_LONG"),
        (b"GET /" + b"a" * 5_000, 414, "TARGET_TOO_LONG"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 10 + b"\r\n", 431, "TOO_MANY_HEADERS"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 1_000 + b"\r\n\r\n", 431, "HEADERS_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 5_000, 431, "HEADERS_TOO_LARGE"),
        (b"GET / HTTP/1.1\r\nHost: h\r\n" + b"y" * 5_000, 431, "HEADERS_TOO_LARGE"),
    ],
)
def test_what_is_too_large_is_refused(data: bytes, status: int, code: str) -> None:
    for parts in ([data], one_by_one(data)):
        refusal = read_requests(*parts, limits=SMALL)[-1]
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code, refusal.closes) == (status, code, True)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 99 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 9 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 980 + b"\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9_999,
        b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 3_000 + b"0\r\n\r\n",
        LAST * 500,
    ],
)
def test_what_is_just_small_enough_passes(data: bytes) -> None:
    for parts in ([data], one_by_one(data)):
        events = read_requests(*parts, limits=SMALL)
        assert not any(isinstance(event, Refusal) for event in events)
        assert isinstance(events[-1], End)


@pytest.mark.parametrize("endless", [b"X: y\r\n", b"x"])
def test_trailers_have_an_end(endless: bytes) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    refusal = read_requests(head, *[endless * 100] * 100, limits=SMALL)[-1]
    assert isinstance(refusal, Refusal)
    assert refusal.status == 431


def test_extensions_of_a_chunk_have_an_end() -> None:
    head = b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1"
    refusal = read_requests(head, *[b";a=" + b"b" * 100] * 100, limits=SMALL)[-1]
    assert isinstance(refusal, Refusal)
    assert refusal.status == 431


def test_a_reader_knows_whether_a_head_has_begun() -> None:
    reader = RequestReader(ProxyLimits())
    for data, has_begun in (
        (b"\r\n", False),
        (b"GE", True),
        (b"T / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"1\r\nx\r\n0\r\n\r\n", False),
        (LAST + b"G", True),
        (LAST[1:], False),
    ):
        feed_all(reader, data)
        assert reader.has_begun is has_begun, data


def test_the_strict_parser_is_strict() -> None:
    for data in (
        b"GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
        b"\r\n" + LAST,
        b"GET / HTTP/1.1\r\n\r\n",
    ):
        with pytest.raises(NotStrictError):
            requests_in(data)


def test_a_dot_at_the_end_of_a_host_names_the_same_host() -> None:
    events = RequestReader(ProxyLimits()).feed(b"GET / HTTP/1.1\r\nHost: Shop.Example.:80\r\n\r\n")
    head = events[0]
    assert isinstance(head, RequestHead)
    assert (head.host, head.authority) == ("shop.example", b"Shop.Example.:80")
