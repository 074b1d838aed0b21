"""The snapshot of a sidecar that is killed while it writes: always whole, and good for the next start."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nats
import pytest
from sidecar_bench import FLAG, Bench, Sidecar, bench_on, bench_with_servers

from tailslide_core.circuit import Circuit, State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.contracts import encode_circuit
from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, bucket_subject
from tailslide_core.ruleset import Requirement, Rule
from tailslide_core.segment import Segment
from tailslide_embedded.stack import Endpoints
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_sidecar.snapshot import decode_snapshot

FLAGS = 1_500
KILLS = 4


@pytest.fixture
async def bench(servers: Endpoints) -> AsyncIterator[Bench]:
    async with bench_on(servers.nats_url, servers.redis_url) as running:
        yield running


async def publish(bench: Bench, version: int) -> None:
    """Write so many flags that the snapshot takes a while to write."""
    client = await nats.connect(bench.nats_url)
    try:
        await ensure_bucket(client, RULESETS_BUCKET)
        for number in range(FLAGS):
            key = f"{FLAG}-{number}"
            ruleset = replace(bench.ruleset(allow=frozenset(f"user-{n}" for n in range(20))), key=key, version=version)
            await client.publish(bucket_subject(RULESETS_BUCKET, f"{bench.app}.{key}"), encode_ruleset(ruleset))
        await client.flush()
    finally:
        await client.close()


def is_writing(folder: Path) -> bool:
    return any(path.suffix == ".tmp" for path in folder.iterdir())


async def until_writing(folder: Path) -> None:
    """Wait for a file that is being written. Without a pause: it is there for milliseconds."""
    async with asyncio.timeout(20):
        while not is_writing(folder):
            await asyncio.sleep(0)


async def test_killed_in_the_middle_of_writes_it_leaves_a_whole_file(bench: Bench) -> None:
    folder = bench.folder / "snapshots"
    folder.mkdir()
    path = folder / "clinic.json"
    left_over = 0
    for version in range(1, KILLS + 1):
        sidecar = await bench.start(snapshot=str(path), ready=False)
        # Whole once before the first kill, so that there is something to lose.
        if version == 1:
            await publish(bench, version)
            await sidecar.until_metric('tailslide_sidecar_snapshot_writes_total{result="written"}', 1)
        for abandoned in folder.glob("*.tmp"):
            abandoned.unlink()
        changing = asyncio.create_task(publish(bench, version + 1))
        try:
            await until_writing(folder)
            await sidecar.end(signal.SIGKILL)
        finally:
            changing.cancel()
            with suppress(asyncio.CancelledError):
                await changing
        left_over += len(list(folder.glob(".clinic.json.*.tmp")))

        snapshot = decode_snapshot(path.read_bytes(), bench.app)
        assert snapshot.content.rulesets
        assert {ruleset.version for ruleset in snapshot.content.rulesets.values()} <= set(range(1, version + 2))
    assert left_over > 0, "no kill came in the middle of a write"
    again = await bench.start(snapshot=str(path), ready=False)
    assert "snapshot_loaded" in again.log()
    assert not path.with_name("clinic.json.broken").exists()


async def test_many_changes_are_at_most_one_write_a_second(bench: Bench) -> None:
    await bench.put(bench.ruleset())
    sidecar = await bench.start(snapshot=str(bench.folder / "clinic.json"))
    written = 'tailslide_sidecar_snapshot_writes_total{result="written"}'
    await sidecar.until_metric(written, 1)
    began = asyncio.get_running_loop().time()
    before, changes = await sidecar.metric(written), await sidecar.metric("tailslide_sidecar_changes_total")
    while asyncio.get_running_loop().time() - began < 2.5:
        await bench.put(bench.ruleset(active=bool(round(asyncio.get_running_loop().time() * 100) % 2)))
    took_s = asyncio.get_running_loop().time() - began
    assert await sidecar.metric("tailslide_sidecar_changes_total") - changes > 10
    assert 2 <= await sidecar.metric(written) - before <= took_s + 1


async def test_without_nats_a_restart_knows_segments_prerequisites_and_open_circuits() -> None:
    async with bench_with_servers() as (bench, servers):
        member = Condition("targetingKey", Operator.IN_SEGMENT, ("Beta.team",))
        segment = Segment(bench.app, "Beta.team", 3, frozenset({"ada"}))
        failing = replace(bench.ruleset(), key="Api.v2")
        asking = replace(bench.ruleset(rollout=0.0, rules=(Rule((member,)),)), key="Search.v2")
        depending = replace(bench.ruleset(requires=(Requirement("Api.v2"),)), key="search")
        open_since = Circuit(State.OPEN, 0.0, trips=1, generation=1, since_ms=1, next_ms=None)
        await bench.put_raw(RULESETS_BUCKET, str(segment.segment_id), encode_segment(segment))
        await bench.put_raw(CIRCUITS_BUCKET, str(failing.flag_id), encode_circuit(open_since))
        for ruleset in (failing, asking, depending):
            await bench.put(ruleset)
        path = str(bench.folder / "clinic.json")
        first = await bench.start(snapshot=path)

        async def answers(sidecar: Sidecar) -> list[object]:
            questions = ("Search.v2?targeting_key=ada", "Search.v2?targeting_key=bob", "search?targeting_key=ada")
            found = [(await sidecar.get(f"/v1/flags/{question}"))[1] for question in questions]
            return [(answer.get("variant"), answer.get("reason"), answer.get("prerequisite")) for answer in found]

        expected = [("on", "TARGETING_MATCH", None), ("off", "STATIC", None), ("off", "PREREQUISITE_FAILED", "Api.v2")]

        async def as_expected() -> bool:
            return await answers(first) == expected

        await first.until(as_expected)
        assert await first.end() == 0
        await servers.kill(servers.nats)

        again = await bench.start(snapshot=path)
        assert (await again.get("/readyz"))[1]["source"] == "snapshot"
        assert await answers(again) == expected
        status = (await again.get("/v1/status"))[1]
        assert status["segments"] == {"Beta.team": 3}
        assert (status["unknown_segments"], status["unknown_prerequisites"]) == ({}, {})

        await servers.nats.start()
        await bench.put_raw(RULESETS_BUCKET, str(segment.segment_id), None)

        async def forgotten() -> bool:
            return (await again.get("/v1/status"))[1]["unknown_segments"] == {"Beta.team": ["Search.v2"]}

        await again.until(forgotten)
        assert (await answers(again))[0] == ("off", "STATIC", None)
