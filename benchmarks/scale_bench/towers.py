"""Real Towers on real servers, and what they cost: processor time, memory, how long until they are of use."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
from tick_bench.servers import processor_s

from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.parts import tailslide_process
from tailslide_embedded.processes import Child
from tailslide_embedded.stack import Stack
from tailslide_runtime.settings import ListenAddress

API_TOKEN = "a-token-that-is-for-benchmarks-alone"  # of servers that nobody else reaches
POLL_S = 0.05
START_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Memory:
    """Of a process, in MiB."""

    resident: float
    peak: float


def memory_of(pid: int) -> Memory:
    """Return how much memory a process has, and has had at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if name[:2] == "Vm"}
    return Memory(kib["VmRSS"] / 1024, kib["VmHWM"] / 1024)


@dataclass(frozen=True)
class Tower:
    """A running Tower, and how long after its start it was ready, and had published all, in seconds."""

    url: str
    pid: int
    ready_s: float
    published_s: float

    async def share_of_core(self, seconds: float) -> float:
        """Return the share of a core that it takes in the next seconds, as a percentage."""
        before = processor_s(self.pid)
        await asyncio.sleep(seconds)
        return (processor_s(self.pid) - before) / seconds * 100


@asynccontextmanager
async def running_tower(stack: Stack, http: aiohttp.ClientSession, name: str) -> AsyncIterator[Tower]:
    """Run a Tower until the end of the block; it has published all that there is when the block begins."""
    listen = ListenAddress(LOOPBACK, any_free_port())
    env = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    env |= stack.endpoints.environment_of("tower")
    env |= {
        "TAILSLIDE_TOWER_LISTEN": str(listen),
        "TAILSLIDE_API_TOKEN": API_TOKEN,
        "TAILSLIDE_LOG_FORMAT": "json",
    }
    spec = replace(tailslide_process("tower", listen, stack.data, env), name=name, log=stack.data.log(name))
    child = Child(spec)
    began = time.perf_counter()
    try:
        await child.start()
        ready_s = time.perf_counter() - began
        assert child.pid is not None, "it has just answered"
        async with asyncio.timeout(START_TIMEOUT_S):
            while not (await _ready(http, f"http://{listen}"))["published"]:  # noqa: ASYNC110 # another process's
                await asyncio.sleep(POLL_S)
        yield Tower(f"http://{listen}", child.pid, ready_s, time.perf_counter() - began)
    finally:
        await child.stop()


async def _ready(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with http.get(f"{url}/readyz") as answer:
        said: dict[str, Any] = await answer.json()
        return said
