"""A NATS and a Redis of their own, an Aerobat process on them, and the hands of Tower and of a sidecar for one flag.

The rulesets go straight into the bucket, the outcomes, as a sidecar writes them, straight into the time series: neither
Tower nor a sidecar runs.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from real_servers import temporary_folder, with_all_commands
from redis.asyncio import Redis

from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import CircuitEvent, decode_circuit, decode_event
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    RULESETS_BUCKET,
    FlagId,
    Metric,
    bucket_stream,
    bucket_subject,
    event_subject,
)
from tailslide_core.ruleset import CircuitSettings, Recovery, Ruleset
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.data_dir import open_data_dir
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import nats as nats_server
from tailslide_embedded.servers import redis as redis_server
from tailslide_runtime.bucket_watch import Listing, watch_bucket
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import Link, ensure_bucket
from tailslide_runtime.server_urls import NatsUrl, RedisUrl
from tailslide_sidecar.timeseries import RedisSeries, SeriesUnavailableError

FLAG = FlagId("clinic", "appointments")
QUICK = Recovery(delay_ms=300, max_delay_ms=60_000, initial=25.0, increment=25.0, interval_ms=200)
SETTINGS = CircuitSettings(min_calls=10, error_threshold=50.0, recovery=QUICK)
FLUSH_S = 0.05
WAIT_S = 20.0


@dataclass(frozen=True)
class Calls:
    """What one flush of the sidecar counts."""

    success: int = 0
    failure: int = 0
    slow: int = 0

    def of(self, flag_id: FlagId) -> dict[tuple[str, str], int]:
        """Return them as a sidecar hands them to its series."""
        counts = {Metric.SUCCESS: self.success, Metric.FAILURE: self.failure, Metric.SLOW: self.slow}
        return {(flag_id.flag, metric): count for metric, count in counts.items() if count}


HEALTHY = Calls(success=10)
FAILING = Calls(failure=10)
SLOW = Calls(success=10, slow=10)
SILENT = Calls()


@dataclass
class Bench:
    """Everything of one test. `calls` is what the traffic counts at present, every `FLUSH_S`."""

    folder: Path
    nats: Child
    nats_url: str
    redis: Child
    redis_url: str
    ruleset: Ruleset
    calls: Calls = SILENT
    seen: list[Circuit] = field(default_factory=list)
    """The circuits of `FLAG` that the bucket has had, in order, without repetitions."""
    circuits: dict[FlagId, Circuit] = field(default_factory=dict)
    """The latest circuit of each flag."""
    aerobats: list["Aerobat"] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        client = await nats.connect(self.nats_url)
        try:
            yield client
        finally:
            await client.close()

    async def put(self, ruleset: Ruleset | None) -> None:
        """Write the ruleset as Tower does; None deletes it."""
        async with self.client() as client:
            await ensure_bucket(client, RULESETS_BUCKET)
            bucket = await client.jetstream().key_value(RULESETS_BUCKET)
            if ruleset is None:
                await bucket.delete(str(FLAG))
            else:
                self.ruleset = ruleset
                await bucket.put(str(FLAG), encode_ruleset(ruleset))

    async def put_all(self, rulesets: Iterable[Ruleset]) -> None:
        """Write many."""
        async with self.client() as client:
            bucket = await client.jetstream().key_value(RULESETS_BUCKET)
            for ruleset in rulesets:
                await bucket.put(str(ruleset.flag_id), encode_ruleset(ruleset))

    async def put_settings(self, settings: CircuitSettings) -> None:
        await self.put(replace(self.ruleset, circuit=settings))

    async def put_raw(self, bucket: str, value: bytes, key: str = str(FLAG)) -> None:
        async with self.client() as client:
            await (await client.jetstream().key_value(bucket)).put(key, value)

    async def circuit(self) -> Circuit | None:
        """Read the circuit from its bucket."""
        async with self.client() as client:
            subject = bucket_subject(CIRCUITS_BUCKET, str(FLAG))
            try:
                message = await client.jetstream().get_last_msg(bucket_stream(CIRCUITS_BUCKET), subject)
            except NotFoundError:
                return None
        return decode_circuit(message.data) if message.data else None

    async def events(self, flag_id: FlagId = FLAG) -> list[CircuitEvent]:
        """Read all events of a flag, in order."""
        async with self.client() as client:
            js = client.jetstream()
            state = (await js.stream_info(EVENTS_STREAM)).state
            messages = [await js.get_msg(EVENTS_STREAM, seq=seq) for seq in range(1, state.last_seq + 1)]
        return [decode_event(message.data or b"") for message in messages if message.subject == event_subject(flag_id)]

    async def until(self, holds: Callable[[Circuit], bool]) -> Circuit:
        """Wait for the latest circuit to be as asked for."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: bool(self.seen) and holds(self.seen[-1]))
            return self.seen[-1]

    async def until_circuit(self, flag_id: FlagId, holds: Callable[[Circuit], bool]) -> Circuit:
        """Wait for the circuit of any flag to be as asked for."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: flag_id in self.circuits and holds(self.circuits[flag_id]))
            return self.circuits[flag_id]

    async def until_state(self, state: State) -> Circuit:
        return await self.until(lambda circuit: circuit.state is state)

    async def now_ms(self) -> int:
        async with self._redis() as client:
            seconds, microseconds = await client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def count(self, calls: Calls, at_ms: int | None = None, flag_id: FlagId = FLAG) -> None:
        """Count calls once, as a sidecar does: now, or at an earlier time as after an outage."""
        async with closing(RedisSeries(RedisUrl.parse(self.redis_url), flag_id.app)) as series:
            await series.add(calls.of(flag_id), at_ms)

    async def add_sample(self, key: str, value: int, labels: dict[str, str]) -> None:
        """Write one sample, now, to any series."""
        async with self._redis() as client:
            await client.ts().add(key, "*", value, labels=labels)

    def _redis(self) -> Redis:
        return Redis.from_url(self.redis_url)

    async def kill(self, server: Child) -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()

    async def start_aerobat(self, **environment: str) -> "Aerobat":
        aerobat = Aerobat(self.folder / f"aerobat{len(self.aerobats)}.sock")
        self.aerobats.append(aerobat)
        await aerobat.start(
            {
                "TAILSLIDE_NATS_URL": self.nats_url,
                "TAILSLIDE_REDIS_URL": self.redis_url,
                "TAILSLIDE_LOG_FORMAT": "json",
                **environment,
            }
        )
        return aerobat

    async def traffic(self) -> None:
        """Count `calls` for ever, as a sidecar does, also while Redis is away."""
        async with closing(RedisSeries(RedisUrl.parse(self.redis_url), FLAG.app)) as series:
            while True:
                raise_if_cancelled()
                with contextlib.suppress(SeriesUnavailableError):
                    await series.add(self.calls.of(FLAG), None)
                await asyncio.sleep(FLUSH_S)

    async def watch(self) -> None:
        """Note the circuits as the bucket has them."""

        async def serve(client: Client) -> None:
            async with aclosing(watch_bucket(client, CIRCUITS_BUCKET, ">")) as items:
                async for item in items:
                    for entry in item.entries.values() if isinstance(item, Listing) else [item]:
                        circuit = _readable(entry.value)
                        if circuit is None:
                            continue
                        async with self.changed:
                            self.circuits[FlagId.parse(entry.key)] = circuit
                            if entry.key == str(FLAG) and circuit not in self.seen[-1:]:
                                self.seen.append(circuit)
                            self.changed.notify_all()

        await Link(NatsUrl.parse(self.nats_url), "bench").run(serve)


def _readable(value: bytes | None) -> Circuit | None:
    """Read a circuit, unless it was deleted or a test has broken it on purpose."""
    try:
        return None if value is None else decode_circuit(value)
    except ContractError:
        return None


@asynccontextmanager
async def closing(series: RedisSeries) -> AsyncIterator[RedisSeries]:
    try:
        yield series
    finally:
        await series.close()


class Aerobat:
    """One process, and what it answers on its unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._log = socket.with_suffix(".log")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, environment: dict[str, str]) -> None:
        """Start it and wait until it listens."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tailslide_aerobat.main",
                env={**os.environ, **environment, "TAILSLIDE_AEROBAT_LISTEN": f"unix:{self._socket}"},
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(WAIT_S):
            while not await self._lives():
                assert self._process.returncode is None, self.log()
                await asyncio.sleep(0.02)

    async def _lives(self) -> bool:
        try:
            return await self.get("/healthz") == (200, {"status": "ok"})
        except aiohttp.ClientConnectionError:
            return False

    async def until_ready(self, ready: bool = True) -> dict[str, object]:
        """Wait for `/readyz` to say so, and return its body."""
        async with asyncio.timeout(WAIT_S):
            while True:
                status, body = await self.get("/readyz")
                assert (status == 200) == body["ready"]
                if body["ready"] == ready:
                    return body
                await asyncio.sleep(0.02)

    async def get(self, path: str) -> tuple[int, dict[str, object]]:
        async with self._session() as session, session.get(f"http://aerobat{path}") as answer:
            return answer.status, await answer.json()

    async def metric(self, name: str, absent: float | None = None) -> float:
        """Return one sample of `/metrics`, by its name with labels; `absent` where there is none."""
        async with self._session() as session, session.get("http://aerobat/metrics") as answer:
            lines = (await answer.text()).splitlines()
        samples = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")]
        if not samples and absent is not None:
            return absent
        (sample,) = samples
        return sample

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(self._socket)))

    def log(self) -> str:
        return self._log.read_text()

    def send(self, number: signal.Signals) -> None:
        """Send a signal that does not end it."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(WAIT_S):
            return await self._process.wait()


