"""What the log tells of flags, asked for once and remembered for as long as it cannot have changed.

Of 500 flags, each answer of the log takes 100 ms; a list is looked at again and again.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.circuit import Circuit
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_core.sentences.facts import Deed, Opening
from tailslide_tower.apps.store import AppStore
from tailslide_tower.database import Database, DatabaseUnavailableError
from tailslide_tower.flag_states import deeds
from tailslide_tower.flag_states.openings import last_openings

log = structlog.get_logger()

OPENINGS_KEPT_S = 60.0
"""The log hears of a transition a moment after the circuit has moved, so what it said is not believed for ever."""
UNFINISHED_KEPT_S = 2.0
"""So long where it has told of no opening, which costs little to ask again, or not of its end."""
MOST_REMEMBERED = 50_000


class LoggedFlag(Protocol):
    """A flag as Tower keeps it."""

    @property
    def ruleset(self) -> Ruleset:
        """Return what is published of it."""

    @property
    def archived_at(self) -> datetime | None:
        """Return when it was archived; None while it is not, though its app may be."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What the database tells of flags beside themselves.

    `deeds` say who turned them off, forced them open or archived them, `openings` when their circuits last opened;
    `archived_apps` when apps were archived, Unix milliseconds.
    """

    deeds: Mapping[FlagId, Deed]
    openings: Mapping[FlagId, Opening]
    archived_apps: Mapping[str, int]


class _KnownDeed(NamedTuple):
    version: int
    deed: Deed | None


class _KnownOpening(NamedTuple):
    circuit: Circuit | None
    asked_at: float
    opening: Opening | None


class LoggedFlags:
    """Asks the log, and remembers. While PostgreSQL is away, what is remembered is told."""

    def __init__(
        self,
        database: Database,
        circuit_of: Callable[[FlagId], Circuit | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`circuit_of` returns what Aerobat has said last of a flag; `clock` gives seconds that only grow."""
        self._database = database
        self._circuit_of = circuit_of
        self._clock = clock
        self._deeds: dict[FlagId, _KnownDeed] = {}
        self._openings: dict[FlagId, _KnownOpening] = {}

    async def of(self, flags: Sequence[LoggedFlag]) -> Logged:
        """Return what is to be told of flags."""
        self._make_room()
        apps = {flag.ruleset.app for flag in flags}
        archived_apps: Mapping[str, int] = {}
        try:
            async with self._database.begin() as connection:
                await self._ask_who(connection, [flag for flag in flags if self._asks_who(flag)])
                await self._ask_openings(connection, [flag.ruleset for flag in flags])
                archived_apps = await AppStore(connection).archived_since(apps)
        except DatabaseUnavailableError as error:
            log.warning("log_not_read", error=str(error))
        flag_ids = [flag.ruleset.flag_id for flag in flags]
        return Logged(
            {
                flag.ruleset.flag_id: known.deed
                for flag in flags
                if (known := self._deeds.get(flag.ruleset.flag_id)) is not None
                and known.version == flag.ruleset.version
                and known.deed is not None
            },
            {
                flag_id: known_opening.opening
                for flag_id in flag_ids
                if (known_opening := self._openings.get(flag_id)) is not None and known_opening.opening is not None
            },
            archived_apps,
        )

    def _make_room(self) -> None:
        for remembered in (self._deeds, self._openings):
            if len(remembered) > MOST_REMEMBERED:
                remembered.clear()

    def _asks_who(self, flag: LoggedFlag) -> bool:
        """Whether the log has to be asked: an entry is written together with the version that it made."""
        known = self._deeds.get(flag.ruleset.flag_id)
        return known is None or known.version != flag.ruleset.version

    async def _ask_who(self, connection: AsyncConnection, flags: Collection[LoggedFlag]) -> None:
        archived = [flag.ruleset.flag_id for flag in flags if flag.archived_at is not None]
        rulesets = [flag.ruleset for flag in flags if flag.archived_at is None]
        off = [ruleset.flag_id for ruleset in rulesets if not ruleset.active]
        forced = [ruleset.flag_id for ruleset in rulesets if ruleset.active and not lets_in(ruleset)]
        found = {
            **await deeds.last_turned_off(connection, off),
            **await deeds.last_forced_open(connection, forced),
            **await deeds.last_archived(connection, archived),
        }
        for flag in flags:
            flag_id = flag.ruleset.flag_id
            self._deeds[flag_id] = _KnownDeed(flag.ruleset.version, found.get(flag_id))

    async def _ask_openings(self, connection: AsyncConnection, rulesets: Collection[Ruleset]) -> None:
        now = self._clock()
        asked = [
            ruleset.flag_id
            for ruleset in rulesets
            if ruleset.circuit is not None and not self._knows_opening(ruleset.flag_id, now)
        ]
        found = await last_openings(connection, asked)
        for flag_id in asked:
            self._openings[flag_id] = _KnownOpening(self._circuit_of(flag_id), now, found.get(flag_id))

    def _knows_opening(self, flag_id: FlagId, now: float) -> bool:
        known = self._openings.get(flag_id)
        if known is None:
            return False
        finished = known.opening is not None and known.opening.closed_ms is not None
        kept_s = OPENINGS_KEPT_S if finished else UNFINISHED_KEPT_S
        return now - known.asked_at <= kept_s and known.circuit == self._circuit_of(flag_id)


def lets_in(ruleset: Ruleset) -> bool:
    """Whether a flag is on, and not forced off."""
    return ruleset.active and not (ruleset.circuit is not None and ruleset.circuit.forced_open)
