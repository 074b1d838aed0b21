"""Answers from raw bytes: what they say, which are refused, and that it does not matter how they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proxy_strategies import answers, mutated, splits
from proxy_transcripts import (
    Message,
    NotStrictError,
    ReadAnswers,
    answers_in,
    fields_of,
    one_by_one,
    read_answers,
    split_at,
)

from tailslide_runtime.http1.messages import Framing
from tailslide_sidecar.proxy.responses import MAX_HEADER_BYTES, Broken, ResponseHead, ResponseReader, read_head

methods = st.sampled_from(["GET", "GET", "HEAD", "POST"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read(data: bytes, method: str = "GET", *, closed: bool = False) -> ReadAnswers:
    """Return what bytes amount to, whether they come at once or one by one."""
    whole = read_answers(method, data, closed=closed)
    assert read_answers(method, *one_by_one(data), closed=closed) == whole
    return whole


def head_of(data: bytes, method: str = "GET") -> ResponseHead:
    """Return the one head that bytes begin with."""
    read(data, method)
    reader = ResponseReader()
    reader.expect(method)
    head = reader.feed(data)[0]
    assert isinstance(head, ResponseHead)
    return head


def assert_same_in_parts(data: bytes, method: str, places: list[int]) -> None:
    whole = read_answers(method, data, closed=True)
    for parts in (split_at(data, places), one_by_one(data)):
        answer = read_answers(method, *parts, closed=True)
        assert answer.events == whole.events
        # An empty line behind an answer is nothing to llhttp, and too much for a connection that has no call.
        assert answer.is_broken == whole.is_broken or data.endswith((b"\r", b"\n"))


@given(answers(), methods, splits)
def test_it_does_not_matter_where_answers_are_split(data: bytes, method: str, places: list[int]) -> None:
    assert_same_in_parts(data, method, places)


@given(mutated(answers()), methods, splits)
def test_nor_where_nonsense_is_split(data: bytes, method: str, places: list[int]) -> None:
    assert_same_in_parts(data, method, places)


def answers_or_doubt(data: bytes, method: str) -> list[Message] | str:
    try:
        return answers_in(data, method)
    except NotStrictError as doubt:
        return str(doubt)


@given(mutated(answers()), methods)
def test_what_is_not_broken_is_as_a_strict_parser_has_it(data: bytes, method: str) -> None:
    answer = read_answers(method, data, closed=True)
    told = [record for record in answer.events if record[0] == "answer"]
    is_whole = answer.events and answer.events[-1][0] == "end" and told[-1][1] >= 200  # type: ignore[operator] # a status
    if answer.is_broken or not is_whole or b"HTTP/1.0" in data[:8]:
        return
    found = answers_or_doubt(data.lstrip(b"\r\n"), method)
    if isinstance(found, str):
        # What is more than strict: chunks' extensions, a status line without a reason, other codes, older versions.
        assert any(leave in found for leave in ("is no chunk", "a message begins with", "behind the last")), found
        return
    body = b"".join(record[1] for record in answer.events if record[0] == "body")  # type: ignore[misc] # bytes
    assert [message.status for message in found] == [record[1] for record in told]
    assert found[-1].body == body


def test_a_plain_answer() -> None:
    data = (
        b"HTTP/1.1 200 F\xefne\r\nSet-Cookie: a=1\r\nset-cookie:b=2 \r\nDate: d\r\nVia: 1.0 x\r\n"
        b"Keep-Alive: timeout=5, max=9\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    head = head_of(data)
    assert (head.status, head.reason, head.framing, head.length) == (200, b"F\xefne", Framing.LENGTH, 2)
    assert (head.has_date, head.via, head.keeps_alive, head.idle_s) == (True, (b"1.0 x",), True, 5)
    assert fields_of(head.passing) == [
        ("set-cookie", b"a=1"),
        ("set-cookie", b"b=2"),
        ("date", b"d"),
        ("content-length", b"2"),
    ]
    assert [record[0] for record in read(data).events] == ["answer", "body", "end"]


@pytest.mark.parametrize(
    ("method", "status", "fields", "framing", "length"),
    [
        ("GET", 200, b"Content-Length: 2", Framing.LENGTH, 2),
        ("GET", 200, b"Transfer-Encoding: chunked", Framing.CHUNKED, -1),
        ("GET", 200, b"X: y", Framing.UNTIL_CLOSE, -1),
        ("HEAD", 200, b"Content-Length: 2", Framing.NONE, 2),
        ("HEAD", 200, b"Transfer-Encoding: chunked", Framing.NONE, -1),
        ("HEAD", 200, b"X: y", Framing.NONE, -1),
        ("GET", 204, b"X: y", Framing.NONE, -1),
        ("GET", 204, b"Content-Length: 2", Framing.NONE, -1),
        ("GET", 204, b"Transfer-Encoding: chunked", Framing.NONE, -1),
        ("GET", 304, b"Content-Length: 2", Framing.NONE, 2),
        ("GET", 304, b"X: y", Framing.NONE, -1),
        ("GET", 205, b"Content-Length: 0", Framing.LENGTH, 0),
    ],
)
def test_how_an_answer_ends(method: str, status: int, fields: bytes, framing: Framing, length: int) -> None:
    data = b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, fields)
    head = head_of(data, method)
    assert (head.framing, head.length) == (framing, length)
    answer = read(data, method)
    assert (answer.events[-1] == ("end",)) == (framing is Framing.NONE or length == 0)
    assert not answer.is_broken


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        (b"Content-Length: 5", b"hello"),
        (b"Transfer-Encoding: chunked", b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        (b"X: y", b"hello"),
    ],
)
def test_a_body_is_whole_or_has_no_end(fields: bytes, ending: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n"
    answer = read(data + ending, closed=True)
    assert [record for record in answer.events if record[0] != "answer"] == [("body", b"hello"), ("end",)]
    for cut in range(1, len(ending)):
        told = read(data + ending[:cut], closed=True).events
        assert (told[-1] == ("end",)) == (fields == b"X: y")


def test_trailers_come_with_the_end() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a\r\nDate: d\r\n\r\n"
    assert read(data).events[-1] == ("end", b"X-Sum: 1", b"Date: d")


def test_interim_answers_come_before_the_answer() -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\nContent-Length: 9\r\n\r\n" + OK
    answer = read(data)
    assert [record[1] for record in answer.events if record[0] == "answer"] == [100, 103, 200]
    assert not answer.is_broken
    assert [record[1] for record in read(data, "HEAD").events if record[0] == "answer"] == [100, 103, 200]


def test_behind_101_there_is_no_http() -> None:
    data = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
    reader = ResponseReader()
    reader.expect("GET")
    events = reader.feed(data + b"hello")
    assert isinstance(events[0], ResponseHead)
    assert events[0].upgrade == b"chat"
    assert read_answers("GET", data + b"hello").events[-1] == ("beyond", b"hello")
    assert read_answers("GET", *one_by_one(data)).events[-1] == ("beyond", b"")


@pytest.mark.parametrize("fields", [b"", b"Upgrade: chat\r\n", b"Connection: upgrade\r\n"])
def test_a_101_that_switches_to_nothing_is_broken(fields: bytes) -> None:
    answer = read(b"HTTP/1.1 101 Switching\r\n" + fields + b"\r\n" + OK)
    assert answer.events[-1] == ("broken",)


BROKEN = {
    "nothing like HTTP": b"what?\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "ICE": b"ICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "a short status": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a long status": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status below all": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "a NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
    "an escape in the reason": b"HTTP/1.1 200 \x1b[2J\r\nContent-Length: 0\r\n\r\n",
    "a bare carriage return in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "a bare line feed behind the status line": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "a bare line feed behind a field": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 0\r\n\r\n",
    "bare line feeds only": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a bare carriage return in a value": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a value": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a space before a colon": b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both framings, the other way round": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
    "a coding before chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding behind chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk with a bare line feed": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n",
    "a chunk with a space": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
    "a chunk whose end is not there": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_answer_is_broken(data: bytes) -> None:
    answer = read(data)
    assert answer.events[-1] == ("broken",)
    assert answer.is_broken


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 ", b"y"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=", b"y"),
    ],
)
def test_heads_and_trailers_have_an_end(begin: bytes, endless: bytes) -> None:
    part = endless * (1_000 // len(endless))
    answer = read_answers("GET", begin, *[part] * (MAX_HEADER_BYTES // len(part) + 2))
    assert answer.events[-1] == ("broken",)


@pytest.mark.parametrize(
    "fields",
    [
        b"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"\r\nContent-Length: 5\r\nContent-Length: 5",
        b"\r\nContent-Length: 5, 5",
        b"\r\nTransfer-Encoding: chunked, gzip",
        b"\r\nTransfer-Encoding:",
    ],
)
def test_what_a_head_means_is_judged_whoever_has_read_it(fields: bytes) -> None:
    """llhttp refuses most of these by itself; nothing may depend on that."""
    assert isinstance(read_head(200, b"OK", fields, bodiless=False), Broken)
    assert isinstance(read_head(200, b"OK", b"", bodiless=False), ResponseHead)


def test_it_is_told_what_is_broken() -> None:
    reader = ResponseReader()
    reader.expect("GET")
    (event,) = reader.feed(b"what?\r\n\r\n")
    assert isinstance(event, Broken)
    assert event.message.startswith("the answer is no HTTP/1.1")


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("GET", OK),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
@pytest.mark.parametrize(
    "behind", [OK, b"HTTP/1.1 200 OK\r\nX: ", b"H", b"hello", b"0\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_an_answer_to_nothing_is_never_the_next_one_s(method: str, data: bytes, behind: bytes) -> None:
    clean = read(data, method)
    assert not clean.is_broken
    for place in range(1, len(data) + 1):
        parts = [part for part in (data[:place], data[place:] + behind) if part]
        answer = read_answers(method, *parts)
        assert answer.events == clean.events
        assert answer.is_broken, parts


def test_one_reader_reads_one_answer_after_another() -> None:
    reader = ResponseReader()
    chunked = b"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    for method, data in (
        ("GET", OK),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("GET", chunked),
        ("GET", chunked),
        ("GET", b"HTTP/1.1 204 No\r\n\r\n"),
        ("GET", b"HTTP/1.1 100 C\r\n\r\n" + OK),
        ("HEAD", b"HTTP/1.1 304 No\r\n\r\n"),
        ("GET", OK),
    ):
        for parts in ([data], one_by_one(data)):
            reader.expect(method)
            assert reader.is_silent
            events = [event for part in parts for event in reader.feed(part)]
            alone = ResponseReader()
            alone.expect(method)
            assert len(events) >= len(alone.feed(data))
            assert not reader.broken
            assert not reader.is_silent


@pytest.mark.parametrize(
    ("head", "keeps_alive"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: x, close\r\n", False),
        (b"HTTP/1.1 200 OK\r\nProxy-Connection: close\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_whether_the_connection_lasts(head: bytes, keeps_alive: bool) -> None:
    assert head_of(head + b"Content-Length: 0\r\n\r\n").keeps_alive is keeps_alive
