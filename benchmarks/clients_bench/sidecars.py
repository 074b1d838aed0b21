"""A real sidecar on a real NATS and Redis, which can be killed, stopped and started again at the same address."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import yaml
from flags_bench.questions import post_json

from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.data_dir import DataDir, open_data_dir
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec
from tailslide_embedded.servers import nats as nats_server
from tailslide_embedded.servers import redis as redis_server
from tailslide_embedded.whole_loop import temporary_data_dir
from tailslide_runtime.errors import StartError
from tailslide_runtime.jetstream import ensure_bucket

APP = "bench"
FLAG = "feature"
_PROBE_EVERY_S = 0.005
_PROBE_TIMEOUT_S = 1.0
_QUESTION = post_json(f"/ofrep/v1/evaluate/flags/{FLAG}", {"context": {"targetingKey": "probe"}})


def now_ms() -> float:
    """Return Unix time in milliseconds, as drivers tell it."""
    return time.time() * 1000


class RealSidecar:
    """A process at one port; `start_s` is how long its first start took."""

    def __init__(self, child: Child, port: int, folder: Path) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self.start_s = 0.0
        self.folder = folder
        """For whatever else a run writes."""
        self._child = child
        self._port = port

    async def start(self) -> float:
        """Start it and return when it has first answered the probe, Unix time in milliseconds."""
        async with asyncio.TaskGroup() as group:
            answered = group.create_task(self.first_answer())
            group.create_task(self._child.start())
        return answered.result()

    async def kill(self) -> float:
        """End it by SIGKILL; return when it was gone."""
        self.send(signal.SIGKILL)
        await self._child.wait()
        return now_ms()

    async def terminate(self) -> float:
        """End it in the orderly way; return when it was gone."""
        await self._child.stop()
        return now_ms()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._child.pid is None:
            raise StartError(f"the sidecar has ended; its log is {self._child.spec.log}")
        os.kill(self._child.pid, number)

    async def first_answer(self) -> float:
        """Ask the question of the load on new connections until it is answered; return when it was."""
        while not await _answers(self._port):  # noqa: ASYNC110 # another process's
            await asyncio.sleep(_PROBE_EVERY_S)
        return now_ms()


async def _answers(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(_QUESTION)
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


@asynccontextmanager
async def running_sidecar() -> AsyncIterator[RealSidecar]:
    """Run servers and a sidecar with one flag, which is on for all and has a circuit, until the end of the block."""
    with temporary_data_dir() as folder:
        async with open_data_dir(folder) as data:
            servers = nats_server.server(data, any_free_port()), redis_server.server(data, any_free_port())
            children = [Child(server.process) for server in servers]
            try:
                for child in children:
                    await child.start()
                await _put_flag(servers[0].url)
                port = any_free_port()
                child = Child(_spec(data, port, servers[0].url, servers[1].url))
                children.append(child)
                sidecar = RealSidecar(child, port, data.folder("clients"))
                began = time.perf_counter()
                await sidecar.start()
                sidecar.start_s = time.perf_counter() - began
                yield sidecar
            finally:
                for child in reversed(children):
                    await child.stop()


async def _put_flag(nats_url: str) -> None:
    flag = Ruleset(APP, FLAG, 1, True, 100.0, FLAG, circuit=CircuitSettings())
    client = await nats.connect(nats_url)
    try:
        await ensure_bucket(client, RULESETS_BUCKET)
        bucket = await client.jetstream().key_value(RULESETS_BUCKET)
        await bucket.put(str(flag.flag_id), encode_ruleset(flag))
    finally:
        await client.close()


def _spec(data: DataDir, port: int, nats_url: str, redis_url: str) -> ProcessSpec:
    folder = data.folder("sidecar")
    config = folder / "sidecar.yaml"
    settings = {
        "app": APP,
        "flags_listen": f"{LOOPBACK}:{port}",
        "proxy_listen": f"{LOOPBACK}:0",
        "snapshot": str(folder / "snapshot.json"),
    }
    config.write_text(yaml.safe_dump(settings))
    env = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_")}
    env |= {"TAILSLIDE_NATS_URL": nats_url, "TAILSLIDE_REDIS_URL": redis_url, "TAILSLIDE_LOG_FORMAT": "json"}

    async def ready() -> None:
        if not await _answers(port):
            raise NotReadyError("it does not answer for the flag")

    return ProcessSpec(
        name="sidecar",
        argv=(sys.executable, "-P", "-m", "tailslide_embedded", "sidecar", "--config", str(config)),
        env=env,
        cwd=folder,
        log=data.log("sidecar"),
        keep_open=data.keep_open,
        address=f"{LOOPBACK}:{port}",
        ready=ready,
    )
