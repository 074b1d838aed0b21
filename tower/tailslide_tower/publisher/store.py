"""What the bucket should hold, out of PostgreSQL: rulesets, segments, deletions, and the database's identity."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy import RowMapping
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.errors import ContractError
from tailslide_core.flag_contracts import encode_ruleset, encode_segment
from tailslide_core.naming import FlagId, SegmentId, segment_of
from tailslide_core.relations import segments_named
from tailslide_tower.apps.store import apps
from tailslide_tower.database import Database, metadata
from tailslide_tower.flags.store import FlagStore, InvalidFlagError, deleted_flags, read_flag
from tailslide_tower.publisher.claims import Identity
from tailslide_tower.publisher.wanted import Apps, Wanted
from tailslide_tower.segments.store import InvalidSegmentError, SegmentStore, deleted_segments, read_segment

log = structlog.get_logger()

PAGE_ROWS = 100
"""Rows that are made into rulesets in one go: short enough not to keep requests waiting."""
PAGE_SEGMENTS = 5
"""Likewise of segments, which may be as large as a message can be."""

identity = sa.Table(
    "identity",
    metadata,
    sa.Column("singleton", sa.Boolean, sa.CheckConstraint("singleton", name="singleton"), primary_key=True),
    sa.Column("database", sa.Text, nullable=False),
    sa.Column("comparisons", sa.BigInteger, nullable=False),
)
"""One row: who this database is. A copy of the database has it, too, and is told apart by its count."""


class DatabaseRulesets:
    """The rulesets and segments in PostgreSQL."""

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
        keys = sa.union(sa.select(apps.c.key), sa.select(deleted_flags.c.app), sa.select(deleted_segments.c.app))
        async with self._database.begin() as connection:
            at_ms = int((await connection.execute(time)).scalar_one())
            return Apps(at_ms, frozenset((await connection.execute(keys)).scalars()))

    async def all(self) -> AsyncIterator[Wanted]:
        """Yield all segments and then all rulesets, a part at a time, each part as it is when it is read."""
        last: SegmentId | None = None
        while True:
            async with self._database.begin() as connection:
                rows = await SegmentStore(connection).rows_after(last, PAGE_SEGMENTS)
            yield self._segments(rows, {})
            if len(rows) < PAGE_SEGMENTS:
                break
            last = SegmentId(rows[-1]["app"], rows[-1]["key"])
        after: FlagId | None = None
        while True:
            async with self._database.begin() as connection:
                rows = await FlagStore(connection).rows_after(after, PAGE_ROWS)
            yield self._flags(rows, {})
            if len(rows) < PAGE_ROWS:
                return
            after = FlagId(rows[-1]["app"], rows[-1]["key"])

    async def of(self, keys: Collection[str]) -> Wanted:
        """Return those that are there; a key that is neither a flag's nor a segment's is not."""
        flag_ids, segment_ids = [], []
        for key in keys:
            segment_id = segment_of(key)
            try:
                if segment_id is None:
                    flag_ids.append(FlagId.parse(key))
                else:
                    segment_ids.append(segment_id)
            except ContractError:
                log.debug("key_of_no_flag", key=key)
        async with self._database.begin() as connection:
            rows = await FlagStore(connection).rows_of(flag_ids)
            deleted = await FlagStore(connection).deleted_of(flag_ids)
            last = {str(flag_id): gone.version for flag_id, gone in deleted.items()}
            flags = self._flags(_published(rows), last | _archived(rows, FlagId))
            if not segment_ids:
                return flags
            rows = await SegmentStore(connection).rows_of(segment_ids)
            gone = await SegmentStore(connection).deleted_of(segment_ids)
        last = {str(name): version for name, version in gone.items()}
        return flags.together_with(self._segments(_published(rows), last | _archived(rows, SegmentId)))

    def _flags(self, rows: Iterable[RowMapping], deleted: Mapping[str, int]) -> Wanted:
        values: dict[str, bytes] = {}
        invalid: set[str] = set()
        uses: dict[str, frozenset[str]] = {}
        for row in rows:
            key = str(FlagId(row["app"], row["key"]))
            try:
                ruleset = read_flag(row).ruleset
            except InvalidFlagError as error:
                invalid.add(key)
                self._complain("ruleset_not_published", error, flag=key)
                continue
            values[key] = encode_ruleset(ruleset)
            if segments := segments_named(ruleset):
                uses[key] = frozenset(str(SegmentId(ruleset.app, segment)) for segment in segments)
        return Wanted(values, frozenset(invalid), deleted, uses)

    def _segments(self, rows: Iterable[RowMapping], deleted: Mapping[str, int]) -> Wanted:
        values: dict[str, bytes] = {}
        invalid: set[str] = set()
        for row in rows:
            key = str(SegmentId(row["app"], row["key"]))
            try:
                values[key] = encode_segment(read_segment(row).segment)
            except InvalidSegmentError as error:
                invalid.add(key)
                self._complain("segment_not_published", error, segment=key)
        return Wanted(values, frozenset(invalid), deleted)

    def _complain(self, event: str, error: Exception, **key: str) -> None:
        if self._complained.isdisjoint(key.values()):
            self._complained.update(key.values())
            log.error(event, **key, error=str(error))


def _published(rows: Iterable[RowMapping]) -> list[RowMapping]:
    return [row for row in rows if not row["is_archived"]]


def _archived(rows: Iterable[RowMapping], name: type[FlagId] | type[SegmentId]) -> dict[str, int]:
    """Return the versions of those that are archived: to sidecars they are deleted, of which the database knows."""
    return {str(name(row["app"], row["key"])): row["version"] for row in rows if row["is_archived"]}


async def renew_identity(connection: AsyncConnection) -> None:
    """Make the database another one than all of its copies, for all Towers on it."""
    values = {"database": uuid4().hex, "comparisons": 0}
    statement = insert(identity).values(singleton=True, **values)
    await connection.execute(statement.on_conflict_do_update(constraint=identity.primary_key, set_=values))
