"""Who turned flags off, forced their circuits open, or archived them: read from the log."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.naming import FlagId
from tailslide_core.sentences.facts import Deed
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.store import log_entries

_LOOKED_THROUGH = 20
"""So many of a flag's last entries are looked through. What was done longer ago is told without a name."""


async def last_turned_off(connection: AsyncConnection, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Deed]:
    """Return who last turned each of these flags off, or made it turned off, as far as the log tells."""
    return await _last(connection, flag_ids, ("active",), "false")


async def last_forced_open(connection: AsyncConnection, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Deed]:
    """Return who last forced the circuit of each of these flags open."""
    return await _last(connection, flag_ids, ("circuit", "forced_open"), "true")


async def last_archived(connection: AsyncConnection, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Deed]:
    """Return who last archived each of these flags."""
    return await _last(connection, flag_ids, ("archived_at",), None)


async def _last(
    connection: AsyncConnection, flag_ids: Collection[FlagId], path: tuple[str, ...], value: str | None
) -> Mapping[FlagId, Deed]:
    """Return the last entries by which the field at `path` became `value`, None being any but null."""
    if not flag_ids:
        return {}
    asked = sa.values(sa.column("app", sa.Text), sa.column("key", sa.Text), name="asked").data(
        [(flag_id.app, flag_id.flag) for flag_id in flag_ids]
    )

    def is_so(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        field: sa.ColumnElement[Any] = column[path].as_string()
        return field.is_not(None) if value is None else field.is_not_distinct_from(value)

    recent = (
        sa.select(log_entries)
        .where(
            log_entries.c.app == asked.c.app,
            log_entries.c.kind == SubjectKind.FLAG,
            log_entries.c.key == asked.c.key,
        )
        .order_by(log_entries.c.id.desc())
        .limit(_LOOKED_THROUGH)
        .correlate(asked)
        .subquery("recent")
    )
    last = (
        sa.select(recent.c.at, recent.c.actor, recent.c.reason, recent.c.before.is_(None).label("created"))
        .where(is_so(recent.c.after), sa.or_(recent.c.before.is_(None), sa.not_(is_so(recent.c.before))))
        .order_by(recent.c.id.desc())
        .limit(1)
        .lateral("last")
    )
    query = sa.select(asked.c.app, asked.c.key, last).select_from(asked.join(last, sa.true()))
    return {
        FlagId(row["app"], row["key"]): Deed(
            round(row["at"].timestamp() * 1000), row["actor"], row["reason"], row["created"]
        )
        for row in (await connection.execute(query)).mappings()
    }
