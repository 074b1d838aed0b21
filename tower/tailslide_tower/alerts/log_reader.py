"""The log, as far as alerts read it, in the transaction of a caller."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.alerts.occasions import Happening
from tailslide_tower.audit.entry import LogRow, SubjectKind
from tailslide_tower.audit.sentences import differences_of, sentence_of
from tailslide_tower.audit.store import log_entries, rows_of
from tailslide_tower.auth.principal import PrincipalKind

LOOKED_AT = 5
"""So many transitions are looked at for one that made a difference; hardly ever do two in a row make none."""
_OF_FLAGS: frozenset[str] = frozenset({SubjectKind.FLAG, SubjectKind.CIRCUIT})
_TURNED_ON = sa.and_(
    log_entries.c.kind == SubjectKind.FLAG,
    log_entries.c.before["active"].as_boolean().is_(False),
    log_entries.c.after["active"].as_boolean().is_(True),
)
_LIGHT = [
    sa.case(
        (log_entries.c.kind == SubjectKind.CIRCUIT, column),
        (log_entries.c.kind == SubjectKind.FLAG, sa.func.json_build_object("active", column["active"])),
        else_=sa.null(),
    ).label(column.name)
    if column.name in ("before", "after")
    else column
    for column in log_entries.c
]


class DatabaseLog:
    """Reads the log."""

    async def after(self, connection: AsyncConnection, entry: int, limit: int) -> Sequence[Happening]:
        """Return up to `limit` entries behind this one, in the order of their ids, which is that of their commits.

        Of what flags were and are only whether they were on, and of others nothing: the rest may be large, and decides
        nothing here.
        """
        query = sa.select(*_LIGHT).where(log_entries.c.id > entry).order_by(log_entries.c.id).limit(limit)
        return [_happening(row) for row in await _rows(connection, query)]

    async def get(self, connection: AsyncConnection, entry: int) -> Happening | None:
        """Return an entry with its sentence, unless it is no longer kept."""
        rows = await _rows(connection, sa.select(log_entries).where(log_entries.c.id == entry))
        return replace(_happening(rows[0]), sentence=sentence_of(rows[0], differences_of(rows[0]))) if rows else None

    async def later_transition(self, connection: AsyncConnection, happening: Happening) -> Happening | None:
        """Return the newest transition of the same circuit since then that made a difference to users."""
        query = self._of_same_flag(happening, SubjectKind.CIRCUIT).where(
            log_entries.c.id > happening.entry,
            log_entries.c.actor_kind == PrincipalKind.SYSTEM,
        )
        rows = await _rows(connection, query.limit(LOOKED_AT))
        return next((later for later in map(_happening, rows) if later.moved_users), None)

    async def deed_before(self, connection: AsyncConnection, happening: Happening) -> Happening | None:
        """Return what a person did last before a reset, of what resets a circuit."""
        query = self._of_same_flag(happening, *_OF_FLAGS).where(
            log_entries.c.id < happening.entry,
            sa.or_(log_entries.c.action == "circuit.reset", _TURNED_ON),
            log_entries.c.actor_kind != PrincipalKind.SYSTEM,
        )
        rows = await _rows(connection, query.limit(1))
        return _happening(rows[0]) if rows else None

    @staticmethod
    def _of_same_flag(happening: Happening, *kinds: str) -> "sa.Select[Any]":
        return (
            sa.select(log_entries)
            .where(
                log_entries.c.app == happening.app,
                log_entries.c.kind.in_(kinds),
                log_entries.c.key == happening.flag,
            )
            .order_by(log_entries.c.id.desc())
        )


async def _rows(connection: AsyncConnection, query: "sa.Select[Any]") -> list[LogRow]:
    return rows_of((await connection.execute(query)).mappings().all())


def _happening(row: LogRow) -> Happening:
    return Happening(
        entry=row.id,
        at=row.at,
        action=row.action,
        app=row.subject.app,
        flag=row.subject.key if row.subject.kind in _OF_FLAGS else None,
        author=None if row.actor_kind == PrincipalKind.SYSTEM else row.actor,
        reason=row.reason,
        before=row.before,
        after=row.after,
        details=row.details,
    )
