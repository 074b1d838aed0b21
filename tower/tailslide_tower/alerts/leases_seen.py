"""What this Tower sees of Aerobats: when one of them last renewed its lease.

An Aerobat holds a lease only while it can judge: one that cannot read Redis gives its lease up. So leases that are
renewed are all that has to be known. Fails towards silence: while NATS is away, nothing is heard.
"""

import time
from collections.abc import Callable
from contextlib import aclosing

from nats.aio.client import Client

from tailslide_core.naming import LEASES_BUCKET, lease_key, worker_of_lease
from tailslide_runtime.bucket_watch import Entry, Listing, watch_bucket


class LeasesSeen:
    """Counts from its making: what has just started has not been waiting."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: seconds, monotonic."""
        self._clock = clock
        self._heard_at = clock()

    def take(self, item: Listing | Entry) -> None:
        """Hear of a lease. What a listing has may be a minute old; whoever lives renews within a second."""
        if isinstance(item, Entry) and item.value is not None and worker_of_lease(item.key) is not None:
            self._heard_at = self._clock()

    def silent_for_s(self) -> float:
        """Return for how long no lease was renewed, as far as this Tower has seen."""
        return self._clock() - self._heard_at

    async def follow(self, client: Client) -> None:
        """Hear of leases for as long as the connection lasts; the errors of nats-py come out."""
        async with aclosing(watch_bucket(client, LEASES_BUCKET, lease_key(">"))) as items:
            async for item in items:
                self.take(item)
