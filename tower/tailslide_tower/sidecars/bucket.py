"""The bucket `sidecars`, which Tower makes and watches.

Fails open: without it no sidecar is heard from, and that is all.
"""

import asyncio
from contextlib import aclosing

from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError

from tailslide_core.naming import SIDECARS_BUCKET, bucket_stream, bucket_subject
from tailslide_core.presence import MAX_PRESENCE_BYTES, PRESENCE_TTL_MS
from tailslide_runtime.bucket_watch import WatchStatus, watch_bucket
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import API_TIMEOUT_S, STREAM_NAME_IN_USE
from tailslide_tower.sidecars.registry import SidecarRegistry

LOOK_EVERY_S = 1.0
ENSURE_EVERY_S = 30.0
MAX_ENTRIES = 50_000


async def ensure_sidecars_bucket(client: Client, *, ttl_s: float = PRESENCE_TTL_MS / 1000) -> None:
    """Make the bucket unless it is there: in memory, and with entries that expire after `ttl_s` seconds.

    No message may be a rollup: one of a sidecar's would wipe the entries of all others.
    """
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        await js.add_stream(
            StreamConfig(
                name=bucket_stream(SIDECARS_BUCKET),
                subjects=[bucket_subject(SIDECARS_BUCKET, ">")],
                storage=StorageType.MEMORY,
                max_msgs_per_subject=1,
                max_age=ttl_s,
                max_msg_size=2 * MAX_PRESENCE_BYTES,
                # Not a bound of bytes, for which the server sets memory aside at once.
                max_msgs=MAX_ENTRIES,
                discard=DiscardPolicy.OLD,
                duplicate_window=min(ttl_s, 120.0),
                allow_rollup_hdrs=False,
                deny_delete=True,
            )
        )
    except BadRequestError as error:
        if error.err_code != STREAM_NAME_IN_USE:
            raise


class SidecarWatch:
    """Feeds a registry from one connection after another."""

    def __init__(self, registry: SidecarRegistry, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._registry = registry
        self._look_every_s = look_every_s
        self.status = WatchStatus()

    async def serve(self, client: Client) -> None:
        """Watch for as long as the connection lasts; the errors of nats-py come out."""
        await ensure_sidecars_bucket(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(client))
            group.create_task(self._keep_bucket(client))

    async def run(self) -> None:
        """Look for what has become silent, connected or not, until cancelled."""
        while True:
            raise_if_cancelled()
            self._registry.listens(self.status.in_touch)
            self._registry.look()
            await asyncio.sleep(self._look_every_s)

    async def _follow(self, client: Client) -> None:
        async with aclosing(watch_bucket(client, SIDECARS_BUCKET, ">", self.status)) as items:
            async for item in items:
                self._registry.listens(True)
                self._registry.take(item)

    async def _keep_bucket(self, client: Client) -> None:
        """Make the bucket again if it has gone while the connection has not."""
        restarts = self.status.restarts
        waited_s = 0.0
        while True:
            raise_if_cancelled()
            await asyncio.sleep(self._look_every_s)
            waited_s += self._look_every_s
            if self.status.restarts != restarts or waited_s >= ENSURE_EVERY_S:
                restarts, waited_s = self.status.restarts, 0.0
                await ensure_sidecars_bucket(client)
