"""The rules of flags: who changes what when, one change of a flag after another, and who is told.

What a change makes of a flag is in `flag`.
"""

from collections.abc import Callable

import structlog

from tailslide_core.naming import FlagId
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.store import AppStore
from tailslide_tower.database import Database
from tailslide_tower.flags import flag as flag_changes
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.models import FlagChange, FlagCreate
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Page, Precondition

log = structlog.get_logger()


class FlagService:
    """Flags, for people: raises `ApiError` and `ContractError` on what they ask in vain. `who` is for the log.

    `on_change` is called after each commit with the flag that is another one now.
    """

    def __init__(self, database: Database, on_change: Callable[[FlagId], None]) -> None:
        self._database = database
        self._on_change = on_change

    async def page(self, app: str, page: Page) -> list[Flag]:
        """Return the flags of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            if await AppStore(connection).get(app) is None:
                raise app_not_found(app)
            return await FlagStore(connection).page(app, page)

    async def get(self, flag_id: FlagId) -> Flag:
        """Return a flag."""
        async with self._database.begin() as connection:
            flag = await FlagStore(connection).get(flag_id)
            if flag is None:
                raise await _not_found(AppStore(connection), flag_id)
            return flag

    async def create(self, app: str, request: FlagCreate, who: str) -> Flag:
        """Add a flag."""
        flag = flag_changes.created(app, request, times.now())
        async with self._database.begin() as connection:
            if not await AppStore(connection).keep(app):
                raise app_not_found(app)
            store = FlagStore(connection)
            if not await store.add(flag):
                raise ApiError(409, "FLAG_EXISTS", f"the app {app!r} has a flag {request.key!r} already", "key")
            # Asked only now: the deletion of the old flag may have been what the insertion has waited for.
            last = await store.last_of(flag.flag_id)
            if last is not None:
                flag = flag_changes.recreated(flag, last.version, last.reset_generation)
                await store.update(flag)
        self._changed("flag created", flag, who)
        return flag

    async def change(self, flag_id: FlagId, request: FlagChange, precondition: Precondition, who: str) -> Flag:
        """Change a flag."""
        return await self._change(
            flag_id, lambda flag: flag_changes.changed(flag, request, times.now()), precondition, "flag changed", who
        )

    async def toggle(self, flag_id: FlagId, active: bool | None, precondition: Precondition, who: str) -> Flag:
        """Turn a flag on or off; None is the other way round."""
        return await self._change(
            flag_id, lambda flag: flag_changes.toggled(flag, active, times.now()), precondition, "flag toggled", who
        )

    async def reset_circuit(self, flag_id: FlagId, precondition: Precondition, who: str) -> Flag:
        """Close the circuit of a flag, whatever Aerobat has said until now."""

        def reset(flag: Flag) -> Flag:
            if flag.ruleset.circuit is None:
                raise ApiError(409, "NO_CIRCUIT", f"the flag {flag_id.flag!r} has no circuit to reset", "circuit")
            return flag_changes.circuit_reset(flag, times.now())

        return await self._change(flag_id, reset, precondition, "circuit reset", who)

    async def delete(self, flag_id: FlagId, precondition: Precondition, who: str) -> None:
        """Delete a flag."""
        async with self._database.begin() as connection:
            flag = await self._locked(FlagStore(connection), AppStore(connection), flag_id, precondition)
            await FlagStore(connection).delete(flag)
        self._changed("flag deleted", flag, who)

    async def _change(
        self,
        flag_id: FlagId,
        change: Callable[[Flag], Flag],
        precondition: Precondition,
        event: str,
        who: str,
    ) -> Flag:
        """Apply a change under the flag's lock; one that changes nothing raises no version and tells nobody."""
        async with self._database.begin() as connection:
            before = await self._locked(FlagStore(connection), AppStore(connection), flag_id, precondition)
            after = change(before)
            if after == before:
                return before
            await FlagStore(connection).update(after)
        self._changed(event, after, who)
        return after

    @staticmethod
    async def _locked(flags: FlagStore, apps: AppStore, flag_id: FlagId, precondition: Precondition) -> Flag:
        flag = await flags.lock(flag_id)
        if flag is None:
            raise await _not_found(apps, flag_id)
        precondition.check(flag.version)
        return flag

    def _changed(self, event: str, flag: Flag, who: str) -> None:
        flag_id = flag.flag_id
        self._on_change(flag_id)
        log.info(event, who=who, app=flag_id.app, flag=flag_id.flag, version=flag.version, active=flag.ruleset.active)


async def _not_found(apps: AppStore, flag_id: FlagId) -> ApiError:
    if await apps.get(flag_id.app) is None:
        return app_not_found(flag_id.app)
    return ApiError(404, "FLAG_NOT_FOUND", f"the app {flag_id.app!r} has no flag {flag_id.flag!r}", "flag")
