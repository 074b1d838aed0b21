"""One connection to NATS: learn what the buckets hold, take our share of the apps, judge until the connection is lost.

Our lease is written once both facts are known and counts can be read, not before: whoever has our apps until then keeps
them until we can take them over. Nothing survives a connection but what `flags` remembers, and that is trusted again
only after the next listings.
"""

import asyncio
import time
from contextlib import aclosing

import structlog
from nats.aio.client import Client

from tailslide_aerobat.circuit_store import JetStreamCircuitStore
from tailslide_aerobat.flags import Flags
from tailslide_aerobat.holders import Holders
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.leases import JetStreamLeaseStore, Leaseholder
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.series_rules import SeriesRules
from tailslide_aerobat.troubles import Troubles
from tailslide_aerobat.verdicts import Verdicts
from tailslide_core.naming import CIRCUITS_BUCKET, LEASES_BUCKET, RULESETS_BUCKET
from tailslide_runtime.bucket_watch import Listing, WatchStatus, watch_bucket
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import ensure_bucket
from tailslide_runtime.known_keys import KnownKeys

log = structlog.get_logger()

ALL_KEYS = ">"
LOOK_EVERY_S = 1.0


class Session:
    """What `Link.run` calls with each connection."""

    def __init__(
        self,
        flags: Flags,
        judge: Judge,
        holders: Holders,
        leaseholder: Leaseholder,
        metrics: Metrics,
        troubles: Troubles,
        rules: SeriesRules,
        keys: KnownKeys,
    ) -> None:
        self._flags = flags
        self._judge = judge
        self._holders = holders
        self._leaseholder = leaseholder
        self._metrics = metrics
        self._troubles = troubles
        self._rules = rules
        self._keys = keys
        self._divisions = 0

    async def serve(self, client: Client) -> None:
        """Work until the connection is lost; the errors of nats-py come out."""
        self._metrics.nats_connects.inc()
        self._metrics.connected.labels("nats").set(1)
        try:
            await self._serve(client)
        finally:
            self._metrics.connected.labels("nats").set(0)
            self._flags.disconnected()
            self._holders.disconnected()

    async def _serve(self, client: Client) -> None:
        leases = await JetStreamLeaseStore.open(client)
        store = await JetStreamCircuitStore.open(client)
        self._flags.circuits.made = await store.made()
        verdicts = Verdicts(store, self._flags, self._metrics, self._troubles)
        known = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_leases(client))
            group.create_task(self._follow_rulesets(client, known))
            watch = WatchStatus()
            group.create_task(self._follow_circuits(client, verdicts, known, watch))
            group.create_task(self._keep_bucket(client, store, watch))
            group.create_task(self._hold_lease(leases, known))
            group.create_task(self._rules.run(self._our_apps))
            group.create_task(self._keys.follow(client))
            # Beside the judging, which sees by itself to the events of the circuits that it moves.
            group.create_task(self._settle(verdicts, known))
            await self._judge.run(verdicts)

    async def _follow_leases(self, client: Client) -> None:
        async with aclosing(watch_bucket(client, LEASES_BUCKET, ALL_KEYS)) as items:
            await self._leaseholder.follow(items)

    async def _follow_rulesets(self, client: Client, known: asyncio.Event) -> None:
        async with aclosing(watch_bucket(client, RULESETS_BUCKET, ALL_KEYS)) as items:
            async for item in items:
                self._flags.rulesets.take(item)
                self._tell(known)

    async def _follow_circuits(
        self, client: Client, verdicts: Verdicts, known: asyncio.Event, watch: WatchStatus
    ) -> None:
        async with aclosing(watch_bucket(client, CIRCUITS_BUCKET, ALL_KEYS, watch)) as items:
            async for item in items:
                self._flags.circuits.take(item)
                self._tell(known)
                if isinstance(item, Listing):
                    await verdicts.restore(self._holders.owns)

    async def _keep_bucket(self, client: Client, store: JetStreamCircuitStore, watch: WatchStatus) -> None:
        """Create the bucket of circuits again if it has gone while the connection has not, so that it can be restored.

        Nobody else would, and while no circuit moves, none of our own writes tells us.
        """
        restarts = watch.restarts
        while True:
            raise_if_cancelled()
            await asyncio.sleep(LOOK_EVERY_S)
            if watch.restarts != restarts:
                restarts = watch.restarts
                await ensure_bucket(client, CIRCUITS_BUCKET)
                self._flags.circuits.made = await store.made()

    def _tell(self, known: asyncio.Event) -> None:
        if self._flags.listed:
            known.set()

    async def _hold_lease(self, leases: JetStreamLeaseStore, known: asyncio.Event) -> None:
        await known.wait()
        await self._leaseholder.hold(leases, lambda: self._judge.readable is True)

    async def _settle(self, verdicts: Verdicts, known: asyncio.Event) -> None:
        """Finish what the last owner of our apps has left undone, each time that the apps are divided."""
        await known.wait()
        owns = self._holders.owns
        while True:
            raise_if_cancelled()
            divisions = self._holders.divisions
            self._tell_division(divisions)
            await verdicts.restore(owns)
            await verdicts.complete_events(int(time.time() * 1000), owns)
            raise_if_cancelled()
            await self._holders.changed_since(divisions)

    def _our_apps(self) -> list[str]:
        return [app for app in self._flags.all_apps if self._holders.owns(app)]

    def _tell_division(self, divisions: int) -> None:
        if divisions != self._divisions:
            self._metrics.divisions.inc(divisions - self._divisions)
            self._divisions = divisions
            log.info("apps_divided", living=list(self._holders.living), ours=self._holders.worker)
