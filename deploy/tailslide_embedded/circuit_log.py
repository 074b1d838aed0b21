"""Every verdict on one flag, as it arrives: what the demo shows and the benchmark measures.

Reads the same bucket as the sidecars, at the same time as they do.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from nats.aio.client import Client

from tailslide_core.circuit import Circuit
from tailslide_core.contracts import decode_circuit
from tailslide_core.naming import CIRCUITS_BUCKET, FlagId
from tailslide_runtime.bucket_watch import Listing, watch_bucket
from tailslide_runtime.jetstream import Link
from tailslide_runtime.server_urls import NatsUrl


@dataclass(frozen=True, slots=True)
class Verdict:
    """A circuit, and when it arrived here (monotonic clock, seconds)."""

    circuit: Circuit
    at: float


class CircuitLog:
    """The verdicts on one flag since the log was opened, the first being the state that it found."""

    def __init__(self, nats_url: str, flag_id: FlagId) -> None:
        self._link = Link(NatsUrl.parse(nats_url), name="circuit-log")
        self._flag_id = flag_id
        self._changed = asyncio.Condition()
        self.verdicts: list[Verdict] = []

    @property
    def circuit(self) -> Circuit:
        """Return the latest verdict; closed as long as there was none."""
        return self.verdicts[-1].circuit if self.verdicts else Circuit()

    async def run(self) -> None:
        """Read until cancelled."""
        await self._link.run(self._read)

    async def wait_for(self, holds: Callable[[Circuit], bool]) -> Verdict:
        """Return the latest verdict as soon as its circuit is as asked for."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self.verdicts) and holds(self.circuit))
            return self.verdicts[-1]

    async def _read(self, client: Client) -> None:
        async for item in watch_bucket(client, CIRCUITS_BUCKET, str(self._flag_id)):
            entries = item.entries.values() if isinstance(item, Listing) else [item]
            for entry in entries:
                await self._add(Circuit() if entry.value is None else decode_circuit(entry.value))
            if not self.verdicts:
                await self._add(Circuit())

    async def _add(self, circuit: Circuit) -> None:
        async with self._changed:
            if not self.verdicts or self.verdicts[-1].circuit != circuit:
                self.verdicts.append(Verdict(circuit, time.monotonic()))
                self._changed.notify_all()
