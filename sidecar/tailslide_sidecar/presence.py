"""The sidecar's own entry in the bucket `sidecars`, by which people see that it is there and what it answers from.

Fails open: nothing in the sidecar waits for it or depends on it. Entries are published without asking for an answer,
since an account for sidecars gives none; one that is lost is followed by another within ten seconds. What is written is
put together when it is sent, never while a request is answered.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import nats.errors
import structlog
from nats.aio.client import Client

from tailslide_core.naming import SIDECARS_BUCKET, SidecarId, bucket_subject, instance_of
from tailslide_core.presence import PRESENCE_CHANGE_MS, PRESENCE_EVERY_MS, Presence, encode_presence
from tailslide_runtime.cancellation import raise_if_cancelled

log = structlog.get_logger()

_DELETION = {"KV-Operation": "DEL"}


def new_instance() -> str:
    """Return a name for this process: its host's, and what tells it from others there."""
    return instance_of(socket.gethostname(), secrets.token_hex(3))


class PresenceWriter:
    """Writes the entry over whichever connection there is."""

    def __init__(
        self,
        sidecar_id: SidecarId,
        look: Callable[[], Presence],
        *,
        every_s: float = PRESENCE_EVERY_MS / 1000,
        change_s: float = PRESENCE_CHANGE_MS / 1000,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`look` returns what is to be written now; `pause` waits for so many seconds."""
        self.sidecar_id = sidecar_id
        self._subject = bucket_subject(SIDECARS_BUCKET, str(sidecar_id))
        self._look = look
        self._every_s = every_s
        self._change_s = change_s
        self._pause = pause
        self._changed = asyncio.Event()
        self._leaving = False
        self.written = 0
        """How often the entry was sent."""

    def changed(self) -> None:
        """Have the entry written soon; returns at once."""
        self._changed.set()

    def leave(self) -> None:
        """Have the entry removed when `serve` is cancelled next: the sidecar stops in order."""
        self._leaving = True

    async def serve(self, client: Client) -> None:
        """Write over a connection until cancelled."""
        try:
            while True:
                raise_if_cancelled()
                self._changed.clear()
                await self._write(client)
                began = time.monotonic()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await self._changed.wait()
                await self._pause(max(0.0, began + self._change_s - time.monotonic()))
        finally:
            if self._leaving:
                await self._publish(client, b"", _DELETION)

    async def _write(self, client: Client) -> None:
        await self._publish(client, encode_presence(self._look()), None)
        self.written += 1

    async def _publish(self, client: Client, value: bytes, headers: dict[str, str] | None) -> None:
        try:
            await client.publish(self._subject, value, headers=headers)
        except nats.errors.Error as error:
            log.debug("presence_not_written", error=str(error) or type(error).__name__)
