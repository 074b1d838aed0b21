"""The whole way of a verdict but for Tower: servers, an Aerobat, a sidecar, and features that fail as they are told.

One of each for all tests of a module; each test has a flag of its own, with a route `/<flag>` and a feature behind it.
Rulesets go into their bucket as Tower writes them.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import nats
from aerobat_bench import Aerobat
from aiohttp import web
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sidecar_bench import Bench, Sidecar, bench_with_servers, upstream

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, Signal, State, Transition
from tailslide_core.contracts import decode_circuit, decode_event
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import (
    CIRCUITS_BUCKET,
    EVENTS_STREAM,
    RULESETS_BUCKET,
    FlagId,
    bucket_stream,
    bucket_subject,
    event_subject,
    series_key,
)
from tailslide_core.outcomes import CallEnd, Outcome, classify
from tailslide_core.ruleset import CircuitSettings, Ruleset
from tailslide_core.wilson import lower_bound
from tailslide_core.windows import ladder
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import ensure_bucket

TICK_MS = 100
WAIT_S = 20.0
CALLERS = 8
PAUSE_S = 0.035
"""Between two calls of a caller: some 200 a second of all."""
USERS = 997


@dataclass(frozen=True)
class Told:
    """What a caller was told of one call."""

    user: str
    served: str
    active: bool
    reason: str
    circuit: str


@dataclass
class Feature:
    """A feature, and the status of every answer that it has given."""

    status: Callable[[int], int] = lambda _: 200
    """The status of the call of this number."""
    delay_s: float = 0.0
    answers: list[int] = field(default_factory=list)

    async def answer(self, _: web.Request) -> web.Response:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        status = self.status(len(self.answers))
        self.answers.append(status)
        return web.Response(status=status, text="feature")

    def fails(self) -> None:
        self.status = lambda _: 500

    def heals(self) -> None:
        self.status, self.delay_s = lambda _: 200, 0.0


@dataclass
class Play:
    """One flag on the stage: its ruleset, its feature, and what was told to its callers."""

    stage: "Stage"
    ruleset: Ruleset
    feature: Feature
    stale_before: float
    told: list[Told] = field(default_factory=list)

    @property
    def flag_id(self) -> FlagId:
        return self.ruleset.flag_id

    @property
    def settings(self) -> CircuitSettings:
        assert self.ruleset.circuit is not None
        return self.ruleset.circuit

    async def put(self, ruleset: Ruleset) -> None:
        """Write the ruleset as Tower does."""
        self.ruleset = ruleset
        kv = await self.stage.nats.jetstream().key_value(RULESETS_BUCKET)
        await kv.put(str(self.flag_id), encode_ruleset(ruleset))

    async def circuit(self) -> Circuit | None:
        subject = bucket_subject(CIRCUITS_BUCKET, str(self.flag_id))
        try:
            message = await self.stage.nats.jetstream().get_last_msg(bucket_stream(CIRCUITS_BUCKET), subject)
        except NotFoundError:
            return None
        return decode_circuit(message.data) if message.data else None

    async def until_circuit(self, holds: Callable[[Circuit], bool]) -> Circuit:
        """Wait for Aerobat to have said something."""
        found: list[Circuit] = []

        async def said() -> bool:
            circuit = await self.circuit()
            found[:] = [] if circuit is None else [circuit]
            return circuit is not None and holds(circuit)

        await until(said)
        return found[0]

    async def until_state(self, state: State) -> Circuit:
        return await self.until_circuit(lambda circuit: circuit.state is state)

    async def until_asked(self, **wanted: object) -> None:
        """Wait for the flags listener to answer so."""

        async def answers() -> bool:
            _, body = await self.stage.sidecar.get(f"/v1/flags/{self.flag_id.flag}?targeting_key=u1")
            return wanted.items() <= body.items()

        await until(answers)

    async def until_told(self, number: int) -> None:
        """Wait until so many more calls have been answered."""
        enough = len(self.told) + number

        async def answered() -> bool:
            return len(self.told) >= enough

        await until(answered)

    async def counts(self) -> dict[str, int]:
        """Return what is counted of the flag, by metric."""
        found = {}
        async with Redis.from_url(self.stage.bench.redis_url) as client:
            for metric in ("success", "failure", "slow"):
                try:
                    points = await client.ts().range(series_key(self.flag_id, metric), "-", "+")
                except ResponseError:
                    points = []
                found[metric] = round(sum(value for _, value in points))
        return found

    async def transitions(self) -> list[Transition]:
        """Return all events of the flag, which must lead from nothing to the circuit as it is, each exactly once."""
        js = self.stage.nats.jetstream()
        latest = await self.circuit()
        found: list[Transition] = []

        async def published() -> bool:
            """The event comes a moment after the circuit."""
            found.clear()
            sequence = 1
            while True:
                try:
                    message = await js.get_msg(EVENTS_STREAM, sequence, event_subject(self.flag_id), next=True)
                except NotFoundError:
                    return latest is None or latest in [transition.after for transition in found]
                assert message.data is not None
                assert message.seq is not None
                event = decode_event(message.data)
                assert event.flag_id == self.flag_id
                found.append(event.transition)
                sequence = message.seq + 1

        await until(published)
        circuit = Circuit(reset_generation=found[0].before.reset_generation) if found else Circuit()
        for number, transition in enumerate(found, 1):
            assert transition.before == circuit
            assert transition.after.generation == number
            circuit = transition.after
            if transition.signal is Signal.BREACH:
                assert circuit.reason is not None
                self.fits(transition, circuit.reason)
        return found

    def fits(self, transition: Transition, reason: TripReason) -> None:
        """See that a reason is one by the settings, and that its numbers agree with each other."""
        settings = self.settings
        slow = reason.rule is TripRule.SLOW_CALL_RATE
        hits = round(reason.observed * reason.calls / 100)
        assert reason.threshold == (settings.slow_threshold if slow else settings.error_threshold)
        assert reason.observed == round(100 * hits / reason.calls, 3)
        assert reason.lower_bound == round(100 * lower_bound(hits, reason.calls, settings.confidence), 3)
        assert reason.lower_bound > reason.threshold or hits == reason.calls
        assert reason.calls >= settings.min_calls
        assert reason.window_ms in ladder(settings.window_ms, settings.long_window_ms)
        assert transition.at_ms == transition.after.since_ms

    async def accounts_for_all(self) -> dict[str, int]:
        """Wait for the counts to be those of the calls that the feature has answered, and return them.

        Only calls that began before the circuit opened, and ended after that, are missing: they are counted as stale.
        """
        settings = self.settings

        async def agree() -> bool:
            calls = [classify(CallEnd.ANSWERED, status, settings.failure_statuses) for status in answers]
            stale = await self.stage.stale() - self.stale_before
            counts = await self.counts()
            assert counts["failure"] <= calls.count(Outcome.FAILURE)
            assert counts["success"] <= calls.count(Outcome.SUCCESS)
            assert counts["slow"] <= len(calls)
            return counts["failure"] + counts["success"] + stale == len(calls)

        answers = self.feature.answers
        await until(agree)
        return await self.counts()

    @asynccontextmanager
    async def traffic(self, users: Callable[[int], str] = lambda number: f"u{number % USERS}") -> AsyncIterator[None]:
        """Call the feature through the proxy, for the user of each call's number, until the end of the block."""
        numbers = iter(range(10**9))
        ends = asyncio.Event()

        async def call(session: aiohttp.ClientSession) -> None:
            while not ends.is_set():
                raise_if_cancelled()
                user = users(next(numbers))
                async with session.get(
                    f"{self.stage.sidecar.proxy}/{self.flag_id.flag}", headers={"X-User-Id": user}
                ) as answer:
                    served = await answer.text()
                    self.told.append(_told(user, served, answer.headers["x-tailslide"]))
                await asyncio.sleep(PAUSE_S)

        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as callers:
            for _ in range(CALLERS):
                callers.create_task(call(session))
            try:
                yield
            finally:
                ends.set()


