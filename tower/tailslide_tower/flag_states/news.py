"""What this Tower hears of the buckets of rulesets and circuits, and who is told when a flag's state may differ.

Fails open: while NATS is away, what was heard last stays.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from nats.aio.client import Client

from tailslide_core.circuit import Circuit
from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, FlagId
from tailslide_runtime.bucket_watch import SILENCE_S, Entry, Listing, WatchStatus, watch_bucket
from tailslide_tower.flag_states.circuits import KnownCircuits
from tailslide_tower.flag_states.published import PublishedFlags

ALL_KEYS = ">"

Subscriber = Callable[[FlagId], None]


class News:
    """Both buckets, over one connection after another. Subscribers are called at once, and must not wait."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []
        self.published = PublishedFlags(self._changed)
        self.circuits = KnownCircuits(self._changed)
        self._circuits_watch = WatchStatus()
        self._rulesets_watch = WatchStatus()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with each flag that is published anew or whose circuit moves, until the result is called.

        That sidecars have taken it in, or are silent, is `SidecarRegistry`'s to tell.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _changed(self, flag_id: FlagId) -> None:
        for subscriber in list(self._subscribers):
            subscriber(flag_id)

    @property
    def in_touch(self) -> bool:
        """Whether what is published is known as of now."""
        return self._rulesets_watch.in_touch

    @property
    def circuits_known(self) -> bool:
        """Whether circuits were ever read; where there is no bucket of them, Aerobat has said nothing of any flag."""
        return self._circuits_watch.ever_in_step

    @property
    def published_known(self) -> bool:
        """Whether the bucket of rulesets was ever read, or is known not to be there."""
        return self._rulesets_watch.ever_in_step

    def circuit_of(self, flag_id: FlagId) -> Circuit | None:
        """Return the circuit of a flag; None where Aerobat has said nothing of it."""
        return self.circuits.get(flag_id)

    def circuits_as_of_ms(self, now_ms: int) -> int | None:
        """Return when circuits were last heard from, Unix milliseconds; None while they are kept up to date."""
        watch = self._circuits_watch
        # A connection that is being made anew is no news for people.
        if watch.silent_for_s() <= SILENCE_S:
            return None
        return now_ms - round(watch.silent_for_s() * 1000)

    async def serve(self, client: Client) -> None:
        """Watch for as long as the connection lasts."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_follow(client, RULESETS_BUCKET, self._rulesets_watch, self.published.take))
            group.create_task(_follow(client, CIRCUITS_BUCKET, self._circuits_watch, self.circuits.take))


async def _follow(client: Client, bucket: str, status: WatchStatus, take: Callable[[Listing | Entry], None]) -> None:
    async with aclosing(watch_bucket(client, bucket, ALL_KEYS, status)) as items:
        async for item in items:
            take(item)
