"""An invitation: a link by which one person gets an account, or a new password, once. Pure."""

from dataclasses import dataclass
from datetime import datetime

from tailslide_tower.auth.rights import Rights
from tailslide_tower.times import timestamp
from tailslide_tower.users.user import Email


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation. With a `user_id` it is for somebody who has an account: it sets a new password."""

    id: str
    email: Email
    user_id: str | None
    rights: Rights
    """What the new user may do; of no meaning with a `user_id`."""
    made_by: str | None
    made_by_name: str
    created_at: datetime
    expires_at: datetime

    def json(self) -> dict[str, object]:
        """Return it as the API and the log show it."""
        return {
            "id": self.id,
            "email": self.email.text,
            "user": self.user_id,
            **self.rights.json(),
            "made_by": self.made_by_name,
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.expires_at),
        }
