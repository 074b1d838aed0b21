"""How long the log is kept: old entries are removed, some at a time, by whichever Tower comes first.

Whatever its age, an entry stays that made the present version of a flag: it says who has left the flag as it is, and
after the next change it is what one rolls back to. So does the newest entry, by whose id others follow the log.
"""

import asyncio
import random
from datetime import timedelta

import sqlalchemy as sa
import structlog

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower import times
from tailslide_tower.audit.event_store import circuit_events
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.audit.store import log_entries
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.flags.store import flags

log = structlog.get_logger()

RETENTION_LOCK = 0x7A11_511D_E000_0009
"""Key of the advisory lock that the Tower has which removes entries."""
LOOK_EVERY_S = 3600.0
BATCH = 500
"""So many entries are removed in one transaction."""
EVENTS_KEPT = timedelta(days=90)
"""For so long it is known which transitions the log has: thrice as long as the stream keeps them."""


class Retention:
    """Removes what is too old, once an hour."""

    def __init__(
        self, database: Database, metrics: LogMetrics, keep: timedelta | None, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        """`keep` is None where the log is kept for ever."""
        self._database = database
        self._metrics = metrics
        self._keep = keep
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Look again and again, until cancelled. Waits for the next time while PostgreSQL is away."""
        while True:
            raise_if_cancelled()
            try:
                await self.remove()
            except DatabaseUnavailableError as error:
                log.warning("log_not_trimmed", error=str(error))
            # Towers that were started together do not come at the same moment.
            await asyncio.sleep(self._look_every_s * random.uniform(0.8, 1.2))  # noqa: S311 # jitter, no secret

    async def remove(self) -> int:
        """Remove all that is too old now, and return how many entries that were; 0 while another Tower does."""
        removed = 0
        while (number := await self._remove_some()) is not None:
            removed += number
            self._metrics.removed.inc(number)
            if number < BATCH:
                break
        if removed:
            log.info("log_trimmed", removed=removed)
        return removed

    async def _remove_some(self) -> int | None:
        now = times.now()
        async with self._database.begin() as connection:
            if not await connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(RETENTION_LOCK))):
                return None
            events = sa.delete(circuit_events).where(circuit_events.c.noted_at < now - EVENTS_KEPT)
            await connection.execute(events)
            if self._keep is None:
                return 0
            entry = log_entries.c
            is_present = sa.exists().where(
                flags.c.app == entry.app, flags.c.key == entry.key, flags.c.version == entry.version
            )
            everything = log_entries.alias()
            newest = sa.select(sa.func.max(everything.c.id)).scalar_subquery()
            is_old = sa.and_(entry.at < now - self._keep, entry.id < newest, sa.not_(is_present))
            old = sa.select(entry.id).where(is_old).order_by(entry.at).limit(BATCH)
            return (await connection.execute(sa.delete(log_entries).where(entry.id.in_(old)))).rowcount
