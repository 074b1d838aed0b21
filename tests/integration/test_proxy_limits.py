"""What one client may take of the proxy, and how long each part of a call may last: on real connections and clocks."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from proxy_endings import silent_address
from proxy_load import (
    Answer,
    BrokenOffError,
    Talk,
    ask,
    calls_by_result,
    connection,
    get,
    metrics,
    post,
    post_chunks,
    read_answer,
    until_at_rest,
)
from sidecar_bench import Bench, Sidecar, answer, bench_on, raw_upstream, upstream

from tailslide_embedded.stack import Endpoints

KIB = 1_024
FIXED = {"answer": {"status": 200, "body": "fixed"}}


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


def code(got: Answer) -> tuple[int, str]:
    """Return the status and the code of an answer of the proxy's own."""
    return got.status, got.body.decode().partition('"code":"')[2].partition('"')[0]


async def ended(reader: asyncio.StreamReader) -> None:
    """See that nothing more comes and the connection ends."""
    assert await reader.read() == b""


async def dripped(talk: Talk, data: bytes) -> Answer:
    """Send byte after byte until the answer comes, however long that takes."""
    reader, writer = talk

    async def drip() -> None:
        with suppress(ConnectionError):  # answered, and then closed by the proxy
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)  # the slowness that is tried here

    async with asyncio.TaskGroup() as group:
        task = group.create_task(drip())
        got = await read_answer(reader)
        task.cancel()
    return got


# What a request may be like


async def test_a_head_that_does_not_come_in_time(bench: Bench) -> None:
    sidecar = await bench.start(FIXED, limits={"head_timeout_ms": 600})
    async with connection(sidecar) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n")
        assert code(await read_answer(reader)) == (408, "REQUEST_TIMEOUT")
        await ended(reader)


async def test_a_head_that_comes_byte_by_byte_is_no_quicker(bench: Bench) -> None:
    sidecar = await bench.start(FIXED, limits={"head_timeout_ms": 1_500})
    async with connection(sidecar) as talk:
        began = time.monotonic()
        got = await dripped(talk, b"GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + b"x" * 1_000)
        assert code(got) == (408, "REQUEST_TIMEOUT")
        assert time.monotonic() - began < 5


async def test_a_body_that_stands_still(bench: Bench) -> None:
    arrived = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}), limits={"body_timeout_ms": 600})
        async with connection(sidecar) as (reader, writer):
            writer.write(post("/", b"body")[:-1])
            await arrived.wait()
            assert code(await read_answer(reader)) == (408, "REQUEST_TIMEOUT")
            await ended(reader)
        # It is the client's own doing, and says nothing of the feature.
        assert await calls_by_result(sidecar) == {"client_gone": 1}
    assert await sidecar.end() == 0
    assert await bench.total("failure") == 0


async def test_a_client_that_is_held_back_is_not_the_one_who_is_slow(bench: Bench) -> None:
    """Longer than its body may stand still, a client cannot send, since the upstream does not take anything."""
    go_on = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    size = 24 * KIB * KIB
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server}, limits={"body_timeout_ms": 500})
        async with connection(sidecar) as (reader, writer):
            writer.write(post("/", bytes(size)))
            await asyncio.sleep(2.5)  # several looks at the clock
            go_on.set()
            assert (await read_answer(reader)).status == 200


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (get("/", **{"x-large": "x" * 3_000}), (431, "HEADERS_TOO_LARGE")),
        (get("/", **{f"x-{number}": "x" for number in range(20)}), (431, "TOO_MANY_HEADERS")),
        (get("/" + "x" * 300), (414, "TARGET_TOO_LONG")),
        (get("/?" + "x" * 300), (414, "TARGET_TOO_LONG")),
    ],
)
async def test_too_much_in_a_head(bench: Bench, request_bytes: bytes, expected: tuple[int, str]) -> None:
    limits = {"max_header_bytes": 2_048, "max_headers": 15, "max_target_bytes": 256}
    sidecar = await bench.start(FIXED, limits=limits)
    for pieces in (1, 7):
        async with connection(sidecar) as (reader, writer):
            step = len(request_bytes) // pieces + 1
            for place in range(0, len(request_bytes), step):
                writer.write(request_bytes[place : place + step])
                await asyncio.sleep(0)
            assert code(await read_answer(reader)) == expected
            await ended(reader)
    assert (await ask(sidecar, get("/" + "x" * 200))).status == 200


async def test_a_head_without_an_end_is_refused_once_it_is_too_large(bench: Bench) -> None:
    sidecar = await bench.start(FIXED, limits={"max_header_bytes": 2_048, "max_target_bytes": 256})
    async with connection(sidecar) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX-Endless: ")
        for _ in range(20):
            writer.write(b"x" * 512)
            await asyncio.sleep(0)
        assert code(await read_answer(reader)) == (431, "HEADERS_TOO_LARGE")


