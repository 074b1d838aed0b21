"""The proxy under load while upstreams and the sidecar itself come and go: no call hangs, each end is counted."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from proxy_endings import Origin, refusing_address, running_origin
from proxy_load import (
    BROKEN_OFF,
    LEFT,
    TURNED_AWAY,
    UNANSWERED,
    Kind,
    Load,
    calls_by_result,
    close,
    connect,
    connection,
    get,
    post,
    post_chunks,
    read_answer,
    until_at_rest,
)
from real_servers import real_servers
from sidecar_bench import WAIT_S, Bench, Sidecar, bench_on, raw_upstream

from tailslide_embedded.stack import Endpoints

CALLS = 100_000
UPGRADE = {"Connection": "Upgrade", "Upgrade": "echo"}
FALLBACK = {"status": 503, "body": "old"}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def servers() -> Iterator[Endpoints]:
    with real_servers() as running:
        yield running.endpoints


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        await running.put(running.ruleset())
        yield running


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with running_origin() as running:
        yield running


def kinds(*weighted: tuple[int, Kind]) -> list[Kind]:
    return [kind for weight, kind in weighted for _ in range(weight)]


# What has to become of each kind: what the client sees, and how the proxy's own account has it.
EXPECTED = {
    "answered": ("200", "answered"),
    "posted": ("200", "answered"),
    "posted chunks": ("200", "answered"),
    "put": ("200", "answered"),
    "chunks": ("200", "answered"),
    "failing": ("500", "answered"),
    "refused": ("502", "refused"),
    "reset": ("502", "broken"),
    "posted, reset": ("502", "broken"),
    "left": ("502", "broken"),
    "nonsense": ("502", "broken"),
    "cut off": (BROKEN_OFF, "cut_off"),
    "cut off chunks": (BROKEN_OFF, "cut_off"),
    "half": (BROKEN_OFF, "timed_out"),
    "silent": ("504", "timed_out"),
    "gone": (LEFT, "client_gone"),
    "gone amid its body": (LEFT, "client_gone"),
    "upgraded": ("101", "upgraded"),
}
MIX = kinds(
    (30, Kind("answered", get("/answered"))),
    (8, Kind("posted", post("/answered"))),
    (4, Kind("posted chunks", post_chunks("/answered", b"a", b"few", b"chunks"))),
    (4, Kind("put", post("/chunks", method="PUT"))),
    (8, Kind("chunks", get("/chunks"))),
    (4, Kind("failing", get("/failing"))),
    (4, Kind("refused", get("/refused/answered"))),
    (3, Kind("reset", get("/reset"))),
    (3, Kind("posted, reset", post("/reset"))),
    (3, Kind("left", get("/left"))),
    (3, Kind("nonsense", get("/nonsense"))),
    (3, Kind("cut off", get("/cut-off"))),
    (3, Kind("cut off chunks", get("/cut-off-chunks"))),
    (1, Kind("half", get("/steady/half"))),
    (1, Kind("silent", get("/short/silent"))),
    (4, Kind("gone", get("/silent"), leaves=True)),
    (4, Kind("gone amid its body", post("/answered")[:-1], leaves=True)),
    (4, Kind("upgraded", get("/upgraded", **UPGRADE))),
)


async def test_every_end_of_a_call_is_told_and_counted_and_leaks_nothing(bench: Bench, origin: Origin) -> None:
    with refusing_address() as refusing:
        sidecar = await bench.start(
            bench.route(refusing, FALLBACK, match={"path_prefix": "/refused"}),
            bench.route(origin.url, FALLBACK, match={"path_prefix": "/short"}, timeouts={"first_byte_ms": 40}),
            bench.route(origin.url, FALLBACK, match={"path_prefix": "/steady"}, timeouts={"idle_ms": 40}),
            bench.route(origin.url, FALLBACK),
        )
        load = Load(sidecar, MIX)
        # Once before the count begins: the first calls bring Redis' connections with them.
        await load.run(500)
        before = await until_at_rest(sidecar)
        began = time.monotonic()
        await load.run(CALLS)
        took_s = time.monotonic() - began
        after = await until_at_rest(sidecar)

        print(f"{CALLS} calls in {took_s:.1f} s, descriptors {before} before and {after} after: {dict(load.ended)}")
        assert set(load.ended) == {(name, seen) for name, (seen, _) in EXPECTED.items()}
        assert load.ended.total() == CALLS + 500
        accounts: Counter[str] = Counter()
        for (name, _), count in load.ended.items():
            accounts[EXPECTED[name][1]] += count
        assert await calls_by_result(sidecar) == dict(accounts)
        await bench.until_counted(
            success=load.total("200", "101"),
            failure=load.total("500", "502", "504", BROKEN_OFF),
        )
        assert after <= before


async def test_an_upstream_that_dies_freezes_and_comes_back_under_load(bench: Bench, origin: Origin) -> None:
    sidecar = await bench.start(bench.route(origin.url, FALLBACK, timeouts={"first_byte_ms": 300}))
    before = await until_at_rest(sidecar)
    calls = kinds(
        (4, Kind("get", get("/answered"))),
        (2, Kind("post", post("/answered"))),
        (1, Kind("put", post("/chunks", method="PUT"))),
        (1, Kind("half", get("/cut-off"))),
    )
    load = Load(sidecar, calls)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for _ in range(3):
            await load.until("200", 200)
            await origin.kill()
            await load.until("502", 200)
            await origin.start()
            await load.until("200", 200)
            with origin.frozen():
                await load.until("504", 50)
        await load.until("200", 200)
        load.stopped = True

    print(dict(load.ended))
    assert {result for _, result in load.ended} == {"200", "502", "504", BROKEN_OFF}
    # A whole answer is a success, and nothing else is.
    await bench.until_counted(success=load.total("200"), failure=load.total("502", "504", BROKEN_OFF))
    assert sum((await calls_by_result(sidecar)).values()) == load.ended.total()
    assert await until_at_rest(sidecar) <= before


async def test_a_call_that_was_answered_goes_on_when_its_neighbour_is_stuck(bench: Bench, origin: Origin) -> None:
    """An upstream that accepts and never answers holds up nobody but its own callers."""
    sidecar = await bench.start(
        bench.route(origin.url, FALLBACK, match={"path_prefix": "/short"}, timeout_ms=1_500),
        bench.route(origin.url, FALLBACK),
    )
    before = await until_at_rest(sidecar)
    stuck = Load(sidecar, [Kind("silent", get("/short/silent"))], connections=60)
    lively = Load(sidecar, [Kind("answered", get("/answered"))], connections=8)
    async with asyncio.TaskGroup() as group:
        group.create_task(stuck.run(60))
        group.create_task(lively.run())
        await lively.until("200", 500)
        assert stuck.ended.total() == 0
        await stuck.until("504", 60)
        lively.stopped = True
    assert set(stuck.ended) == {("silent", "504")}
    assert set(lively.ended) == {("answered", "200")}
    await bench.until_counted(success=lively.total("200"), failure=60)
    assert await until_at_rest(sidecar) <= before


# The end of the sidecar


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request after a while."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.2)  # a call has to be under way when the signal comes
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
        await writer.drain()


async def test_sigterm_under_load_lets_running_calls_end(bench: Bench) -> None:
    async with raw_upstream(slow) as feature:
        sidecar = await bench.start(bench.route(feature, FALLBACK))
        load = Load(sidecar, [Kind("get", get("/"))], connections=32)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await load.until("200", 64)
            sidecar.process.send_signal(signal.SIGTERM)
        # Each caller got to the end of its call, and met a closed door with the next one.
        assert await sidecar.process.wait() == 0
    assert load.total(TURNED_AWAY) == 32
    # A connection that had no call just then was closed, which may cross with the next call on its way.
    assert load.total(UNANSWERED) <= 32
    assert load.total("200", TURNED_AWAY, UNANSWERED) == load.ended.total()
    assert await bench.total("success") == load.total("200")
    assert await bench.total("failure") == 0


async def test_what_is_not_done_within_drain_ms_is_broken_off(bench: Bench, origin: Origin) -> None:
    sidecar = await bench.start(bench.route(origin.url, FALLBACK), limits={"drain_ms": 600})
    async with connection(sidecar) as silent, connection(sidecar) as half, connection(sidecar) as upgraded:
        silent[1].write(get("/silent"))
        half[1].write(get("/half"))
        assert b" 200 " in await half[0].readuntil(b"half a body")
        upgraded[1].write(get("/upgraded", **UPGRADE))
        assert (await read_answer(upgraded[0])).status == 101
        began = time.monotonic()
        sidecar.process.send_signal(signal.SIGTERM)
        # What is open goes on until then.
        upgraded[1].write(b"echo")
        assert await upgraded[0].readexactly(4) == b"echo"
        for reader, _ in (silent, half, upgraded):
            assert await reader.read() == b""
        assert await sidecar.process.wait() == 0
        assert 0.6 <= time.monotonic() - began < 5
    # Broken off by the sidecar, two of them say nothing of the feature.
    assert (await bench.total("success"), await bench.total("failure")) == (1, 0)


async def test_a_large_download_comes_to_its_end_after_sigterm(bench: Bench) -> None:
    size = 32 * 1_048_576

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65_536):
            writer.write(bytes(65_536))
            await writer.drain()

    async with raw_upstream(talk) as feature:
        sidecar = await bench.start(bench.route(feature, FALLBACK))
        async with connection(sidecar) as (reader, writer):
            writer.write(get("/"))
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1_048_576)
            sidecar.process.send_signal(signal.SIGTERM)
            await until_refused(sidecar)
            await reader.readexactly(size - 1_048_576)
            assert await reader.read() == b""
        assert await sidecar.process.wait() == 0
    assert await bench.total("success") == 1


async def until_refused(sidecar: Sidecar) -> None:
    """Wait until the sidecar listens no longer."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await connect(sidecar)
            except (ConnectionRefusedError, ConnectionResetError):  # reset: it waited to be accepted at the end
                return
            await close(writer)
            await asyncio.sleep(0.01)
