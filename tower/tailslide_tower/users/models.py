"""What people say of users, and what they get to see."""

from typing import Annotated

from pydantic import BaseModel, Field

from tailslide_tower.auth.models import AppRoles, DisplayName, RoleName
from tailslide_tower.requests import RequestBody
from tailslide_tower.times import timestamp
from tailslide_tower.users.user import User


class UserChange(RequestBody):
    """A change of a user: what is missing stays. `role` null is no role over all apps; `apps` replaces all of them."""

    name: DisplayName = ""
    role: RoleName | None = None
    apps: AppRoles = Field(default_factory=dict)
    disabled: bool = False


class UserOut(BaseModel):
    """A user, as admins and the user see it."""

    id: str
    email: str
    name: str
    role: str | None
    apps: dict[str, str]
    disabled: bool
    has_password: bool
    oidc: Annotated[bool, Field(description="Whether the user has logged in through the provider.")]
    version: int
    created_at: str
    updated_at: str
    last_login_at: str | None


class UserList(BaseModel):
    """A page of users. `next` is where to go on (`after`), null at the end."""

    users: list[UserOut]
    next: str | None


def user_json(user: User) -> dict[str, object]:
    """Return a user as the API shows it."""
    return {
        "id": user.id,
        **user.logged(),
        "version": user.version,
        "created_at": timestamp(user.created_at),
        "updated_at": timestamp(user.updated_at),
        "last_login_at": None if user.last_login_at is None else timestamp(user.last_login_at),
    }
