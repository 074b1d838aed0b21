"""One connection to NATS: learn what both buckets hold, then judge until the connection is lost.

Nothing survives it but what `flags` remembers, and that is trusted again only after the next listings.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from nats.aio.client import Client

from tailslide_aerobat.circuit_store import JetStreamCircuitStore
from tailslide_aerobat.flags import Flags
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.verdicts import Verdicts
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET
from tailslide_runtime.bucket_watch import watch_bucket

ALL_KEYS = ">"


def serving(flags: Flags, judge: Judge, metrics: Metrics) -> Callable[[Client], Awaitable[None]]:
    """Return what `Link.run` calls with each connection."""

    async def serve(client: Client) -> None:
        metrics.nats_connects.inc()
        metrics.connected.labels("nats").set(1)
        try:
            await _serve(client, flags, judge, metrics)
        finally:
            metrics.connected.labels("nats").set(0)
            flags.disconnected()

    return serve


async def _serve(client: Client, flags: Flags, judge: Judge, metrics: Metrics) -> None:
    verdicts = Verdicts(await JetStreamCircuitStore.open(client), flags, metrics)
    known = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow_rulesets(client, flags, known))
        group.create_task(_follow_circuits(client, flags, verdicts, known))
        # Beside the judging, which sees by itself to the events of the circuits that it moves.
        group.create_task(_complete_events(verdicts, known))
        await judge.run(verdicts)


async def _complete_events(verdicts: Verdicts, known: asyncio.Event) -> None:
    await known.wait()
    await verdicts.complete_events(int(time.time() * 1000))


async def _follow_rulesets(client: Client, flags: Flags, known: asyncio.Event) -> None:
    async with aclosing(watch_bucket(client, RULESETS_BUCKET, ALL_KEYS)) as items:
        async for item in items:
            flags.rulesets.take(item)
            _tell(flags, known)


async def _follow_circuits(client: Client, flags: Flags, verdicts: Verdicts, known: asyncio.Event) -> None:
    async with aclosing(watch_bucket(client, CIRCUITS_BUCKET, ALL_KEYS)) as items:
        async for item in items:
            flags.circuits.take(item)
            _tell(flags, known)
            await verdicts.restore()


def _tell(flags: Flags, known: asyncio.Event) -> None:
    if flags.listed:
        known.set()
