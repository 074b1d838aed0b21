"""The log in the database: written in the transaction of the change itself, so that neither is there without the other.

Whoever follows the log (live sockets, alerts, other Towers) goes by `id`: entries become visible in the order of their
ids, because a transaction takes a lock before it is given one, and keeps it until it ends. So `record` is the last
thing that a transaction does.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry, LogRow, Subject
from tailslide_tower.database import Database, metadata

LOG_LOCK = 0x7A11_511D_E000_0002
"""Key of the advisory lock under which entries get their ids."""
CHANNEL = "tailslide_log"
"""Where PostgreSQL notifies of each new entry (LISTEN); the payload is its id."""

AFTER_BYTES = 4 << 20
"""What the states of entries that are read at once may come to, as they are stored."""

_KEY = sa.Text(collation="C")

log_entries = sa.Table(
    "log",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("app", _KEY, nullable=True),
    sa.Column("key", _KEY, nullable=True),
    sa.Column("version", sa.BigInteger, nullable=True),
    sa.Column("actor_kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=True),
    sa.Column("reason", sa.Text, nullable=True),
    # Not JSONB, which loses the order of names and may change how a number is written.
    sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("minor", sa.Boolean, nullable=False, server_default=sa.false()),
)
sa.Index("log_subject_idx", log_entries.c.app, log_entries.c.key, log_entries.c.id)
sa.Index("log_app_idx", log_entries.c.app, log_entries.c.id)
sa.Index("log_actor_idx", log_entries.c.actor, log_entries.c.id)
sa.Index("log_at_idx", log_entries.c.at)
sa.Index("log_action_idx", log_entries.c.action, log_entries.c.id)
sa.Index(
    "log_filters_idx",
    log_entries.c.id,
    postgresql_include=["at", "minor", "kind", "action", "app", "key", "actor"],
)
SEARCH_ONLY = frozenset({"words", "log_words_idx"})
"""The column that PostgreSQL makes for searches, and its index: they are no part of an entry, and so not in the table
above, whose columns are read whole."""


async def record(connection: AsyncConnection, entry: LogEntry) -> int:
    """Write an entry in the transaction of `connection`, as the last thing it does; return its id."""
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOG_LOCK)))
    principal = entry.author.principal
    statement = (
        sa.insert(log_entries)
        .values(
            at=times.now() if entry.at_ms is None else datetime.fromtimestamp(entry.at_ms / 1000, UTC),
            action=entry.action,
            kind=entry.subject.kind,
            app=entry.subject.app,
            key=entry.subject.key,
            version=entry.version,
            actor_kind=principal.kind,
            actor_id=principal.principal_id,
            actor=principal.name,
            address=entry.author.address,
            reason=entry.author.reason,
            before=entry.before,
            after=entry.after,
            details=dict(entry.details),
            minor=entry.minor,
        )
        .returning(log_entries.c.id)
    )
    entry_id = int((await connection.execute(statement)).scalar_one())
    await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, str(entry_id))))
    return entry_id


class LogStore:
    """Reads the log, each time in a transaction of its own; raises `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last_id(self) -> int:
        """Return the id of the newest entry that is visible; 0 for an empty log."""
        async with self._database.begin() as connection:
            return int(await connection.scalar(sa.select(sa.func.max(log_entries.c.id))) or 0)

    async def after(self, entry_id: int, limit: int) -> list[LogRow]:
        """Return up to `limit` entries behind an id, oldest first; none where there are no more.

        They are fewer where their states would be too large to be read at once (`AFTER_BYTES`).
        """
        entry = log_entries.c
        size = sum(
            (sa.func.coalesce(sa.func.pg_column_size(column), 0) for column in (entry.before, entry.after)),
            start=sa.literal(0),
        )
        up_to_here = sa.func.sum(size).over(order_by=entry.id)
        sizes = (
            sa.select(entry.id, (up_to_here - size).label("before_here"))
            .where(entry.id > entry_id)
            .order_by(entry.id)
            .limit(limit)
            .subquery("sizes")
        )
        query = (
            sa.select(log_entries)
            .join(sizes, sizes.c.id == entry.id)
            .where(sizes.c.before_here < AFTER_BYTES)
            .order_by(entry.id)
        )
        async with self._database.begin() as connection:
            return rows_of((await connection.execute(query)).mappings().all())


def rows_of(rows: Sequence[sa.RowMapping]) -> list[LogRow]:
    """Return the entries that rows of the whole table hold."""
    return [
        LogRow(
            id=row["id"],
            at=row["at"],
            action=row["action"],
            subject=Subject(row["kind"], row["app"], row["key"]),
            version=row["version"],
            actor_kind=row["actor_kind"],
            actor_id=row["actor_id"],
            actor=row["actor"],
            address=row["address"],
            reason=row["reason"],
            before=row["before"],
            after=row["after"],
            details=row["details"],
            minor=row["minor"],
        )
        for row in rows
    ]
