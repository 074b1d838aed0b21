"""Sends what is due: claims deliveries, composes what they say now, sends it, and notes what came of it.

Any number of Towers may run one. A receiver is sent one message at a time, and at most `CONCURRENCY` receivers are sent
to at once, so one that does not answer holds up nobody else. An attempt whose Tower ends before its outcome is noted is
made again, under the same message id, so that the receiver can leave out the second.
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from tailslide_tower import times
from tailslide_tower.alerts.delivery_store import Claim, DeliveryStore
from tailslide_tower.alerts.gone import receiver_gone
from tailslide_tower.alerts.messages import Message
from tailslide_tower.alerts.retries import RetryPolicy
from tailslide_tower.alerts.sending import Outcome, Sender
from tailslide_tower.database import Database, DatabaseUnavailableError

log = structlog.get_logger()

CONCURRENCY = 16


class Composer(Protocol):
    """Who writes what a delivery says."""

    async def compose(self, claim: Claim) -> Message | None:
        """Return the message as it is true now; None when the log has not kept what it would be about.

        Raises `DatabaseUnavailableError`.
        """


class Counters(Protocol):
    """Who counts attempts."""

    def attempted(self, outcome: str) -> None:
        """Count an attempt that ended as `delivered`, `retried` or `given_up`."""


class Deliverer:
    """Sends deliveries."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        composer: Composer,
        counters: Counters,
        *,
        policy: RetryPolicy,
        now: Callable[[], datetime] = times.now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._sender = sender
        self._composer = composer
        self._counters = counters
        self._policy = policy
        self._now = now
        self._chance = chance

    async def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` deliveries that are due. Raises `DatabaseUnavailableError`."""
        async with self._database.begin() as connection:
            return await DeliveryStore(connection).claim(secrets.token_hex(8), limit, self._now())

    async def deliver(self, claim: Claim) -> None:
        """Make one attempt. What goes wrong on the way is noted with the delivery, or left to the end of the claim."""
        try:
            outcome, final = await self._attempt(claim)
            await self._settle(claim, outcome, final=final)
        except DatabaseUnavailableError as error:
            log.warning("webhook_outcome_not_noted", webhook=claim.webhook.webhook_id, error=str(error))

    async def _attempt(self, claim: Claim) -> tuple[Outcome, bool]:
        """Return what came of an attempt, and whether it was the last one whatever came of it."""
        try:
            message = await self._composer.compose(claim)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # of one entry, which a newer Tower may be able to read; the others go on
            log.exception("webhook_not_composed", webhook=claim.webhook.webhook_id, entry=claim.delivery.entry)
            return Outcome(error=f"this Tower cannot read what this is about: {type(error).__name__}"), False
        if message is None:
            return Outcome(error="the log has not kept what this was about"), True
        return await self._sender.tell(claim.webhook, message, claim.delivery.message_id), False

    async def _settle(self, claim: Claim, outcome: Outcome, *, final: bool) -> None:
        now = self._now()
        delivery = claim.delivery
        next_at = None
        if outcome.error is not None and not outcome.is_gone and not final:
            next_at = self._policy.next_at(
                delivery.attempts + 1, now, delivery.until, self._chance(), outcome.retry_after
            )
        wait = outcome.retry_after if outcome.error is not None else None
        async with self._database.begin() as connection:
            ours = await DeliveryStore(connection).settle(
                claim, outcome, now, next_at, None if wait is None else now + min(wait, MOST_PATIENCE)
            )
        if not ours:
            log.warning("webhook_claim_lost", webhook=claim.webhook.webhook_id, delivery=delivery.delivery_id)
            return
        self._tell(claim, outcome, next_at)
        if outcome.is_gone:
            await receiver_gone(self._database, claim.webhook, self._now())

    def _tell(self, claim: Claim, outcome: Outcome, next_at: datetime | None) -> None:
        facts = {
            "webhook": claim.webhook.webhook_id,
            "delivery": claim.delivery.delivery_id,
            "occasion": claim.delivery.occasion,
            "attempt": claim.delivery.attempts + 1,
            "status": outcome.status,
        }
        if outcome.error is None:
            self._counters.attempted("delivered")
            log.info("webhook_delivered", **facts)
        elif next_at is None:
            self._counters.attempted("given_up")
            log.error("webhook_given_up", **facts, error=outcome.error)
        else:
            self._counters.attempted("retried")
            log.warning("webhook_failed", **facts, error=outcome.error, next_at=times.timestamp(next_at))

    async def deliver_due(self, limit: int = CONCURRENCY) -> int:
        """Make one attempt at each of up to `limit` deliveries that are due; return how many there were."""
        claims = await self.claim(limit)
        await asyncio.gather(*(self.deliver(claim) for claim in claims))
        return len(claims)


MOST_PATIENCE = timedelta(hours=1)
"""A receiver may ask for so long to be sent nothing at all; what it has refused waits for as long as it says."""
