"""Thin clients of all languages, as applications use them: the scenarios in `tests/conformance/clients`, and a bad day.

Each language has one driver for all scenarios. How fast clients are, and how exactly they keep their deadline, is in
`benchmarks/clients.py`; the bounds here are for machines that are busy with other tests.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio
import typed_flags
from aiohttp import web
from misbehaving_sidecar import MisbehavingSidecar, Reported, misbehaving_sidecar
from ofrep_bench import OfrepSidecar, put_all, serve
from redis.exceptions import ResponseError
from sidecar_bench import Bench, Sidecar, bench_on, upstream
from thin_clients import LANGUAGES, WITHOUT, Driver, Drivers, differences, scenarios

from tailslide_core.conditions import Condition, Operator
from tailslide_core.naming import series_key
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.stack import Endpoints

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_S = 10.0
SETTLE_S = 0.1
"""How long a count that is right is watched for more."""
TOKEN = "a-token-for-the-tests"
LONG = "x" * 300_000
AGE_MS = 11_000


def cases(file: str) -> list[Any]:
    return [pytest.param(one, id=one["name"]) for one in scenarios(file)]


@dataclass
class RealSidecars:
    """Sidecars with the same flags, by where they listen."""

    bench: Bench
    urls: Mapping[str, str]

    async def counts(self, flag: str) -> dict[str, int]:
        async with redis.asyncio.Redis.from_url(self.bench.redis_url) as client:
            found = {}
            for outcome in ("success", "failure"):
                try:
                    samples = await client.execute_command(  # type: ignore[no-untyped-call] # redis-py has no types here
                        "TS.RANGE", series_key(self.bench.flag_id(flag), outcome), "-", "+"
                    )
                except ResponseError:
                    samples = []
                found[outcome] = round(sum(float(value) for _, value in samples))
        return found


def flag_of(language: str) -> str:
    """Return the flag whose outcomes a language reports to the real sidecar."""
    return f"reported.{language}"


def rulesets(app: str) -> list[Ruleset]:
    typed = (
        Condition("age", Operator.GE, (30,)),
        Condition("vip", Operator.EQUALS, (True,)),
        Condition("tags", Operator.IN, ("b",)),
        Condition("user.plan", Operator.EQUALS, ("pro",)),
    )
    return [
        *typed_flags.rulesets(app),
        Ruleset(app, "typed", 1, active=True, rollout=0.0, salt="typed", rules=(Rule(typed, 100.0),)),
        *(
            Ruleset(app, flag_of(one), 1, active=True, rollout=100.0, salt="x", circuit=CircuitSettings())
            for one in LANGUAGES
        ),
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sidecars(servers: Endpoints) -> AsyncIterator[RealSidecars]:
    async with bench_on(servers.nats_url, servers.redis_url) as bench:
        await put_all(bench, rulesets(bench.app), typed_flags.circuits(), typed_flags.segments(bench.app))
        tcp = await serve(bench, any_free_port())
        token = await serve(bench, any_free_port(), token=TOKEN)
        unix = await bench.start()
        yield RealSidecars(bench, {"tcp": tcp.url, "token": token.url, "unix": f"unix:{unix.socket}"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fake() -> AsyncIterator[MisbehavingSidecar]:
    async with misbehaving_sidecar() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drivers() -> AsyncIterator[Drivers]:
    started = Drivers()
    yield started
    await started.end()


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Play:
    """A scenario that is played: who plays it, and against what."""

    driver: Driver
    url: str
    fake: MisbehavingSidecar | None = None
    sidecars: RealSidecars | None = None

    async def scenario(self, steps: list[dict[str, Any]]) -> None:
        if self.fake is not None:
            await self.fake.behave({"do": "ok"})
            await self.driver.ask(do="open", url=self.url)  # the client before sends what it still has
            self.fake.reported.clear()
        for number, step in enumerate(steps, 1):
            wrong = await self._step(_filled(step, flag_of(self.driver.language)))
            assert not wrong, f"step {number}, {step}: {wrong}: {self.driver.said()}"
        if self.fake is not None:
            assert not _unbelievable(self.fake.reported)

    async def _step(self, step: dict[str, Any]) -> list[str]:
        if "fake" in step:
            assert self.fake is not None
            await self.fake.behave(step["fake"])
        await asyncio.sleep(step.get("wait_ms", 0) / 1000)
        wrong: list[str] = []
        if "send" in step:
            send = {"url": self.url, **step["send"]} if step["send"]["do"] == "open" else step["send"]
            answer = await self.driver.ask(**send)
            if answer == {"unsupported": True}:
                pytest.skip(f"{self.driver.language} has no {send['do']}")
            wrong += [answer["raised"]] if isinstance(answer.get("raised"), str) else []
            wrong += differences(step.get("expect", {}), answer)
        if "counted" in step:
            wrong += await self._counted(step["counted"])
        if "reported" in step:
            assert self.fake is not None
            await self._counted(self.fake.counts())
            wrong += differences(len(step["reported"]), len(self.fake.reported), "reported")
            for expected, one in zip(step["reported"], self.fake.reported, strict=False):
                wrong += differences(expected, one.said, "reported")
        return wrong

    async def _counted(self, expected: Mapping[str, Mapping[str, int]]) -> list[str]:
        """Wait for these counts, and see that they do not grow beyond them."""
        until = time.monotonic() + WAIT_S
        while (found := await self._counts(expected)) != expected and time.monotonic() < until:
            await asyncio.sleep(0.02)
        await asyncio.sleep(SETTLE_S)
        found = await self._counts(expected)
        return [] if found == expected else [f"counted: expected {expected}, got {found}"]

    async def _counts(self, expected: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, int]]:
        if self.fake is not None:
            return self.fake.counts()
        assert self.sidecars is not None
        return {flag: await self.sidecars.counts(flag) for flag in expected}


def _filled(value: Any, flag: str) -> Any:
    """Return a step with what `$flag` and `$long` stand for."""
    if isinstance(value, dict):
        return {_filled(name, flag): _filled(inner, flag) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, flag) for inner in value]
    return {"$flag": flag, "$long": LONG}.get(value, value) if isinstance(value, str) else value


def _unbelievable(reported: list[Reported]) -> list[str]:
    """Return which outcomes were sent in too large a batch, or say of their beginning what cannot be."""
    wrong = []
    for one in reported:
        began_ms, latency_ms = one.said.get("began_ms"), one.said.get("latency_ms", 0)
        if not isinstance(began_ms, int) or not one.at_ms - AGE_MS <= began_ms + latency_ms <= one.at_ms + 2:
            wrong.append(f"began_ms {began_ms} and latency_ms {latency_ms} at {one.at_ms}")
        if one.together > 1_000:
            wrong.append(f"{one.together} outcomes in one request")
    return wrong


@pytest.mark.parametrize("scenario", cases("questions.json"))
@pytest.mark.parametrize("listener", ["tcp", "unix"])
async def test_questions(
    language: str, listener: str, scenario: dict[str, Any], drivers: Drivers, sidecars: RealSidecars
) -> None:
    for needed in {listener, str(scenario.get("needs"))} & WITHOUT.keys():
        if language in WITHOUT[needed]:
            pytest.skip(f"{language} has no {needed}")
    if listener == "unix" and "listener" in scenario:
        pytest.skip("this is for TCP alone")
    url = sidecars.urls[scenario.get("listener", listener)]
    await Play(await drivers.of(language), url, sidecars=sidecars).scenario(scenario["steps"])


@pytest.mark.parametrize("scenario", cases("troubles.json"))
async def test_troubles(language: str, scenario: dict[str, Any], drivers: Drivers, fake: MisbehavingSidecar) -> None:
    await Play(await drivers.of(language), fake.url, fake=fake).scenario(scenario["steps"])


@pytest.mark.parametrize("scenario", cases("outcomes.json"))
async def test_outcomes(language: str, scenario: dict[str, Any], drivers: Drivers, fake: MisbehavingSidecar) -> None:
    await Play(await drivers.of(language), fake.url, fake=fake).scenario(scenario["steps"])


@pytest.mark.parametrize("scenario", cases("reports.json"))
async def test_outcomes_that_a_sidecar_counts(
    language: str, scenario: dict[str, Any], drivers: Drivers, sidecars: RealSidecars
) -> None:
    url = sidecars.urls[scenario.get("listener", "tcp")]
    await Play(await drivers.of(language), url, sidecars=sidecars).scenario(scenario["steps"])


@pytest.mark.parametrize(
    "setting",
    [
        {"url": "https://127.0.0.1:4141"},
        {"url": "ftp://127.0.0.1"},
        {"url": "127.0.0.1:4141"},
        {"url": "unix:"},
        {"proxy_url": "https://127.0.0.1"},
        {"timeout_ms": 0},
        {"timeout_ms": -1},
        {"flush_interval_ms": 0},
        {"max_outcomes": 0},
    ],
    ids=str,
)
async def test_a_setting_that_cannot_be_right_raises(language: str, setting: dict[str, Any], drivers: Drivers) -> None:
    driver = await drivers.of(language)
    assert (await driver.ask(do="open", **setting)).keys() == {"raised"}


async def installed(drivers: Drivers) -> dict[str, Driver]:
    """Return the drivers of all languages that are there."""
    found = {}
    for each in LANGUAGES:
        try:
            found[each] = await drivers.of(each)
            await found[each].ask(do="open")
        except pytest.skip.Exception:
            found.pop(each, None)
    return found


async def test_old_outcomes_are_dropped(drivers: Drivers) -> None:
    """All languages at once, since it takes the ten seconds that outcomes are kept for."""
    all_drivers = await installed(drivers)
    found = {}

    async def one(name: str, driver: Driver) -> None:
        async with misbehaving_sidecar() as own:
            await own.behave({"do": "refused"})
            await driver.ask(do="open", url=own.url, flush_interval_ms=100)
            await driver.ask(do="success", flag="old", times=3)
            await asyncio.sleep(AGE_MS / 1000)
            await driver.ask(do="success", flag="new", times=2)
            await own.behave({"do": "ok"})
            await driver.ask(do="flush")
            stats = (await driver.ask(do="stats"))["result"]
            found[name] = stats["outcomes_dropped"], stats["outcomes_sent"], stats["outcomes_waiting"], own.counts()

    await asyncio.gather(*(one(name, driver) for name, driver in all_drivers.items()))
    assert found == dict.fromkeys(all_drivers, (3, 2, 0, {"new": {"success": 2}}))


async def test_calls_go_through_the_proxy(language: str, drivers: Drivers, sidecars: RealSidecars) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Via", ""))
        return web.Response(text="paid")

    driver = await drivers.of(language)
    async with upstream(handle) as url, bench_on(sidecars.bench.nats_url, sidecars.bench.redis_url) as bench:
        await put_all(bench, [bench.ruleset()], {})
        proxy = await bench.start(forward_allow=[url.removeprefix("http://")])
        await driver.ask(do="open", url=sidecars.urls["tcp"], proxy_url=proxy.proxy)
        answer = (await driver.ask(do="proxied", url=f"{url}/pay"))["result"]
        assert (answer["status"], answer["body"]) == (200, "paid"), answer
        refused = (await driver.ask(do="proxied", url="http://elsewhere.test/"))["result"]
        assert (refused["status"], "HOST_NOT_ALLOWED" in refused["body"]) == (403, True), refused
    assert len(seen) == 1


async def test_a_sidecar_that_hangs_dies_and_returns(drivers: Drivers, sidecars: RealSidecars) -> None:
    """Under load, for all languages at once: nothing raises, nothing waits long, and answers come again."""
    all_drivers = await installed(drivers)
    async with bench_on(sidecars.bench.nats_url, sidecars.bench.redis_url) as bench:
        await put_all(bench, typed_flags.rulesets(bench.app), {})
        sidecar = await serve(bench, any_free_port())
        for driver in all_drivers.values():
            await driver.ask(do="open", url=sidecar.url, timeout_ms=100)
            await driver.ask(do="is_active", flag="boolean.Static", targeting_key="first")
        load = {"flag": "boolean.Static", "seconds": 7, "calls_per_s": 40, "workers": 2}
        loads = [asyncio.create_task(driver.ask(do="load", **load)) for driver in all_drivers.values()]
        times = await _bad_day(sidecar)
        results = dict(zip(all_drivers, await asyncio.gather(*loads), strict=True))
    for name, result in results.items():
        assert result["raised"] == 0, name
        assert result["calls"] > 100, (name, result["calls"])
        took = result["ms"]
        assert took[int(len(took) * 0.95)] < 300, (name, took[-20:])
        assert took[-1] < 1_500, (name, took[-20:])
        for hangs, returns in times:
            assert any(hangs <= at <= returns for at in result["defaults_at"]), (name, hangs, returns)
            assert any(returns <= at <= returns + 1_500 for at in result["answered_at"]), (name, returns)


async def _bad_day(sidecar: OfrepSidecar) -> list[tuple[float, float]]:
    """Let a sidecar hang, then die and return; return when each began and ended, Unix times in milliseconds."""
    process: Sidecar = sidecar.sidecar
    await asyncio.sleep(1)
    hangs = time.time() * 1000
    process.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1)
    process.process.send_signal(signal.SIGCONT)
    continues = time.time() * 1000
    await asyncio.sleep(1)
    dies = time.time() * 1000
    await process.end(signal.SIGKILL)
    await sidecar.restart()
    return [(hangs, continues), (dies, time.time() * 1000)]
