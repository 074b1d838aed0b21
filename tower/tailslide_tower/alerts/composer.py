"""Composes what a delivery says at the moment when it is sent, out of the log and the flag as it is now."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_tower import times
from tailslide_tower.alerts.delivery_store import Claim
from tailslide_tower.alerts.log_reader import DatabaseLog
from tailslide_tower.alerts.messages import Message
from tailslide_tower.alerts.occasions import Happening, Occasion
from tailslide_tower.alerts.texts import message_of
from tailslide_tower.apps.store import AppStore
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore, InvalidFlagError


class LogComposer:
    """Composes messages of entries of the log."""

    def __init__(
        self,
        database: Database,
        log_reader: DatabaseLog,
        *,
        tower_url: str | None,
        now: Callable[[], datetime] = times.now,
    ) -> None:
        """`tower_url`: where people reach Tower, for the links."""
        self._database = database
        self._log = log_reader
        self._tower_url = tower_url
        self._now = now

    async def compose(self, claim: Claim) -> Message | None:
        """Return the message; None when the log does not have the entry any more."""
        async with self._database.begin() as connection:
            happening = await self._log.get(connection, claim.delivery.entry)
            if happening is None:
                return None
            app = None if happening.app is None else await AppStore(connection).get(happening.app)
            is_transition = happening.action.startswith("circuit.")
            return message_of(
                happening,
                self._now(),
                later=await self._log.later_transition(connection, happening) if is_transition else None,
                deed=await self._log.deed_before(connection, happening)
                if happening.occasion is Occasion.RESET
                else None,
                ruleset=await _ruleset(connection, happening),
                app_name=None if app is None else app.name,
                environment=None if app is None else app.environment,
                tower_url=self._tower_url,
            )


async def _ruleset(connection: AsyncConnection, happening: Happening) -> Ruleset | None:
    if happening.app is None or happening.flag is None:
        return None
    try:
        flag = await FlagStore(connection).get(FlagId(happening.app, happening.flag))
    except InvalidFlagError:
        return None
    return None if flag is None else flag.ruleset
