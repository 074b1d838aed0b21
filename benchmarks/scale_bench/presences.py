"""What Tower hears of many sidecars: entries in the bucket, one each ten seconds, as their own code writes them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client

from tailslide_core.naming import RULESETS_BUCKET, SIDECARS_BUCKET, bucket_stream, bucket_subject
from tailslide_core.presence import PRESENCE_EVERY_MS, Presence, encode_presence

ROUTE_FLAGS = 20


def _presence(app: str, number: int, revision: int, now_ms: int) -> Presence:
    flags = tuple(f"feature-{each}" for each in range(ROUTE_FLAGS))
    return Presence(
        app=app,
        instance=f"instance-{number}",
        host=f"host-{number}",
        version="1.0.0",
        started_ms=now_ms,
        revision=revision,
        revision_ms=now_ms,
        age_ms=100,
        source="jetstream",
        listeners=("127.0.0.1:4140", "127.0.0.1:4141"),
        route_flags=flags,
        route_flags_count=len(flags),
    )


async def _write(client: Client, apps: Sequence[str], count: int) -> None:
    info = await client.jetstream().stream_info(bucket_stream(RULESETS_BUCKET))
    every_s = PRESENCE_EVERY_MS / 1000 / count
    while True:
        for number in range(count):
            app, now_ms = apps[number % len(apps)], round(time.time() * 1000)
            presence = _presence(app, number, info.state.last_seq, now_ms)
            subject = bucket_subject(SIDECARS_BUCKET, str(presence.sidecar_id))
            await client.publish(subject, encode_presence(presence))
            # Sidecars start at different times, and so their entries come one after another.
            await asyncio.sleep(every_s)


@asynccontextmanager
async def present_sidecars(nats_url: str, apps: Sequence[str], count: int) -> AsyncIterator[None]:
    """Have so many sidecars be heard of, until the end of the block."""
    client = await nats.connect(nats_url)
    writing = asyncio.create_task(_write(client, apps, count))
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await client.close()
