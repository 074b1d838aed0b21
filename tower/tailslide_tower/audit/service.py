"""The log for people: what they may see of it, page by page. Nobody changes it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tailslide_core.naming import FlagId
from tailslide_runtime.http import ApiError
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit import queries
from tailslide_tower.audit.entry import LogRow, SubjectKind
from tailslide_tower.audit.queries import Filters, Scope
from tailslide_tower.audit.store import log_entries, rows_of
from tailslide_tower.auth.principal import Principal, Role
from tailslide_tower.database import Database
from tailslide_tower.flags.checks import not_found
from tailslide_tower.flags.store import FlagStore

EXPORT_BATCH = 200
OF_FLAGS = (SubjectKind.FLAG, SubjectKind.CIRCUIT)
"""What the log of a flag has."""
SHOWN_VERSIONS = 10


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some entries, newest first; `more` says whether there are older ones."""

    rows: list[LogRow]
    more: bool

    @property
    def next(self) -> str | None:
        """Return where to go on."""
        return str(self.rows[-1].id) if self.more else None


@dataclass(frozen=True, slots=True)
class Versions:
    """Entries that made a version of a flag, and the version that it has now, if it is there."""

    part: LogPart
    current: int | None


class LogService:
    """Reads the log; raises `ApiError` on what is not there or may not be seen."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, filters: Filters, reader: Principal, before: int | None, limit: int) -> LogPart:
        """Return the newest entries below an id that are asked for and that `reader` may see."""
        if filters.app is not None and not reader.may(Role.VIEWER, filters.app):
            raise ApiError(403, "FORBIDDEN", f"{reader.name} may not see the app {filters.app[:80]!r}", "app")
        statement = queries.page(filters, Scope.of(reader), before, limit + 1)
        async with self._database.begin() as connection:
            await queries.plan_each(connection)
            found = (await connection.execute(statement)).mappings().all()
        shown = rows_of(found[:limit])
        return LogPart(shown, bool(found) and found[0]["found"] > len(shown))

    async def of_app(self, filters: Filters, reader: Principal, before: int | None, limit: int) -> LogPart:
        """Return entries of an app, which need not exist any more; raise 404 when it never did, as far as known."""
        part = await self.page(filters, reader, before, limit)
        if not part.rows and filters.app is not None:
            async with self._database.begin() as connection:
                known = sa.select(sa.exists().where(log_entries.c.app == filters.app))
                if await AppStore(connection).get(filters.app) is None and not await connection.scalar(known):
                    raise app_not_found(filters.app)
        return part

    async def of_flag(
        self, flag_id: FlagId, filters: Filters, reader: Principal, before: int | None, limit: int
    ) -> LogPart:
        """Return entries of a flag and of its circuit; raise 404 when it never was there, as far as known."""
        part = await self.page(filters, reader, before, limit)
        if not part.rows:
            async with self._database.begin() as connection:
                log = log_entries.c
                known = sa.select(sa.exists().where(log.app == flag_id.app, log.key == flag_id.flag))
                if await FlagStore(connection).get(flag_id) is None and not await connection.scalar(known):
                    raise await not_found(connection, flag_id)
        return part

    async def get(self, entry: int, reader: Principal) -> LogRow:
        """Return an entry; one that `reader` may not see is not there."""
        statement = sa.select(log_entries).where(log_entries.c.id == entry, *Scope.of(reader).conditions())
        async with self._database.begin() as connection:
            found = rows_of((await connection.execute(statement)).mappings().all())
        if not found:
            raise ApiError(404, "ENTRY_NOT_FOUND", f"the log has no entry {entry} that you may see", "entry")
        return found[0]

    async def export(
        self, filters: Filters, reader: Principal, before: int | None, limit: int | None
    ) -> AsyncIterator[list[LogRow]]:
        """Yield all entries that are asked for, newest first, some at a time.

        Each part is read by itself, so that who takes long to read holds no connection and no snapshot of the database.
        """
        left = limit
        while left is None or left > 0:
            part = await self.page(filters, reader, before, EXPORT_BATCH if left is None else min(EXPORT_BATCH, left))
            yield part.rows
            if not part.more:
                return
            before = part.rows[-1].id
            left = None if left is None else left - len(part.rows)

    async def versions(self, flag_id: FlagId, before: int | None, limit: int) -> Versions:
        """Return the entries that made a version of a flag which can be rolled back to, newest first."""
        statement = _versions(flag_id)
        if before is not None:
            statement = statement.where(log_entries.c.id < before)
        async with self._database.begin() as connection:
            found = rows_of((await connection.execute(statement.limit(limit + 1))).mappings().all())
            flag = await FlagStore(connection).get(flag_id)
            if flag is None and not found:
                raise await not_found(connection, flag_id)
        return Versions(LogPart(found[:limit], len(found) > limit), None if flag is None else flag.version)

    async def version(self, flag_id: FlagId, version: int) -> LogRow:
        """Return the entry that made a version of a flag; raise 404 that says which versions there are."""
        async with self._database.begin() as connection:
            wanted = _versions(flag_id).where(log_entries.c.version == version).limit(1)
            found = rows_of((await connection.execute(wanted)).mappings().all())
            if found:
                return found[0]
            if await FlagStore(connection).get(flag_id) is None:
                raise await not_found(connection, flag_id)
            numbers = _versions(flag_id).with_only_columns(log_entries.c.version).limit(SHOWN_VERSIONS + 1)
            known = list((await connection.execute(numbers)).scalars())
        raise _version_not_found(flag_id, version, known)


def _versions(flag_id: FlagId) -> sa.Select[Any]:
    """Return the statement for entries that have a state of the flag. Aerobat's transitions have no version."""
    log = log_entries.c
    return (
        sa.select(log_entries)
        .where(
            log.app == flag_id.app,
            log.key == flag_id.flag,
            log.kind.in_(OF_FLAGS),
            log.version.is_not(None),
            log.after.is_not(None),
        )
        .order_by(log.id.desc())
    )


def _version_not_found(flag_id: FlagId, version: int, known: list[int]) -> ApiError:
    if not known:
        there = (
            "the log has none of its versions; changes from before the log was kept, or that are too old, are not in it"
        )
    else:
        some = ", ".join(str(number) for number in known[:SHOWN_VERSIONS])
        there = f"the log has {some}{' and older ones' if len(known) > SHOWN_VERSIONS else ''}"
    return ApiError(
        404,
        "VERSION_NOT_FOUND",
        f"there is no version {version} of {flag_id.flag!r} to roll back to: {there}",
        "version",
        more={"versions": known[:SHOWN_VERSIONS]},
    )
