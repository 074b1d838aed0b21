"""Deliveries in the database: made once for each alert and webhook, claimed by one Tower at a time, kept for a while.

A claim is on the webhook and not on the delivery, so that a receiver is sent one message at a time, oldest first, and
one that does not answer keeps one place busy and not all. It ends by itself, should its Tower not live to end it; no
transaction is open while a receiver is waited for. Moments are those of the Towers' clocks: `CLAIM` is far longer than
an attempt takes, so clocks that differ by some seconds do no harm.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.alerts.delivery import Delivery, DeliveryState
from tailslide_tower.alerts.sending import Outcome
from tailslide_tower.alerts.webhook import Kind, Webhook
from tailslide_tower.alerts.webhook_store import read_webhook, webhooks
from tailslide_tower.database import metadata

CLAIM = timedelta(minutes=1)
TIDIED_AT_ONCE = 5000
"""So many rows at most, so that it takes no longer than the database may; it is done again every minute."""
NOT_SENT = "it was not sent for a day: the webhook was disabled, or no Tower was running"

deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("webhook", sa.Text(collation="C"), sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("entry", sa.BigInteger, nullable=False),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("occasion", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("last_status", sa.Integer, nullable=True),
    sa.Column("last_answer", sa.Text, nullable=True),
    sa.Column("last_error", sa.Text, nullable=True),
    sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
    sa.UniqueConstraint("webhook", "entry", name="webhook_deliveries_webhook_entry_key"),
)
sa.Index("webhook_deliveries_webhook_id_idx", deliveries.c.webhook, deliveries.c.id)
sa.Index("webhook_deliveries_created_at_idx", deliveries.c.created_at)
sa.Index(
    "webhook_deliveries_due_idx",
    deliveries.c.webhook,
    deliveries.c.next_at,
    postgresql_where=deliveries.c.state == "pending",
)

progress = sa.Table(
    "webhook_progress",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True),
    sa.Column("entry", sa.BigInteger, nullable=False),
)
"""The last entry of the log for which deliveries were made; one row."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery that we are to send now; nobody else sends to this webhook until it is settled."""

    webhook: Webhook
    delivery: Delivery
    token: str


def read_delivery(row: sa.RowMapping) -> Delivery:
    """Return the delivery of a row."""
    return Delivery(
        delivery_id=row["id"],
        webhook_id=row["webhook"],
        entry=row["entry"],
        message_id=row["message_id"],
        occasion=row["occasion"],
        state=DeliveryState(row["state"]),
        attempts=row["attempts"],
        next_at=row["next_at"],
        until=row["until"],
        last_at=row["last_at"],
        last_status=row["last_status"],
        last_answer=row["last_answer"],
        last_error=row["last_error"],
        happened_at=row["happened_at"],
        created_at=row["created_at"],
        delivered_at=row["delivered_at"],
    )


