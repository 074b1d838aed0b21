"""What comes through the guard, and what does not, on a transport of paper."""

import asyncio
import errno
from collections.abc import Iterator

import pytest
from guarded_desk import ANSWER, GET, LIMITS, Desk, refusal_of
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import Wire

from tailslide_runtime import guard as guard_module
from tailslide_runtime.guard import (
    EARLY_BYTES,
    HELD_BYTES,
    GuardedConnection,
    ListenerLimits,
)
from tailslide_runtime.http1.lingering import LINGER_BYTES, LINGER_S
from tailslide_runtime.http1.requests import RequestHead, RequestReader


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_a_request_is_handed_on_in_its_plain_form(desk: Desk) -> None:
    assert desk.asked(GET) == b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"


async def test_chunks_trailers_and_hop_by_hop_fields_stay_behind(desk: Desk) -> None:
    sent = (
        b"POST http://localhost/a?b=c HTTP/1.1\r\nHost: ignored.example\r\nTransfer-Encoding: chunked\r\n"
        b"TE: trailers\r\n"
        b"Connection: te, x-mine\r\nX-Mine: 1\r\nX-Kept: 2\r\nX-Forwarded-For: 10.0.0.1\r\nUpgrade: websocket\r\n\r\n"
        b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 3\r\n\r\n"
    )
    assert desk.asked(sent) == (
        b"POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nX-Kept: 2\r\nX-Forwarded-For: 10.0.0.1\r\nContent-Length: 5\r\n"
        b"Connection: keep-alive\r\n\r\nabcde"
    )


