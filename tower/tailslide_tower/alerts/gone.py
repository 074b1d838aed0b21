"""A receiver that wants nothing any more: its webhook is disabled, which is an entry of the log."""

from dataclasses import replace
from datetime import datetime

from tailslide_tower.alerts.traces import tell, webhook_entry
from tailslide_tower.alerts.webhook import Webhook
from tailslide_tower.alerts.webhook_store import WebhookStore
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import BY_SYSTEM
from tailslide_tower.database import Database

GONE = "the receiver answered 410 Gone"


async def receiver_gone(database: Database, webhook: Webhook, now: datetime) -> None:
    """Disable a webhook whose receiver answered 410 Gone. Raises `DatabaseUnavailableError`."""
    async with database.begin() as connection:
        store = WebhookStore(connection)
        before = await store.get(webhook.webhook_id, lock=True)
        # Whoever has changed it meanwhile may have given it another receiver.
        if before is None or not before.enabled or before.version != webhook.version:
            return
        after = replace(before, enabled=False, disabled_reason=GONE, version=before.version + 1, updated_at=now)
        await store.update(after)
        await record(connection, webhook_entry("webhook.disabled", BY_SYSTEM, before, after))
    tell("webhook_disabled", after, BY_SYSTEM)