def _told(user: str, served: str, marker: str) -> Told:
    parts: Mapping[str, str] = dict(part.partition("=")[::2] for part in marker.split("; "))
    active = parts["active"] == "true"
    assert served == ("feature" if active else "fallback"), marker
    return Told(user, served, active, parts["reason"], parts["circuit"])


class OneAerobat(Aerobat):
    """An Aerobat that can be sent any signal."""

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@dataclass
class Stage:
    """What runs for all tests."""

    bench: Bench
    nats: Client
    aerobat: OneAerobat
    sidecar: Sidecar
    features: dict[str, Feature]

    async def play(self, flag: str, settings: CircuitSettings, allow: Collection[str] = ()) -> Play:
        """Begin with a flag that is on for everybody, once both have heard of it."""
        ruleset = Ruleset(
            self.bench.app, flag, 1, active=True, rollout=100.0, salt=flag, allow=frozenset(allow), circuit=settings
        )
        play = Play(self, ruleset, self.features[flag], await self.stale())
        await play.put(ruleset)
        await play.until_asked(active=True, circuit="closed")

        async def judged() -> bool:
            _, status = await self.aerobat.get("/v1/status")
            circuits = status["circuits"]
            assert isinstance(circuits, list)
            return any((each["app"], each["flag"]) == (self.bench.app, flag) for each in circuits)

        await until(judged)
        return play

    async def stale(self) -> float:
        return await self.sidecar.metric("tailslide_sidecar_outcomes_stale_total")

    async def ticks(self, number: int) -> None:
        """Wait until Aerobat has looked so often."""
        enough = await self.aerobat.metric("tailslide_aerobat_ticks_total") + number

        async def looked() -> bool:
            return await self.aerobat.metric("tailslide_aerobat_ticks_total") >= enough

        await until(looked)

    @asynccontextmanager
    async def silent_aerobat(self) -> AsyncIterator[None]:
        """Hold Aerobat still during the block."""
        self.aerobat.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.aerobat.send(signal.SIGCONT)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def verdict_stage(*flags: str) -> AsyncIterator[Stage]:
    """Start everything, with routes for these flags; all ends in order, or the tests fail."""
    features = {flag: Feature() for flag in flags}

    async def answer(request: web.Request) -> web.Response:
        return await features[request.path.strip("/")].answer(request)

    async with bench_with_servers() as (bench, _), upstream(answer) as url:
        client = await nats.connect(bench.nats_url)
        aerobat = OneAerobat(bench.folder / "aerobat.sock")
        try:
            await ensure_bucket(client, RULESETS_BUCKET)
            await aerobat.start(
                {
                    "TAILSLIDE_NATS_URL": bench.nats_url,
                    "TAILSLIDE_REDIS_URL": bench.redis_url,
                    "TAILSLIDE_AEROBAT_TICK_MS": str(TICK_MS),
                    "TAILSLIDE_LOG_FORMAT": "json",
                }
            )
            await aerobat.until_ready()
            sidecar = await bench.start(
                *(
                    {
                        "match": {"path_prefix": f"/{flag}"},
                        "flag": flag,
                        "feature": url,
                        "fallback": {"status": 200, "body": "fallback"},
                        "targeting_key": {"header": "x-user-id"},
                    }
                    for flag in flags
                )
            )
            yield Stage(bench, client, aerobat, sidecar, features)
            assert await aerobat.end(signal.SIGTERM) == 0, aerobat.log()
            assert "Traceback" not in aerobat.log(), aerobat.log()
        finally:
            await aerobat.end(signal.SIGKILL)
            await client.close()