async def test_one_request_at_a_time_is_answered_the_rest_waits_unread(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(GET * 3 + b"GET /b")
    answering = desk.answering[0]
    for count in (1, 2, 3):
        assert len(answering.got) == count
        answering.answer()
    wire.protocol.data_received(b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert len(answering.got) == 4
    assert answering.got[3].startswith(b"GET /b ")


async def test_who_is_too_far_ahead_is_held_back_and_nothing_of_it_is_parsed(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(GET * (2 * EARLY_BYTES // len(GET)))
    stopped = not wire.reading
    assert stopped
    connection = wire.protocol
    assert isinstance(connection, GuardedConnection)
    assert len(connection._events) < 200
    for _ in range(2 * EARLY_BYTES // len(GET)):
        desk.answering[0].answer()
    assert wire.reading
    assert wire.unsent.count(ANSWER) == 2 * EARLY_BYTES // len(GET)


@pytest.mark.parametrize(
    ("request_line", "fields", "expected"),
    [
        ("GET /a HTTP/1.1", "Host: evil.example", (421, "UNKNOWN_HOST")),
        ("GET http://evil.example/a HTTP/1.1", "Host: localhost", (421, "UNKNOWN_HOST")),
        ("GET http://127.0.0.1.evil.example/a HTTP/1.1", "Host: localhost", (421, "UNKNOWN_HOST")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nOrigin: http://evil.example", (403, "FOREIGN_ORIGIN")),
        ("DELETE /a HTTP/1.1", "Host: localhost\r\nOrigin: null", (403, "FOREIGN_ORIGIN")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nContent-Encoding: gzip", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST /a HTTP/1.1", "Host: localhost\r\ncontent-encoding: br", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nContent-Encoding: identity, gzip", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nContent-Length: 100001", (413, "BODY_TOO_LARGE")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nContent-Length: 9999999999999", (413, "BODY_TOO_LARGE")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nExpect: nonsense", (417, "EXPECTATION_FAILED")),
        ("POST /a HTTP/1.1", "Host: localhost\r\nContent-Type: a/b\r\nContent-Type: c/d", (400, "BAD_REQUEST")),
        ("CONNECT localhost:80 HTTP/1.1", "Host: localhost", (405, "METHOD_NOT_ALLOWED")),
        ("TRACE /a HTTP/1.1", "Host: localhost", (405, "METHOD_NOT_ALLOWED")),
        ("GET /\xe9 HTTP/1.1", "Host: localhost", (400, "BAD_REQUEST")),
        ("GET /" + "a" * 9_000 + " HTTP/1.1", "Host: localhost", (414, "TARGET_TOO_LONG")),
        ("GET /a HTTP/1.1", "Host: localhost\r\nX: " + "a" * 40_000, (431, "HEADERS_TOO_LARGE")),
        ("GET /a HTTP/1.1", "Host: localhost" + "\r\nX: a" * 200, (431, "TOO_MANY_HEADERS")),
        ("GET /a HTTP/1.1", "X: a", (400, "BAD_REQUEST")),
    ],
)
async def test_what_is_refused(desk: Desk, request_line: str, fields: str, expected: tuple[int, str]) -> None:
    assert desk.refused(f"{request_line}\r\n{fields}\r\n\r\n".encode("latin-1")) == expected
    assert desk.guard.refused == {expected[1]: 1}


async def test_names_and_pages_that_are_configured_are_taken() -> None:
    desk = Desk(allowed=("tower.example.org",))
    got = desk.asked(b"POST /a HTTP/1.1\r\nHost: tower.example.org\r\nOrigin: https://tower.example.org\r\n\r\n")
    assert b"\r\nHost: tower.example.org\r\n" in got


async def test_a_coding_that_changes_nothing_is_taken(desk: Desk) -> None:
    assert desk.asked(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: identity\r\n\r\n")


async def test_a_chunked_body_is_bounded_as_it_comes(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not wire.unsent:
        wire.protocol.data_received(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert refusal_of(wire) == (413, "BODY_TOO_LARGE")
    assert desk.guard.held_bytes == 0


async def test_a_refusal_can_be_read_by_who_still_sends_of_which_no_more_is_read_at_a_bound(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
    assert refusal_of(wire) == (413, "BODY_TOO_LARGE")
    sent = 0
    while wire.reading:
        wire.protocol.data_received(b"x" * 65_536)
        sent += 65_536
    assert LINGER_BYTES < sent <= LINGER_BYTES + 65_536
    assert wire.end == "", "a reset would take the refusal away"
    wire.take()
    desk.at(LINGER_S + 0.1)
    assert wire.end == "aborted"


async def test_who_stays_after_a_refusal_is_cut_off_in_time(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(b"NONSENSE\r\n\r\n")
    wire.take()
    desk.at(LINGER_S)
    assert wire.end == ""
    desk.at(LINGER_S + 0.1)
    assert wire.end == "aborted"


async def test_leave_to_send_is_given_once_the_head_is_taken(desk: Desk) -> None:
    wire = desk.wire()
    expects = b"Expect: 100-continue\r\nContent-Length: 2\r\n"
    wire.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\n" + expects + b"\r\n")
    assert wire.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.protocol.data_received(b"ab")
    assert desk.answering[0].got[0].endswith(b"\r\n\r\nab")
    refused = desk.wire()
    refused.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: evil.example\r\n" + expects + b"\r\n")
    assert refusal_of(refused) == (421, "UNKNOWN_HOST")


@pytest.mark.parametrize(
    ("sent", "quiet_until_s", "status"),
    [(b"", 75, 0), (b"\r\n" * 3, 75, 0), (GET[:1], 10, 408), (GET[:-1], 10, 408)],
    ids=["nothing", "empty lines", "a byte", "half a head"],
)
async def test_who_says_nothing_is_ended(desk: Desk, sent: bytes, quiet_until_s: float, status: int) -> None:
    wire = desk.wire()
    for byte in sent:
        wire.protocol.data_received(bytes([byte]))
    desk.at(quiet_until_s - 0.1)
    assert (wire.unsent, wire.end) == (b"", "")
    desk.at(quiet_until_s + 0.1)
    assert (refusal_of(wire)[0] if status else 0) == status
    assert wire.end == ("" if status else "closed")


async def test_a_byte_now_and_then_keeps_no_body(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    for second in range(31):
        assert wire.unsent == b""
        wire.protocol.data_received(b"x")
        desk.at(second)
    desk.at(30.1)
    assert refusal_of(wire) == (408, "REQUEST_TIMEOUT")


async def test_a_request_that_is_being_answered_has_all_the_time(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(GET)
    desk.at(100_000)
    assert (wire.unsent, wire.end) == (b"", "")
    desk.answering[0].answer()
    desk.at(100_074)
    assert wire.end == ""
    wire.take()
    desk.at(100_076)
    assert wire.end == "closed"


async def test_who_does_not_take_its_answer_is_given_up() -> None:
    desk = Desk()
    wire = Wire(desk.guard.connection(), high_water=10)
    wire.protocol.data_received(GET)
    desk.answering[0].answer()
    assert desk.answering[0].paused == [True]
    desk.at(1)
    wire.take(3)
    desk.at(70)
    desk.at(140)
    assert wire.end == ""
    desk.at(146)
    assert wire.end == "aborted"
    assert desk.answering[0].lost


async def test_larger_bodies_share_a_room_and_give_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(ListenerLimits(max_body_bytes=HELD_BYTES, max_connections=10))
    monkeypatch.setattr(guard_module, "HELD_BYTES", 300_000)
    head = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    first, second, small = desk.wire(), desk.wire(), desk.wire()
    first.protocol.data_received(head + b"x" * 199_999)
    second.protocol.data_received(head + b"x" * 199_999)
    assert refusal_of(second) == (503, "TOO_BUSY")
    small.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n" + b"x" * 9)
    assert desk.answering[0].got
    first.protocol.data_received(b"x")
    assert desk.guard.held_bytes == 200_000
    desk.answering[1].answer()
    assert desk.guard.held_bytes == 0
    gone = desk.wire()
    gone.protocol.data_received(head + b"x" * 100_000)
    assert desk.guard.held_bytes == 100_000
    gone.abort()
    assert desk.guard.held_bytes == 0


async def test_tiny_chunks_take_no_more_than_their_bytes(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        wire.protocol.data_received(b"2\r\nxx\r\n" * 300)
    connection = wire.protocol
    assert isinstance(connection, GuardedConnection)
    assert connection._body == b"x" * 60_000


async def test_what_comes_early_has_its_part_of_the_room_too(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(guard_module, "HELD_BYTES", 300_000)
    first, second = desk.wire(), desk.wire()
    for wire in (first, second):
        wire.protocol.data_received(GET)
        wire.protocol.data_received(b"x" * (EARLY_BYTES + 200_000))
    assert (first.end, second.end) == ("", "aborted")
    assert desk.guard.held_bytes == 200_000
    first.abort()
    assert desk.guard.held_bytes == 0


async def test_what_follows_a_wish_for_another_protocol_comes_early_too(desk: Desk) -> None:
    wire, early = desk.wire(), 3 * EARLY_BYTES
    wishes = GET[:-2] + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\n1"
    wire.protocol.data_received(wishes + GET + b"x" * (early - len(GET)))
    assert (wire.reading, desk.guard.held_bytes) == (False, early - EARLY_BYTES)
    desk.answering[0].answer()
    assert len(desk.answering[0].got) == 2
    desk.answering[0].answer()
    assert wire.take().startswith(ANSWER * 2 + b"HTTP/1.1 501 ")
    assert wire.reading
    assert desk.guard.held_bytes == 0


async def test_a_client_that_has_reset_its_connection_is_not_told_its_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Wire) -> None:
        raise OSError(errno.ENOTCONN, "not connected")

    monkeypatch.setattr(Wire, "write_eof", fails)
    wire = desk.wire()
    wire.protocol.data_received(GET[:5])
    desk.at(LIMITS.head_timeout_s + 1.0)
    assert b"REQUEST_TIMEOUT" in wire.unsent
    wire.abort()
    assert len(desk.connections) == 0


async def test_at_the_end_each_answer_is_the_last_and_says_so(desk: Desk) -> None:
    begun, idle = desk.wire(), desk.wire()
    begun.protocol.data_received(GET[:5])
    desk.connections.close()
    assert (begun.end, idle.end) == ("", "closed")
    begun.protocol.data_received(GET[5:])
    assert desk.answering[0].got[0].endswith(b"\r\nConnection: close\r\n\r\n")
    desk.answering[0].answer(last=True)
    begun.take()
    assert begun.end == "closed"
    await desk.connections.drained(60.0)


async def test_requests_that_come_together_have_a_turn_each() -> None:
    desk = Desk()
    del desk.guard.take_turn  # the real one
    wires = [desk.wire() for _ in range(5)]
    for wire in wires:
        wire.protocol.data_received(GET)
    wires[3].abort()
    for turn in (1, 2, 3, 3, 4):  # who is gone takes its turn for nothing
        assert len(desk.answering) == turn
        await asyncio.sleep(0)


async def test_who_asks_whether_the_process_lives_waits_for_nobody() -> None:
    desk = Desk()
    del desk.guard.take_turn
    for path in (b"/a", b"/a", b"/healthz", b"/readyz"):
        desk.wire().protocol.data_received(GET.replace(b"/a", path))
    assert [answering.got[0].split()[1] for answering in desk.answering] == [b"/a", b"/healthz", b"/readyz"]


async def test_one_too_many_is_told_so(desk: Desk) -> None:
    for _ in range(LIMITS.max_connections):
        desk.wire().protocol.data_received(GET)
    late = desk.wire()
    assert refusal_of(late) == (503, "TOO_MANY_CONNECTIONS")


async def test_the_shape_of_a_refusal_is_the_listeners_own() -> None:
    desk = Desk()
    desk.guard.error_body = lambda path, refusal: f"{path} {refusal.code}".encode()
    wire = desk.wire()
    wire.protocol.data_received(b"GET /a/b HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert wire.unsent.endswith(b"\r\n\r\n/a/b UNKNOWN_HOST")


PIECES = st.sampled_from(
    [b"GET /a HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"Host: localhost\r\n", b"Content-Length: 3\r\n", b"\r\n", b"abc",
     b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"Connection: close\r\n", b"Upgrade: x\r\n",
     b"Connection: upgrade\r\n", b"Expect: 100-continue\r\n", b"X: \xff\r\n", b"GET", b" ", b"\n", b"\x00", GET]
)  # fmt: skip # a table


def in_pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    begin = 0
    for cut in sorted({cut % (len(data) + 1) for cut in cuts}):
        yield data[begin:cut]
        begin = cut
    yield data[begin:]


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=14), st.lists(st.integers(0, 400), max_size=6))
def test_whatever_comes_in_whatever_pieces_is_whole_requests_and_at_most_one_refusal(
    pieces: list[bytes], cuts: list[int]
) -> None:
    async def story() -> None:
        desk, data = Desk(), b"".join(pieces)
        whole, cut = desk.wire(), desk.wire()
        outcomes = []
        for wire, parts in ((whole, [data]), (cut, list(in_pieces(data, cuts)))):
            before = len(desk.answering)
            got: list[bytes] = []
            for part in parts:
                wire.protocol.data_received(part)
                if len(desk.answering) > before:
                    answering = desk.answering[before]
                    while len(answering.got) > len(got):
                        got.append(answering.got[len(got)])
                        answering.answer(last=b"\r\nConnection: close\r\n" in got[-1])
                    if wire.closing:
                        break
            for request in got:
                # What is handed on is one whole request, for a reader of its own.
                head, *_, end = RequestReader(LIMITS).feed(request)
                assert isinstance(head, RequestHead)
                assert end.__class__.__name__ == "End"
            outcomes.append((got, wire.unsent.count(b'"error"')))
        assert outcomes[0] == outcomes[1]
        assert outcomes[0][1] <= 1

    asyncio.run(story())
