"""A sidecar process on a real NATS and a real Redis, and the hands of Tower and Aerobat for its flags.

Rulesets and circuits go straight into their buckets, outcomes are read straight from the time series: nothing else of
Tailslide runs. Upstreams are small servers in the test's own process.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import nats
import redis.asyncio
import yaml
from aiohttp import web
from nats.js.api import KeyValueConfig
from prometheus_client.parser import text_string_to_metric_families
from real_servers import temporary_folder
from redis.exceptions import ResponseError

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import encode_circuit
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId, series_key
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.data_dir import open_data_dir
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import nats as nats_server
from tailslide_embedded.servers import redis as redis_server
from tailslide_runtime.jetstream import ensure_bucket

FLAG = "appointments"
WAIT_S = 20.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Sidecar:
    """One process; its flag listener is a unix socket, its proxy any free port."""

    process: asyncio.subprocess.Process
    log_file: Path
    socket: Path
    proxy: str = ""

    def flags(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession("http://sidecar", connector=aiohttp.UnixConnector(path=str(self.socket)))

    async def get(self, path: str) -> tuple[int, dict[str, object]]:
        async with self.flags() as session, session.get(path) as answer:
            return answer.status, await answer.json()

    async def metric(self, sample: str) -> float:
        """Return one sample of `/metrics`, by its name with labels; 0 when it is not there."""
        async with self.flags() as session, session.get("/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)

    async def samples(self, metric: str) -> list[tuple[dict[str, str], float]]:
        """Return all samples of a metric, each with its labels."""
        async with self.flags() as session, session.get("/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        found = [sample for family in families for sample in family.samples if sample.name == metric]
        return [(sample.labels, sample.value) for sample in found]

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something to hold while the process lives."""
        async with asyncio.timeout(WAIT_S):
            while not await holds():
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.02)

    async def until_ready(self) -> None:
        async def ready() -> bool:
            return (await self.get("/readyz"))[0] == 200

        await self.until(ready)

    async def until_answers(self, **wanted: object) -> None:
        """Wait for the answer for the flag to hold these fields."""

        async def answers() -> bool:
            status, body = await self.get(f"/v1/flags/{FLAG}?targeting_key=u1")
            return status == 200 and wanted.items() <= body.items()

        await self.until(answers)

    async def until_metric(self, sample: str, value: float) -> None:
        async def reached() -> bool:
            return await self.metric(sample) == value

        await self.until(reached)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(WAIT_S):
            return await self.process.wait()

    def log(self) -> str:
        return self.log_file.read_text()

    def lines(self, *events: str) -> list[dict[str, Any]]:
        """Return what it has logged, of these events alone if there are any."""
        lines: list[dict[str, Any]] = [json.loads(line) for line in self.log().splitlines()]
        return [line for line in lines if not events or line["event"] in events]


