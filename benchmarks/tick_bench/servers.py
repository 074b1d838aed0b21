"""What is started: a NATS and a Redis of their own, and real Aerobats on them; and what they say of their work.

Everything runs in a temporary folder and is stopped by process id. Nothing is pinned to a core.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import nats
from redis.asyncio import Redis

from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET
from tailslide_core.ruleset import Ruleset
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.data_dir import DataDir, open_data_dir
from tailslide_embedded.parts import tailslide_process
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import nats as nats_server
from tailslide_embedded.servers import redis as redis_server
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_runtime.settings import ListenAddress

_AT_ONCE = 500
_TIMEOUT_S = 30.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@dataclass(frozen=True)
class RedisWork:
    """What a Redis has done since its start; commands within scripts are counted like any other."""

    processor_s: float
    commands: int
    bytes_in: int
    bytes_out: int

    def __sub__(self, before: "RedisWork") -> "RedisWork":
        return RedisWork(
            self.processor_s - before.processor_s,
            self.commands - before.commands,
            self.bytes_in - before.bytes_in,
            self.bytes_out - before.bytes_out,
        )


class Aerobat:
    """A running Aerobat."""

    def __init__(self, child: Child, url: str, http: aiohttp.ClientSession) -> None:
        self._child = child
        self._url = url
        self._http = http

    @property
    def pid(self) -> int:
        """Return its process id; raise `StartError` when it has ended."""
        if self._child.pid is None:
            raise StartError(f"{self._child.spec.name} has ended; its log is {self._child.spec.log}")
        return self._child.pid

    async def metrics(self) -> dict[str, float]:
        """Return the samples of `/metrics`, by name with labels."""
        async with self._http.get(f"{self._url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether `/readyz` says that it is ready, and what else it says."""
        async with self._http.get(f"{self._url}/readyz") as answer:
            return answer.status == 200, await answer.json()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def stop(self) -> None:
        """Stop it in the orderly way, unless it has ended."""
        await self._child.stop()


class Servers:
    """Running servers of the infrastructure, on which Aerobats are started."""

    def __init__(self, data: DataDir, nats_url: str, redis: Child, redis_url: str, http: aiohttp.ClientSession) -> None:
        self.redis_url = redis_url
        self.redis: Redis = Redis.from_url(redis_url, protocol=3, socket_timeout=_TIMEOUT_S)
        """A connection for our own questions, and for the peer's."""
        self._redis_child = redis
        self._data = data
        self._nats_url = nats_url
        self._http = http
        self._started = 0

    async def put(self, flags: Iterable[Ruleset]) -> None:
        """Write flags into the bucket, as Tower would."""
        client = await nats.connect(self._nats_url)
        try:
            await ensure_bucket(client, RULESETS_BUCKET)
            bucket = await client.jetstream().key_value(RULESETS_BUCKET)
            waiting = list(flags)
            for start in range(0, len(waiting), _AT_ONCE):
                batch = waiting[start : start + _AT_ONCE]
                await asyncio.gather(*(bucket.put(str(flag.flag_id), encode_ruleset(flag)) for flag in batch))
        finally:
            await client.close()

    async def aerobat(self) -> Aerobat:
        """Start an Aerobat and return once it is ready; raise `StartError`. The caller stops it."""
        self._started += 1
        listen = ListenAddress(LOOPBACK, any_free_port())
        env = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
        env |= {
            "TAILSLIDE_NATS_URL": self._nats_url,
            "TAILSLIDE_REDIS_URL": self.redis_url,
            "TAILSLIDE_AEROBAT_LISTEN": str(listen),
            "TAILSLIDE_LOG_FORMAT": "json",
        }
        name = f"aerobat-{self._started}"
        child = Child(
            replace(tailslide_process("aerobat", listen, self._data, env), name=name, log=self._data.log(name))
        )
        await child.start()
        return Aerobat(child, f"http://{listen}", self._http)

    async def redis_work(self) -> RedisWork:
        """Return what Redis has done so far."""
        assert self._redis_child.pid is not None, "nothing but this benchmark stops it"
        said = await self.redis.info("stats")
        return RedisWork(
            processor_s(self._redis_child.pid),
            said["total_commands_processed"],
            said["total_net_input_bytes"],
            said["total_net_output_bytes"],
        )


@asynccontextmanager
async def running_servers() -> AsyncIterator[Servers]:
    """Run both servers, with nothing in them, until the end of the block."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    with temporary_data_dir() as folder:
        async with open_data_dir(folder) as data, aiohttp.ClientSession(timeout=timeout) as http:
            specs = nats_server.server(data, any_free_port()), redis_server.server(data, any_free_port())
            children = [Child(spec.process) for spec in specs]
            try:
                for child in children:
                    await child.start()
                servers = Servers(data, specs[0].url, children[1], specs[1].url, http)
                try:
                    # What it rewrites its file for takes a core for seconds, at moments that mean nothing.
                    await servers.redis.config_set("auto-aof-rewrite-percentage", 0)
                    yield servers
                finally:
                    await servers.redis.aclose()
            finally:
                for child in children:
                    await child.stop()
