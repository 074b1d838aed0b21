"""Apps in the database."""

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.apps.models import App, AppQuery
from tailslide_tower.database import metadata
from tailslide_tower.requests import Page

apps = sa.Table(
    "apps",
    metadata,
    sa.Column("key", sa.Text(collation="C"), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=True),
    sa.Column("environment", sa.Text, nullable=True),
    # Not JSONB, which loses the order of names and may change how a number is written.
    sa.Column("defaults", sa.JSON, nullable=False),
    sa.Column("requires_reason", sa.Boolean, nullable=False),
    sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)


def archived_apps() -> sa.Select[tuple[str]]:
    """Return what finds the keys of archived apps."""
    return sa.select(apps.c.key).where(apps.c.archived_at.is_not(None))


def _app(row: sa.Row[Any]) -> App:
    return App(**{field.name: getattr(row, field.name) for field in fields(App)})


class AppStore:
    """Reads and writes apps inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, page: Page, filters: AppQuery, visible: Collection[str] | None = None) -> list[App]:
        """Return the apps of a page and, if there are more, one of them; None for `visible` stands for all."""
        query = sa.select(apps).where(apps.c.key > page.after).order_by(apps.c.key).limit(page.limit + 1)
        if visible is not None:
            query = query.where(apps.c.key.in_(visible))
        if filters.archived != "all":
            is_archived = apps.c.archived_at.is_not(None)
            query = query.where(is_archived if filters.archived == "true" else sa.not_(is_archived))
        if filters.q:
            searched = sa.func.concat_ws("\n", apps.c.key, apps.c.name, apps.c.service, apps.c.environment)
            query = query.where(sa.func.strpos(sa.func.lower(searched), sa.func.lower(filters.q)) > 0)
        return [_app(row) for row in await self._connection.execute(query)]

    async def get(self, key: str) -> App | None:
        """Return an app."""
        return await self._one(sa.select(apps).where(apps.c.key == key))

    async def archived_since(self, keys: Collection[str]) -> dict[str, int]:
        """Return those of these apps that are archived, each with since when, Unix milliseconds."""
        query = sa.select(apps.c.key, apps.c.archived_at).where(apps.c.key.in_(keys), apps.c.archived_at.is_not(None))
        return {row.key: round(row.archived_at.timestamp() * 1000) for row in await self._connection.execute(query)}

    async def lock(self, key: str) -> App | None:
        """Return an app that stays as it is, and without new flags and segments, until the end of the transaction."""
        return await self._one(sa.select(apps).where(apps.c.key == key).with_for_update())

    async def keep(self, key: str) -> App | None:
        """Return an app that is neither changed nor deleted before the end of the transaction."""
        return await self._one(sa.select(apps).where(apps.c.key == key).with_for_update(read=True, key_share=True))

    async def arrange(self, key: str) -> App | None:
        """Return an app after locking how its flags refer to each other and to its segments.

        Until the end of the transaction nobody else changes that, nor deletes the app. Taken before a flag is locked.
        """
        # Not for the key: transactions that add flags meanwhile hold that.
        return await self._one(sa.select(apps).where(apps.c.key == key).with_for_update(key_share=True))

    async def _one(self, query: sa.Select[Any]) -> App | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else _app(row)

    async def add(self, app: App) -> bool:
        """Add an app; False when its key is taken."""
        statement = insert(apps).values(asdict(app)).on_conflict_do_nothing().returning(apps.c.key)
        return await self._connection.scalar(statement) is not None

    async def update(self, app: App) -> None:
        """Write an app that is there."""
        await self._connection.execute(sa.update(apps).where(apps.c.key == app.key).values(asdict(app)))

    async def delete(self, key: str) -> None:
        """Delete an app, which has neither flags nor segments any more."""
        await self._connection.execute(sa.delete(apps).where(apps.c.key == key))
