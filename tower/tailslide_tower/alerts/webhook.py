"""A webhook: where alerts go, in which form, about what and on which occasions."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tailslide_tower.alerts.occasions import Happening, Occasion, Scope
from tailslide_tower.alerts.signatures import new_secret

OLD_SECRET_LASTS = timedelta(days=1)
"""How long messages are signed with the secret before as well, so that a receiver can be given the new one in peace."""


class Kind(StrEnum):
    """What form the receiver expects."""

    SLACK = "slack"
    """An incoming webhook of Slack, or of a chat that takes the same: Mattermost, Rocket.Chat, Discord's `/slack`."""
    GENERIC = "generic"
    """JSON with all facts, signed after the Standard Webhooks specification."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as it is kept. `url` and the secrets are not for logs."""

    webhook_id: str
    name: str
    kind: str
    """A `Kind`, or one that a newer Tower knows, which then sends to it."""
    url: str
    scope: Scope
    occasions: frozenset[Occasion]
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime
    secret: str | None = None
    previous_secret: str | None = None
    previous_until: datetime | None = None
    disabled_reason: str | None = None
    """Why Tower has disabled it; None where a person has, or nobody."""

    def __repr__(self) -> str:
        return f"Webhook({self.webhook_id!r}, {self.name!r}, {self.kind}, {self.scope})"

    def hears_of(self, happening: Happening) -> bool:
        """Whether something is an alert for this webhook."""
        return self.enabled and bool(self.occasions & happening.occasions) and self.scope.covers(happening)

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """Return the secrets that messages are signed with: none for Slack, two while one is being replaced."""
        if self.secret is None:
            return ()
        if self.previous_secret is None or self.previous_until is None or now >= self.previous_until:
            return (self.secret,)
        return self.secret, self.previous_secret

    def with_new_secret(self, now: datetime) -> "Webhook":
        """Return the webhook with another secret; the present one holds for a day more."""
        return replace(
            self,
            secret=new_secret(),
            previous_secret=self.secret,
            previous_until=now + OLD_SECRET_LASTS,
            version=self.version + 1,
            updated_at=now,
        )


def new_webhook_id() -> str:
    """Return an id for a new webhook: `wh_` and 16 random characters of 0-9 and a-f."""
    return f"wh_{secrets.token_hex(8)}"


def new_message_id() -> str:
    """Return an id for a message: it stays the same for every attempt, so that a receiver takes it once."""
    return f"msg_{secrets.token_hex(16)}"
