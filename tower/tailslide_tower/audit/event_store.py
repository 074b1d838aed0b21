"""Which transitions of circuits the log has, in the database.

What was noted outlives the entries themselves: the stream keeps events for a month, and an entry that was removed for
its age must not come back, nor be told to anybody again.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from tailslide_core.contracts import CircuitEvent
from tailslide_core.naming import event_message_id
from tailslide_tower import times
from tailslide_tower.audit.entry import LogEntry
from tailslide_tower.audit.store import record
from tailslide_tower.database import Database, metadata

circuit_events = sa.Table(
    "circuit_events",
    metadata,
    sa.Column("message_id", sa.Text(collation="C"), primary_key=True),
    sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
)
sa.Index("circuit_events_noted_at_idx", circuit_events.c.noted_at)


class DatabaseEvents:
    """Writes entries of transitions; raises `DatabaseUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event: CircuitEvent, entry: LogEntry) -> bool:
        """Write the entry of a transition; False when it is there already."""
        after = event.transition.after
        message_id = event_message_id(event.flag_id, after.generation, after.since_ms)
        statement = insert(circuit_events).values(message_id=message_id, noted_at=times.now())
        new = statement.on_conflict_do_nothing().returning(circuit_events.c.message_id)
        async with self._database.begin() as connection:
            if await connection.scalar(new) is None:
                return False
            await record(connection, entry)
            return True
