"""What people say of viewer links, and what they get to see."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from tailslide_tower.auth.entry_links import MAX_PATH, is_page_path
from tailslide_tower.auth.models import DisplayName, SecretText
from tailslide_tower.requests import STORABLE, RequestBody

MAX_LIFE_S = 30 * 86_400


def _page(path: str) -> str:
    if not is_page_path(path):
        raise ValueError("expected the path of a page of the dashboard, like /apps/checkout/flags/new-checkout")
    return path


PagePath = Annotated[str, Field(max_length=MAX_PATH), STORABLE, AfterValidator(_page)]


class LinkCreate(RequestBody):
    """A viewer link."""

    name: DisplayName
    app: Annotated[str | None, Field(description="The only app that is seen; null for all.")] = None
    expires_in_s: Annotated[int, Field(ge=60, le=MAX_LIFE_S, description="How many seconds the link may be used.")] = (
        86_400
    )
    session_s: Annotated[
        int, Field(ge=60, le=MAX_LIFE_S, description="How many seconds the session lives that it opens.")
    ] = 8 * 3_600
    path: Annotated[
        PagePath | None, Field(description="The page of the dashboard that it opens; null for the first.")
    ] = None


class LinkUse(RequestBody):
    """The secret of a link: what follows `#` in it."""

    secret: SecretText


class LinkOut(BaseModel):
    """A viewer link: never its secret."""

    id: str
    name: str
    app: str | None
    session_s: int
    made_by: str
    created_at: str
    expires_at: str
    used_at: str | None
    used_from: str | None = Field(description="The address that it was used from.")


class NewLinkOut(LinkOut):
    """A viewer link with its URL, which is shown this once."""

    url: str


class LinkList(BaseModel):
    """A page of viewer links. `next` is where to go on (`after`), null at the end."""

    links: list[LinkOut]
    next: str | None
