"""A session: somebody who has logged in at one browser. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tailslide_tower.auth.principal import Principal
from tailslide_tower.times import timestamp

MAX_USER_AGENT = 200
TOUCHED_EVERY = timedelta(minutes=1)
"""How often at most the last use of a session or a token is written."""
MAX_SESSIONS = 50
"""So many sessions one user has at most; a further one ends the oldest."""


class Method(StrEnum):
    """How a session was opened."""

    PASSWORD = "password"  # noqa: S105 # a way to log in
    OIDC = "oidc"
    INVITATION = "invitation"
    SETUP_LINK = "setup_link"
    VIEWER_LINK = "viewer_link"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lives: after its last use, and in all."""

    idle: timedelta = timedelta(days=1)
    total: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, as far as it is known."""

    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session; either a user's or a viewer link's."""

    id: str
    user_id: str | None
    link_id: str | None
    method: str
    """A `Method`, or one that a newer Tower knows."""
    client: Client
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    def ends_at(self, lifetimes: Lifetimes) -> datetime:
        """Return when it ends if it is not used any more."""
        return min(self.expires_at, self.last_used_at + lifetimes.idle)

    def json(self, lifetimes: Lifetimes, current: str | None = None) -> dict[str, object]:
        """Return it as the API shows it; `current` is the id of the session that asks."""
        return {
            "id": self.id,
            "method": self.method,
            "address": self.client.address,
            "user_agent": self.client.user_agent,
            "created_at": timestamp(self.created_at),
            "last_used_at": timestamp(self.last_used_at),
            "ends_at": timestamp(self.ends_at(lifetimes)),
            "expires_at": timestamp(self.expires_at),
            "current": self.id == current,
        }


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that was just opened, and the secret of its cookie, which is nowhere kept."""

    session: Session
    principal: Principal
    secret: str

    def __repr__(self) -> str:
        return f"<OpenedSession {self.session.id} of {self.principal.name}>"
