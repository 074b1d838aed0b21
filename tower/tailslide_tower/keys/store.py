"""SDK keys in the database, by their hashes. Revoked ones stay, so that no bucket can bring them back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.sdk_keys import SdkKeyRecord
from tailslide_tower.database import metadata
from tailslide_tower.keys.models import KeptKey
from tailslide_tower.requests import Page

_KEY = sa.Text(collation="C")

sdk_keys = sa.Table(
    "sdk_keys",
    metadata,
    sa.Column("app", _KEY, sa.ForeignKey("apps.key", ondelete="CASCADE"), primary_key=True),
    sa.Column("id", _KEY, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
)


@dataclass(frozen=True, slots=True)
class AllKeys:
    """Every key of a database: the good ones, and the names (`<app>.<id>`) of those that were revoked."""

    good: tuple[SdkKeyRecord, ...]
    revoked: frozenset[str]


class KeyStore:
    """Reads and writes keys inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, app: str, page: Page) -> list[KeptKey]:
        """Return the good keys of a page, in the order of their ids, and, if there are more, one of them."""
        query = sa.select(sdk_keys).where(
            sdk_keys.c.app == app, sdk_keys.c.id > page.after, sdk_keys.c.revoked_at.is_(None)
        )
        rows = await self._connection.execute(query.order_by(sdk_keys.c.id).limit(page.limit + 1))
        return [_kept(row) for row in rows]

    async def count(self, app: str) -> int:
        """Return how many good keys an app has."""
        query = sa.select(sa.func.count()).where(sdk_keys.c.app == app, sdk_keys.c.revoked_at.is_(None))
        return int((await self._connection.execute(query)).scalar_one())

    async def add(self, key: KeptKey) -> bool:
        """Add a key to an app that is there; False when the app has one with this id."""
        values = {
            "app": key.record.app,
            "id": key.record.key_id,
            "hash": key.record.hash,
            "name": key.name,
            "created_at": key.created_at,
            "created_by": key.created_by,
        }
        statement = insert(sdk_keys).values(values).on_conflict_do_nothing().returning(sdk_keys.c.id)
        return await self._connection.scalar(statement) is not None

    async def revoke(self, app: str, key_id: str, now: datetime) -> KeptKey | None:
        """Revoke a good key and return it; None when there is none."""
        statement = (
            sa.update(sdk_keys)
            .where(sdk_keys.c.app == app, sdk_keys.c.id == key_id, sdk_keys.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(sdk_keys)
        )
        row = (await self._connection.execute(statement)).first()
        return None if row is None else _kept(row)

    async def all(self) -> AllKeys:
        """Return all keys of all apps."""
        rows: Iterable[sa.Row[Any]] = (await self._connection.execute(sa.select(sdk_keys))).all()
        good = tuple(_kept(row).record for row in rows if row.revoked_at is None)
        return AllKeys(good, frozenset(_kept(row).record.name for row in rows if row.revoked_at is not None))


def _kept(row: sa.Row[Any]) -> KeptKey:
    return KeptKey(SdkKeyRecord(row.app, row.id, row.hash), row.name, row.created_at, row.created_by)
