"""An API token: what a script, CI or the command line presents. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tailslide_tower.auth.principal import Principal, PrincipalKind
from tailslide_tower.auth.rights import Rights
from tailslide_tower.times import timestamp

DEFAULT_GRACE = timedelta(hours=1)
MAX_GRACE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Token:
    """A token. With an `owner` it never does more than that user may, and ends with it; without, it is everybody's."""

    id: str
    name: str
    owner: str | None
    owner_email: str | None
    owner_rights: Rights | None
    """What the owner may do now; None without an owner."""
    owner_disabled: bool
    made_by_name: str
    rights: Rights
    """What it was made for."""
    created_at: datetime
    expires_at: datetime | None = None
    rotated_at: datetime | None = None
    previous_until: datetime | None = None
    """Until when the secret before the last rotation counts."""
    last_used_at: datetime | None = None
    last_used_from: str | None = None
    has_old_secret: bool = False
    """Whether it was found by the secret before the last rotation."""

    @property
    def principal(self) -> Principal:
        """Return who presents it."""
        rights = self.rights if self.owner_rights is None else self.rights.narrowed(self.owner_rights)
        name = self.name if self.owner_email is None else f"{self.owner_email} (token {self.name})"
        kind, owner = PrincipalKind.TOKEN, self.owner
        return Principal(kind, self.id, name, rights.role, rights.apps, owner, has_old_secret=self.has_old_secret)

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired, or its owner is shut out."""
        return self.owner_disabled or (self.expires_at is not None and self.expires_at <= now)

    def json(self) -> dict[str, object]:
        """Return it as the API shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "owner": None if self.owner is None else {"id": self.owner, "email": self.owner_email},
            "made_by": self.made_by_name,
            **self.rights.json(),
            "created_at": timestamp(self.created_at),
            "expires_at": _moment(self.expires_at),
            "rotated_at": _moment(self.rotated_at),
            "previous_until": _moment(self.previous_until),
            "last_used_at": _moment(self.last_used_at),
            "last_used_from": self.last_used_from,
        }

    def logged(self) -> dict[str, object]:
        """Return it as the log keeps it: without what use changes."""
        return {name: value for name, value in self.json().items() if not name.startswith("last_used")}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
