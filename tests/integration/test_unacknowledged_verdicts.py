"""A verdict whose acknowledgement is lost together with NATS: sidecars may have acted on it, Aerobat has not heard."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from aerobat_bench import FAILING, HEALTHY, SETTINGS, WAIT_S, Aerobat, Bench, running_bench
from nats.js.errors import NotFoundError

from tailslide_core.circuit import Circuit, Signal, State
from tailslide_core.naming import CIRCUITS_BUCKET, bucket_subject
from tailslide_runtime.cancellation import raise_if_cancelled

STAY_OPEN = replace(SETTINGS, recovery=None)
SUBJECT = bucket_subject(CIRCUITS_BUCKET, "").encode()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with running_bench() as running:
        await running.put_settings(STAY_OPEN)
        yield running


@dataclass
class Line:
    """What lies between Aerobat and NATS. It goes dead with the first verdict, until NATS closes the connection."""

    arrives: bool
    """Whether that verdict still reaches NATS; no answer to it comes back in any case."""
    dead: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first verdict."""

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if b"PUB " + SUBJECT in data and not self.reached.is_set():
                self.reached.set()
                self.dead = True
                if self.arrives:
                    writer.write(data)
            elif not self.dead:
                writer.write(data)
        writer.close()

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if not self.dead:
                    writer.write(data)
        finally:
            self.dead = False  # the next connection is a new one
            writer.close()

    @asynccontextmanager
    async def to(self, host: str, port: int) -> AsyncIterator[str]:
        """Yield an address that leads to this one."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                server_reader, server_writer = await asyncio.open_connection(host, port)
            except ConnectionRefusedError:
                writer.close()
                return
            try:
                await asyncio.gather(self.up(reader, server_writer), self.down(server_reader, writer))
            except ConnectionError:  # one of the two was killed
                server_writer.close()
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()


@asynccontextmanager
async def judged_over(bench: Bench, line: Line) -> AsyncIterator[Aerobat]:
    """Start an Aerobat whose connection to NATS is this line."""
    credentials, _, address = bench.nats_url.rpartition("@")
    host, _, port = address.rpartition(":")
    async with line.to(host, int(port)) as through:
        aerobat = await bench.start_aerobat(TAILSLIDE_NATS_URL=f"{credentials}@{through}")
        await aerobat.until_ready()
        yield aerobat


async def restart_nats(bench: Bench, *, wiped: bool) -> None:
    await bench.kill(bench.nats)
    bench.calls = HEALTHY
    if wiped:
        shutil.rmtree(bench.folder / "data" / "nats" / "jetstream")
    await bench.nats.start()
    if wiped:
        await bench.put(bench.ruleset)


async def until_judging(bench: Bench, aerobat: Aerobat) -> None:
    """Wait for Aerobat to be connected again and to have looked at the circuit since."""
    async with asyncio.timeout(WAIT_S):
        while await aerobat.metric("tailslide_aerobat_nats_connects_total") < 2:
            raise_if_cancelled()
            await asyncio.sleep(0.05)
        await aerobat.until_ready()
        now_ms = await bench.now_ms()
        while int(str((await aerobat.until_ready())["last_tick_ms"])) <= now_ms:
            raise_if_cancelled()
            await asyncio.sleep(0.05)


async def told(bench: Bench) -> list[tuple[Signal, Circuit]]:
    """Return the events once there are any."""
    async with asyncio.timeout(WAIT_S):
        while True:
            raise_if_cancelled()
            with suppress(NotFoundError):  # Aerobat has not made the stream again yet
                if events := await bench.events():
                    return [(event.transition.signal, event.transition.after) for event in events]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("wiped", [True, False])
async def test_verdict_that_was_stored_holds_whether_nats_keeps_its_data_or_not(bench: Bench, wiped: bool) -> None:
    async with judged_over(bench, Line(arrives=True)):
        bench.calls = FAILING
        opened = await bench.until(lambda circuit: circuit.state is State.OPEN)
        await restart_nats(bench, wiped=wiped)
        assert await told(bench) == [(Signal.BREACH, opened)]
        assert await bench.circuit() == opened


async def test_verdict_that_never_arrived_is_not_written_later(bench: Bench) -> None:
    """By then it may be of long ago, and what was counted since says what holds now."""
    line = Line(arrives=False)
    async with judged_over(bench, line) as aerobat:
        bench.calls = FAILING
        async with asyncio.timeout(WAIT_S):
            await line.reached.wait()
        await bench.kill(bench.redis)  # without its counts, so that nothing trips it again
        await restart_nats(bench, wiped=False)
        await bench.redis.start()
        await until_judging(bench, aerobat)
        assert await bench.circuit() is None
