"""The snapshot of a sidecar that is killed while it writes: always whole, and good for the next start."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import nats
import pytest
from sidecar_bench import FLAG, Bench, bench_on

from tailslide_core.flag_contracts import encode_ruleset
from tailslide_core.naming import RULESETS_BUCKET, bucket_subject
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
    assert "snapshot loaded" in again.log()
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
