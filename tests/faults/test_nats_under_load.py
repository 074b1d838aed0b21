"""NATS goes away in every way it can, under load: not one wrong or missing answer, and the sidecar says how it is.

The test has the hands of Tower and Aerobat. It knows what each flag may be at each moment, and the core says what the
answer to each question has to be. `TAILSLIDE_LONG_FAULTS=1` lets the server hang for a minute instead of 20 seconds.
"""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import aiohttp
import nats
import pytest
from checked_load import RATE, Known, Load, Truth
from scene import APP, FLAG, Scene
from sidecar_bench import Bench, OwnServers, Sidecar, bench_with_servers

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.contracts import Mark, encode_circuit, encode_mark
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, evaluate
from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, bucket_stream, mark_key
from tailslide_core.ruleset import CircuitSettings, Rule, Ruleset
from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.processes import Child
from tailslide_embedded.servers import nats as nats_server
from tailslide_runtime.server_urls import NatsUrl

HANG_S = 60.0 if os.environ.get("TAILSLIDE_LONG_FAULTS") == "1" else 20.0
STALE_AFTER_MS = 8_000
WAIT_S = 30.0
FLAGS = 20

pytestmark = pytest.mark.timeout(240)


def flag_name(number: int) -> str:
    return f"flag-{number:02}"


def first_ruleset(app: str, number: int) -> Ruleset:
    """Return rulesets of many kinds."""
    key = flag_name(number)
    return Ruleset(
        app,
        key,
        1,
        salt=key,
        active=number % 7 != 6,
        rollout=number * 5.0,
        allow=frozenset({"user-1"}),
        deny=frozenset({"user-2"}),
        rules=(Rule((Condition("country", Operator.IN, ("DE",)),), 100.0),) if number % 3 == 0 else (),
        circuit=CircuitSettings() if number % 2 else None,
    )


OPEN = Circuit(State.OPEN, 0.0, trips=1, generation=1)
RECOVERING = Circuit(State.RECOVERING, 30.0, trips=1, generation=2)
CIRCUITS = {flag_name(1): OPEN, flag_name(3): RECOVERING, flag_name(9): OPEN}


