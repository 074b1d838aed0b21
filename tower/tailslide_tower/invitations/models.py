"""What people say of invitations, and what they get to see."""

from typing import Annotated

from pydantic import BaseModel, Field

from tailslide_tower.auth.models import AppRoles, DisplayName, EmailText, PasswordText, RoleName, SecretText
from tailslide_tower.requests import RequestBody

DEFAULT_LIFE_S = 7 * 86_400
MAX_LIFE_S = 30 * 86_400

InvitationLife = Annotated[
    int, Field(ge=60, le=MAX_LIFE_S, description="How many seconds the link may be used.", examples=[DEFAULT_LIFE_S])
]


class InvitationCreate(RequestBody):
    """An invitation, with what the new user is to be allowed."""

    email: EmailText
    role: RoleName | None = None
    apps: AppRoles = Field(default_factory=dict)
    expires_in_s: InvitationLife = DEFAULT_LIFE_S


class ResetLinkCreate(RequestBody):
    """A link by which a user sets a new password."""

    expires_in_s: InvitationLife = 86_400


class InvitationAccept(RequestBody):
    """What the one who was invited says: the secret is what follows `#` in the link."""

    secret: SecretText
    name: DisplayName | None = None
    password: PasswordText


class InvitationOut(BaseModel):
    """An invitation that was not accepted yet."""

    id: str
    email: str
    user: str | None = Field(description="The user that gets a new password by it; null for one who gets an account.")
    role: str | None
    apps: dict[str, str]
    made_by: str
    created_at: str
    expires_at: str


class NewInvitationOut(InvitationOut):
    """An invitation with its link, which is shown this once."""

    url: str


class InvitationList(BaseModel):
    """A page of invitations. `next` is where to go on (`after`), null at the end."""

    invitations: list[InvitationOut]
    next: str | None
