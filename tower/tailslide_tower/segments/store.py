"""Segments in the database."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.naming import SegmentId
from tailslide_tower.apps.store import archived_apps
from tailslide_tower.database import metadata
from tailslide_tower.flags.store import alike, note_deleted
from tailslide_tower.requests import Page
from tailslide_tower.segments.segment import KeptSegment, ListedSegment, row_of, segment_of

_KEY = sa.Text(collation="C")

segments = sa.Table(
    "segments",
    metadata,
    sa.Column("app", _KEY, sa.ForeignKey("apps.key", ondelete="RESTRICT"), primary_key=True),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("include", JSONB, nullable=False),
    sa.Column("exclude", JSONB, nullable=False),
    sa.Column("when", JSONB, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

sa.Index("segments_app_lower_key_idx", segments.c.app, sa.func.lower(segments.c.key))

IS_ARCHIVED = segments.c.app.in_(archived_apps())
"""Whether the segment's app is archived, so that sidecars do not get it."""

deleted_segments = sa.Table(
    "deleted_segments",
    metadata,
    sa.Column("app", _KEY, primary_key=True),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)
"""The last versions of deleted segments; a new segment of the same key continues from there."""


class InvalidSegmentError(Exception):
    """A row that the core does not allow: someone else has written it, or an older Tailslide with other rules."""


def read_segment(row: sa.RowMapping) -> KeptSegment:
    """Return the segment of a row; raise `InvalidSegmentError`."""
    try:
        return segment_of(row)
    except ContractError as error:
        name = SegmentId(row["app"], row["key"])
        raise InvalidSegmentError(f"the segment {name} in the database is not valid: {error}") from error


class SegmentStore:
    """Reads and writes segments inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def page(self, app: str, page: Page) -> list[ListedSegment]:
        """Return the segments of a page of an app and, if there are more, one of them."""
        query = sa.select(
            *(segments.c[name] for name in ("app", "key", "version", "description")),
            *(sa.func.jsonb_array_length(segments.c[name]) for name in ("include", "exclude")),
            *(segments.c[name] for name in ("when", "created_at", "updated_at")),
        ).where(segments.c.app == app, segments.c.key > page.after)
        rows = await self._connection.execute(query.order_by(segments.c.key).limit(page.limit + 1))
        return [ListedSegment(*row) for row in rows]

    async def rows_after(self, after: SegmentId | None, limit: int) -> list[sa.RowMapping]:
        """Return the rows of up to `limit` segments of apps that are not archived, behind `after`, in order."""
        query = sa.select(segments).where(sa.not_(IS_ARCHIVED)).order_by(segments.c.app, segments.c.key).limit(limit)
        if after is not None:
            query = query.where(sa.tuple_(segments.c.app, segments.c.key) > sa.tuple_(after.app, after.segment))
        return list((await self._connection.execute(query)).mappings())

    async def rows_of(self, segment_ids: Collection[SegmentId]) -> list[sa.RowMapping]:
        """Return the rows of those segments that exist, with `is_archived`."""
        wanted = [(segment_id.app, segment_id.segment) for segment_id in segment_ids]
        query = sa.select(segments, IS_ARCHIVED.label("is_archived")).where(
            sa.tuple_(segments.c.app, segments.c.key).in_(wanted)
        )
        return list((await self._connection.execute(query)).mappings())

    async def known(self, app: str, keys: Collection[str]) -> frozenset[str]:
        """Return the keys that are segments of the app."""
        query = sa.select(segments.c.key).where(segments.c.app == app, segments.c.key.in_(keys))
        return frozenset((await self._connection.execute(query)).scalars())

    async def count(self, app: str) -> int:
        """Return how many segments an app has."""
        query = sa.select(sa.func.count()).select_from(segments).where(segments.c.app == app)
        return int(await self._connection.scalar(query) or 0)

    async def get(self, segment_id: SegmentId) -> KeptSegment | None:
        """Return a segment."""
        return await self._one(sa.select(segments).where(*_is(segments, segment_id)))

    async def lock(self, segment_id: SegmentId) -> KeptSegment | None:
        """Return a segment that nobody else changes before the end of the transaction."""
        return await self._one(sa.select(segments).where(*_is(segments, segment_id)).with_for_update())

    async def _one(self, query: sa.Select[Any]) -> KeptSegment | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else read_segment(row)

    async def add(self, kept: KeptSegment) -> bool:
        """Add a segment; False when its key is taken. Waits for a transaction that adds or deletes the same one."""
        statement = insert(segments).values(row_of(kept)).on_conflict_do_nothing().returning(segments.c.key)
        return await self._connection.scalar(statement) is not None

    async def update(self, kept: KeptSegment) -> None:
        """Write a segment that is there."""
        await self._connection.execute(sa.update(segments).where(*_is(segments, kept.segment_id)).values(row_of(kept)))

    async def delete(self, kept: KeptSegment) -> None:
        """Delete a segment and note its last version."""
        app, key = kept.segment_id
        await self._connection.execute(sa.delete(segments).where(*_is(segments, kept.segment_id)))
        last = {"version": kept.version}
        statement = insert(deleted_segments).values(app=app, key=key, **last)
        await self._connection.execute(
            statement.on_conflict_do_update(constraint=deleted_segments.primary_key, set_=last)
        )

    async def rows_in(self, app: str) -> list[sa.RowMapping]:
        """Return the rows of an app's segments."""
        query = sa.select(segments).where(segments.c.app == app)
        return list((await self._connection.execute(query)).mappings())

    async def keys(self, app: str) -> list[str]:
        """Return the keys of an app's segments."""
        query = sa.select(segments.c.key).where(segments.c.app == app).order_by(segments.c.key)
        return list((await self._connection.execute(query)).scalars())

    async def alike(self, segment_id: SegmentId) -> list[str]:
        """Return the keys of other segments of the app that differ from a segment's only by case."""
        return (await alike(self._connection, segments, [segment_id])).get(segment_id, [])

    async def delete_all(self, app: str) -> list[str]:
        """Delete all segments of an app and note their last versions; return their keys."""
        names = ("app", "key", "version")
        gone = sa.delete(segments).where(segments.c.app == app).returning(*(segments.c[name] for name in names))
        return await note_deleted(self._connection, deleted_segments, gone.cte("gone"))

    async def last_of(self, segment_id: SegmentId) -> int | None:
        """Return the last version of a deleted segment of this name, if there ever was one."""
        return (await self.deleted_of([segment_id])).get(segment_id)

    async def deleted_of(self, segment_ids: Collection[SegmentId]) -> dict[SegmentId, int]:
        """Return the last version of each of these segments that was ever deleted."""
        query = sa.select(deleted_segments).where(
            sa.tuple_(deleted_segments.c.app, deleted_segments.c.key).in_([tuple(s) for s in segment_ids])
        )
        return {SegmentId(row.app, row.key): row.version for row in await self._connection.execute(query)}


def _is(table: sa.Table, segment_id: SegmentId) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.app == segment_id.app, table.c.key == segment_id.segment
