"""The rules of flags: who changes what when, one change of a flag after another, and who is told.

What a change makes of a flag is in `flag`.
"""

from collections.abc import Callable
from typing import Protocol

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


class Publication(Protocol):
    """Who publishes changes."""

    def changed(self, flag_id: FlagId) -> None:
        """Note, after the commit, that a flag is another one now."""

    def is_left_alone(self, flag_id: FlagId) -> bool:
        """Whether a change of this flag would not arrive, as far as known."""


class Verdicts(Protocol):
    """Who knows what Aerobat has said."""

    async def reset_generation(self, flag_id: FlagId) -> int | None:
        """Return the `reset_generation` of the verdict on a flag; None when there is none that can be read."""


class FlagService:
    """Flags, for people: raises `ApiError` and `ContractError` on what they ask in vain. `who` is for the log."""

    def __init__(self, database: Database, publication: Publication, verdicts: Verdicts) -> None:
        self._database = database
        self._publication = publication
        self._verdicts = verdicts

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
        self._refuse_left_alone(flag.flag_id)
        async with self._database.begin() as connection:
            if not await AppStore(connection).keep(app):
                raise app_not_found(app)
            store = FlagStore(connection)
            if not await store.add(flag):
                raise ApiError(409, "FLAG_EXISTS", f"the app {app!r} has a flag {request.key!r} already", "key")
            # Asked only now: the deletion of the old flag may have been what the insertion has waited for.
            last = await store.last_of(flag.flag_id)
            made = flag if last is None else flag_changes.recreated(flag, last.version, last.reset_generation)
            made = await self._above_verdict(made)
            if made != flag:
                flag = made
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
        self._refuse_left_alone(flag_id)
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
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            before = await self._locked(FlagStore(connection), AppStore(connection), flag_id, precondition)
            after = change(before)
            if after == before:
                return before
            if after.reset_generation > before.reset_generation:
                after = await self._above_verdict(after)
            await FlagStore(connection).update(after)
        self._changed(event, after, who)
        return after

    async def _above_verdict(self, flag: Flag) -> Flag:
        """Return the flag as one that the present verdict does not count for, so that it starts closed.

        The numbers are out of step when the database was restored, or is another one than the verdict was made under.
        """
        verdict = await self._verdicts.reset_generation(flag.flag_id)
        return flag if verdict is None else flag_changes.reset_above(flag, verdict)

    def _refuse_left_alone(self, flag_id: FlagId) -> None:
        if self._publication.is_left_alone(flag_id):
            raise ApiError(
                409,
                "NEWER_IN_BUCKET",
                f"nothing was changed, since no sidecar would see it: NATS has a newer version of {str(flag_id)!r} "
                "than the database; run `tailslide tower adopt`, which first says what would change",
                "flag",
            )

    @staticmethod
    async def _locked(flags: FlagStore, apps: AppStore, flag_id: FlagId, precondition: Precondition) -> Flag:
        flag = await flags.lock(flag_id)
        if flag is None:
            raise await _not_found(apps, flag_id)
        precondition.check(flag.version)
        return flag

    def _changed(self, event: str, flag: Flag, who: str) -> None:
        flag_id = flag.flag_id
        self._publication.changed(flag_id)
        log.info(event, who=who, app=flag_id.app, flag=flag_id.flag, version=flag.version, active=flag.ruleset.active)


async def _not_found(apps: AppStore, flag_id: FlagId) -> ApiError:
    if await apps.get(flag_id.app) is None:
        return app_not_found(flag_id.app)
    return ApiError(404, "FLAG_NOT_FOUND", f"the app {flag_id.app!r} has no flag {flag_id.flag!r}", "flag")
