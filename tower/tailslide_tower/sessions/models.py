"""What people say when they log in, and what they get to see of their sessions."""

from typing import Annotated

from pydantic import BaseModel, Field

from tailslide_runtime.settings import Closed
from tailslide_tower.auth.models import DisplayName, EmailText, PasswordText
from tailslide_tower.requests import RequestBody


class LogIn(RequestBody):
    """A log-in with a password."""

    email: EmailText
    password: PasswordText


class PasswordChange(RequestBody):
    """A new password; the present one is needed where there is one."""

    current_password: PasswordText | None = None
    new_password: PasswordText


class AccountChange(RequestBody):
    """A change of one's own account: what is missing stays."""

    name: DisplayName = ""


class EndSessionsQuery(Closed):
    """Which of one's own sessions are ended."""

    keep_this: Annotated[bool, Field(description="Whether the session that asks goes on.")] = False


class PrincipalOut(BaseModel):
    """Who asks, and what they may do."""

    kind: str
    id: str
    name: str
    role: str | None = Field(description="The role over all apps.")
    apps: dict[str, str] = Field(description="Roles in single apps; they add to the role over all.")


class SessionSummary(BaseModel):
    """A session."""

    id: str
    method: str
    address: str
    user_agent: str
    created_at: str
    last_used_at: str = Field(description="To the minute.")
    ends_at: str = Field(description="When it ends unless it is used.")
    expires_at: str = Field(description="When it ends in any case.")
    current: bool = Field(description="Whether it is the session that asks.")


class OidcOut(BaseModel):
    """The provider that people may log in at."""

    name: str
    url: str


class WaysIn(BaseModel):
    """How one may log in."""

    password: bool
    oidc: OidcOut | None


class SessionOut(BaseModel):
    """Who asks. Nobody does where `principal` is null."""

    principal: PrincipalOut | None
    session: SessionSummary | None = Field(description="Null where an API token asks.")
    csrf_token: str | None = Field(description="What X-CSRF-Token has to have in changes with this session.")
    log_in: WaysIn


class SessionList(BaseModel):
    """One's own sessions, the one used last first."""

    sessions: list[SessionSummary]
