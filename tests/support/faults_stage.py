"""Everything that a circuit's life needs, as processes that may be killed, frozen and started again at any moment.

NATS, Redis, two Aerobats and two sidecars of one app. The test has the hands of Tower, and reads the facts at their
source: rulesets, circuits and events from JetStream, counts from the time series. What happens to the parts, and what
has to be so afterwards, is the tests' own.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import nats
import yaml
from counted_load import Account, Door, Features
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from proxy_endings import refusing_address
from real_servers import temporary_folder
from redis.asyncio import Redis
from sidecar_bench import upstream

from tailslide_core.circuit import Circuit, Transition, step
from tailslide_core.contracts import CircuitEvent, Mark, decode_circuit, decode_event, encode_mark
from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    JUDGED_METRICS,
    RESOLUTIONS,
    RULESETS_BUCKET,
    FlagId,
    Metric,
    app_keys,
    bucket_stream,
    bucket_subject,
    event_subject,
    mark_key,
    series_key,
)
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.windows import WindowCounts, ladder
from tailslide_embedded.addresses import LOOPBACK, any_free_port
from tailslide_embedded.data_dir import DataDir, open_data_dir
from tailslide_embedded.processes import Child, NotReadyError, ProcessSpec, log_tail
from tailslide_embedded.servers import nats as nats_server
from tailslide_embedded.servers import redis as redis_server
from tailslide_runtime.bucket_watch import Entry, Listing, watch_bucket
from tailslide_runtime.jetstream import Link, ensure_bucket
from tailslide_runtime.server_urls import NatsUrl

APP = "clinic"
WAIT_S = 30.0
ANSWER_TIMEOUT_S = 5.0
FALLBACK = {"status": 200, "body": "old"}


class Part:
    """One process. Whoever does something to it holds its `lock`."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.name = child.spec.name
        self.lock = asyncio.Lock()
        self._ended: list[str] = []

    async def start(self) -> None:
        await self.child.start()

    async def kill(self) -> None:
        """End it with SIGKILL; it is an error when it has ended by itself."""
        os.kill(self._pid(), signal.SIGKILL)
        await self.child.wait()
        self._ended.append(self._present_log())

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it stand still for the length of the block."""
        pid = self._pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def end(self) -> int:
        """Stop it in the orderly way, and return its exit status."""
        os.kill(self._pid(), signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            return (await self.child.wait()).status

    def _pid(self) -> int:
        assert self.child.pid is not None, f"{self.name} has ended by itself:\n{log_tail(self.child.spec.log)}"
        return self.child.pid

    def _present_log(self) -> str:
        return self.child.spec.log.read_text(errors="replace")

    def log(self) -> str:
        """Return what all its processes have written so far."""
        return "".join([*self._ended, self._present_log()])


class Process(Part):
    """A part of Tailslide; it answers on a unix socket."""

    def __init__(self, data: DataDir, name: str, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._socket = data.path / f"{name}.sock"
        outside = {key: value for key, value in os.environ.items() if not key.startswith("TAILSLIDE_")}
        super().__init__(
            Child(
                ProcessSpec(
                    name=name,
                    argv=(sys.executable, "-m", *argv),
                    env={**outside, "TAILSLIDE_LOG_FORMAT": "json", **environment},
                    cwd=data.path,
                    log=data.log(name),
                    keep_open=data.keep_open,
                    address=f"unix:{self._socket}",
                    ready=self._healthy,
                )
            )
        )

    async def _healthy(self) -> None:
        try:
            status, _ = await self.get("/healthz")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotReadyError(str(error) or type(error).__name__) from error
        if status != 200:
            raise NotReadyError(f"it answers {status}")

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self._session() as session, session.get(f"http://part{path}") as answer:
            return answer.status, await answer.json()

    async def metrics(self) -> dict[str, float]:
        """Return all samples of `/metrics`, each by its name with labels."""
        async with self._session() as session, session.get("http://part/metrics") as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(self._socket)),
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
        )


class Aerobat(Process):
    """One of those that judge."""

    def __init__(self, data: DataDir, name: str, environment: Mapping[str, str]) -> None:
        listen = {"TAILSLIDE_AEROBAT_LISTEN": f"unix:{data.path / name}.sock"}
        super().__init__(data, name, ("tailslide_aerobat.main",), {**environment, **listen})


@dataclass
class Life:
    """One process of a sidecar: what its callers know, and what it last said of its counts itself.

    A call to a feature is two counts: how it ended, and the bucket of its latency.
    """

    callers: Account = field(default_factory=Account)
    killed: bool = False
    written: float = 0.0
    unconfirmed: float = 0.0
    """Sent, and not answered in time: written, unless Redis died before it came to it."""
    dropped: float = 0.0
    waiting: float = 0.0
    stale: float = 0.0
    """Calls, not counts."""

    def take(self, samples: Mapping[str, float]) -> None:
        prefix = "tailslide_sidecar_outcomes"
        self.written, self.dropped = samples[f"{prefix}_written_total"], samples[f"{prefix}_dropped_total"]
        self.waiting, self.stale = samples[f"{prefix}_waiting"], samples[f"{prefix}_stale_total"]
        self.unconfirmed = samples[f"{prefix}_unconfirmed_total"]

    def unaccounted(self) -> float:
        """Return how many calls to features the callers know of that the process has not said anything about."""
        return self.callers.feature.total() - (self.written + self.unconfirmed + self.dropped) / 2 - self.stale


class Sidecar(Process):
    """One of those that proxy; each of its processes has an account of its own."""

    def __init__(self, data: DataDir, name: str, config: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self._port = any_free_port()
        self.lives: list[Life] = []
        file = data.path / f"{name}.yaml"
        own = {
            "app": APP,
            "flags_listen": f"unix:{data.path / name}.sock",
            "proxy_listen": f"{LOOPBACK}:{self._port}",
            "snapshot": str(data.path / f"{name}.json"),
        }
        file.write_text(yaml.safe_dump({**own, **config}))
        super().__init__(data, name, ("tailslide_sidecar.main", str(file)), environment)

    @property
    def life(self) -> Life:
        return self.lives[-1]

    def door(self) -> Door:
        return Door(LOOPBACK, self._port, self.life.callers)

    async def start(self) -> None:
        self.lives.append(Life())
        await super().start()

    async def kill(self) -> None:
        """Read its account, then kill it at once: what it has not written by then dies with it."""
        self.life.killed = True
        self.life.take(await self.metrics())
        await super().kill()


@dataclass
class Stage:
    """All parts, and the facts at their source."""

    nats: Part
    redis: Part
    aerobats: list[Aerobat]
    sidecars: list[Sidecar]
    nats_url: str
    redis_url: str
    rulesets: dict[str, Ruleset]
    features: Features
    circuits: dict[str, Circuit] = field(default_factory=dict)
    """As the watch has brought them; what is missing has not moved yet."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    poisoned: bool = False
    """Whether the test writes circuits that cannot be read; `circuits` leaves those out."""

    @property
    def parts(self) -> list[Part]:
        return [self.nats, self.redis, *self.aerobats, *self.sidecars]

    def circuit(self, flag: str) -> Circuit:
        return self.circuits.get(flag, Circuit())

    async def until_circuit(
        self, flag: str, holds: Callable[[Circuit], bool], timeout_s: float | None = WAIT_S
    ) -> Circuit:
        """Wait for a circuit to be as asked for, by the watch; None for as long as it takes."""
        try:
            async with asyncio.timeout(timeout_s), self.changed:
                await self.changed.wait_for(lambda: holds(self.circuit(flag)))
                return self.circuit(flag)
        except TimeoutError:
            raise AssertionError(f"{flag} is not as awaited within {timeout_s} s: {self.circuit(flag)}") from None

    async def leader(self) -> Aerobat | None:
        """Return the Aerobat that the app belongs to by its own word; None while there is none."""
        for aerobat in self.aerobats:
            if any(circuit["ours"] for circuit in (await aerobat.get("/v1/status"))[1]["circuits"]):
                return aerobat
        return None

    async def watch(self) -> None:
        """Keep `circuits` as the bucket has them."""

        async def serve(client: Client) -> None:
            async with aclosing(watch_bucket(client, CIRCUITS_BUCKET, app_keys(APP))) as items:
                async for item in items:
                    for entry in item.entries.values() if isinstance(item, Listing) else [item]:
                        if self.poisoned and not _is_circuit(entry):
                            continue
                        assert entry.value is not None, f"the circuit of {entry.key} was deleted"
                        async with self.changed:
                            self.circuits[FlagId.parse(entry.key).flag] = decode_circuit(entry.value)
                            self.changed.notify_all()

        await Link(NatsUrl.parse(self.nats_url), "stage").run(serve)

    async def publish(self) -> None:
        """Publish all rulesets, and mark that this is all, as Tower does."""
        async with self.client() as client:
            await ensure_bucket(client, RULESETS_BUCKET)
            bucket = await client.jetstream().key_value(RULESETS_BUCKET)
            for ruleset in self.rulesets.values():
                await bucket.put(str(ruleset.flag_id), encode_ruleset(ruleset))
            await bucket.put(mark_key(APP), encode_mark(Mark(1_000, len(self.rulesets))))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        client = await nats.connect(self.nats_url)
        try:
            yield client
        finally:
            await client.close()

    async def stored(self) -> dict[str, Circuit]:
        """Read all circuits from the bucket; what is missing has never moved."""
        found = {}
        async with self.client() as client:
            js = client.jetstream()
            for flag in self.rulesets:
                subject = bucket_subject(CIRCUITS_BUCKET, f"{APP}.{flag}")
                with suppress(NotFoundError):
                    message = await js.get_last_msg(bucket_stream(CIRCUITS_BUCKET), subject)
                    found[flag] = decode_circuit(message.data or b"")
        return found

    async def events(self) -> dict[str, list[CircuitEvent]]:
        """Read all events from their stream, in order, by flag."""
        found: dict[str, list[CircuitEvent]] = {flag: [] for flag in self.rulesets}
        subjects = {event_subject(FlagId(APP, flag)): flag for flag in self.rulesets}
        async with self.client() as client:
            js = client.jetstream()
            state = (await js.stream_info(EVENTS_STREAM)).state
            for seq in range(state.first_seq, state.last_seq + 1):
                message = await js.get_msg(EVENTS_STREAM, seq=seq)
                assert message.subject in subjects, message.subject
                event = decode_event(message.data or b"")
                assert str(event.flag_id) == f"{APP}.{subjects[message.subject]}"
                found[event.flag_id.flag].append(event)
        return found

    async def counted(self, flag: str, metric: str, suffix: str = "") -> int:
        """Return the sum of a series, `suffix` being that of a coarser copy."""
        return sum((await self._range(flag, metric, suffix)).values())

    async def coarse_sums(self, flag: str, metric: str) -> dict[str, int]:
        """Return the sums of the coarser copies, by their names."""
        return {each.label: await self.counted(flag, metric, f":{each.label}") for each in RESOLUTIONS}

    async def _range(self, flag: str, metric: str, suffix: str = "") -> dict[int, int]:
        latest = ("LATEST",) if suffix else ()
        key = series_key(FlagId(APP, flag), metric) + suffix
        async with Redis.from_url(self.redis_url) as client:
            if not await client.exists(key):
                return {}
            points = await client.execute_command("TS.RANGE", key, "-", "+", *latest)  # type: ignore[no-untyped-call] # redis-py has no types here
        return {int(at): round(float(value)) for at, value in points}

    async def due(self, flag: str, circuit: Circuit) -> Transition | None:
        """Look at the facts afresh: return the move that a circuit would have to make now, None when it is right."""
        ruleset = self.rulesets[flag]
        assert ruleset.circuit is not None
        samples = {metric: await self._range(flag, metric) for metric in JUDGED_METRICS}
        async with Redis.from_url(self.redis_url) as client:
            seconds, microseconds = await client.time()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        windows = []
        for window_ms in ladder(ruleset.circuit.window_ms, ruleset.circuit.long_window_ms):
            from_ms = max(now_ms - window_ms, circuit.since_ms)
            success, failure, slow = (
                sum(value for at_ms, value in samples[metric].items() if at_ms > from_ms)
                for metric in (Metric.SUCCESS, Metric.FAILURE, Metric.SLOW)
            )
            windows.append(WindowCounts(window_ms, success + failure, failure, slow))
        return step(circuit, ruleset, windows, now_ms).transition

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]], timeout_s: float = WAIT_S) -> None:
        """Wait for something that can only be asked for."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await holds():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {timeout_s:g} s: {what}") from None

    def logs(self, lines: int = 15) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"--- {part.name}\n" + "\n".join(part.log().splitlines()[-lines:]) for part in self.parts)


def _is_circuit(entry: Entry) -> bool:
    try:
        FlagId.parse(entry.key)
        decode_circuit(entry.value or b"")
    except ContractError:
        return False
    return True


@asynccontextmanager
async def running_stage(
    settings: Mapping[str, CircuitSettings], chance: random.Random, *, dead: str
) -> AsyncIterator[Stage]:
    """Run all parts on flags with these settings; nobody ever listens at the feature of `dead`."""
    features = Features(chance, dict.fromkeys(settings, 0.0))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        data = await stack.enter_async_context(open_data_dir(folder / "data"))
        feature_url = await stack.enter_async_context(upstream(features.answer))
        dead_url = stack.enter_context(refusing_address())
        servers = nats_server.server(data, any_free_port()), redis_server.server(data, any_free_port())
        environment = {"TAILSLIDE_NATS_URL": servers[0].url, "TAILSLIDE_REDIS_URL": servers[1].url}
        quiet = {"TAILSLIDE_LOG_LEVEL": "warning"}  # each failed call is a line of the usual log
        routes = [
            {
                "match": {"path_prefix": f"/{flag}"},
                "flag": flag,
                "feature": dead_url if flag == dead else feature_url,
                "fallback": FALLBACK,
                "targeting_key": {"header": "x-targeting-key"},
            }
            for flag in settings
        ]
        rulesets = {
            flag: Ruleset(APP, flag, 1, active=True, rollout=100.0, salt=flag, circuit=each)
            for flag, each in settings.items()
        }
        stage = Stage(
            Part(Child(servers[0].process)),
            Part(Child(servers[1].process)),
            [Aerobat(data, f"aerobat-{number}", environment) for number in range(2)],
            [Sidecar(data, f"sidecar-{number}", {"routes": routes}, environment | quiet) for number in range(2)],
            servers[0].url,
            servers[1].url,
            rulesets,
            features,
        )
        for part in stage.parts:
            stack.push_async_callback(part.child.stop)
        await asyncio.gather(stage.nats.start(), stage.redis.start())
        await stage.publish()
        await asyncio.gather(*(part.start() for part in [*stage.aerobats, *stage.sidecars]))
        watching = asyncio.create_task(stage.watch())
        try:
            yield stage
        finally:
            watching.cancel()
            ends = await asyncio.gather(watching, return_exceptions=True)
        assert isinstance(ends[0], asyncio.CancelledError), ends