async def test_a_body_that_is_too_large(bench: Bench) -> None:
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.append(await reader.read())

    chunk = b"x" * 400
    async with raw_upstream(talk) as server:
        route = bench.route(server, {"status": 503}, max_body_bytes=1_000)
        sidecar = await bench.start(route)
        # By its length it is refused before anything of it goes on; so are chunks that come along with the head.
        for whole in (post("/", bytes(1_001)), post("/", bytes(1_001))[:200], post_chunks("/", chunk, chunk, chunk)):
            assert code(await ask(sidecar, whole)) == (413, "BODY_TOO_LARGE")
        assert received == []

        # In chunks that come later, it is refused as soon as it is too much.
        async with connection(sidecar) as (reader, writer):
            head, _, _ = post_chunks("/").partition(b"0\r\n")
            writer.write(head + b"190\r\n" + chunk + b"\r\n")
            await sidecar.until_metric('tailslide_sidecar_proxied_running{route="* /"}', 1)
            writer.write(b"190\r\n" + chunk + b"\r\n")
            writer.write(b"190\r\n" + chunk + b"\r\n")
            assert code(await read_answer(reader)) == (413, "BODY_TOO_LARGE")
            await ended(reader)
        await until_at_rest(sidecar)
    assert await sidecar.end() == 0
    assert await bench.total("failure") == 0


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(1_000))
        await writer.drain()
        await asyncio.sleep(0.05)  # a client that never pauses for long


async def test_a_client_that_goes_on_sending_after_it_was_refused_is_cut_off(bench: Bench) -> None:
    sidecar = await bench.start({"upstream": "http://127.0.0.1:9", "max_body_bytes": 1_000})
    async with connection(sidecar) as (reader, writer):
        writer.write(post("/", bytes(10_000_000))[:10_000])
        assert code(await read_answer(reader)) == (413, "BODY_TOO_LARGE")
        with pytest.raises(ConnectionError):
            await send_for_ever(writer)
    await until_at_rest(sidecar)


# How many at a time


async def test_calls_beyond_those_that_may_run(bench: Bench) -> None:
    arrived, release = asyncio.Semaphore(0), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.release()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}, max_calls=2))
        running = [asyncio.create_task(ask(sidecar, get("/"))) for _ in range(2)]
        for _ in running:
            await arrived.acquire()
        refused = await ask(sidecar, get("/"))
        assert code(refused) == (503, "NO_CAPACITY")
        assert refused.header("retry-after") == "1"
        release.set()
        assert [(await call).status for call in running] == [200, 200]
        assert (await ask(sidecar, get("/"))).status == 200
        # It is told to people, and is no failure of the feature.
        assert await calls_by_result(sidecar, "none") == {"no_capacity": 1}
        await bench.until_counted(success=3, failure=0)


@pytest.mark.parametrize("limits", [{"max_connections": 3}, {"max_connections_per_peer": 3}])
async def test_connections_beyond_those_that_there_may_be(bench: Bench, limits: dict[str, int]) -> None:
    sidecar = await bench.start(FIXED, limits=limits)
    async with AsyncExitStack() as stack:
        kept = [await stack.enter_async_context(connection(sidecar)) for _ in range(3)]
        for reader, writer in kept:
            writer.write(get("/"))
            assert (await read_answer(reader)).status == 200
        async with connection(sidecar) as (reader, _):
            refused = await read_answer(reader)
            assert code(refused) == (503, "TOO_MANY_CONNECTIONS")
            assert refused.header("retry-after") == "1"
            await ended(reader)
        for reader, writer in kept:
            writer.write(get("/"))
            assert (await read_answer(reader)).status == 200
        assert await sidecar.metric("tailslide_sidecar_proxy_connections_turned_away_total") == 1
    await until_at_rest(sidecar)
    assert (await ask(sidecar, get("/"))).status == 200


async def test_silent_clients_keep_nobody_out_for_long(bench: Bench) -> None:
    sidecar = await bench.start(FIXED, limits={"max_connections": 3})
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        for _ in range(3):
            _, writer = await stack.enter_async_context(connection(sidecar))
            writer.write(b"GET / HT")
        while (await ask(sidecar, get("/"))).status != 200:
            await asyncio.sleep(0.05)
        assert await sidecar.metric("tailslide_sidecar_proxy_connections_evicted_total") > 0


async def test_an_idle_connection_is_closed(bench: Bench) -> None:
    sidecar = await bench.start(FIXED, limits={"idle_timeout_ms": 300})
    async with connection(sidecar) as silent, connection(sidecar) as used:
        used[1].write(get("/"))
        assert (await read_answer(used[0])).status == 200
        for reader, _ in (silent, used):
            await ended(reader)


