"""The log, as far as alerts read it, in the transaction of a caller."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.alerts.occasions import Happening
from tailslide_tower.audit.entry import SubjectKind
from tailslide_tower.audit.store import log_entries
from tailslide_tower.auth.principal import PrincipalKind

LOOKED_AT = 5
"""So many transitions are looked at for one that made a difference; hardly ever do two in a row make none."""
_OF_FLAGS = frozenset({SubjectKind.FLAG, SubjectKind.CIRCUIT})
_RESETTING = ("circuit.reset", "flag.toggled")


class DatabaseLog:
    """Reads the log."""

    async def after(self, connection: AsyncConnection, entry: int, limit: int) -> Sequence[Happening]:
        """Return up to `limit` entries behind this one, in the order of their ids, which is that of their commits."""
        query = sa.select(log_entries).where(log_entries.c.id > entry).order_by(log_entries.c.id).limit(limit)
        return [_happening(row) for row in (await connection.execute(query)).mappings()]

    async def get(self, connection: AsyncConnection, entry: int) -> Happening | None:
        """Return an entry, unless it is no longer kept."""
        return await self._first(connection, sa.select(log_entries).where(log_entries.c.id == entry))

    async def later_transition(self, connection: AsyncConnection, happening: Happening) -> Happening | None:
        """Return the newest transition of the same circuit since then that made a difference to users."""
        query = self._of_same_flag(happening, SubjectKind.CIRCUIT).where(
            log_entries.c.id > happening.entry,
            log_entries.c.actor_kind == PrincipalKind.SYSTEM,
        )
        rows = (await connection.execute(query.limit(LOOKED_AT))).mappings()
        return next((later for later in map(_happening, rows) if later.moved_users), None)

    async def deed_before(self, connection: AsyncConnection, happening: Happening) -> Happening | None:
        """Return what a person did last before a reset, of what resets a circuit."""
        return await self._first(
            connection,
            self._of_same_flag(happening, *_OF_FLAGS).where(
                log_entries.c.id < happening.entry,
                log_entries.c.action.in_(_RESETTING),
                log_entries.c.actor_kind != PrincipalKind.SYSTEM,
            ),
        )

    @staticmethod
    def _of_same_flag(happening: Happening, *kinds: SubjectKind) -> "sa.Select[tuple[object, ...]]":
        return (
            sa.select(log_entries)
            .where(
                log_entries.c.app == happening.app,
                log_entries.c.kind.in_(kinds),
                log_entries.c.key == happening.flag,
            )
            .order_by(log_entries.c.id.desc())
            .limit(1)
        )

    @staticmethod
    async def _first(connection: AsyncConnection, query: "sa.Select[tuple[object, ...]]") -> Happening | None:
        row = (await connection.execute(query)).mappings().first()
        return None if row is None else _happening(row)


def _happening(row: sa.RowMapping) -> Happening:
    return Happening(
        entry=row["id"],
        at=row["at"],
        action=row["action"],
        app=row["app"],
        flag=row["key"] if row["kind"] in _OF_FLAGS else None,
        author=None if row["actor_kind"] == PrincipalKind.SYSTEM else row["actor"],
        reason=row["reason"],
        before=row["before"],
        after=row["after"],
        details=row["details"],
    )
