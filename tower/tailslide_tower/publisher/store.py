"""What the bucket should hold, out of PostgreSQL: the rulesets as bytes, deletions, and the database's identity."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy import RowMapping
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import encode_ruleset
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId
from tailslide_tower.apps.store import apps
from tailslide_tower.database import Database, metadata
from tailslide_tower.flags.store import FlagStore, InvalidFlagError, deleted_flags, read_flag
from tailslide_tower.publisher.claims import Identity
from tailslide_tower.publisher.wanted import Apps, Wanted

log = structlog.get_logger()

PAGE_ROWS = 100
"""Rows that are made into rulesets in one go: short enough not to keep requests waiting."""

identity = sa.Table(
    "identity",
    metadata,
    sa.Column("singleton", sa.Boolean, sa.CheckConstraint("singleton", name="singleton"), primary_key=True),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("comparisons", sa.BigInteger, nullable=False),
)
"""One row: who this database is. A copy of the database has it, too, and is told apart by its count."""


class DatabaseRulesets:
    """The rulesets in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._complained: set[str] = set()

    async def identity(self) -> Identity:
        """Return who this database is."""
        return await self._identity(sa.select(identity))

    async def compared(self) -> Identity:
        """Count one more comparison with a bucket, and return who this database is then."""
        return await self._identity(
            sa.update(identity).values(comparisons=identity.c.comparisons + 1).returning(identity)
        )

    async def _identity(self, statement: "sa.Executable") -> Identity:
        async with self._database.begin() as connection:
            row = (await connection.execute(statement)).first()
            if row is None:  # somebody has emptied the table: it is a new database then
                await renew_identity(connection)
                row = (await connection.execute(sa.select(identity))).one()
            return Identity(row.database, row.comparisons, self._database.address)

    async def apps(self) -> Apps:
        """Return all apps."""
        time = sa.select(sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger))
        keys = sa.union(sa.select(apps.c.key), sa.select(deleted_flags.c.app))
        async with self._database.begin() as connection:
            at_ms = int((await connection.execute(time)).scalar_one())
            return Apps(at_ms, frozenset((await connection.execute(keys)).scalars()))

    async def all(self) -> AsyncIterator[Wanted]:
        """Yield all rulesets, a part at a time, each part as it is when it is read."""
        after: FlagId | None = None
        while True:
            async with self._database.begin() as connection:
                rows = await FlagStore(connection).rows_after(after, PAGE_ROWS)
            yield self._wanted(rows, {})
            if len(rows) < PAGE_ROWS:
                return
            after = FlagId(rows[-1]["app"], rows[-1]["key"])

    async def of(self, keys: Collection[str]) -> Wanted:
        """Return those of the rulesets that are there; a key that is no flag's is not."""
        flag_ids = []
        for key in keys:
            try:
                flag_ids.append(FlagId.parse(key))
            except ContractError:
                log.debug("not the key of a flag", key=key)
        async with self._database.begin() as connection:
            rows = await FlagStore(connection).rows_of(flag_ids)
            deleted = await FlagStore(connection).deleted_of(flag_ids)
        return self._wanted(rows, {str(flag_id): last.version for flag_id, last in deleted.items()})

    def _wanted(self, rows: Iterable[RowMapping], deleted: Mapping[str, int]) -> Wanted:
        values: dict[str, bytes] = {}
        invalid: set[str] = set()
        for row in rows:
            key = str(FlagId(row["app"], row["key"]))
            try:
                values[key] = encode_ruleset(read_flag(row).ruleset)
            except InvalidFlagError as error:
                invalid.add(key)
                if key not in self._complained:
                    self._complained.add(key)
                    log.error("ruleset not published", flag=key, error=str(error))  # noqa: TRY400 # no defect of ours
        return Wanted(values, frozenset(invalid), deleted)


async def renew_identity(connection: AsyncConnection) -> None:
    """Make the database another one than all of its copies, for all Towers on it."""
    values = {"database": uuid4().hex, "comparisons": 0}
    statement = insert(identity).values(singleton=True, **values)
    await connection.execute(statement.on_conflict_do_update(constraint=identity.primary_key, set_=values))
