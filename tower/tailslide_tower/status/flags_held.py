"""Which flags may need attention, out of the database: those with such circuits, and those that a person holds off."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.naming import FlagId
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.store import flags, readable

MAX_SHOWN = 1_000


async def flags_to_look_at(
    connection: AsyncConnection, with_circuits: Collection[FlagId], apps: Collection[str] | None
) -> list[Flag]:
    """Return the flags of `apps` (None: of all) that are on, and have one of these circuits or are forced open."""
    names = [(flag_id.app, flag_id.flag) for flag_id in with_circuits]
    forced = flags.c.circuit["forced_open"].as_boolean()
    wanted = sa.or_(forced, sa.tuple_(flags.c.app, flags.c.key).in_(names)) if names else forced
    query = sa.select(flags).where(flags.c.active, flags.c.archived_at.is_(None), wanted)
    if apps is not None:
        query = query.where(flags.c.app.in_(apps))
    rows = (await connection.execute(query.order_by(flags.c.app, flags.c.key).limit(MAX_SHOWN))).mappings()
    return readable(rows)
