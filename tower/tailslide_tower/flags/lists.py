"""Lists of flags: what can be asked for, and how it is found. One app's flags, or those of all apps, in order.

There is no full-text index: a search looks at one column of each flag that the other filters leave, which takes a few
milliseconds for ten thousand flags.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import AfterValidator, Field
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, check_app_key
from tailslide_tower.apps.store import archived_apps
from tailslide_tower.flags.about import MAX_OWNER, MAX_TAG, MAX_TAGS, tags_of
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.store import flags, readable
from tailslide_tower.requests import STORABLE, PageQuery

MAX_SEARCH = 200

Archived = Literal["false", "true", "all"]


def _tags(text: str) -> str:
    return ",".join(tags_of(part for part in text.split(",") if part.strip()))


class FlagQuery(PageQuery):
    """Which of an app's flags are asked for; filters add up."""

    q: Annotated[
        str, Field(max_length=MAX_SEARCH, description="A text in the key, name, description or a tag."), STORABLE
    ] = ""
    tag: Annotated[
        str,
        Field(max_length=MAX_TAGS * (MAX_TAG + 1), description="Tags with commas between them; all have to be there."),
        STORABLE,
        AfterValidator(_tags),
    ] = ""
    owner: Annotated[str, Field(max_length=MAX_OWNER, description="The owner, in any case."), STORABLE] = ""
    active: Annotated[bool | None, Field(description="Whether the flag is on.")] = None
    archived: Annotated[Archived, Field(description="Whether the flag, or its app, is archived.")] = "false"


class AllFlagsQuery(FlagQuery):
    """Which flags are asked for, of all apps that the one who asks may see."""

    app: Annotated[str, Field(description="Keys of apps with commas between them; without, all.")] = ""

    @property
    def after_flag(self) -> FlagId | None:
        """Return behind which flag the page begins; raise `ContractError`."""
        if not self.after:
            return None
        try:
            return FlagId.parse(self.after)
        except ContractError:
            raise ContractError("after", "expected the `next` of the previous page, <app>.<flag>") from None

    @property
    def apps(self) -> frozenset[str] | None:
        """Return the apps that are asked for; None stands for all."""
        return frozenset(check_app_key("app", app.strip()) for app in self.app.split(",")) if self.app else None


@dataclass(frozen=True, slots=True)
class Listing:
    """Which flags a page has: at most `limit` of these apps (None: of all), those behind `after`, as filtered."""

    filters: FlagQuery
    apps: Collection[str] | None
    after: FlagId | None
    with_archived_apps: bool = False
    """Whether the flags of archived apps count as what they are themselves; else they count as archived."""

    def statement(self) -> sa.Select[tuple[object, ...]]:
        """Return what finds the flags of the page and, if there are more, one of them."""
        query = sa.select(flags).order_by(flags.c.app, flags.c.key).limit(self.filters.limit + 1)
        if self.apps is not None:
            apps = sorted(self.apps)
            query = query.where(flags.c.app == apps[0] if len(apps) == 1 else flags.c.app.in_(apps))
        if self.after is not None:
            query = query.where(sa.tuple_(flags.c.app, flags.c.key) > sa.tuple_(*self.after))
        filters = self.filters
        if filters.q:
            query = query.where(sa.func.strpos(flags.c.search, filters.q.lower()) > 0)
        if filters.tag:
            query = query.where(flags.c.tags.contains(sa.literal(filters.tag.split(","), JSONB)))
        if filters.owner:
            query = query.where(sa.func.lower(flags.c.owner) == sa.func.lower(filters.owner.strip()))
        if filters.active is not None:
            query = query.where(flags.c.active == filters.active)
        if filters.archived != "all":
            is_archived: sa.ColumnElement[bool] = flags.c.archived_at.is_not(None)
            if not self.with_archived_apps:
                is_archived = sa.or_(is_archived, flags.c.app.in_(archived_apps()))
            query = query.where(is_archived if filters.archived == "true" else sa.not_(is_archived))
        return query


async def listed(connection: AsyncConnection, listing: Listing) -> list[Flag]:
    """Return the flags of a page and, if there are more, one of them; without those that cannot be read."""
    if listing.apps is not None and not listing.apps:
        return []
    wanted, found = listing.filters.limit + 1, list[Flag]()
    while True:
        rows = (await connection.execute(listing.statement())).mappings().all()
        found += readable(rows)
        if len(rows) < wanted or len(found) >= wanted:
            return found[:wanted]
        listing = replace(listing, after=FlagId(rows[-1]["app"], rows[-1]["key"]))
