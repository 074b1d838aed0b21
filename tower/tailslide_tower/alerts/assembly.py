"""The parts of alerts, put together for one Tower. Decides nothing by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from nats.aio.client import Client
from prometheus_client import CollectorRegistry

from tailslide_runtime.jetstream import LinkStatus
from tailslide_tower.alerts.addresses import AddressRules
from tailslide_tower.alerts.composer import LogComposer
from tailslide_tower.alerts.connections import SystemNames
from tailslide_tower.alerts.deliverer import Deliverer
from tailslide_tower.alerts.dispatcher import Dispatcher
from tailslide_tower.alerts.leases_seen import LeasesSeen
from tailslide_tower.alerts.log_reader import DatabaseLog
from tailslide_tower.alerts.metrics import AlertMetrics
from tailslide_tower.alerts.retries import RetryPolicy
from tailslide_tower.alerts.sending import Sender
from tailslide_tower.alerts.service import WebhookService
from tailslide_tower.alerts.watcher import SidecarsSeen, Watcher
from tailslide_tower.alerts.worker import AlertWorker
from tailslide_tower.audit.feed import Feed
from tailslide_tower.companions import beside
from tailslide_tower.database import Database


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the rest of Tower needs of them."""

    webhooks: WebhookService
    worker: AlertWorker
    leases: LeasesSeen
    watcher: Watcher
    names: SystemNames
    feed: Feed

    async def run(self) -> None:
        """Send alerts and look for what nobody would notice otherwise, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.worker.run())
                group.create_task(self._follow_log())
                group.create_task(self.watcher.run())
        finally:
            self.names.close()

    async def _follow_log(self) -> None:
        """Look at the log when it grows, and not only when it is time to look again."""
        async with self.feed.subscribe() as entries:
            async for _ in entries:
                self.worker.log_grew()

    async def follow(self, client: Client) -> None:
        """Hear of Aerobats over a connection to NATS, until cancelled."""
        await beside(client, "leases", self.leases.follow)


def alerts_of(
    database: Database,
    link: LinkStatus,
    feed: Feed,
    sidecars: SidecarsSeen,
    registry: CollectorRegistry,
    *,
    allowed_networks: Sequence[str],
    keep: timedelta,
    tower_url: str | None,
    policy: RetryPolicy | None = None,
) -> Alerts:
    """Return the parts. `keep`: how long deliveries are kept. `tower_url`: where people reach Tower."""
    policy = policy or RetryPolicy()
    metrics, names, rules, log = AlertMetrics(registry), SystemNames(), AddressRules(allowed_networks), DatabaseLog()
    sender = Sender(names, rules)
    composer = LogComposer(database, log, tower_url=tower_url)
    deliverer = Deliverer(database, sender, composer, metrics, policy=policy)
    worker = AlertWorker(database, Dispatcher(database, log, policy=policy), deliverer, keep=keep)
    webhooks = WebhookService(
        database,
        sender,
        names,
        rules,
        lasting=policy.lasting,
        tower_url=tower_url,
        something_due=worker.something_due,
    )
    leases = LeasesSeen()
    watcher = Watcher(database, leases, link, sidecars, metrics)
    return Alerts(webhooks, worker, leases, watcher, names, feed)
