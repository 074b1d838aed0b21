"""Webhooks in the database."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.alerts.occasions import Occasion, Scope
from tailslide_tower.alerts.webhook import Webhook
from tailslide_tower.database import metadata

_KEY = sa.Text(collation="C")

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=True),
    sa.Column("previous_secret", sa.Text, nullable=True),
    sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
    sa.Column("app", _KEY, sa.ForeignKey("apps.key", ondelete="CASCADE"), nullable=True),
    sa.Column("flag", _KEY, nullable=True),
    sa.Column("occasions", JSONB, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.Text, nullable=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("sending_by", sa.Text, nullable=True),
    sa.Column("sending_until", sa.DateTime(timezone=True), nullable=True),
    sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
)
sa.Index("webhooks_app_idx", webhooks.c.app, webhooks.c.flag)


def read_webhook(row: sa.RowMapping) -> Webhook:
    """Return the webhook of a row. An occasion that this version does not know is left out."""
    return Webhook(
        webhook_id=row["id"],
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        scope=Scope(row["app"], row["flag"]),
        occasions=frozenset(Occasion(name) for name in row["occasions"] if name in set(Occasion)),
        enabled=row["enabled"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        secret=row["secret"],
        previous_secret=row["previous_secret"],
        previous_until=row["previous_until"],
        disabled_reason=row["disabled_reason"],
    )


def _row(webhook: Webhook) -> Mapping[str, Any]:
    return {
        "id": webhook.webhook_id,
        "name": webhook.name,
        "kind": webhook.kind,
        "url": webhook.url,
        "secret": webhook.secret,
        "previous_secret": webhook.previous_secret,
        "previous_until": webhook.previous_until,
        "app": webhook.scope.app,
        "flag": webhook.scope.flag,
        "occasions": sorted(webhook.occasions),
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "version": webhook.version,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }


class WebhookStore:
    """Reads and writes webhooks inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, after: str, limit: int, *conditions: sa.ColumnElement[bool]) -> list[Webhook]:
        """Return up to `limit` webhooks whose ids come behind `after`, those that the conditions hold for."""
        query = sa.select(webhooks).where(webhooks.c.id > after, *conditions).order_by(webhooks.c.id).limit(limit)
        return [read_webhook(row) for row in (await self._connection.execute(query)).mappings()]

    async def enabled(self) -> list[Webhook]:
        """Return all webhooks that alerts go to."""
        query = sa.select(webhooks).where(webhooks.c.enabled).order_by(webhooks.c.id)
        return [read_webhook(row) for row in (await self._connection.execute(query)).mappings()]

    async def count(self, app: str | None) -> int:
        """Return how many webhooks an app with its flags has; for None, how many are about all apps."""
        query = sa.select(sa.func.count()).select_from(webhooks).where(webhooks.c.app.is_not_distinct_from(app))
        return int(await self._connection.scalar(query) or 0)

    async def get(self, webhook_id: str, *, lock: bool = False) -> Webhook | None:
        """Return a webhook; locked, nobody else changes it before the end of the transaction."""
        query = sa.select(webhooks).where(webhooks.c.id == webhook_id)
        if lock:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else read_webhook(row)

    async def add(self, webhook: Webhook) -> None:
        """Add a webhook."""
        await self._connection.execute(sa.insert(webhooks).values(_row(webhook)))

    async def update(self, webhook: Webhook) -> None:
        """Write a webhook that is there. Its receiver may be asked again at once."""
        await self._connection.execute(
            sa.update(webhooks).where(webhooks.c.id == webhook.webhook_id).values(**_row(webhook), not_before=None)
        )

    async def delete(self, webhook_id: str) -> None:
        """Delete a webhook with its deliveries."""
        await self._connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook_id))
