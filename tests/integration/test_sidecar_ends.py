"""A sidecar that is told to end goes on answering until those who send it calls have learned of it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from sidecar_bench import answer, upstream

from tailslide_embedded.addresses import any_free_port

LOOK_S = 2.0
"""How long the balancer takes to notice anything."""
CALLS_PER_S = 200


@dataclass
class Ending:
    """A sidecar from a file, on ports of its own."""

    process: asyncio.subprocess.Process
    flags: str
    proxy: str

    async def ready(self, session: aiohttp.ClientSession) -> tuple[int, dict[str, object]]:
        async with session.get(f"{self.flags}/readyz") as response:
            return response.status, await response.json()


Start = Callable[..., Awaitable[Ending]]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as running:
        yield running


@pytest.fixture
async def start(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[Start]:
    """Give a function that starts a sidecar before `origin` and waits until it is ready."""
    (tmp_path / "flags.yaml").write_text("app: shop\nflags: {pay: {active: true}}\n")
    running: list[Ending] = []

    async def started(origin: str, grace_ms: int) -> Ending:
        (tmp_path / "sidecar.yaml").write_text(
            f"routes: [{{match: {{path_prefix: /}}, flag: pay, feature: {origin}, fallback: {{status: 503}}}}]\n"
            f"drain: {{grace_ms: {grace_ms}}}\n"
        )
        flags, proxy = (f"127.0.0.1:{any_free_port()}" for _ in range(2))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tailslide_embedded", "sidecar", "--config", "sidecar.yaml"),
            *("--flags", "flags.yaml"),
            cwd=tmp_path,
            env={**os.environ, "TAILSLIDE_FLAGS_LISTEN": flags, "TAILSLIDE_PROXY_LISTEN": proxy},
            stderr=asyncio.subprocess.DEVNULL,
        )
        sidecar = Ending(process, f"http://{flags}", f"http://{proxy}")
        running.append(sidecar)
        async with asyncio.timeout(30):
            while True:
                try:
                    if (await sidecar.ready(session))[0] == 200:
                        return sidecar
                except aiohttp.ClientConnectorError:
                    await asyncio.sleep(0.05)

    yield started
    for sidecar in running:
        if sidecar.process.returncode is None:
            sidecar.process.kill()
        await sidecar.process.wait()


@dataclass
class Balancer:
    """Sends calls to all servers that were well at its last look, over kept connections, and tries none twice."""

    servers: list[Ending]
    session: aiohttp.ClientSession
    well: list[Ending] = field(default_factory=list)
    answered: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    async def look(self) -> None:
        self.well = [each for each in self.servers if (await self._is_well(each))]

    async def _is_well(self, server: Ending) -> bool:
        try:
            return (await server.ready(self.session))[0] == 200
        except aiohttp.ClientConnectorError:
            return False

    async def call(self, number: int) -> None:
        server = self.well[number % len(self.well)]
        try:
            # A POST is sent once: clients do not repeat it by themselves when a connection ends.
            async with self.session.post(f"{server.proxy}/pay", headers={"x-user-id": str(number)}) as response:
                if response.status != 200:
                    self.refused.append(f"{response.status} of {server.proxy}")
                self.answered[server.proxy] = self.answered.get(server.proxy, 0) + 1
        except aiohttp.ClientError as error:
            self.refused.append(f"{error!r} of {server.proxy}")


@asynccontextmanager
async def under_load(balancer: Balancer) -> AsyncIterator[None]:
    """Send calls at a steady rate, and look at the servers now and then."""

    async def looking() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await balancer.look()

    async def calling() -> None:
        async with asyncio.TaskGroup() as calls:
            for number in range(10**9):
                calls.create_task(balancer.call(number))
                await asyncio.sleep(1 / CALLS_PER_S)

    tasks = [asyncio.create_task(work()) for work in (looking, calling)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.02)


async def test_no_call_is_refused_behind_a_balancer_that_notices_late(
    start: Start, session: aiohttp.ClientSession
) -> None:
    async with upstream(answer("paid")) as origin:
        one, other = await start(origin, grace_ms=3_000), await start(origin, grace_ms=3_000)
        balancer = Balancer([one, other], session)
        await balancer.look()
        async with under_load(balancer):
            await until(lambda: min(balancer.answered.get(each.proxy, 0) for each in (one, other)) > 50)
            one.process.send_signal(signal.SIGTERM)
            told = dict(balancer.answered)
            await until(lambda: balancer.answered[one.proxy] > told[one.proxy] + 50)
            status, body = await one.ready(session)
            assert (status, body["error"]["code"]) == (503, "ENDING")  # type: ignore[index]
            assert await asyncio.wait_for(one.process.wait(), 20) == 0
            after = dict(balancer.answered)
            await until(lambda: balancer.answered[other.proxy] > after[other.proxy] + 100)
    assert balancer.refused == []


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)])
async def test_who_does_not_want_to_wait_does_not(start: Start, numbers: tuple[signal.Signals, ...]) -> None:
    async with upstream(answer("paid")) as origin:
        sidecar = await start(origin, grace_ms=600_000)
        for number in numbers:
            sidecar.process.send_signal(number)
            await asyncio.sleep(0.2)
        assert await asyncio.wait_for(sidecar.process.wait(), 60) == 0


async def ends_after_an_answer(url: str, path: str) -> bool:
    """Ask over a connection of its own, which could be kept; say whether the other side ends it after its answer."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    async with asyncio.timeout(20):
        everything = await reader.read()
    writer.close()
    return everything.startswith(b"HTTP/1.1 200 ")


async def test_answers_of_the_last_moments_end_their_connections(start: Start) -> None:
    async with upstream(answer("paid")) as origin:
        sidecar = await start(origin, grace_ms=600_000)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{sidecar.proxy}/pay") as response:
                assert "Connection" not in response.headers
            sidecar.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                while (await sidecar.ready(session))[0] == 200:
                    await asyncio.sleep(0.02)
            for _ in range(2):
                async with session.get(f"{sidecar.proxy}/pay") as response:
                    assert (response.status, response.headers["Connection"]) == (200, "close")
            # Questions are answered by another path than the rest of the flags listener; both end theirs.
            for path in ("/v1/flags/pay?targeting_key=ada", "/v1/status"):
                assert await ends_after_an_answer(sidecar.flags, path)
        sidecar.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(sidecar.process.wait(), 30) == 0