@dataclass
class Bench:
    """NATS and Redis, and the sidecars of one test. Each test has an app of its own."""

    folder: Path
    nats_url: str
    redis_url: str
    app: str = field(default_factory=lambda: f"app{uuid.uuid4().hex[:12]}")
    sidecars: list[Sidecar] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """What sidecars are told besides, or otherwise."""
    program: tuple[str, ...] = (sys.executable, "-m", "tailslide_sidecar.main")
    """What is started, with the name of a sidecar's file as its last argument."""
    nats_options: dict[str, Any] = field(default_factory=dict)
    """How the bench itself connects to NATS besides."""

    def flag_id(self, flag: str = FLAG) -> FlagId:
        return FlagId(self.app, flag)

    def ruleset(self, **fields: object) -> Ruleset:
        settings: dict[str, object] = {"circuit": CircuitSettings(), "rollout": 100.0, "active": True, **fields}
        return Ruleset(self.app, FLAG, 1, salt=FLAG, **settings)  # type: ignore[arg-type] # the fields of Ruleset

    async def put(self, ruleset: Ruleset) -> None:
        await self.put_raw(RULESETS_BUCKET, str(ruleset.flag_id), encode_ruleset(ruleset))

    async def put_circuit(self, circuit: Circuit) -> None:
        await self.put_raw(CIRCUITS_BUCKET, str(self.flag_id()), encode_circuit(circuit))

    async def put_raw(self, bucket: str, key: str, value: bytes | None) -> None:
        """Write a value; None deletes it."""
        client = await nats.connect(self.nats_url, **self.nats_options)
        try:
            await ensure_bucket(client, bucket)
            kv = await client.jetstream().key_value(bucket)
            await (kv.delete(key) if value is None else kv.put(key, value))
        finally:
            await client.close()

    async def wipe(self, bucket: str) -> None:
        """Remove a bucket with all that it holds, and make it again, empty."""
        client = await nats.connect(self.nats_url, **self.nats_options)
        try:
            await client.jetstream().delete_key_value(bucket)
            await client.jetstream().create_key_value(KeyValueConfig(bucket=bucket))
        finally:
            await client.close()

    def route(self, feature: str, fallback: object, **fields: object) -> dict[str, object]:
        return {
            "flag": FLAG,
            "feature": feature,
            "fallback": fallback,
            "targeting_key": {"header": "x-user-id"},
            **fields,
        }

    async def start(self, *routes: Mapping[str, object], ready: bool = True, **config: object) -> Sidecar:
        """Start a sidecar and wait until it listens and, unless told otherwise, is ready."""
        number = len(self.sidecars)
        socket, log_file = self.folder / f"flags{number}.sock", self.folder / f"sidecar{number}.log"
        file = self.folder / f"sidecar{number}.yaml"
        settings = {"flags_listen": f"unix:{socket}", "proxy_listen": "127.0.0.1:0", "app": self.app, **config}
        file.write_text(yaml.safe_dump({**settings, "routes": [dict(route) for route in routes]}))
        environment = {
            "TAILSLIDE_NATS_URL": self.nats_url,
            "TAILSLIDE_REDIS_URL": self.redis_url,
            # Nobody waits for a sidecar of a test; how it ends is tried by itself.
            "TAILSLIDE_DRAIN_GRACE_MS": "0",
            **self.environment,
        }
        with log_file.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.program,
                str(file),
                env={**os.environ, **environment},
                stderr=log,
            )
        sidecar = Sidecar(process, log_file, socket)
        self.sidecars.append(sidecar)
        if "flags_listen" in config:
            return sidecar

        async def listens() -> bool:
            try:
                sidecar.proxy = f"http://{(await sidecar.get('/v1/status'))[1]['proxy_listen']}"
            except aiohttp.ClientConnectionError:
                return False
            return not sidecar.proxy.endswith(":0")

        await sidecar.until(listens)
        if ready:
            await sidecar.until_ready()
        return sidecar

    async def samples(self, metric: str, suffix: str = "", flag: str = FLAG) -> dict[int, float]:
        """Return what is counted of a metric of the flag, by time in milliseconds."""
        async with redis.asyncio.Redis.from_url(self.redis_url) as client:
            try:
                found = await client.execute_command(  # type: ignore[no-untyped-call] # redis-py has no types here
                    "TS.RANGE", series_key(self.flag_id(flag), metric) + suffix, "-", "+"
                )
            except ResponseError:
                return {}
        return {int(at): float(value) for at, value in found}

    async def total(self, metric: str, flag: str = FLAG) -> float:
        return sum((await self.samples(metric, flag=flag)).values())

    async def now_ms(self) -> int:
        async with redis.asyncio.Redis.from_url(self.redis_url) as client:
            seconds, microseconds = await client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def until_counted(self, flag: str = FLAG, /, **totals: int) -> None:
        """Wait for these totals, and see that they do not grow beyond them."""
        async with asyncio.timeout(WAIT_S):
            while {metric: await self.total(metric, flag) for metric in totals} != totals:
                assert all([await self.total(metric, flag) <= total for metric, total in totals.items()]), totals
                await asyncio.sleep(0.02)


@asynccontextmanager
async def bench_on(nats_url: str, redis_url: str) -> AsyncIterator[Bench]:
    """Yield a bench on running servers; its sidecars end in order, or the test fails."""
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), nats_url, redis_url)
        try:
            yield bench
            for sidecar in bench.sidecars:
                assert await sidecar.end() in {0, 1, -signal.SIGKILL}, sidecar.log()
                assert "Traceback" not in sidecar.log(), sidecar.log()
        finally:
            for sidecar in bench.sidecars:
                await sidecar.end(signal.SIGKILL)


@dataclass
class OwnServers:
    """A NATS and a Redis that a test may kill and start again."""

    nats: Child
    redis: Child

    @staticmethod
    async def kill(server: Child) -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()


@asynccontextmanager
async def bench_with_servers() -> AsyncIterator[tuple[Bench, OwnServers]]:
    with temporary_folder() as name:
        async with open_data_dir(name / "data") as data:
            servers = nats_server.server(data, any_free_port()), redis_server.server(data, any_free_port())
            own = OwnServers(Child(servers[0].process), Child(servers[1].process))
            try:
                await asyncio.gather(own.nats.start(), own.redis.start())
                async with bench_on(servers[0].url, servers[1].url) as bench:
                    yield bench, own
            finally:
                await own.nats.stop()
                await own.redis.stop()


@asynccontextmanager
async def upstream(handler: Handler) -> AsyncIterator[str]:
    """Yield the URL of a server that answers everything with `handler`."""
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_upstream(talk: Raw) -> AsyncIterator[str]:
    """Yield the URL of a server that says what `talk` says, whether HTTP or not."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has left, which some of these tests are about
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def answer(text: str, status: int = 200) -> Handler:
    """Return a handler that always answers the same."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    return handle
