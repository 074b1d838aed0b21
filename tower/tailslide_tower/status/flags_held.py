"""Which flags may need attention, out of the database: those with such circuits, and those that a person holds off."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.naming import FlagId
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.store import IS_FORCED_OPEN, flags, readable

MAX_SHOWN = 1_000


async def flags_to_look_at(
    connection: AsyncConnection, with_circuits: Collection[FlagId], apps: Collection[str] | None
) -> list[Flag]:
    """Return the flags of `apps` (None: of all) that are on, and have one of these circuits or are forced open."""
    held = sa.select(flags.c.app, flags.c.key).where(IS_FORCED_OPEN)
    wanted = held.subquery("wanted")
    if with_circuits:
        # Two arrays, and not a condition for each: of a thousand, every flag would be held against all.
        arrays = (sa.literal([name[part] for name in with_circuits], ARRAY(sa.Text)) for part in range(2))
        named = sa.func.unnest(*arrays).table_valued("app", "key").render_derived()
        moved = sa.select(*(sa.collate(sa.cast(column, sa.Text), "C") for column in named.c))
        wanted = held.union(moved).subquery("wanted")
    query = (
        sa.select(flags)
        .join(wanted, sa.and_(flags.c.app == wanted.c.app, flags.c.key == wanted.c.key))
        .where(flags.c.active, flags.c.archived_at.is_(None))
    )
    if apps is not None:
        query = query.where(flags.c.app.in_(apps))
    rows = (await connection.execute(query.order_by(flags.c.app, flags.c.key).limit(MAX_SHOWN))).mappings()
    return readable(rows)
