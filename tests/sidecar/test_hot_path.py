"""The front door of the flags listener on a transport of paper: what goes in, what comes out, who gets the rest.

That it says the same as aiohttp is shown in `tests/integration/test_hot_path.py`.
"""

import asyncio
import math
from collections.abc import Callable

import pytest
from flag_listeners import parts
from flag_requests import (
    ALL,
    APP,
    LOCAL,
    NATIVE,
    ONE,
    TOKEN,
    USER,
    broken_cases,
    cold_cases,
    content,
    get,
    hot_cases,
    post,
)
from wire import Wire

from tailslide_runtime.connections import Connections
from tailslide_runtime.guard import Guard, GuardedConnection, ListenerLimits
from tailslide_runtime.http1.refusals import Refusal
from tailslide_sidecar.hot_path import OUT_BYTES, HotListener, HotProtocol
from tailslide_sidecar.hot_requests import MAX_KNOWN_BYTES

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
REQUEST = post(f"{ONE}/half")
SHORT = 2_000


class Other(GuardedConnection):
    """Whoever gets what is not for here."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(guard)
        self.made: list[asyncio.BaseTransport] = []
        self.got = b""
        self.paused = False
        self.refused: list[int] = []
        self.turned_away = False

    def take_over(self, transport: asyncio.Transport, since_s: float, *, paused: bool) -> None:
        super().take_over(transport, since_s, paused=paused)
        self.made.append(transport)
        self.paused = paused

    def data_received(self, data: bytes) -> None:
        assert self.made
        self.got += data

    def pause_writing(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_writing(self) -> None:
        assert self.paused
        self.paused = False

    def refuse(self, refusal: Refusal) -> None:
        self.refused.append(refusal.status)

    def turn_away(self) -> None:
        self.turned_away = True


class Recording(Guard):
    """A guard whose connections only keep what they get."""

    def connection(self) -> GuardedConnection:
        return Other(self)


def nobody(_: object) -> asyncio.Protocol:
    raise AssertionError("aiohttp is not asked here")


class Desk:
    """A listener, and the connections to it."""

    def __init__(self, token: str | None = None, turn_s: float = math.inf) -> None:
        self.parts = parts(APP, content(), token)
        self.observed: list[float] = []
        self.connections = Connections(100)
        self.guard = Recording(nobody, self.connections, ListenerLimits(), LOCAL)
        self.listener = HotListener(
            self.parts.answers,
            self.guard,
            turn_s=turn_s,
            token=token,
            observe=self.observed.append,
            clock=lambda: 0.0,
        )
        self.start_s = self.listener.now

    def wire(self, high_water: int = 1 << 30) -> Wire:
        return Wire(self.listener.protocol(), high_water)

    def at(self, seconds: float) -> None:
        """Let it be so many seconds after the start."""
        self.listener.now = self.start_s + seconds
        self.connections.sweep(self.listener.now)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


def other(wire: Wire) -> Other:
    assert isinstance(wire.protocol, Other)
    return wire.protocol


def etag(desk: Desk) -> str:
    return dict(desk.parts.answers.ofrep_all(USER).headers)["ETag"]


async def test_a_request_is_answered_at_once(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(REQUEST)
    assert wire.unsent == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 134\r\nDate: " + DATE + b"\r\n"
        b"Server: tailslide\r\n\r\n"
        b'{"key":"half","value":false,"reason":"SPLIT","variant":"off",'
        b'"metadata":{"stale":false,"active":false,"circuit":"closed","version":7}}'
    )
    assert (wire.reading, wire.end) == (True, "")
    assert len(desk.observed) == 1
    assert len(desk.connections) == 1


async def test_hot_requests_may_be_cut_at_every_byte_and_come_byte_by_byte(desk: Desk) -> None:
    wire = desk.wire()
    for case in hot_cases(etag(desk)):
        if len(case.raw) > SHORT:
            continue
        wire.protocol.data_received(case.raw)
        whole = wire.take()
        assert whole.startswith(b"HTTP/1.1 "), case.name
        for cut in range(1, len(case.raw)):
            wire.protocol.data_received(case.raw[:cut])
            assert wire.unsent == b"", f"{case.name}, cut at {cut}"
            wire.protocol.data_received(case.raw[cut:])
            assert wire.take() == whole, f"{case.name}, cut at {cut}"
        for index in range(len(case.raw)):
            wire.protocol.data_received(case.raw[index : index + 1])
        assert wire.take() == whole, case.name


async def test_a_train_is_answered_in_its_order_wherever_it_is_cut(desk: Desk) -> None:
    cases = [case.raw for case in hot_cases(etag(desk)) if len(case.raw) < SHORT][:12]
    wire = desk.wire()
    answers = b""
    for raw in cases:
        wire.protocol.data_received(raw)
        answers += wire.take()
    train = b"".join(cases)
    for cut in range(1, len(train)):
        wire.protocol.data_received(train[:cut])
        wire.protocol.data_received(train[cut:])
        assert wire.take() == answers, cut


async def test_all_else_is_handed_over_untouched(desk: Desk) -> None:
    for case in [*cold_cases(), *broken_cases()]:
        for ahead in (b"", REQUEST, REQUEST * 3):
            wire = desk.wire()
            wire.protocol.data_received(ahead + case.raw)
            assert other(wire).got == case.raw, case.name
            assert other(wire).made == [wire]
            assert wire.unsent.count(b"HTTP/1.1 200 OK") == len(ahead) // len(REQUEST)


async def test_whatever_is_cut_is_handed_over_in_its_order(desk: Desk) -> None:
    for case in [*cold_cases(), *broken_cases()]:
        for cut in range(1, min(len(case.raw), 400), 3):
            wire = desk.wire()
            wire.protocol.data_received(REQUEST + case.raw[:cut])
            wire.protocol.data_received(case.raw[cut:])
            assert other(wire).got == case.raw, f"{case.name}, cut at {cut}"


async def test_without_the_token_all_is_handed_over(desk: Desk) -> None:
    guarded = Desk(TOKEN)
    for headers, hot in [
        ([], False),
        (["X-API-Key: no"], False),
        ([f"X-API-Key: {TOKEN}"], True),
        ([f"Authorization: Bearer {TOKEN}"], True),
        ([f"Authorization: {TOKEN}"], False),
    ]:
        wire = guarded.wire()
        for _ in range(2):
            wire.protocol.data_received(post(f"{ONE}/half", USER, *headers))
        assert isinstance(wire.protocol, HotProtocol) is hot, headers


async def test_who_does_not_take_the_answers_gets_no_more_of_them(desk: Desk) -> None:
    wire = desk.wire(high_water=65_536)
    request, total = post(ALL), 1_000
    size = len(desk.parts.answers.ofrep_all(USER).body)
    wire.protocol.data_received(request * total)
    assert not wire.reading
    assert wire.most_unsent <= 65_536 + OUT_BYTES + 2 * size
    wire.protocol.data_received(request)  # what was on its way already
    taken = wire.take_all()
    assert taken.count(b"HTTP/1.1 200 OK\r\n") == total + 1
    assert wire.reading


async def test_after_its_turn_a_connection_waits_for_the_others() -> None:
    desk = Desk(turn_s=0.0)
    wire, total = desk.wire(), 5
    wire.protocol.data_received(post(ALL) * total + REQUEST)
    for answered in range(1, total + 1):
        assert wire.take().count(b"HTTP/1.1 200 OK\r\n") == 1, answered
        assert not wire.reading
        await asyncio.sleep(0)
    assert wire.take().count(b'"key":"half"') == 1
    assert wire.reading


async def test_short_questions_take_turns_too() -> None:
    desk = Desk(turn_s=0.0)
    wire, total = desk.wire(), 1_000
    wire.protocol.data_received(REQUEST * total)
    answered, turns = wire.take().count(b"HTTP/1.1 200 OK\r\n"), 1
    while not wire.reading:
        await asyncio.sleep(0)
        answered += wire.take().count(b"HTTP/1.1 200 OK\r\n")
        turns += 1
    assert answered == total
    assert 20 <= turns <= 100


async def test_all_connections_together_have_one_turn() -> None:
    desk = Desk(turn_s=1.0)
    wires = [desk.wire() for _ in range(3)]
    desk.listener.turns.spent(2.0)
    for wire in wires:
        wire.protocol.data_received(REQUEST)
        assert (wire.unsent, wire.reading) == (b"", False)
    await asyncio.sleep(0)
    assert [wire.unsent.count(b'"key":"half"') for wire in wires] == [1, 1, 1]
    assert all(wire.reading for wire in wires)


async def test_a_connection_that_is_lost_before_its_turn_is_not_answered() -> None:
    desk = Desk(turn_s=1.0)
    wire = desk.wire()
    desk.listener.turns.spent(2.0)
    wire.protocol.data_received(REQUEST)
    wire.abort()
    await asyncio.sleep(0)
    assert wire.unsent == b""
    assert len(desk.connections) == 0


async def test_a_connection_that_waits_for_its_turn_makes_no_place_for_others() -> None:
    desk = Desk(turn_s=0.0)
    wire = desk.wire()
    connection = wire.protocol
    assert isinstance(connection, HotProtocol)
    wire.protocol.data_received(post(ALL) * 2)
    assert connection.waits_since() is None
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert wire.reading
    assert connection.waits_since() is not None


async def test_a_connection_that_is_closed_reads_no_more_when_its_client_takes_its_answers(desk: Desk) -> None:
    wire = desk.wire(high_water=100)
    wire.protocol.data_received(REQUEST)
    desk.connections.close()
    assert wire.closing
    wire.take()
    assert (wire.end, wire.reading) == ("closed", False)


async def test_who_takes_nothing_gets_no_turn() -> None:
    desk = Desk(turn_s=0.0)
    wire = desk.wire(high_water=100)
    wire.protocol.data_received(post(ALL) * 3)
    await asyncio.sleep(0)
    assert wire.unsent.count(b"HTTP/1.1 200 OK\r\n") == 1
    assert not wire.reading
    for _ in range(3):
        wire.take()
        await asyncio.sleep(0)
    assert not wire.unsent
    assert wire.reading


async def test_long_heads_are_not_kept(desk: Desk) -> None:
    wire = desk.wire()
    for length in (100, 4_000):
        wire.protocol.data_received(post(f"{ONE}/half", USER, f"X-Trace: {'x' * length}"))
    assert wire.take().count(b"HTTP/1.1 200 OK\r\n") == 2
    kept = [*desk.listener.known_heads, *(fields for _, fields in desk.listener.known_fields)]
    assert len(kept) == 2
    assert max(map(len, kept)) <= MAX_KNOWN_BYTES


async def test_who_gets_a_full_connection_waits_too_and_it_is_read_again(desk: Desk) -> None:
    wire = desk.wire(high_water=100)
    cold = get("/healthz")
    wire.protocol.data_received(REQUEST + cold)
    assert other(wire).got == cold
    assert other(wire).paused
    assert wire.reading
    assert wire.take_all().startswith(b"HTTP/1.1 200 OK\r\n")
    assert not other(wire).paused


async def test_the_longest_body_is_read_and_a_longer_one_is_not_waited_for(desk: Desk) -> None:
    wire = desk.wire()
    longest = post(f"{ONE}/half", USER.ljust(65_536))
    for begin in range(0, len(longest), 4_000):
        wire.protocol.data_received(longest[begin : begin + 4_000])
    assert wire.take().startswith(b"HTTP/1.1 200 OK\r\n")
    longer = post(f"{ONE}/half", USER.ljust(65_537))
    wire.protocol.data_received(longer[:300])
    assert other(wire).got == longer[:300]


async def test_a_head_without_an_end_is_not_kept(desk: Desk) -> None:
    wire = desk.wire()
    endless = get(f"{NATIVE}/half", "X-A: " + "a" * 9_000)[:-4]
    for begin in range(0, len(endless), 500):
        wire.protocol.data_received(endless[begin : begin + 500])
    assert other(wire).got == endless


@pytest.mark.parametrize(
    ("sent", "quiet_until_s", "refused"),
    [
        (b"", 75, []),
        (REQUEST[:1], 10, [408]),
        (REQUEST[:60], 10, [408]),
        (REQUEST[:-1], 30, [408]),
    ],
    ids=["idle", "first byte", "head", "body"],
)
async def test_a_silent_connection_ends(desk: Desk, sent: bytes, quiet_until_s: float, refused: list[int]) -> None:
    for ahead in (b"", REQUEST):
        wire = desk.wire()
        desk.start_s = desk.listener.now
        wire.protocol.data_received(ahead)
        wire.take()
        if sent:
            wire.protocol.data_received(sent)
        desk.at(quiet_until_s - 0.1)
        assert (wire.unsent, wire.end) == (b"", "")
        desk.at(quiet_until_s + 0.1)
        assert wire.unsent == b""
        if refused:
            assert other(wire).refused == refused
        else:
            assert wire.end == "closed"


async def test_a_byte_now_and_then_keeps_no_connection(desk: Desk) -> None:
    wire = desk.wire()
    for second in range(11):
        assert wire.end == ""
        wire.protocol.data_received(REQUEST[second : second + 1])
        desk.at(second)
    desk.at(10.1)
    assert other(wire).refused == [408]


async def test_the_time_of_a_request_begins_with_its_first_byte(desk: Desk) -> None:
    wire = desk.wire()
    desk.at(70)
    wire.protocol.data_received(REQUEST[:20])
    desk.at(79)
    wire.protocol.data_received(REQUEST[20:] + REQUEST[:20])
    desk.at(88)
    wire.protocol.data_received(REQUEST[20:])
    assert wire.take().count(b"HTTP/1.1 200 OK") == 2
    desk.at(162)
    assert wire.end == ""


async def test_who_takes_nothing_is_given_up_and_who_is_slow_is_not(desk: Desk) -> None:
    idle, slow = desk.wire(high_water=1_000), desk.wire(high_water=1_000)
    for wire in (idle, slow):
        wire.protocol.data_received(REQUEST * 100)
        assert not wire.reading
    for seconds in range(0, 160, 5):
        desk.at(seconds)
        slow.take(10)
    assert (idle.end, slow.end) == ("aborted", "")
    assert slow.take_all().endswith(b"}}")


async def test_who_leaves_its_last_answers_is_given_up_too(desk: Desk) -> None:
    wire = desk.wire()
    wire.protocol.data_received(REQUEST)
    desk.at(80)
    assert (wire.closing, wire.end) == (True, "")
    desk.at(81)
    desk.at(155)
    assert wire.end == ""
    desk.at(160)
    assert (wire.end, len(desk.connections)) == ("aborted", 0)


async def test_at_the_end_idle_connections_are_closed_and_requests_answered(desk: Desk) -> None:
    idle, begun, full, full_and_done = desk.wire(), desk.wire(), desk.wire(1_000), desk.wire(100)
    begun.protocol.data_received(REQUEST[:40])
    full.protocol.data_received(REQUEST * 2_000)
    full_and_done.protocol.data_received(REQUEST)
    desk.connections.close()
    assert (idle.end, begun.end, full.end) == ("closed", "", "")
    assert other(desk.wire()).turned_away
    begun.protocol.data_received(REQUEST[40:])
    assert begun.take().count(b"200 OK") == 1
    assert begun.end == "closed"
    assert full.take_all().count(b"200 OK") == 2_000
    full_and_done.take_all()
    assert (full.end, full_and_done.end) == ("closed", "closed")
    assert len(desk.connections) == 1  # who was turned away, and is the guard's


async def test_who_does_not_come_to_an_end_is_cut_off(desk: Desk) -> None:
    begun = desk.wire()
    begun.protocol.data_received(REQUEST[:40])
    full = desk.wire(1_000)
    full.protocol.data_received(REQUEST * 2_000)
    desk.connections.close()
    await desk.connections.drained(0.0)
    assert (begun.end, full.end) == ("aborted", "aborted")
    assert len(desk.connections) == 0


async def test_the_date_is_that_of_the_last_look(desk: Desk) -> None:
    times: Callable[[], float] = iter([0.0, 86_400.0]).__next__
    listener = HotListener(desk.parts.answers, desk.guard, clock=times)
    assert listener.date == DATE
    listener.refresh()
    assert listener.date == b"Fri, 02 Jan 1970 00:00:00 GMT"
