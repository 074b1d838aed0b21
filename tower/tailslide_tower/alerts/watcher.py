"""Looks for what nobody would notice otherwise, and writes it to the log, from where alerts follow.

Level-triggered, in any number of Towers: what is known of a condition is in the database, and whoever finds it changed
says so, once. No circuit is judged when no Tower has seen a lease renewed for half a minute; one Tower that has is
enough for it to be fine, so a Tower that is cut off from NATS alone is no notice. Sidecars that are lost at the same
time are one notice for each app.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

import structlog

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_tower import times
from tailslide_tower.alerts.notice_store import FORGOTTEN_AFTER, JUDGING, Instances, NoticeStore
from tailslide_tower.alerts.notices import NO_AEROBAT, NO_NATS, LostSidecars, NothingJudged
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import BY_SYSTEM
from tailslide_tower.database import Database, DatabaseUnavailableError

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
FINE_WITHIN = timedelta(seconds=5)
"""A lease is renewed twice a second; with this much silence nothing is said either way."""
BROKEN_AFTER = timedelta(seconds=30)
GATHERED_AFTER = timedelta(seconds=45)
"""Since a lost sidecar was heard from. Sidecars write every 10 s and are silent after 30 s, so those that die together
are all silent 40 s after the first of them was heard from last, and are one notice."""


class JudgingSeen(Protocol):
    """Who sees Aerobats at work."""

    def silent_for_s(self) -> float:
        """Return for how long none was seen."""


class LinkSeen(Protocol):
    """Who knows whether there is a connection to NATS."""

    @property
    def connected(self) -> bool:
        """Whether there is one."""


@dataclass(frozen=True, slots=True)
class SeenSidecar:
    """A sidecar that was heard from, and has not said that it stops.

    `silent`: it has not been heard from for as long as its entry lives, in which it could have been.
    """

    app: str
    instance: str
    heard_at: datetime
    silent: bool


class SidecarsSeen(Protocol):
    """Who hears of sidecars."""

    def seen(self) -> Sequence[SeenSidecar] | None:
        """Return the sidecars that were heard from within a day, but for those that stopped in the orderly way.

        None while that is not known: just started, or out of touch with NATS.
        """

    def replaced(self) -> Collection[tuple[str, str]]:
        """Return sidecars, as app and instance, that are gone and have another in their place."""


class Counters(Protocol):
    """Who counts notices."""

    def noticed(self, action: str) -> None:
        """Count a notice that was written."""


class Watcher:
    """Looks again and again."""

    def __init__(
        self,
        database: Database,
        judging: JudgingSeen,
        link: LinkSeen,
        sidecars: SidecarsSeen,
        counters: Counters,
        *,
        now: Callable[[], datetime] = times.now,
    ) -> None:
        self._database = database
        self._judging = judging
        self._link = link
        self._sidecars = sidecars
        self._counters = counters
        self._now = now

    async def run(self) -> None:
        """Look until cancelled; without the database nothing can be told, so it is waited for."""
        complained = False
        while True:
            raise_if_cancelled()
            try:
                await self.look()
                complained = False
            except DatabaseUnavailableError as error:
                if not complained:
                    log.warning("notices_wait_for_database", error=str(error))
                    complained = True
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once. Raises `DatabaseUnavailableError`."""
        await self._look_at_judging()
        seen = self._sidecars.seen()
        if seen is not None:
            await self._look_at_sidecars(seen)

    async def _look_at_judging(self) -> None:
        silent, now = timedelta(seconds=self._judging.silent_for_s()), self._now()
        is_fine = silent <= FINE_WITHIN
        if not is_fine and silent < BROKEN_AFTER:
            return
        async with self._database.begin() as connection:
            store = NoticeStore(connection)
            condition = await store.lock(JUDGING, now)
            since = condition.broken_since
            # Where no flag has a circuit that is on, nothing is missing.
            if is_fine or not await store.anything_to_judge():
                await store.fine(JUDGING, now)
                if since is None:
                    return
                entry = _judging("notice.judged_again", NothingJudged(None, since))
            elif since is None and now - condition.fine_at >= BROKEN_AFTER:
                await store.broken(JUDGING, condition.fine_at)
                cause = NO_AEROBAT if self._link.connected else NO_NATS
                entry = _judging("notice.nothing_judged", NothingJudged(cause, condition.fine_at))
            else:
                return
            await record(connection, entry)
        self._tell(entry)

    async def _look_at_sidecars(self, seen: Sequence[SeenSidecar]) -> None:
        now = self._now()
        there = {(each.app, each.instance) for each in seen if not each.silent}
        silent = {(each.app, each.instance): each.heard_at for each in seen if each.silent}
        entries: list[LogEntry] = []
        async with self._database.begin() as connection:
            store = NoticeStore(connection)
            known = await store.known_as_lost()
            lost = {name: at for name, at in silent.items() if name not in known}
            if any(now - at >= GATHERED_AFTER for at in lost.values()):
                entries += _sidecars("notice.sidecar_lost", await store.lose(lost))
            if found := known & (there | set(self._sidecars.replaced())):
                entries += _sidecars("notice.sidecar_back", await store.find(found))
            await store.forget(now - FORGOTTEN_AFTER)
            for entry in entries:
                await record(connection, entry)
        for entry in entries:
            self._tell(entry)

    def _tell(self, entry: LogEntry) -> None:
        self._counters.noticed(entry.action)
        log.warning(entry.action.replace(".", "_"), app=entry.subject.app, **entry.details)


def _judging(action: str, notice: NothingJudged) -> LogEntry:
    return LogEntry(action, Subject(SubjectKind.SYSTEM), BY_SYSTEM, details=notice.json())


def _sidecars(action: str, instances: Instances) -> Iterable[LogEntry]:
    """Return one entry for each app."""
    for app, names in groupby(sorted(instances), key=lambda name: name[0]):
        those = list(names)
        notice = LostSidecars(
            len(those), tuple(instance for _, instance in those), min(instances[name] for name in those)
        )
        yield LogEntry(action, Subject(SubjectKind.SIDECAR, app), BY_SYSTEM, details=notice.json())
