"""From the log to deliveries: each entry that is an alert becomes one row for each webhook that hears of it.

Level-triggered: the database says up to which entry this was done, and whoever finds more does the rest. Any number of
Towers may try; one at a time does, and the rows are made in the transaction that says so, so none is missing and none
is made twice. Fails closed: while the database is away nothing is made, and nothing forgotten.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower import times
from tailslide_tower.alerts.delivery import DeliveryState
from tailslide_tower.alerts.delivery_store import DeliveryStore
from tailslide_tower.alerts.occasions import Happening
from tailslide_tower.alerts.retries import RetryPolicy
from tailslide_tower.alerts.webhook import Webhook, new_message_id
from tailslide_tower.alerts.webhook_store import WebhookStore
from tailslide_tower.database import Database

log = structlog.get_logger()

AT_ONCE = 100
"""So many entries of the log are looked at in one transaction."""
TOO_OLD = timedelta(days=1)
"""What happened longer ago is no alert any more: no delivery would have been tried for longer."""


class LogReader(Protocol):
    """Who reads the log."""

    async def after(self, connection: AsyncConnection, entry: int, limit: int) -> Sequence[Happening]:
        """Return up to `limit` entries behind this one, in the order of their ids."""


class Dispatcher:
    """Makes deliveries of what the log says."""

    def __init__(
        self,
        database: Database,
        log_reader: LogReader,
        *,
        policy: RetryPolicy,
        now: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._log = log_reader
        self._policy = policy
        self._now = now

    async def dispatch(self) -> int:
        """Make the deliveries that are missing, unless another Tower does; return how many were made.

        Raises `DatabaseUnavailableError`.
        """
        made = 0
        while True:
            looked_at, added = await self._some()
            made += added
            if looked_at < AT_ONCE:
                return made

    async def _some(self) -> tuple[int, int]:
        now = self._now()
        async with self._database.begin() as connection:
            store = DeliveryStore(connection)
            entry = await store.take_progress()
            if entry is None:
                return 0, 0
            happenings = await self._log.after(connection, entry, AT_ONCE)
            if not happenings:
                return 0, 0
            told = [each for each in happenings if each.occasion is not None and now - each.at <= TOO_OLD]
            webhooks = await WebhookStore(connection).enabled() if told else []
            added = await store.add(
                [self._row(webhook, each, now) for each in told for webhook in webhooks if webhook.hears_of(each)]
            )
            await store.advance(happenings[-1].entry)
        if added:
            log.info("alerts_dispatched", deliveries=added, entry=happenings[-1].entry)
        return len(happenings), added

    def _row(self, webhook: Webhook, happening: Happening, now: datetime) -> dict[str, object]:
        assert happening.occasion is not None
        return {
            "webhook": webhook.webhook_id,
            "entry": happening.entry,
            "message_id": new_message_id(),
            "occasion": happening.occasion,
            "state": DeliveryState.PENDING,
            "attempts": 0,
            "next_at": now,
            "until": now + self._policy.lasting,
            "happened_at": happening.at,
            "created_at": now,
        }