async def test_too_few_descriptors_turn_clients_away_and_break_nothing(bench: Bench, tmp_path: Path) -> None:
    limited = tmp_path / "python"
    limited.write_text(f'#!/bin/sh\nulimit -n 200\nexec {sys.executable} "$@"\n')
    limited.chmod(0o755)
    bench.program = (str(limited), *bench.program[1:])
    async with upstream(answer("there")) as server:
        sidecar = await bench.start({"upstream": server})
        assert "file_descriptors_too_few" in sidecar.log()
        before = await until_at_rest(sidecar)

        # Of 200 there is a reserve of 128, and 18 are for the flags listener; of the rest half, since each
        # call needs one more to its upstream.
        fitting = 27
        open_at_once = asyncio.Barrier(180)

        async def call(number: int) -> int:
            """Return the status; 503 also where even that was too much to ask for."""
            async with connection(sidecar) as (reader, writer):
                if number < fitting:
                    writer.write(get("/"))
                try:
                    status = (await read_answer(reader)).status
                except (ConnectionError, asyncio.IncompleteReadError):
                    status = 503
                await open_at_once.wait()
                return status

        statuses = await asyncio.gather(*(call(number) for number in range(180)))
        assert statuses == [200] * fitting + [503] * (180 - fitting)
        assert (await sidecar.get("/readyz"))[0] == 200
        turned_away = await sidecar.metric("tailslide_sidecar_proxy_connections_turned_away_total")
        assert turned_away == 180 - fitting
        assert await until_at_rest(sidecar) <= before
        assert (await ask(sidecar, get("/"))).status == 200


# How long the parts of a call may take


async def timed(sidecar: Sidecar, request: bytes) -> tuple[int, str, float]:
    began = time.monotonic()
    got = await ask(sidecar, request)
    return (*code(got), time.monotonic() - began)


async def test_a_connection_that_is_not_made_in_time(bench: Bench) -> None:
    with silent_address() as silent:
        sidecar = await bench.start(bench.route(silent, {"status": 503}, timeouts={"connect_ms": 200}))
        status, reason, took_s = await timed(sidecar, get("/"))
        assert (status, reason) == (504, "UPSTREAM_TIMEOUT")
        assert 0.15 < took_s < 1.5
        await bench.until_counted(failure=1, success=0)
        await until_at_rest(sidecar)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_first_byte_that_does_not_come_in_time(bench: Bench) -> None:
    async with raw_upstream(hang) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}, timeouts={"first_byte_ms": 200}))
        status, reason, took_s = await timed(sidecar, get("/"))
        assert (status, reason) == (504, "UPSTREAM_TIMEOUT")
        assert 0.15 < took_s < 1.5
        await bench.until_counted(failure=1, success=0)


async def test_who_waits_for_leave_to_send_its_body_waits_for_the_upstream(bench: Bench) -> None:
    async with raw_upstream(hang) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}, timeouts={"first_byte_ms": 200}))
        head = post("/").partition(b"\r\n\r\n")[0] + b"\r\nExpect: 100-continue\r\n\r\n"
        assert (await timed(sidecar, head))[:2] == (504, "UPSTREAM_TIMEOUT")
        await bench.until_counted(failure=1, success=0)


async def test_an_answer_that_stands_still(bench: Bench) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await reader.read()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}, timeouts={"idle_ms": 200}))
        began = time.monotonic()
        with pytest.raises(BrokenOffError):
            await ask(sidecar, get("/"))
        assert 0.15 < time.monotonic() - began < 2
        await bench.until_counted(failure=1, success=0)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer, and never come to its end, a little at a time."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def test_the_whole_call_takes_too_long(bench: Bench) -> None:
    async with raw_upstream(endless) as server, raw_upstream(hang) as silent:
        total = {"total_ms": 400}
        sidecar = await bench.start(
            bench.route(server, {"status": 503}, match={"path": "/endless"}, timeouts=total),
            bench.route(silent, {"status": 503}, timeouts=total),
        )
        began = time.monotonic()
        with pytest.raises(BrokenOffError):
            await ask(sidecar, get("/endless"))
        assert 0.35 < time.monotonic() - began < 2
        assert (await timed(sidecar, get("/")))[:2] == (504, "UPSTREAM_TIMEOUT")
        await bench.until_counted(failure=2, success=0)


async def test_a_client_that_uses_the_whole_time_up_has_itself_to_blame(bench: Bench) -> None:
    async with raw_upstream(hang) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}, timeouts={"total_ms": 400}))
        async with connection(sidecar) as talk:
            got = await dripped(talk, post("/", bytes(1_000)))
            assert code(got) == (408, "REQUEST_TIMEOUT")
        assert await calls_by_result(sidecar) == {"client_gone": 1}
        assert not [name for name in await metrics(sidecar) if 'result="timed_out"' in name]
    assert await sidecar.end() == 0
    assert await bench.total("failure") == 0
