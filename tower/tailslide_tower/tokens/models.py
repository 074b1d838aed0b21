"""What people say of API tokens, and what they get to see."""

from typing import Annotated

from pydantic import BaseModel, Field

from tailslide_tower.auth.models import AppRoles, DisplayName, RoleName
from tailslide_tower.requests import PageQuery, RequestBody
from tailslide_tower.tokens.token import DEFAULT_GRACE, MAX_GRACE

MAX_LIFE_S = 10 * 366 * 86_400

LifeS = Annotated[int, Field(ge=60, le=MAX_LIFE_S, description="How many seconds it lives; null for no end.")]


class TokenCreate(RequestBody):
    """A new token. Without roles it has those of whoever makes it."""

    name: DisplayName
    role: RoleName | None = None
    apps: AppRoles = Field(default_factory=dict)
    expires_in_s: LifeS | None = None
    shared: Annotated[
        bool, Field(description="Whether it is nobody's own, and so outlives who makes it. For admins over all apps.")
    ] = False


class TokenRotate(RequestBody):
    """How a token is rotated."""

    grace_s: Annotated[
        int,
        Field(
            ge=0,
            le=int(MAX_GRACE.total_seconds()),
            description="How many seconds the secret that it has until now still counts.",
        ),
    ] = int(DEFAULT_GRACE.total_seconds())
    expires_in_s: Annotated[
        LifeS | None, Field(description="Another life from now on, in seconds. Not for a token that rotates itself.")
    ] = None


class TokenQuery(PageQuery):
    """Which tokens are asked for."""

    mine: Annotated[bool, Field(description="Only one's own; others are listed for admins.")] = False


class TokenOwner(BaseModel):
    """The user that a token belongs to."""

    id: str
    email: str | None


class TokenOut(BaseModel):
    """A token, as it is shown: never its secret."""

    id: str
    name: str
    owner: TokenOwner | None
    made_by: str
    role: str | None
    apps: dict[str, str]
    created_at: str
    expires_at: str | None
    rotated_at: str | None
    previous_until: str | None = Field(description="Until when the secret before the last rotation still counts.")
    last_used_at: str | None = Field(description="To the minute.")
    last_used_from: str | None


class NewTokenOut(TokenOut):
    """A token with its secret, which is shown this once."""

    token: str


class TokenList(BaseModel):
    """A page of tokens. `next` is where to go on (`after`), null at the end."""

    tokens: list[TokenOut]
    next: str | None
