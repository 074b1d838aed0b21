"""WebSockets through the guard: where there may be one, and what the listener's bounds mean for it."""

import pytest
from guarded_desk import GET, SWITCHED, Answering, Desk, refusal_of
from wire import Wire

from tailslide_runtime.guard import EARLY_BYTES, ListenerLimits

FIELDS = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
OPEN = b"GET /live HTTP/1.1\r\nHost: localhost\r\n" + FIELDS + b"\r\n"
FRAME = b"\x81\x82abcd\x00\x01"


@pytest.fixture
async def desk() -> Desk:
    return Desk(websockets=("/live",))


def opened(desk: Desk, sent: bytes = OPEN) -> tuple[Wire, Answering]:
    wire = desk.wire()
    wire.protocol.data_received(sent)
    answering = desk.answering[-1]
    answering.switch()
    assert wire.take() == SWITCHED
    return wire, answering


async def test_the_wish_is_handed_on_where_there_may_be_one(desk: Desk) -> None:
    assert desk.asked(OPEN) == (
        b"GET /live HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    )


@pytest.mark.parametrize(
    "sent",
    [
        OPEN.replace(b"/live", b"/other"),
        OPEN.replace(b"/live", b"/live/"),
        OPEN.replace(b"GET", b"POST"),
        OPEN.replace(b"Upgrade: websocket", b"Upgrade: mqtt"),
        OPEN.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        OPEN.replace(b"Connection: Upgrade", b"Connection: keep-alive"),
        OPEN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OPEN.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nab"),
    ],
)
async def test_elsewhere_and_for_anything_else_the_wish_stays_behind(desk: Desk, sent: bytes) -> None:
    assert b"pgrade" not in desk.asked(sent)


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://localhost", False),
        ("http://localhost:80", False),
        ("http://evil.example", True),
        ("null", True),
        ("http://localhost:81", True),
    ],
)
async def test_only_pages_of_our_own_may_open_one(desk: Desk, origin: str, refused: bool) -> None:
    sent = OPEN.replace(b"\r\n\r\n", b"\r\nOrigin: %b\r\n\r\n" % origin.encode())
    if refused:
        assert desk.refused(sent) == (403, "FOREIGN_ORIGIN")
    else:
        assert b"Upgrade: websocket" in desk.asked(sent)
    # A request that only reads may come from any page: it gets no credentials along.
    assert desk.asked(GET.replace(b"\r\n\r\n", b"\r\nOrigin: %b\r\n\r\n" % origin.encode()))


async def test_what_comes_after_the_answer_is_passed_on_as_it_comes(desk: Desk) -> None:
    wire, answering = opened(desk)
    wire.protocol.data_received(FRAME)
    wire.protocol.data_received(b"GET / HTTP/1.1\r\n")
    assert answering.got[1:] == [FRAME, b"GET / HTTP/1.1\r\n"]


@pytest.mark.parametrize("cut", [len(OPEN), len(OPEN) - 3, len(OPEN) + 4])
async def test_what_came_before_the_answer_is_passed_on_with_it(desk: Desk, cut: int) -> None:
    wire = desk.wire()
    for part in ((OPEN + FRAME)[:cut], (OPEN + FRAME)[cut:]):
        wire.protocol.data_received(part)
    answering = desk.answering[-1]
    assert len(answering.got) == 1
    answering.switch()
    assert b"".join(answering.got[1:]) == FRAME


async def test_a_wish_that_is_not_granted_leaves_the_connection_as_it_was(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(OPEN + GET)
    answering = desk.answering[0]
    assert len(answering.got) == 1
    answering.answer()
    assert answering.got[1].startswith(b"GET /a ")
    answering.answer()
    assert wire.end == ""


async def test_who_sends_too_much_before_the_answer_is_held_back_until_it(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(OPEN)
    for _ in range(1 + EARLY_BYTES // 16_384):
        wire.protocol.data_received(b"x" * 16_384)
    held_back = not wire.reading
    assert held_back
    desk.answering[0].switch()
    assert wire.reading
    assert len(b"".join(desk.answering[0].got[1:])) > EARLY_BYTES
    assert desk.guard.held_bytes == 0


async def test_it_is_quiet_for_as_long_as_it_likes(desk: Desk) -> None:
    wire, _ = opened(desk)
    desk.at(1_000_000)
    assert (wire.unsent, wire.end) == (b"", "")
    assert len(desk.connections) == 1


async def test_it_counts_as_a_connection_and_is_not_closed_for_others() -> None:
    desk = Desk(ListenerLimits(max_connections=2), websockets=("/live",))
    sockets = [opened(desk)[0] for _ in range(2)]
    late = desk.wire()
    assert refusal_of(late) == (503, "TOO_MANY_CONNECTIONS")
    assert all(wire.end == "" for wire in sockets)
    sockets[0].abort()
    assert desk.asked(GET)


async def test_aiohttp_holds_back_who_sends_faster_than_is_read(desk: Desk) -> None:
    wire, answering = opened(desk)
    assert answering.transport is not None
    answering.transport.pause_reading()
    assert not wire.reading
    answering.transport.resume_reading()
    assert wire.reading


async def test_of_a_request_aiohttp_holds_nothing_back(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(GET)
    transport = desk.answering[0].transport
    assert transport is not None
    transport.pause_reading()
    assert wire.reading


async def test_who_does_not_read_is_given_up() -> None:
    desk = Desk(websockets=("/live",))
    wire = Wire(desk.guard.connection(), high_water=10)
    wire.protocol.data_received(OPEN)
    desk.answering[0].switch()
    wire.take()
    transport = desk.answering[0].transport
    assert transport is not None
    transport.write(b"x" * 20)
    desk.at(1)
    desk.at(77)
    assert wire.end == "aborted"
    assert desk.answering[0].lost


async def test_its_end_is_the_end_of_the_connection(desk: Desk) -> None:
    wire, answering = opened(desk)
    answering.answer(last=True)
    wire.take()
    assert wire.end == "closed"
    assert answering.lost
    assert len(desk.connections) == 0


async def test_while_the_listener_closes_none_is_opened(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(OPEN[:-2])
    desk.connections.close()
    wire.protocol.data_received(OPEN[-2:])
    assert b"pgrade" not in desk.answering[0].got[0]
    assert b"Connection: close" in desk.answering[0].got[0]
