"""The hot path and the guard give the same bytes, in whatever portions and trains they come; and what a server owes."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any, TypeVar

import pytest
import uvloop
from flag_listeners import WAIT_S, Client, Exchange, Listeners, connected, listeners, parts
from flag_requests import (
    ALL,
    APP,
    NATIVE,
    ONE,
    TOKEN,
    USER,
    Case,
    broken_cases,
    cold_cases,
    content,
    get,
    hot_cases,
    named,
    post,
    token_cases,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tailslide_core.ruleset import Ruleset
from tailslide_runtime.guard import ListenerLimits
from tailslide_sidecar.flag_store import Content
from tailslide_sidecar.hot_path import OUT_BYTES

_Result = TypeVar("_Result")
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
ETAG = dict(parts(APP, content()).answers.ofrep_all(USER).headers)["ETag"]
HOT = list(hot_cases(ETAG))
COLD = list(cold_cases())
BROKEN = list(broken_cases())
TOKENS = list(token_cases())
REFUSED = {b"400", b"414", b"431", b"501", b"505"}
"""The answers to invalid requests."""
SHORT = 2_000
"""Bytes; what is longer is not cut everywhere."""


class Pair:
    """Both listeners in a loop of their own, for tests that are not coroutines, as hypothesis wants them."""

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop], token: str | None = None) -> None:
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self._stack = AsyncExitStack()
        self._token = token
        self._alone: dict[bytes, Exchange] = {}

    def __enter__(self) -> "Pair":
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return self._runner.run(work)

    async def _start(self) -> None:
        self.listeners = await self._stack.enter_async_context(
            listeners(parts(APP, content(), self._token), self._token)
        )

    def hot(self, case: Case, portions: Sequence[bytes] | None = None) -> Exchange:
        """Return what the hot path, with the guard behind it, says."""
        return self.run(self.listeners.ask(self.listeners.hot, portions or [case.raw], to_head=case.to_head))

    def alone(self, case: Case) -> Exchange:
        """Return what the guard, with aiohttp behind it, says to a request in one piece."""
        if case.raw not in self._alone:
            work = self.listeners.ask(self.listeners.plain, [case.raw], to_head=case.to_head)
            self._alone[case.raw] = self.run(work)
        return self._alone[case.raw]


@pytest.fixture(scope="module", params=LOOPS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with Pair(LOOPS[request.param]) as running:
        yield running


@pytest.fixture(scope="module")
def guarded() -> Iterator[Pair]:
    with Pair(uvloop.new_event_loop, TOKEN) as running:
        yield running


def cuts(size: int, at: Sequence[int]) -> list[int]:
    return sorted({cut for cut in at if 0 < cut < size})


def portions_of(raw: bytes, at: Sequence[int]) -> list[bytes]:
    ends = [0, *cuts(len(raw), at), len(raw)]
    return [raw[begin:end] for begin, end in pairwise(ends)]


def some_cuts(raw: bytes) -> list[int]:
    """Return where it hurts: within and around line ends, at the end of the head, and a few places in between."""
    ends = [index for index in range(len(raw)) if raw[index : index + 2] == b"\r\n"]
    near = [end + step for end in (*ends[:2], *ends[-3:]) for step in (0, 1, 2)]
    return cuts(len(raw), [1, *near, *range(7, min(len(raw), SHORT), 97), len(raw) - 1])


def test_there_is_a_case_for_everything() -> None:
    assert len(named([*HOT, *COLD, *BROKEN])) >= 300
    assert len(named(TOKENS)) >= 100


def test_each_request_is_answered_alike_and_the_hot_ones_by_the_hot_path(pair: Pair) -> None:
    for case in [*HOT, *COLD, *BROKEN]:
        got = pair.hot(case)
        assert got == pair.alone(case), case.name
        assert got.handed_over is not case.hot, case.name
        assert got.count == 1, case.name
    assert {pair.alone(case).status for case in HOT} == {b"200", b"304", b"400", b"404"}
    assert {pair.alone(case).status for case in BROKEN} == REFUSED
    assert b"500" not in {pair.alone(case).status for case in COLD}


def test_a_second_time_is_like_the_first(pair: Pair) -> None:
    """Heads that were read before are remembered, on any connection."""
    for case in [*HOT, *COLD]:
        assert pair.hot(case) == pair.hot(case) == pair.alone(case), case.name


def test_a_token_is_asked_for_alike(guarded: Pair) -> None:
    for case in TOKENS:
        for _ in range(2):
            got = guarded.hot(case)
            assert got == guarded.alone(case), case.name
            assert got.handed_over is not case.hot, case.name
        assert got.status != b"500", case.name


def test_hot_requests_may_be_cut_anywhere(pair: Pair) -> None:
    async def cut_everywhere(case: Case, expected: bytes) -> None:
        both = pair.listeners
        with connected(both.hot) as client:
            await client.connect()
            for at in range(1, len(case.raw)) if len(case.raw) < SHORT else some_cuts(case.raw):
                for portion in portions_of(case.raw, [at]):
                    before = both.read_bytes
                    assert await client.send(portion)
                    await both.until_read(before + len(portion))
                assert await client.answer() == expected, f"{case.name}, cut at {at}"

    handovers = pair.listeners.handovers
    # One of each kind: every other one is cut at every byte in tests/sidecar/test_hot_path.py, without a socket.
    for case in [case for index, case in enumerate(HOT) if index % 8 == 0]:
        pair.run(asyncio.wait_for(cut_everywhere(case, pair.alone(case).answers), WAIT_S))
    assert pair.listeners.handovers == handovers


def test_cold_requests_may_be_cut_too(pair: Pair) -> None:
    for case in [case for case in COLD if len(case.raw) < 100_000]:
        for at in some_cuts(case.raw)[:12]:
            assert pair.hot(case, portions_of(case.raw, [at])) == pair.alone(case), f"{case.name}, cut at {at}"


def test_what_is_broken_is_refused_however_it_is_cut(pair: Pair) -> None:
    for case in BROKEN:
        for at in some_cuts(case.raw)[:8]:
            got = pair.hot(case, portions_of(case.raw, [at]))
            # How the guard words it depends on what it has seen so far; that it is refused does not.
            assert got.status in REFUSED, f"{case.name}, cut at {at}"
            assert not got.open


def expected_of(pair: Pair, train: Sequence[Case]) -> Exchange:
    """Return the answers to one request after another, up to one that ends the connection."""
    answers, count = b"", 0
    for case in train:
        alone = pair.alone(case)
        answers, count = answers + alone.answers, count + alone.count
        if not alone.open:
            return Exchange(answers, count, False)
    return Exchange(answers, count, True)


def ask_train(pair: Pair, train: Sequence[Case], portions: Sequence[bytes] | None = None) -> Exchange:
    expected = expected_of(pair, train)
    sent = portions or [b"".join(case.raw for case in train)]
    return pair.run(pair.listeners.ask(pair.listeners.hot, sent, expected.count))


def lasting(pair: Pair, cases: Sequence[Case]) -> list[Case]:
    """Return those after whose answer the connection goes on, and whose answer says where it ends."""
    return [case for case in cases if pair.alone(case).open and not case.to_head and len(case.raw) < SHORT]


def ending(pair: Pair, cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if not pair.alone(case).open and len(case.raw) < SHORT]


def test_pairs(pair: Pair) -> None:
    hot, cold = [case for case in HOT if len(case.raw) < SHORT], lasting(pair, COLD)
    for index, case in enumerate(hot):
        for train in ([case, hot[index - 1]], [case, cold[index % len(cold)]], [cold[index % len(cold)], case]):
            assert ask_train(pair, train) == expected_of(pair, train), [each.name for each in train]
    for index, last in enumerate(ending(pair, [*COLD, *BROKEN])):
        train = [hot[index], last]
        assert ask_train(pair, train) == expected_of(pair, train), [each.name for each in train]


def test_long_trains(pair: Pair) -> None:
    lots = random.Random(4)
    hot, cold = [case for case in HOT if len(case.raw) < SHORT], lasting(pair, COLD)
    for share in (0.0, 0.01, 0.2):
        train = [lots.choice(cold if lots.random() < share else hot) for _ in range(400)]
        assert ask_train(pair, train) == expected_of(pair, train), share
        raw = b"".join(case.raw for case in train)
        at = sorted(lots.sample(range(len(raw)), 150))
        assert ask_train(pair, train, portions_of(raw, at)) == expected_of(pair, train), share


@settings(max_examples=150)
@given(data=st.data())
def test_any_train_in_any_portions(pair: Pair, data: st.DataObject) -> None:
    hot, cold = [case for case in HOT if len(case.raw) < SHORT], lasting(pair, COLD)
    train = data.draw(st.lists(st.sampled_from(hot), max_size=6), "hot")
    if data.draw(st.booleans(), "goes on"):
        train += data.draw(st.lists(st.sampled_from([*hot, *cold]), min_size=1, max_size=6), "mixed")
    else:
        train.append(data.draw(st.sampled_from(ending(pair, [*COLD, *BROKEN])), "last"))
    raw = b"".join(case.raw for case in train)
    at = data.draw(st.lists(st.integers(1, len(raw)), max_size=12), "cuts")
    expected = expected_of(pair, train)
    got = ask_train(pair, train, portions_of(raw, at))
    if train[-1].broken:
        assert (got.count, got.open) == (expected.count, False)
        assert got.answers.startswith(expected_of(pair, train[:-1]).answers + b"HTTP/1.1 ")
        assert got.answers.count(b'"error":{') or got.answers.count(b'"errorCode":')
    else:
        assert got == expected


# What a server owes

QUICK = ListenerLimits(idle_timeout_s=0.2, head_timeout_s=0.2, body_timeout_s=0.2)


async def watched(both: Listeners) -> None:
    """Keep the clock of the hot path and the timeouts of all connections."""
    async with asyncio.TaskGroup() as group:
        group.create_task(both.listener.run())
        group.create_task(both.served.run())


def many_flags() -> Content:
    rulesets = [Ruleset(APP, f"flag{index:03}", 1, active=True, rollout=100.0, salt="s") for index in range(300)]
    return Content({ruleset.key: ruleset for ruleset in rulesets}, {})


async def a_client(both: Listeners, stack: AsyncExitStack) -> Client:
    client = stack.enter_context(connected(both.hot))
    await client.connect()
    return client


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def in_loop(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(work, WAIT_S))

    return in_loop


def test_a_client_that_does_not_read_is_waited_for(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def story() -> None:
        async with listeners(parts(APP, many_flags())) as both, AsyncExitStack() as stack:
            client = await a_client(both, stack)
            request, total = post(ALL), 600
            size = len(both.parts.answers.ofrep_all(USER).body)
            assert size * total > 15_000_000
            sending = asyncio.create_task(client.send(request * total + get("/healthz") + post(f"{ONE}/flag001")))
            while not both.transports or not both.transports[0].get_write_buffer_size():
                await asyncio.sleep(0)
            for _ in range(1000):
                # The answers to one portion, and what the transport takes before it says that it has enough.
                assert both.transports[0].get_write_buffer_size() <= 2 * (OUT_BYTES + size)
                await asyncio.sleep(0)
            first = await client.answer()
            assert first is not None
            for _ in range(total - 1):
                assert await client.answer() == first
            assert (await client.answer() or b"").startswith(b"HTTP/1.1 200 OK")
            assert b'"key":"flag001"' in (await client.answer() or b"")
            assert await sending
            assert await client.is_open()

    run(story())


def test_connections_end_after_their_time(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def story() -> None:
        async with (
            listeners(parts(APP, content()), limits=QUICK) as both,
            AsyncExitStack() as stack,
            asyncio.TaskGroup() as group,
        ):
            watch = group.create_task(watched(both))
            idle, head, body, silent = [await a_client(both, stack) for _ in range(4)]
            await idle.send(get(f"{NATIVE}/half"))
            assert await idle.answer() is not None
            await head.send(get(f"{NATIVE}/half") + get(f"{NATIVE}/half")[:-1])
            assert await head.answer() is not None
            await body.send(post(f"{ONE}/half")[:-1])
            assert await idle.until_closed() == b""
            assert await silent.until_closed() == b""
            for late in (head, body):
                told = await late.until_closed()
                assert told.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
                assert b'"code":"REQUEST_TIMEOUT"' in told or b"timed out reading the request" in told
                late.close()
            while len(both.served.connections):
                await asyncio.sleep(0.01)
            watch.cancel()

    run(story())


def test_a_client_that_never_reads_is_given_up(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def story() -> None:
        async with (
            listeners(parts(APP, many_flags()), limits=QUICK) as both,
            AsyncExitStack() as stack,
            asyncio.TaskGroup() as group,
        ):
            watch = group.create_task(watched(both))
            client = await a_client(both, stack)
            await client.send(post(ALL) * 600)
            while len(both.served.connections) == 0:
                await asyncio.sleep(0)
            while len(both.served.connections):
                await asyncio.sleep(0.01)
            watch.cancel()

    run(story())


def test_at_the_end_nothing_that_had_begun_is_lost(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def story() -> None:
        async with listeners(parts(APP, content())) as both, AsyncExitStack() as stack:
            idle, half_head, half_body, cold = [await a_client(both, stack) for _ in range(4)]
            request = post(f"{ONE}/half")
            await idle.send(request)
            answer = await idle.answer()
            await half_head.send(request[:30])
            await half_body.send(request[:-1])
            outcome = post(f"{NATIVE}/half/outcomes", b'{"outcome":"success"}')
            await cold.send(outcome[:-1])
            while both.read_bytes < 2 * len(request) + 29 + len(outcome) - 1:
                await asyncio.sleep(0)
            assert (len(both.served.connections), both.handovers) == (4, 1)

            both.served.stop()
            assert await idle.until_closed() == b""
            ending = asyncio.create_task(both.served.close(WAIT_S))
            await half_head.send(request[30:])
            await half_body.send(request[-1:])
            await cold.send(outcome[-1:])
            assert await half_head.until_closed() == answer
            assert await half_body.until_closed() == answer
            told = await cold.until_closed()
            assert told.startswith(b"HTTP/1.1 202 Accepted\r\n")
            assert b"\r\nConnection: close\r\n" in told
            await ending
            assert len(both.served.connections) == 0

    run(story())


def test_who_sends_no_more_is_answered_still(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def story() -> None:
        async with listeners(parts(APP, content())) as both, AsyncExitStack() as stack:
            client = await a_client(both, stack)
            await client.send(post(f"{ONE}/half") * 3)
            client.half_close()
            assert (await client.until_closed()).count(b"HTTP/1.1 200 OK") == 3
            while len(both.served.connections):
                await asyncio.sleep(0)

    run(story())
