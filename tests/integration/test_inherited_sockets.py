"""A sidecar in the hands of a service manager: its sockets are there before it is, and stay while it is replaced."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml
from sidecar_bench import answer, upstream

from tailslide_embedded.addresses import LOOPBACK

# What systemd does: descriptors from 3 on, and the process id of who is meant, which only the process itself knows.
AS_SYSTEMD = """
import os, sys
given = [os.dup(int(each)) for each in sys.argv[1:3]]
for number, each in enumerate(given, 3):
    os.dup2(each, number)
    os.set_inheritable(number, True)
os.execvpe(sys.argv[3], sys.argv[3:], {**os.environ, "LISTEN_PID": str(os.getpid())})
"""
CALLS, CALLS_BETWEEN = 100, 5


@dataclass
class Manager:
    """Holds the sockets, starts one sidecar after another on them, and hears what they tell."""

    folder: Path
    flags: socket.socket
    proxy: socket.socket
    told: socket.socket
    config: Path
    flags_file: Path

    async def start(self, names: str = "flags:proxy") -> asyncio.subprocess.Process:
        """Start a sidecar; it is not waited for."""
        descriptors = (self.flags.fileno(), self.proxy.fileno())
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAILSLIDE_", "LISTEN_"))}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", AS_SYSTEMD, *map(str, descriptors)),
            *(sys.executable, "-P", "-m", "tailslide_embedded", "sidecar"),
            *("--config", str(self.config), "--flags", str(self.flags_file)),
            env={
                **kept,
                "LISTEN_FDS": "2",
                "LISTEN_FDNAMES": names,
                "NOTIFY_SOCKET": str(self.told.getsockname()),
                "TAILSLIDE_DRAIN_GRACE_MS": "300",
            },
            pass_fds=descriptors,
            stderr=asyncio.subprocess.PIPE,
        )

    async def hears(self) -> str:
        """Return what a sidecar tells next."""
        async with asyncio.timeout(30):
            return (await asyncio.get_running_loop().sock_recv(self.told, 4096)).decode()

    def url(self, listening: socket.socket) -> str:
        """Return where a socket is reached."""
        return "http://{}:{}".format(*listening.getsockname())


@asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[asyncio.subprocess.Process]:
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Manager]:
    async with AsyncExitStack() as stack:
        feature = await stack.enter_async_context(upstream(answer("new")))
        flags, proxy = (stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(2))
        told = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told.setblocking(False)
        told.bind(str(tmp_path / "told"))
        config, flags_file = tmp_path / "sidecar.yaml", tmp_path / "flags.yaml"
        config.write_text(yaml.safe_dump({"app": "shop", "routes": [{"upstream": feature}]}))
        flags_file.write_text("app: shop\nflags: {f: {active: true}}\n")
        yield Manager(tmp_path, flags, proxy, told, config, flags_file)


async def test_inherited_sockets_are_served_in_the_place_of_the_settings_and_readiness_is_told(
    manager: Manager,
) -> None:
    async with ended(await manager.start()) as process, aiohttp.ClientSession() as session:
        assert await manager.hears() == "READY=1"
        async with session.get(f"{manager.url(manager.flags)}/v1/status") as response:
            listens = await response.json()
            assert response.status == 200
        assert str(manager.proxy.getsockname()[1]) in str(listens)
        async with session.get(manager.url(manager.proxy)) as response:
            assert await response.text() == "new"
        process.send_signal(signal.SIGTERM)
        assert await manager.hears() == "STOPPING=1"
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("flags:http", "the socket unit hands over 'http': expected FileDescriptorName=flags or proxy"),
        ("flags:flags", "the socket unit hands over two sockets named 'flags': expected one"),
    ],
)
async def test_sockets_of_other_names_are_refused_in_a_sentence(manager: Manager, names: str, problem: str) -> None:
    async with ended(await manager.start(names)) as process:
        assert await process.wait() == 1
        assert process.stderr is not None
        assert (await process.stderr.read()).decode().splitlines()[-1] == f"Error: {problem}"


class Callers:
    """Clients that ask one after the other until they are told to stop; what they get is 200, or `statuses` says so."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.stopping = False
        self._answered = asyncio.Condition()

    async def until(self, number: int) -> None:
        """Return once so many more calls are answered."""
        wanted = len(self.statuses) + number
        async with asyncio.timeout(30), self._answered:
            await self._answered.wait_for(lambda: len(self.statuses) >= wanted)

    async def call(self, session: aiohttp.ClientSession, where: str) -> None:
        async with session.get(where) as response:
            await response.read()
        async with self._answered:
            self.statuses.append(response.status)
            self._answered.notify_all()

    async def run(self, where: str, *, keeps: bool) -> None:
        """Call on one connection that is kept, or on a new one each time."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=not keeps)) as session:
            while not self.stopping:
                await self.call(session, where)


async def test_calls_wait_while_a_sidecar_is_replaced_and_none_is_refused(manager: Manager) -> None:
    callers, proxy = Callers(), manager.url(manager.proxy)
    async with AsyncExitStack() as processes:
        first = await processes.enter_async_context(ended(await manager.start()))
        assert await manager.hears() == "READY=1"
        async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as session:
            for where in (f"{manager.url(manager.flags)}/v1/status", proxy):
                for keeps in (True, False):
                    group.create_task(callers.run(where, keeps=keeps))
            await callers.until(CALLS)

            first.send_signal(signal.SIGTERM)
            assert await manager.hears() == "STOPPING=1"
            assert await first.wait() == 0
            # Nobody serves now, so these can only wait.
            waiting = [group.create_task(callers.call(session, proxy)) for _ in range(CALLS_BETWEEN)]
            await processes.enter_async_context(ended(await manager.start()))
            assert await manager.hears() == "READY=1"
            await asyncio.gather(*waiting)
            await callers.until(CALLS)
            callers.stopping = True
    assert set(callers.statuses) == {200}
