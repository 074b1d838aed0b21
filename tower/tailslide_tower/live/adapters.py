"""What the live socket asks of the rest of Tower, answered from the database and from the feed of the log."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from tailslide_core.naming import FlagId
from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.feed import Feed, Gap, Subscription
from tailslide_tower.audit.store import LogStore, log_entries
from tailslide_tower.database import Database
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.lists import FlagQuery, Listing, listed
from tailslide_tower.flags.store import FlagStore, read_flag
from tailslide_tower.live.hub import Missed
from tailslide_tower.live.sources import Bounds, LiveEntry
from tailslide_tower.times import timestamp

Json = dict[str, Any]
Describe = Callable[[Sequence[Flag]], Awaitable[Sequence[Json]]]
"""Returns the states of flags, in their order."""


def live_entry(row: LogRow) -> LiveEntry:
    """Return an entry as the live socket has it: without the subject before and after, which may be large."""
    subject = row.subject
    return LiveEntry(
        row.id,
        subject.kind,
        subject.app,
        subject.key,
        row.action,
        {
            "id": row.id,
            "at": timestamp(row.at),
            "action": row.action,
            "kind": subject.kind,
            "app": subject.app,
            "key": subject.key,
            "version": row.version,
            "actor": {"kind": row.actor_kind, "name": row.actor},
            "reason": row.reason,
            "details": row.details,
        },
    )


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
            flags = [read_flag(row) for row in await FlagStore(connection).rows_of(flag_ids)]
            alike = await FlagStore(connection).alike([flag.flag_id for flag in flags])
        return dict(await self._shown(flags, alike))

    async def page(
        self, apps: Collection[str] | None, after: FlagId | None, limit: int
    ) -> Sequence[tuple[FlagId, Json]]:
        """Return the next flags of these apps."""
        async with self._database.begin() as connection:
            flags = (await listed(connection, Listing(FlagQuery(limit=limit), apps, after)))[:limit]
            alike = await FlagStore(connection).alike([flag.flag_id for flag in flags])
        return await self._shown(flags, alike)

    async def _shown(self, flags: Sequence[Flag], alike: Mapping[FlagId, list[str]]) -> list[tuple[FlagId, Json]]:
        shown = [(flag.flag_id, flag.json(alike.get(flag.flag_id, ()))) for flag in flags]
        for (_, fields), state in zip(shown, await self._describe(flags), strict=True):
            fields["state"] = state
        return shown