@dataclass
class Stage:
    """A sidecar under load, and the hands of Tower and Aerobat."""

    bench: Bench
    nats: Child
    sidecar: Sidecar
    known: Known
    load: Load
    readiness: list[dict[str, Any]]
    """All that `/readyz` has said, every tenth of a second."""

    async def publish(self, truth: Truth) -> None:
        ruleset = truth.ruleset
        assert ruleset is not None
        await self.bench.put_raw(RULESETS_BUCKET, str(ruleset.flag_id), encode_ruleset(ruleset))

    async def change(self, flag: str, **fields: object) -> None:
        """Change a flag and wait until the answers say so."""
        await self.publish(self.changed(flag, **fields))
        await self.until_arrived()

    def changed(self, flag: str, **fields: object) -> Truth:
        """Change a flag, without a word to the sidecar."""
        before = self.known.now(flag)
        assert before.ruleset is not None
        ruleset = replace(before.ruleset, version=before.ruleset.version + 1, **fields)  # type: ignore[arg-type] # fields
        self.known.change(flag, Truth(ruleset, before.circuit))
        return self.known.now(flag)

    async def until_arrived(self) -> None:
        """Wait until the sidecar has each flag as it was changed last; from then on nothing else is right."""

        async def arrived() -> bool:
            flags = await self.status("flags")
            wanted = {flag: self.known.now(flag) for flag in self.known.truths}
            there = {flag: truth.ruleset for flag, truth in wanted.items() if truth.ruleset is not None}
            return flags.keys() == there.keys() and all(
                flags[flag]["version"] == ruleset.version and flags[flag]["circuit"] == self._circuit(flag)
                for flag, ruleset in there.items()
            )

        await self.until(arrived)
        self.known.arrived()

    def _circuit(self, flag: str) -> object:
        truth = self.known.now(flag)
        return evaluate(flag, truth.flags(flag), Context()).circuit

    async def status(self, name: str) -> Any:
        return (await self.sidecar.get("/v1/status"))[1][name]

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not await holds():
                await asyncio.sleep(0.05)

    async def until_connected(self, connected: bool) -> None:
        async def is_so() -> bool:
            return self.readiness[-1]["connected"] is connected

        await self.until(is_so)

    async def until_answered(self, more: int) -> None:
        target = self.load.answered.total() + more

        async def answered() -> bool:
            return self.load.answered.total() >= target

        await self.until(answered)

    async def watch_readiness(self) -> None:
        async with self.sidecar.flags() as session:
            while True:
                async with session.get("/readyz") as answer:
                    assert answer.status == 200, await answer.text()
                    self.readiness.append(await answer.json())
                await asyncio.sleep(0.1)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Yield a stage; at the end everything was right, and the sidecar is in touch and says so."""
    async with bench_with_servers() as (bench, servers):
        known = Known(bench.app)
        for number in range(FLAGS):
            flag = flag_name(number)
            known.change(flag, Truth(first_ruleset(bench.app, number), CIRCUITS.get(flag)))
        await publish_circuits(bench)
        for flag in known.truths:
            ruleset = known.now(flag).ruleset
            assert ruleset is not None
            await bench.put(ruleset)
        await publish_mark(bench, 1_000, FLAGS)
        sidecar = await bench.start(stale_after_ms=STALE_AFTER_MS, snapshot=str(bench.folder / "snapshot.json"))
        made = Stage(bench, servers.nats, sidecar, known, Load(sidecar, known), [])
        await made.until_arrived()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(made.load.run()), group.create_task(made.watch_readiness())]
            await made.until_answered(RATE)
            yield made
            await made.until_connected(True)
            await made.until_answered(RATE)
            for task in tasks:
                task.cancel()
        assert min(made.load.answered.values()) > 0, made.load.answered
        assert await sidecar.metric("tailslide_sidecar_nats_connected") == 1
        assert await sidecar.metric("tailslide_sidecar_rulesets_age_seconds") < 5
        assert await sidecar.metric("tailslide_sidecar_flags_kept") == 0
        assert {said["source"] for said in made.readiness} == {"jetstream"}
        print(f"answered {dict(made.load.answered)}, the slowest in {made.load.slowest_s * 1000:.0f} ms")


async def publish_circuits(bench: Bench) -> None:
    for flag, circuit in CIRCUITS.items():
        await bench.put_raw(CIRCUITS_BUCKET, str(bench.flag_id(flag)), encode_circuit(circuit))


async def publish_mark(bench: Bench, at_ms: int, keys: int) -> None:
    await bench.put_raw(RULESETS_BUCKET, mark_key(bench.app), encode_mark(Mark(at_ms, keys)))


async def test_killed_and_restarted_with_data_that_has_changed_meanwhile() -> None:
    async with stage() as on:
        await OwnServers.kill(on.nats)
        await on.until_connected(False)
        await on.until_answered(RATE)

        # The same data behind another address, so that the sidecar can hear of nothing.
        elsewhere, address = moved(on.nats, on.bench.nats_url)
        await elsewhere.start()
        on.bench.nats_url, here = address, on.bench.nats_url
        for number in (1, 4, 11):
            await on.publish(on.changed(flag_name(number), rollout=100.0, active=True))
        gone = flag_name(5)
        await on.bench.put_raw(RULESETS_BUCKET, str(on.bench.flag_id(gone)), None)
        on.known.change(gone, Truth(None))
        await elsewhere.stop()
        on.bench.nats_url = here

        on.nats.spec.cwd.joinpath("nats.conf").write_text(config_of(on.nats))
        await on.nats.start()
        await on.until_arrived()
        await on.change(flag_name(2), rollout=100.0)
        assert await on.sidecar.metric("tailslide_sidecar_nats_connects_total") >= 2


def config_of(server: Child) -> str:
    """Return the configuration as it is for a server's own address."""
    lines = server.spec.cwd.joinpath("nats.conf").read_text().splitlines()
    return "\n".join([f'listen: "{server.spec.address}"', *(line for line in lines if not line.startswith("listen:"))])


def moved(server: Child, url: str) -> tuple[Child, str]:
    """Return a server on the data of one that does not run and had this URL, and its own URL."""
    config = server.spec.cwd / "nats.conf"
    address = f"127.0.0.1:{any_free_port()}"
    config.write_text(config_of(server).replace(server.spec.address, address))
    url = url.replace(str(server.spec.address), address)

    async def ready() -> None:
        await nats_server.check(NatsUrl.parse(url))

    return Child(replace(server.spec, address=address, ready=ready)), url


