"""What the live socket asks of the rest of Tower, answered from the database and from the feed of the log."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.naming import FlagId
from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.feed import Feed, Gap, Subscription
from tailslide_tower.audit.shown import entry_json
from tailslide_tower.audit.store import LogStore, log_entries
from tailslide_tower.auth.principal import SYSTEM
from tailslide_tower.database import Database
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.store import FlagStore, flags, readable
from tailslide_tower.live.hub import Missed
from tailslide_tower.live.sources import Bounds, LiveEntry

log = structlog.get_logger()

Json = dict[str, Any]
Describe = Callable[[Sequence[Flag]], Awaitable[Sequence[Json]]]
"""Returns the states of flags, in their order."""


def live_entry(row: LogRow) -> LiveEntry:
    """Return an entry as the live socket has it: one for all clients, so without what only some may see (addresses)."""
    subject = row.subject
    try:
        shown = entry_json(row, SYSTEM, full=False)
    except Exception:  # whatever is in it, the entries behind it go on
        log.exception("live_entry_unreadable", entry=row.id)
        shown = {"id": row.id, "action": row.action}
    return LiveEntry(row.id, subject.kind, subject.app, subject.key, row.action, shown)


class DatabaseLogReader:
    """The log in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = LogStore(database)

    async def after(self, entry_id: int, limit: int) -> Sequence[LiveEntry]:
        """Return the entries behind an id."""
        return [live_entry(row) for row in await self._store.after(entry_id, limit)]

    async def bounds(self) -> Bounds:
        """Return the oldest and the newest id."""
        query = sa.select(sa.func.min(log_entries.c.id), sa.func.max(log_entries.c.id))
        async with self._database.begin() as connection:
            oldest, newest = (await connection.execute(query)).one()
        return Bounds(oldest or 0, newest or 0)


class FeedFollowing:
    """The feed's subscription, in the hub's terms."""

    def __init__(self, subscription: Subscription) -> None:
        self.start = subscription.start
        self._subscription = subscription

    async def __aiter__(self) -> AsyncIterator[LiveEntry | Missed]:
        """Return what the feed hands over."""
        async for item in self._subscription:
            yield Missed(item.until) if isinstance(item, Gap) else live_entry(item)


@asynccontextmanager
async def following(feed: Feed) -> AsyncIterator[FeedFollowing]:
    """Follow the log until the end of the block."""
    async with feed.subscribe() as subscription:
        yield FeedFollowing(subscription)


class DatabaseFlagViews:
    """Flags as the API shows them: what the database has, with their states."""

    def __init__(self, database: Database, describe: Describe) -> None:
        self._database = database
        self._describe = describe

    async def some(self, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Json]:
        """Return those that exist."""
        async with self._database.begin() as connection:
            read = await _read(connection, await FlagStore(connection).rows_of(flag_ids))
        return dict(await self._with_states(read))

    async def page(
        self, apps: Collection[str] | None, after: FlagId | None, limit: int
    ) -> Sequence[tuple[FlagId, Json]]:
        """Return the next flags of these apps."""
        query = sa.select(flags).order_by(flags.c.app, flags.c.key).limit(limit)
        if apps is not None:
            query = query.where(flags.c.app.in_(sorted(apps)))
        if after is not None:
            query = query.where(sa.tuple_(flags.c.app, flags.c.key) > sa.tuple_(after.app, after.flag))
        async with self._database.begin() as connection:
            read = await _read(connection, (await connection.execute(query)).mappings().all())
        return await self._with_states(read)

    async def _with_states(self, read: Sequence[tuple[Flag, Json]]) -> list[tuple[FlagId, Json]]:
        """Add the states: outside of the transaction, since describing them asks the database, and Redis."""
        states = await self._describe([flag for flag, _ in read])
        return [(flag.flag_id, fields | {"state": state}) for (flag, fields), state in zip(read, states, strict=True)]


async def _read(connection: AsyncConnection, rows: Sequence[sa.RowMapping]) -> list[tuple[Flag, Json]]:
    """Return the flags of rows, each with its fields as the API shows them."""
    read = readable(rows)
    alike = await FlagStore(connection).alike([flag.flag_id for flag in read])
    return [(flag, flag.json(alike.get(flag.flag_id, ()))) for flag in read]
