"""What notices are about, in the database, so that several Towers write each of them once.

`notice_conditions` says of each condition when any Tower last found it fine, and since when it is known to be broken.
`lost_sidecars` has the sidecars whose loss was told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower.database import metadata
from tailslide_tower.flags.store import IS_ARCHIVED, flags

conditions = sa.Table(
    "notice_conditions",
    metadata,
    sa.Column("condition", sa.Text, primary_key=True),
    sa.Column("fine_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("broken_since", sa.DateTime(timezone=True), nullable=True),
)
lost_sidecars = sa.Table(
    "lost_sidecars",
    metadata,
    sa.Column("app", sa.Text(collation="C"), primary_key=True),
    sa.Column("instance", sa.Text(collation="C"), primary_key=True),
    sa.Column("lost_at", sa.DateTime(timezone=True), nullable=False),
)

JUDGING = "judging"
"""That an Aerobat judges circuits."""

FOUND_AT_ONCE = 1_000
"""A statement has at most 32,767 parameters."""

Instances = Mapping[tuple[str, str], datetime]
"""By app and instance, when each was heard from last."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a condition stands; `broken_since` is None while it is fine."""

    fine_at: datetime
    broken_since: datetime | None


class NoticeStore:
    """Reads and writes inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, condition: str, now: datetime) -> Condition:
        """Return how a condition stands, which nobody else changes before the end of the transaction.

        One that was never looked at was fine until now.
        """
        first = insert(conditions).values(condition=condition, fine_at=now).on_conflict_do_nothing()
        await self._connection.execute(first)
        query = sa.select(conditions).where(conditions.c.condition == condition).with_for_update()
        row = (await self._connection.execute(query)).one()
        return Condition(row.fine_at, row.broken_since)

    async def fine(self, condition: str, now: datetime) -> None:
        """Note that a condition is fine."""
        await self._connection.execute(
            sa.update(conditions).where(conditions.c.condition == condition).values(fine_at=now, broken_since=None)
        )

    async def broken(self, condition: str, since: datetime) -> None:
        """Note that a condition is broken."""
        await self._connection.execute(
            sa.update(conditions).where(conditions.c.condition == condition).values(broken_since=since)
        )

    async def anything_to_judge(self) -> bool:
        """Whether there is a flag with a circuit that is on."""
        judged = sa.select(flags.c.key).where(flags.c.active, flags.c.circuit.is_not(None), ~IS_ARCHIVED)
        return bool(await self._connection.scalar(sa.select(judged.exists())))

    async def known_as_lost(self) -> set[tuple[str, str]]:
        """Return the sidecars whose loss was told, as app and instance."""
        query = sa.select(lost_sidecars.c.app, lost_sidecars.c.instance)
        return {(row.app, row.instance) for row in await self._connection.execute(query)}

    async def lose(self, instances: Instances) -> Instances:
        """Note that sidecars are lost; return those of which it was not known."""
        if not instances:
            return {}
        rows = [
            {"app": app, "instance": instance, "lost_at": heard_at}
            for (app, instance), heard_at in sorted(instances.items())
        ]
        # Handed over apart from the statement, so that SQLAlchemy makes several of it where it would be too long.
        added = insert(lost_sidecars).on_conflict_do_nothing().returning(lost_sidecars)
        found = await self._connection.execute(added, rows)
        return {(row.app, row.instance): row.lost_at for row in found}

    async def find(self, instances: Collection[tuple[str, str]]) -> Instances:
        """Note that sidecars are there; return those that were known as lost, with when."""
        if not instances:
            return {}
        names, found = sorted(instances), dict[tuple[str, str], datetime]()
        for first in range(0, len(names), FOUND_AT_ONCE):
            some = names[first : first + FOUND_AT_ONCE]
            these = sa.tuple_(lost_sidecars.c.app, lost_sidecars.c.instance).in_(some)
            rows = await self._connection.execute(sa.delete(lost_sidecars).where(these).returning(lost_sidecars))
            found |= {(row.app, row.instance): row.lost_at for row in rows}
        return found

    async def forget(self, before: datetime) -> None:
        """Forget sidecars that were lost before that."""
        await self._connection.execute(sa.delete(lost_sidecars).where(lost_sidecars.c.lost_at < before))


FORGOTTEN_AFTER = timedelta(days=7)
