"""Large bodies while one side takes its time, and connections that end at the worst moment: nothing hangs."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from proxy_load import (
    DEADLINE_S,
    Kind,
    Load,
    ask,
    close,
    connect,
    connection,
    get,
    post,
    read_answer,
    resident_bytes,
    until_at_rest,
)
from real_servers import real_servers
from sidecar_bench import WAIT_S, Bench, Sidecar, bench_on, raw_upstream

from tailslide_embedded.stack import Endpoints

MIB = 1_048_576
BLOCK = bytes(range(256)) * 256
LARGE = 200 * MIB
FLAT = 24 * MIB
"""How much the sidecar's memory may grow over such a body: its buffers on both sides, and not a part of the body."""

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


class Flow:
    """Bytes that one side has sent; it stalls when the other side takes no more."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, writer: asyncio.StreamWriter, size: int) -> None:
        for _ in range(size // len(BLOCK)):
            writer.write(BLOCK)
            await writer.drain()
            self.sent += len(BLOCK)

    async def stalled(self) -> None:
        """Wait until nothing more is sent."""
        async with asyncio.timeout(WAIT_S):
            before = -1
            while self.sent != before:
                before = self.sent
                await asyncio.sleep(0.25)


@asynccontextmanager
async def memory_stays_flat(sidecar: Sidecar) -> AsyncIterator[None]:
    """See that at no moment of the block the sidecar has much more memory than before it."""
    before = most = resident_bytes(sidecar)

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, resident_bytes(sidecar))
            await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch())
        yield
        task.cancel()
    print(f"{before / MIB:.1f} MiB before, at most {most / MIB:.1f} MiB")
    assert most - before < FLAT


async def read_with_pauses(reader: asyncio.StreamReader, size: int, pause: Callable[[], Awaitable[None]]) -> bytes:
    """Read so many bytes, stopping five times; return their SHA-256."""
    digest, left, pauses = hashlib.sha256(), size, 0
    while left:
        data = await reader.read(min(left, MIB))
        assert data
        digest.update(data)
        left -= len(data)
        if pauses < 5 and size - left > pauses * size // 6:
            pauses += 1
            await pause()
    return digest.digest()


def sha256_of(size: int) -> bytes:
    return hashlib.sha256(BLOCK * (size // len(BLOCK))).digest()


async def test_a_large_answer_to_a_client_that_pauses(bench: Bench) -> None:
    flow = Flow()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        await flow.send(writer, LARGE)

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        await ask(sidecar, get("/", Expect="nothing"))  # refused, but it has warmed the way there
        reader, writer = await connect(sidecar)
        async with memory_stays_flat(sidecar), asyncio.timeout(100):
            writer.write(get("/"))
            await reader.readuntil(b"\r\n\r\n")
            got = await read_with_pauses(reader, LARGE, flow.stalled)
        await close(writer)
        assert got == sha256_of(LARGE)
        await bench.until_counted(success=1, failure=0)
        await until_at_rest(sidecar)


async def test_a_large_upload_to_an_upstream_that_pauses(bench: Bench) -> None:
    flow = Flow()
    received: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.append(await read_with_pauses(reader, LARGE, flow.stalled))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        reader, writer = await connect(sidecar)
        async with memory_stays_flat(sidecar), asyncio.timeout(100):
            writer.write(b"PUT / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nContent-Length: %d\r\n\r\n" % LARGE)
            await flow.send(writer, LARGE)
            assert (await read_answer(reader)).status == 200
        await close(writer)
        assert received == [sha256_of(LARGE)]
        await bench.until_counted(success=1, failure=0)
        await until_at_rest(sidecar)


async def download(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: bool) -> None:
    """GET 8 MiB; with `pause` only after the sidecar has had to stop reading the upstream."""
    writer.write(get("/"))
    await reader.readuntil(b"\r\n\r\n")
    if pause:
        await asyncio.sleep(0.1)  # the pause that is tried here
    await reader.readexactly(8 * MIB)


async def test_paused_downloads_over_pooled_connections_all_end(bench: Bench) -> None:
    """A connection that goes back to the pool while its reading is paused would never answer again."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * MIB))
            for _ in range(8 * MIB // len(BLOCK)):
                writer.write(BLOCK)
                await writer.drain()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        async with connection(sidecar) as (reader, writer):
            for number in range(36):
                await download(reader, writer, pause=number % 3 == 0)

        async def several(number: int) -> None:
            async with connection(sidecar) as (reader, writer):
                for turn in range(3):
                    await download(reader, writer, pause=(number + turn) % 2 == 0)

        async with asyncio.timeout(3 * DEADLINE_S):
            await asyncio.gather(*(several(number) for number in range(12)))
        await bench.until_counted(success=72, failure=0)
        assert await sidecar.metric(f'tailslide_sidecar_upstream_reuses_total{{upstream="{server}"}}') >= 36
        await until_at_rest(sidecar)


async def test_a_client_that_never_reads_is_let_go(bench: Bench) -> None:
    """Whether its answer goes on, has ended, or is no HTTP any more: it holds nothing for longer than it may."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade" in head.lower():
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        sent = 0
        while b"endless" in head or sent < 6 * MIB:
            writer.write(BLOCK)
            sent += len(BLOCK)
            await writer.drain()

    upgrade = {"Connection": "Upgrade", "Upgrade": "x"}
    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server}, limits={"body_timeout_ms": 1_000})
        await until_at_rest(sidecar)
        for request in (get("/endless"), get("/"), get("/endless", **upgrade), get("/", **upgrade)):
            _, writer = await connect(sidecar)
            try:
                writer.write(request)
                await sidecar.until_metric("tailslide_sidecar_proxy_connections", 1)
                await sidecar.until_metric("tailslide_sidecar_proxy_connections", 0)
            finally:
                await close(writer)
        await until_at_rest(sidecar)


# Connections that end at the worst moment


class Fickle:
    """Answers the first request of each connection, and closes the connection when the second one has come."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b" / HTTP/1.1\r\n"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        self.requests.append(await reader.readuntil(b" / HTTP/1.1\r\n"))


@pytest.mark.parametrize(
    ("request_bytes", "status", "times"),
    [
        (get("/"), 200, 2),
        (post("/", method="PUT"), 200, 2),
        (post("/", b"x" * 100_000, method="PUT"), 502, 1),
        (post("/"), 502, 1),
    ],
)
async def test_a_kept_connection_that_its_upstream_closes_just_then(
    bench: Bench, request_bytes: bytes, status: int, times: int
) -> None:
    fickle = Fickle()
    async with raw_upstream(fickle.talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        assert (await ask(sidecar, get("/"))).status == 200
        got = await ask(sidecar, request_bytes)
        assert got.status == status
        assert len(fickle.requests) == 1 + times
        assert await sidecar.metric("tailslide_sidecar_proxied_resent_total") == times - 1
        # One call has one outcome, however often it was sent.
        await bench.until_counted(success=2 if status == 200 else 1, failure=0 if status == 200 else 1)
        await until_at_rest(sidecar)


@pytest.mark.parametrize(
    ("says", "pause_s", "connections"), [(b"", 1.6, 2), (b"Keep-Alive: timeout=2\r\n", 1.1, 2), (b"", 0.5, 1)]
)
async def test_a_connection_is_not_used_when_its_upstream_may_be_closing_it(
    bench: Bench, says: bytes, pause_s: float, connections: int
) -> None:
    made = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        while True:
            await reader.readuntil(b"body of some bytes")
            writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % says)
            await writer.drain()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start({"upstream": server})
        for _ in range(2):
            assert (await ask(sidecar, post("/"))).status == 200
            await asyncio.sleep(pause_s)  # how long it is idle is what is tried here
        assert made == connections


async def test_an_upstream_that_never_keeps_a_connection_long(bench: Bench) -> None:
    """It closes after each third answer, without a word: no call that may be made again ever fails of it."""
    answered = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        for _ in range(3):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            answered += 1
        await writer.drain()

    async with raw_upstream(talk) as server:
        sidecar = await bench.start(bench.route(server, {"status": 503}))
        load = Load(sidecar, [Kind("get", get("/"))], connections=8)
        await load.run(2_000)
        assert load.ended == {("get", "200"): 2_000}
        assert answered == 2_000
        await bench.until_counted(success=2_000, failure=0)
        await until_at_rest(sidecar)