@asynccontextmanager
async def running_bench() -> AsyncIterator[Bench]:
    with temporary_folder() as name:
        async with open_data_dir(name / "data") as data:
            servers = (
                nats_server.server(data, any_free_port()),
                with_all_commands(redis_server.server(data, any_free_port())),
            )
            children = [Child(server.process) for server in servers]
            ruleset = Ruleset(FLAG.app, FLAG.flag, 1, active=True, rollout=100.0, salt=FLAG.flag, circuit=SETTINGS)
            bench = Bench(name, children[0], servers[0].url, children[1], servers[1].url, ruleset)
            background: list[asyncio.Task[None]] = []
            try:
                await asyncio.gather(*(child.start() for child in children))
                await bench.put(ruleset)
                background += [asyncio.create_task(bench.traffic()), asyncio.create_task(bench.watch())]
                yield bench
                for aerobat in bench.aerobats:
                    assert await aerobat.end(signal.SIGTERM) in {0, -signal.SIGKILL}, aerobat.log()
                    assert "Traceback" not in aerobat.log(), aerobat.log()
            finally:
                for task in background:
                    task.cancel()
                ends = await asyncio.gather(*background, return_exceptions=True)
                for aerobat in bench.aerobats:
                    await aerobat.end(signal.SIGKILL)
                for child in children:
                    await child.stop()
            assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
