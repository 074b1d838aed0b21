"""Real NATS, Redis and PostgreSQL for tests: embedded servers in a temporary folder, in a thread of their own.

The kernel ties a child to the thread that started it, and fixtures of different loops use the servers, so one thread
with its own loop starts, watches and stops them. Not for tests of a stack's own life; those use `embedded_servers`.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tailslide_embedded.processes import Child
from tailslide_embedded.servers import EmbeddedServer
from tailslide_embedded.stack import Endpoints, Stack, embedded_servers

_Result = TypeVar("_Result")
_TIMEOUT_S = 60.0


def superuser_url(stack: Stack) -> str:
    """Return the URL of the embedded PostgreSQL's database `postgres` for its superuser, as asyncpg takes it."""
    address = stack.endpoints.database_url.rpartition("@")[2].partition("/")[0]
    return f"postgresql://tailslide:{stack.data.secret('postgres_password')}@{address}/postgres"


class RealServers:
    """Running servers, to be used from any other thread. Keys are `nats`, `redis` and `postgres`."""

    def __init__(self, stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
        self.endpoints: Endpoints = stack.endpoints
        self.folder: Path = stack.data.path
        self.superuser_url: str = superuser_url(stack)
        """For what Tower's own role may not do, such as another database."""
        self._stack = stack
        self._loop = loop

    def pid(self, key: str) -> int:
        """Return the process id of a server that runs."""
        pid = self._child(key).pid
        assert pid is not None, f"{key} does not run"
        return pid

    def kill(self, key: str) -> None:
        """End a server with SIGKILL and return when it is gone."""
        os.kill(self.pid(key), signal.SIGKILL)
        self._run(self._child(key).wait)

    def stop(self, key: str) -> None:
        """Stop a server in the orderly way."""
        self._run(self._child(key).stop)

    def start(self, key: str) -> None:
        """Start a server again, at the same address and on the same data; return when it answers."""
        self._run(self._child(key).start)

    def start_what_is_gone(self) -> None:
        """Start those servers again that do not run."""
        for key, child in self._stack.children.items():
            if child.pid is None:
                self.start(key)

    def _child(self, key: str) -> Child:
        return self._stack.children[key]

    def _run(self, work: Callable[[], Coroutine[None, None, _Result]]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(_TIMEOUT_S)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's user can reach when the tests run as root; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tailslide-test-"))
    try:
        folder.chmod(0o711)
        yield folder
    finally:
        shutil.rmtree(folder)


def processes_on(folder: Path) -> set[int]:
    """Return all other processes that work on a data folder, also the children of our children (Linux only)."""
    lock = folder / "servers.lock"
    found: set[int] = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                found.update(int(process.name) for file in (process / "fd").iterdir() if file.readlink() == lock)
            except OSError:  # it has ended, or it is another user's
                continue
    return found


def with_all_commands(server: EmbeddedServer) -> EmbeddedServer:
    """Return the embedded Redis with the commands that it takes from its clients, as a server of one's own has them."""
    config = server.process.cwd / "redis.conf"
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("rename-command ")))
    return server


@contextmanager
def real_servers() -> Iterator[RealServers]:
    """Run the three servers on a temporary folder until the end of the block."""
    started: Future[RealServers] = Future()
    done = threading.Event()
    with temporary_folder() as folder, ThreadPoolExecutor(1, "real-servers") as thread:
        life = thread.submit(lambda: asyncio.run(_serve(folder, started, done)))
        life.add_done_callback(lambda ended: _pass_on(ended, started))
        try:
            yield started.result(_TIMEOUT_S)
        finally:
            done.set()
            life.result(_TIMEOUT_S)


async def _serve(folder: Path, started: "Future[RealServers]", done: threading.Event) -> None:
    async with embedded_servers(folder) as stack:
        started.set_result(RealServers(stack, asyncio.get_running_loop()))
        await asyncio.to_thread(done.wait)


def _pass_on(ended: "Future[None]", started: "Future[RealServers]") -> None:
    """Tell who waits for the start that it failed."""
    error = ended.exception()
    if error is not None and not started.done():
        started.set_exception(error)
