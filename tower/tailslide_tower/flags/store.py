"""Flags in the database."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, SegmentId
from tailslide_core.relations import Requirements
from tailslide_tower.apps.store import archived_apps
from tailslide_tower.database import metadata
from tailslide_tower.flags.flag import Flag, flag_of, row_of

log = structlog.get_logger()

Name = TypeVar("Name", FlagId, SegmentId)
_KEY = sa.Text(collation="C")

flags = sa.Table(
    "flags",
    metadata,
    sa.Column("app", _KEY, sa.ForeignKey("apps.key", ondelete="RESTRICT"), primary_key=True),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("tags", JSONB, nullable=False),
    sa.Column("owner", sa.Text, nullable=True),
    sa.Column("lifetime", sa.Text, nullable=False),
    sa.Column("expected_end", sa.Date, nullable=True),
    sa.Column("search", sa.Text(collation="C"), nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("rollout", sa.Double, nullable=False),
    sa.Column("salt", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    # Not JSONB, which loses the order of names and may change how a number is written.
    sa.Column("variants", sa.JSON, nullable=False),
    sa.Column("off_variant", sa.Text, nullable=False),
    sa.Column("split", JSONB, nullable=False),
    sa.Column("bucket_by", sa.Text, nullable=True),
    sa.Column("requires", JSONB, nullable=False),
    sa.Column("metadata", sa.JSON, nullable=False),
    sa.Column("allow", JSONB, nullable=False),
    sa.Column("deny", JSONB, nullable=False),
    sa.Column("rules", JSONB, nullable=False),
    sa.Column("circuit", JSONB(none_as_null=True), nullable=True),
    sa.Column("reset_generation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)
"""`search` is what searches look in, in lower case. A flag with `archived_at` is not published."""
sa.Index("flags_app_lower_key_idx", flags.c.app, sa.func.lower(flags.c.key))
IS_FORCED_OPEN = flags.c.circuit.contains(sa.literal_column("""'{"forced_open": true}'::jsonb""", JSONB))
"""Whether a person holds the circuit open; null where there is none. Not a cast, which a row that somebody else has
written could make fail."""
sa.Index("flags_forced_open_idx", flags.c.app, flags.c.key, postgresql_where=IS_FORCED_OPEN)

IS_ARCHIVED = sa.or_(flags.c.archived_at.is_not(None), flags.c.app.in_(archived_apps()))
"""Whether a flag, or the whole app, is archived, so that sidecars do not get it."""

deleted_flags = sa.Table(
    "deleted_flags",
    metadata,
    sa.Column("app", _KEY, primary_key=True),
    sa.Column("key", _KEY, primary_key=True),
    sa.Column("reset_generation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
)
"""Where deleted flags have stopped, so that a new flag of the same key goes on from there."""


class InvalidFlagError(Exception):
    """A row that the core does not allow: someone else has written it, or an older Tailslide with other rules."""


@dataclass(frozen=True, slots=True)
class Generations:
    """Where a deleted flag has stopped."""

    version: int
    reset_generation: int


def read_flag(row: sa.RowMapping) -> Flag:
    """Return the flag of a row; raise `InvalidFlagError`."""
    try:
        return flag_of(row)
    except ContractError as error:
        raise InvalidFlagError(f"the flag {row['app']}.{row['key']} in the database is not valid: {error}") from error


def readable(rows: Iterable[sa.RowMapping]) -> list[Flag]:
    """Return the flags of rows, without those that the core does not allow: the others are shown all the same."""
    found = []
    for row in rows:
        try:
            found.append(read_flag(row))
        except InvalidFlagError as error:
            log.warning("flag_unreadable", app=row["app"], flag=row["key"], error=str(error))
    return found


class FlagStore:
    """Reads and writes flags inside the transaction of a caller."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows_after(self, after: FlagId | None, limit: int) -> list[sa.RowMapping]:
        """Return the rows of up to `limit` flags that are not archived, behind `after`, in order."""
        query = sa.select(flags).where(sa.not_(IS_ARCHIVED)).order_by(flags.c.app, flags.c.key).limit(limit)
        if after is not None:
            query = query.where(sa.tuple_(flags.c.app, flags.c.key) > sa.tuple_(after.app, after.flag))
        return list((await self._connection.execute(query)).mappings())

    async def rows_of(self, flag_ids: Collection[FlagId]) -> list[sa.RowMapping]:
        """Return the rows of those flags that exist, with `is_archived`."""
        wanted = [(flag_id.app, flag_id.flag) for flag_id in flag_ids]
        query = sa.select(flags, IS_ARCHIVED.label("is_archived")).where(
            sa.tuple_(flags.c.app, flags.c.key).in_(wanted)
        )
        return list((await self._connection.execute(query)).mappings())

    async def alike(self, flag_ids: Collection[FlagId]) -> dict[FlagId, list[str]]:
        """Return the keys of other flags of the same app that differ from a flag's only by case, where any do."""
        return await alike(self._connection, flags, flag_ids)

    async def requirements(self, app: str) -> Requirements:
        """Return the requirements of each flag of an app that has any: flags with the variants, as in `Requirement`."""
        query = sa.select(flags.c.key, flags.c.requires).where(
            flags.c.app == app, flags.c.requires != sa.literal([], JSONB)
        )
        return {
            row.key: {requirement["flag"]: requirement["variants"] for requirement in row.requires}
            for row in await self._connection.execute(query)
        }

    async def variants(self, app: str, keys: Collection[str] | None = None) -> dict[str, list[str]]:
        """Return the keys of the variants of those flags, or of all of the app, that exist and are not archived."""
        query = sa.select(flags.c.key, flags.c.variants).where(flags.c.app == app, flags.c.archived_at.is_(None))
        if keys is not None:
            query = query.where(flags.c.key.in_(keys))
        return {row.key: list(row.variants) for row in await self._connection.execute(query)}

    async def that_require(self, flag_id: FlagId, *, archived: bool = True) -> list[str]:
        """Return the flags that require a flag, with or without those that are archived."""
        among = () if archived else (flags.c.archived_at.is_(None),)
        return await self._with(flag_id.app, flags.c.requires, [{"flag": flag_id.flag}], *among)

    async def that_use(self, segment_id: SegmentId) -> list[str]:
        """Return the flags that name a segment."""
        condition = {"operator": "in_segment", "values": [segment_id.segment]}
        return await self._with(segment_id.app, flags.c.rules, [{"when": [condition]}])

    async def _with(self, app: str, column: sa.Column[Any], part: object, *among: sa.ColumnElement[bool]) -> list[str]:
        query = sa.select(flags.c.key).where(flags.c.app == app, column.contains(part), *among).order_by(flags.c.key)
        return list((await self._connection.execute(query)).scalars())

    async def count(self, app: str) -> int:
        """Return how many flags an app has."""
        query = sa.select(sa.func.count()).select_from(flags).where(flags.c.app == app)
        return int(await self._connection.scalar(query) or 0)

    async def get(self, flag_id: FlagId) -> Flag | None:
        """Return a flag."""
        return await self._one(sa.select(flags).where(*_is(flags, flag_id)))

    async def lock(self, flag_id: FlagId) -> Flag | None:
        """Return a flag that nobody else changes before the end of the transaction."""
        return await self._one(sa.select(flags).where(*_is(flags, flag_id)).with_for_update())

    async def _one(self, query: sa.Select[Any]) -> Flag | None:
        row = (await self._connection.execute(query)).mappings().first()
        return None if row is None else read_flag(row)

    async def add(self, flag: Flag) -> bool:
        """Add a flag; False when its key is taken. Waits for a transaction that adds or deletes the same one."""
        statement = insert(flags).values(row_of(flag)).on_conflict_do_nothing().returning(flags.c.key)
        return await self._connection.scalar(statement) is not None

    async def update(self, flag: Flag) -> None:
        """Write a flag that is there."""
        await self._connection.execute(sa.update(flags).where(*_is(flags, flag.flag_id)).values(row_of(flag)))

    async def delete(self, flag: Flag) -> None:
        """Delete a flag and note where it has stopped."""
        app, key = flag.flag_id.app, flag.flag_id.flag
        await self._connection.execute(sa.delete(flags).where(*_is(flags, flag.flag_id)))
        last = {"version": flag.version, "reset_generation": flag.reset_generation}
        statement = insert(deleted_flags).values(app=app, key=key, **last)
        await self._connection.execute(statement.on_conflict_do_update(constraint=deleted_flags.primary_key, set_=last))

    async def keys(self, app: str) -> list[str]:
        """Return the keys of an app's flags that are not archived."""
        query = sa.select(flags.c.key).where(flags.c.app == app, flags.c.archived_at.is_(None)).order_by(flags.c.key)
        return list((await self._connection.execute(query)).scalars())

    async def rows_in(self, app: str) -> list[sa.RowMapping]:
        """Return the rows of an app's flags that are not archived."""
        query = sa.select(flags).where(flags.c.app == app, flags.c.archived_at.is_(None))
        return list((await self._connection.execute(query)).mappings())

    async def delete_all(self, app: str) -> list[str]:
        """Delete all flags of an app and note where each has stopped; return their keys."""
        names = ("app", "key", "version", "reset_generation")
        gone = sa.delete(flags).where(flags.c.app == app).returning(*(flags.c[name] for name in names)).cte("gone")
        return await note_deleted(self._connection, deleted_flags, gone)

    async def last_of(self, flag_id: FlagId) -> Generations | None:
        """Return where a deleted flag of this name has stopped, if there ever was one."""
        query = sa.select(deleted_flags).where(*_is(deleted_flags, flag_id))
        row = (await self._connection.execute(query)).first()
        return None if row is None else Generations(row.version, row.reset_generation)

    async def deleted_of(self, flag_ids: Collection[FlagId]) -> dict[FlagId, Generations]:
        """Return where those of the flags have stopped that were ever deleted."""
        wanted = [(flag_id.app, flag_id.flag) for flag_id in flag_ids]
        query = sa.select(deleted_flags).where(sa.tuple_(deleted_flags.c.app, deleted_flags.c.key).in_(wanted))
        return {
            FlagId(row.app, row.key): Generations(row.version, row.reset_generation)
            for row in await self._connection.execute(query)
        }