async def test_restarted_empty() -> None:
    async with stage() as on:
        await OwnServers.kill(on.nats)
        shutil.rmtree(on.nats.spec.cwd / "jetstream")
        # Nobody remembers the verdicts until Aerobat has written them again.
        for flag in CIRCUITS:
            on.known.change(flag, replace(on.known.now(flag), circuit=None))
            on.known.change(flag, replace(on.known.now(flag), circuit=CIRCUITS[flag]))
        gone, *others = on.known.truths
        await on.until_connected(False)
        await on.nats.start()
        await publish_circuits(on.bench)
        await on.until_connected(True)

        # Tower begins to publish: what is not there yet stays.
        changed = on.changed(others[-1], rollout=50.0)
        for flag in others[: FLAGS // 2]:
            await on.publish(on.known.now(flag))
        await on.sidecar.until_metric("tailslide_sidecar_flags_kept", FLAGS - FLAGS // 2)
        await on.until_answered(RATE)
        # A mark of before the loss, and one of a bucket that has lost flags since, say nothing.
        await publish_mark(on.bench, 1_000, 0)
        await publish_mark(on.bench, 2_000, FLAGS - 1)
        await on.publish(changed)
        await on.until_answered(RATE)
        assert len(await on.status("flags_kept")) == FLAGS - FLAGS // 2 - 1

        # Once all is there, what has no value was deleted meanwhile.
        on.known.change(gone, Truth(None))
        for flag in others[FLAGS // 2 : -1]:
            await on.publish(on.known.now(flag))
        await on.until_arrived()
        assert on.known.answers(gone, "user-1")[0][1] is Reason.FLAG_NOT_FOUND
        await on.change(flag_name(2), rollout=100.0)


async def test_a_server_that_hangs() -> None:
    async with stage() as on:
        assert on.nats.pid is not None
        pid, began = on.nats.pid, time.monotonic()
        on.load.stale.clear()
        os.kill(pid, signal.SIGSTOP)
        try:
            await on.until_connected(False)
            assert time.monotonic() - began < 7, "two heartbeats and a half"
            age_ms = on.readiness[-1]["age_ms"]
            assert 4_900 < age_ms < (time.monotonic() - began + 2.5) * 1000
            assert await on.sidecar.metric("tailslide_sidecar_nats_connected") == 0
            assert on.load.stale == {False}
            while time.monotonic() - began < HANG_S:
                await on.until_answered(RATE)
            hung = on.readiness[-1]
            assert hung["connected"] is False
            assert hung["age_ms"] > (HANG_S - 1) * 1000
            assert on.load.stale == {False, True}
        finally:
            os.kill(pid, signal.SIGCONT)
        await on.until_connected(True)
        assert on.readiness[-1]["age_ms"] < 5_000
        await on.until_answered(RATE)
        on.load.stale.clear()
        await on.change(flag_name(2), rollout=100.0)
        await on.until_answered(RATE)
        assert on.load.stale == {False}
        # It was out of touch from the first to the last, and never said otherwise in between.
        said = [said["connected"] for said in on.readiness]
        turns = sum(before != after for before, after in pairwise(said))
        assert turns == 2


async def test_a_gap_while_connected_is_followed_by_a_comparison() -> None:
    """The server forgets the sidecar's consumer, and what changes then is told to nobody."""
    async with stage() as on:
        await forget_consumers(on.bench.nats_url, bucket_stream(RULESETS_BUCKET))
        for number in (1, 4, 11):
            await on.publish(on.changed(flag_name(number), rollout=100.0, active=True))
        gone = flag_name(5)
        on.known.change(gone, Truth(None))
        await on.bench.put_raw(RULESETS_BUCKET, str(on.bench.flag_id(gone)), None)

        await on.until_arrived()

        assert await on.sidecar.metric('tailslide_sidecar_watch_restarts_total{bucket="rulesets"}') >= 1
        assert await on.sidecar.metric("tailslide_sidecar_nats_connects_total") == 1


async def forget_consumers(nats_url: str, stream: str) -> None:
    client = await nats.connect(nats_url)
    try:
        consumers = await client.jetstream().consumers_info(stream)
        assert consumers
        for consumer in consumers:
            await client.jetstream().delete_consumer(stream, consumer.name)
    finally:
        await client.close()


async def test_a_flag_deleted_while_its_bucket_was_lost_is_gone_once_tower_has_published(scene: Scene) -> None:
    """The same with the real Tower: nothing but its mark can tell the sidecar."""
    flags_url = f"{scene.loop.addresses.tower}/api/v1/apps/{APP}/flags"

    async def ask_tower(method: str, url: str, **body: object) -> None:
        token = {"Authorization": f"Bearer {scene.loop.api_token}", "If-Match": "*"}
        async with aiohttp.ClientSession(headers=token) as session, session.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def flags() -> set[str]:
        known = (await scene.ask_sidecar("/v1/status"))[1]["flags"]
        assert isinstance(known, dict)
        return set(known)

    await ask_tower("POST", flags_url, key="second", active=True)

    async with asyncio.timeout(WAIT_S):
        while await flags() != {FLAG, "second"}:
            await asyncio.sleep(0.05)
    await scene.kill("nats")
    shutil.rmtree(scene.loop.stack.data.path / "nats" / "jetstream")
    await ask_tower("POST", f"{flags_url}/second/archive", force=True)
    await ask_tower("DELETE", f"{flags_url}/second")
    assert await flags() == {FLAG, "second"}

    await scene.start("nats")

    async with asyncio.timeout(WAIT_S):
        while await flags() != {FLAG}:
            await asyncio.sleep(0.05)
    assert (await scene.ask_sidecar(f"/v1/flags/{FLAG}?targeting_key=user-1"))[0] == 200