class DeliveryStore:
    """Reads and writes deliveries inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take_progress(self) -> int | None:
        """Return up to which entry of the log deliveries were made, and lock that; None while another Tower has it."""
        query = sa.select(progress.c.entry).with_for_update(skip_locked=True)
        return await self._connection.scalar(query)

    async def advance(self, entry: int) -> None:
        """Note, in the transaction that makes deliveries, up to which entry of the log they are made."""
        await self._connection.execute(sa.update(progress).values(entry=entry))

    async def add(self, rows: Sequence[dict[str, Any]]) -> int:
        """Add new deliveries (all but what attempts leave behind); return how many were not there already."""
        if not rows:
            return 0
        # Handed over apart from the statement, so that SQLAlchemy makes several of it where it would be too long.
        statement = insert(deliveries).on_conflict_do_nothing().returning(deliveries.c.id)
        return len((await self._connection.execute(statement, list(rows))).all())

    async def claim(self, token: str, limit: int, now: datetime) -> list[Claim]:
        """Claim up to `limit` deliveries that are due, each of another webhook."""
        due = (deliveries.c.state == DeliveryState.PENDING) & (deliveries.c.next_at <= now)
        waiting = sa.select(deliveries.c.id).where(deliveries.c.webhook == webhooks.c.id, due)
        free = (
            sa.select(webhooks)
            .where(
                webhooks.c.enabled,
                webhooks.c.kind.in_(list(Kind)),  # a newer Tower sends the others
                sa.or_(webhooks.c.sending_until.is_(None), webhooks.c.sending_until <= now),
                sa.or_(webhooks.c.not_before.is_(None), webhooks.c.not_before <= now),
                waiting.exists(),
            )
            # Who was served least recently comes first, so that many receivers that do not answer starve nobody.
            .order_by(webhooks.c.sending_until.asc().nulls_first(), webhooks.c.id)
            .limit(limit)
            # Not for the key, which deliveries that are added at the same time hold.
            .with_for_update(key_share=True, skip_locked=True)
        )
        locked = {row["id"]: read_webhook(row) for row in (await self._connection.execute(free)).mappings()}
        if not locked:
            return []
        # Read only now: what was due before the lock was had may have been sent by another Tower since.
        oldest = sa.select(sa.func.min(deliveries.c.id)).where(deliveries.c.webhook.in_(locked), due)
        query = sa.select(deliveries).where(deliveries.c.id.in_(oldest.group_by(deliveries.c.webhook)))
        found = [read_delivery(row) for row in (await self._connection.execute(query)).mappings()]
        await self._connection.execute(
            sa.update(webhooks)
            .where(webhooks.c.id.in_([delivery.webhook_id for delivery in found]))
            .values(sending_by=token, sending_until=now + CLAIM)
        )
        return [Claim(locked[delivery.webhook_id], delivery, token) for delivery in found]

    async def settle(
        self, claim: Claim, outcome: Outcome, now: datetime, next_at: datetime | None, not_before: datetime | None
    ) -> bool:
        """Note what came of an attempt and end the claim; False when it had ended, and another Tower may have sent too.

        `next_at`: when to try again; None where it is delivered or given up. `not_before`: until when the receiver
        wants nothing at all.
        """
        ours = await self._connection.scalar(
            sa.update(webhooks)
            .where(webhooks.c.id == claim.webhook.webhook_id, webhooks.c.sending_by == claim.token)
            .values(sending_by=None, sending_until=now, not_before=not_before)
            .returning(webhooks.c.id)
        )
        if ours is None:
            return False
        values: dict[str, Any] = {
            "attempts": deliveries.c.attempts + 1,
            "last_at": now,
            "last_status": outcome.status,
            "last_answer": outcome.answer,
            "last_error": outcome.error,
        }
        if outcome.error is None:
            values |= {"state": DeliveryState.DELIVERED, "delivered_at": now}
        elif next_at is None:
            values |= {"state": DeliveryState.FAILED}
        else:
            values |= {"next_at": next_at}
        await self._connection.execute(
            sa.update(deliveries).where(deliveries.c.id == claim.delivery.delivery_id).values(**values)
        )
        return True

    async def page(
        self, webhook_id: str, before: int | None, limit: int, states: Collection[DeliveryState] = ()
    ) -> list[Delivery]:
        """Return up to `limit` deliveries of a webhook, newest first, those older than `before`."""
        query = sa.select(deliveries).where(deliveries.c.webhook == webhook_id)
        if before is not None:
            query = query.where(deliveries.c.id < before)
        if states:
            query = query.where(deliveries.c.state.in_(states))
        query = query.order_by(deliveries.c.id.desc()).limit(limit)
        return [read_delivery(row) for row in (await self._connection.execute(query)).mappings()]

    async def get(self, webhook_id: str, delivery_id: int) -> Delivery | None:
        """Return a delivery of a webhook."""
        query = sa.select(deliveries).where(deliveries.c.webhook == webhook_id, deliveries.c.id == delivery_id)
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else read_delivery(row)

    async def send_again(self, webhook_id: str, delivery_id: int, now: datetime, until: datetime) -> None:
        """Make a delivery due now, whatever has become of it, and try for as long as if it were new."""
        await self._connection.execute(sa.update(webhooks).where(webhooks.c.id == webhook_id).values(not_before=None))
        await self._connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(state=DeliveryState.PENDING, attempts=0, next_at=now, until=until, delivered_at=None)
        )

    async def tidy(self, now: datetime, keep: timedelta, grace: timedelta) -> None:
        """Give up what could not even be tried until `grace` after its time, and remove what is older than `keep`."""
        pending = deliveries.c.state == DeliveryState.PENDING
        late = sa.select(deliveries.c.id).where(pending, deliveries.c.until < now - grace).limit(TIDIED_AT_ONCE)
        old = sa.select(deliveries.c.id).where(~pending, deliveries.c.created_at < now - keep).limit(TIDIED_AT_ONCE)
        await self._connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.id.in_(late), pending)
            .values(state=DeliveryState.FAILED, last_error=sa.func.coalesce(deliveries.c.last_error, NOT_SENT))
        )
        await self._connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(old), ~pending))