async def alike(connection: AsyncConnection, table: sa.Table, names: Collection[Name]) -> dict[Name, list[str]]:
    """Return the keys of other rows of the same app that differ from a name's only by case, where there are any.

    `table` is one of keyed things of apps, with an index over the app and the key in lower case.
    """
    apps, lower = [app for app, _ in names], [key.lower() for _, key in names]
    texts = ARRAY(sa.Text)
    both = sa.func.unnest(sa.literal(apps, texts), sa.literal(lower, texts))
    wanted = both.table_valued("app", "lower", name="wanted").render_derived()
    query = (
        sa.select(table.c.app, table.c.key)
        .select_from(wanted)
        .join(table, sa.and_(table.c.app == wanted.c.app, sa.func.lower(table.c.key) == wanted.c.lower))
        .order_by(table.c.app, table.c.key)
    )
    found: dict[tuple[str, str], set[str]] = {}
    for row in await connection.execute(query):
        found.setdefault((row.app, row.key.lower()), set()).add(row.key)
    others = {name: sorted(found.get((name[0], name[1].lower()), set()) - {name[1]}) for name in names}
    return {name: keys for name, keys in others.items() if keys}


async def note_deleted(connection: AsyncConnection, table: sa.Table, gone: sa.CTE) -> list[str]:
    """Note where the rows have stopped that `gone` deletes, in a table of deletions; return their keys, sorted."""
    statement = insert(table).from_select([column.name for column in gone.c], sa.select(gone))
    last = {column.name: statement.excluded[column.name] for column in gone.c if column.name not in {"app", "key"}}
    statement = statement.on_conflict_do_update(constraint=table.primary_key, set_=last)
    return sorted((await connection.execute(statement.returning(table.c.key))).scalars())


def _is(table: sa.Table, flag_id: FlagId) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.app == flag_id.app, table.c.key == flag_id.flag
