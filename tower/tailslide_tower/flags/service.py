"""The rules of flags: who changes what when, one change of a flag after another, and who is told.

What a change makes of a flag is in `flag`, what flags may say of each other and of segments in `relations`. Whatever
touches that is done by one person after another in each app (`AppStore.arrange`).
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, check_flag_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.admission import admitted
from tailslide_tower.apps.errors import app_not_found, newer_in_bucket
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.flags import flag as flag_changes
from tailslide_tower.flags.checks import (
    check_related,
    check_requirements,
    check_segments,
    flag_not_found,
    is_related,
    not_found,
    refuse_to_take_away,
    refuse_while_required,
)
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.last_asked import LastAsked, refuse_if_asked_for
from tailslide_tower.flags.lists import AllFlagsQuery, FlagQuery, Listing, listed
from tailslide_tower.flags.models import FlagChange, FlagCreate
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Precondition

log = structlog.get_logger()

RELATED = frozenset({"requires", "rules", "variants"})
"""Fields in which flags refer to each other and to segments, or to which others refer."""


@dataclass(frozen=True, slots=True)
class ShownFlag:
    """A flag, and the app's flags whose keys differ from its only by case."""

    flag: Flag
    alike: Collection[str] = ()

    def json(self) -> Json:
        """Return the flag as the API shows it."""
        return self.flag.json(self.alike)


class Publication(Protocol):
    """Who publishes changes."""

    def changed(self, flag_id: FlagId, /) -> None:
        """Note, after the commit, that a flag is another one now."""

    def is_left_alone(self, flag_id: FlagId, /) -> bool:
        """Whether a change of this flag would not arrive, as far as known."""


class Verdicts(Protocol):
    """Who knows what Aerobat has said."""

    async def reset_generation(self, flag_id: FlagId) -> int | None:
        """Return the `reset_generation` of the verdict on a flag; None when there is none that can be read."""


class FlagService:
    """Flags, for people: raises `ApiError` and `ContractError` on what they ask in vain."""

    def __init__(self, database: Database, publication: Publication, verdicts: Verdicts, last_asked: LastAsked) -> None:
        self._database = database
        self._publication = publication
        self._verdicts = verdicts
        self._last_asked = last_asked

    async def page(self, app: str, filters: FlagQuery) -> list[ShownFlag]:
        """Return the flags of a page of an app and, if there are more, one of them."""
        after = filters.page.after
        async with self._database.begin() as connection:
            if await AppStore(connection).get(app) is None:
                raise app_not_found(app)
            listing = Listing(filters, [app], FlagId(app, after) if after else None, with_archived_apps=True)
            return await _all_shown(connection, await listed(connection, listing))

    async def page_of_all(self, filters: AllFlagsQuery, visible: Collection[str] | None) -> list[ShownFlag]:
        """Return the flags of a page and, if there are more, one of them; `visible` are the apps that may be seen."""
        asked = filters.apps
        apps = visible if asked is None else asked if visible is None else asked & frozenset(visible)
        async with self._database.begin() as connection:
            listing = Listing(filters, apps, filters.after_flag)
            return await _all_shown(connection, await listed(connection, listing))

    async def get(self, flag_id: FlagId) -> ShownFlag:
        """Return a flag."""
        async with self._database.begin() as connection:
            flag = await FlagStore(connection).get(flag_id)
            if flag is None:
                raise await not_found(connection, flag_id)
            return await _shown(connection, flag)

    async def create(self, app: str, request: FlagCreate, author: Author) -> ShownFlag:
        """Add a flag; what the request does not say is as in the app's defaults."""
        flag_id = FlagId(app, check_flag_key("key", request.key))
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            apps = AppStore(connection)
            defaults = admitted(await apps.get(app), app, author).defaults
            try:
                flag = flag_changes.created(app, request, times.now(), defaults)
                admitted(await (apps.arrange if is_related(flag.ruleset) else apps.keep)(app), app, author)
                await check_related(connection, flag.ruleset)
            except ContractError as error:
                raise flag_changes.because_of_defaults(error, request, defaults) from None
            shown = await self._add(connection, flag, author)
        self._changed("flag.created", shown.flag, author)
        return shown

    async def duplicate(self, flag_id: FlagId, copy_id: FlagId, author: Author) -> ShownFlag:
        """Add a copy of a flag under another name, which may be in another app; it is turned off."""
        self._refuse_left_alone(copy_id)
        async with self._database.begin() as connection:
            flag = await FlagStore(connection).get(flag_id)
            if flag is None:
                raise await not_found(connection, flag_id)
            admitted(await AppStore(connection).arrange(copy_id.app), copy_id.app, author)
            copy = flag_changes.duplicated(flag, copy_id.app, copy_id.flag, times.now())
            await check_related(connection, copy.ruleset)
            shown = await self._add(connection, copy, author, {"copy_of": {"app": flag_id.app, "key": flag_id.flag}})
        self._changed("flag.created", shown.flag, author)
        return shown

    async def _add(
        self, connection: AsyncConnection, flag: Flag, author: Author, details: Json | None = None
    ) -> ShownFlag:
        store, (app, key) = FlagStore(connection), flag.flag_id
        if not await store.add(flag):
            raise ApiError(409, "FLAG_EXISTS", f"the app {app!r} already has a flag {key!r}", "key")
        # Asked only now: the deletion of the old flag may have been what the insertion has waited for.
        last = await store.last_of(flag.flag_id)
        made = flag if last is None else flag_changes.recreated(flag, last.version, last.reset_generation)
        made = await self._above_verdict(made)
        if made is not flag:
            await store.update(made)
        shown = await _shown(connection, made)
        await record(connection, _entry("flag.created", author, None, made, details))
        return shown

    async def change(
        self, flag_id: FlagId, request: FlagChange, precondition: Precondition, author: Author
    ) -> ShownFlag:
        """Change a flag."""
        return await self._change(
            flag_id,
            lambda flag: flag_changes.changed(flag, request, times.now()),
            precondition,
            "flag.changed",
            author,
            related=RELATED & request.model_fields_set,
        )

    async def toggle(
        self, flag_id: FlagId, active: bool | None, precondition: Precondition, author: Author
    ) -> ShownFlag:
        """Turn a flag on or off; None is the other way round."""
        return await self._change(
            flag_id, lambda flag: flag_changes.toggled(flag, active, times.now()), precondition, "flag.toggled", author
        )

    async def roll_back(
        self, flag_id: FlagId, version: int, state: Json, precondition: Precondition, author: Author
    ) -> ShownFlag:
        """Make a flag as it was in an earlier version; `state` is the flag as it was shown then."""
        return await self._change(
            flag_id,
            lambda flag: flag_changes.rolled_back(flag, state, times.now()),
            precondition,
            "flag.rolled_back",
            author,
            related=RELATED,
            details={"version": version},
        )

    async def reset_circuit(self, flag_id: FlagId, precondition: Precondition, author: Author) -> ShownFlag:
        """Close the circuit of a flag, whatever Aerobat has said until now."""

        def reset(flag: Flag) -> Flag:
            if flag.ruleset.circuit is None:
                raise ApiError(409, "NO_CIRCUIT", f"the flag {flag_id.flag!r} has no circuit to reset", "circuit")
            return flag_changes.circuit_reset(flag, times.now())

        return await self._change(flag_id, reset, precondition, "circuit.reset", author)

    async def archive(
        self, flag_id: FlagId, precondition: Precondition, author: Author, *, force: bool = False
    ) -> ShownFlag:
        """Take a flag away from sidecars, and keep it; refused while something asks for it, unless forced."""

        async def check(connection: AsyncConnection, flag: Flag) -> None:
            await refuse_while_required(connection, flag_id, archived=False)
            if not force:
                app, key = flag_id
                variants = {key: [variant.key for variant in flag.ruleset.variants]}
                await refuse_if_asked_for(self._last_asked, app, variants, times.now(), code="FLAG_IN_USE_RECENTLY")

        return await self._change(
            flag_id,
            lambda flag: flag_changes.archived(flag, times.now()),
            precondition,
            "flag.archived",
            author,
            check=check,
            details={"forced": True} if force else None,
        )

    async def restore(self, flag_id: FlagId, precondition: Precondition, author: Author) -> ShownFlag:
        """Give an archived flag back to sidecars as it was; its circuit is closed."""
        return await self._change(
            flag_id,
            lambda flag: flag_changes.restored(flag, times.now()),
            precondition,
            "flag.restored",
            author,
            check=lambda connection, flag: check_related(connection, flag.ruleset),
        )

    async def delete(self, flag_id: FlagId, precondition: Precondition, author: Author) -> None:
        """Delete an archived flag for good."""
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            app = await AppStore(connection).arrange(flag_id.app)
            admitted(app, flag_id.app, author)
            flag = await self._locked(connection, flag_id, precondition)
            await refuse_while_required(connection, flag_id, archived=True)
            if flag.archived_at is None:
                raise ApiError(
                    409, "FLAG_NOT_ARCHIVED", f"the flag {flag_id.flag!r} is not archived; archive it first", "flag"
                )
            await FlagStore(connection).delete(flag)
            await record(connection, _entry("flag.deleted", author, flag, None))
        self._changed("flag.deleted", flag, author)

    async def _change(
        self,
        flag_id: FlagId,
        change: Callable[[Flag], Flag],
        precondition: Precondition,
        action: str,
        author: Author,
        *,
        related: Collection[str] = (),
        check: Callable[[AsyncConnection, Flag], Awaitable[None]] | None = None,
        details: Json | None = None,
    ) -> ShownFlag:
        """Apply a change under the flag's lock; a change without effect raises no version and notifies nobody.

        `related` has the given fields in which flags refer to each other or to segments. `check` may refuse a change
        that archives a flag or restores it; no other change is made to an archived one.
        """
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            apps = AppStore(connection)
            app = await (apps.arrange if related or check is not None else apps.keep)(flag_id.app)
            admitted(app, flag_id.app, author)
            before = await self._locked(connection, flag_id, precondition)
            if before.archived_at is not None and check is None:
                raise ApiError(409, "FLAG_ARCHIVED", f"the flag {flag_id.flag!r} is archived; restore it first", "flag")
            after = change(before)
            if after is before:
                return await _shown(connection, before)
            if check is not None:
                await check(connection, before)
            if "requires" in related:
                await check_requirements(connection, after.ruleset)
            if "rules" in related:
                await check_segments(connection, after.ruleset)
            if "variants" in related:
                await refuse_to_take_away(connection, before.ruleset, after.ruleset)
            if after.reset_generation > before.reset_generation:
                after = await self._above_verdict(after)
            await FlagStore(connection).update(after)
            shown = await _shown(connection, after)
            await record(connection, _entry(action, author, before, after, details))
        self._changed(action, after, author)
        return shown

    async def _above_verdict(self, flag: Flag) -> Flag:
        """Return the flag as one that the present verdict does not count for, so that it starts closed.

        The numbers are out of step when the database was restored, or is another one than the verdict was made under.
        """
        verdict = await self._verdicts.reset_generation(flag.flag_id)
        return flag if verdict is None else flag_changes.reset_above(flag, verdict)

    def _refuse_left_alone(self, flag_id: FlagId) -> None:
        if self._publication.is_left_alone(flag_id):
            raise newer_in_bucket(flag_id, "flag")

    @staticmethod
    async def _locked(connection: AsyncConnection, flag_id: FlagId, precondition: Precondition) -> Flag:
        flag = await FlagStore(connection).lock(flag_id)
        if flag is None:
            raise flag_not_found(flag_id)
        precondition.check(flag.version, flag.json)
        return flag

    def _changed(self, action: str, flag: Flag, author: Author) -> None:
        flag_id = flag.flag_id
        self._publication.changed(flag_id)
        log.info(
            action.replace(".", "_"),
            who=author.name,
            app=flag_id.app,
            flag=flag_id.flag,
            version=flag.version,
            active=flag.ruleset.active,
        )


def _entry(
    action: str, author: Author, before: Flag | None, after: Flag | None, details: Json | None = None
) -> LogEntry:
    flag = after or before
    assert flag is not None
    kind = SubjectKind.CIRCUIT if action.startswith("circuit.") else SubjectKind.FLAG
    return LogEntry(
        action,
        Subject(kind, *flag.flag_id),
        author,
        None if before is None else before.json(),
        None if after is None else after.json(),
        flag.version,
        details or {},
    )


async def _shown(connection: AsyncConnection, flag: Flag) -> ShownFlag:
    return (await _all_shown(connection, [flag]))[0]


async def _all_shown(connection: AsyncConnection, flags: Collection[Flag]) -> list[ShownFlag]:
    alike = await FlagStore(connection).alike([flag.flag_id for flag in flags])
    return [ShownFlag(flag, alike.get(flag.flag_id, ())) for flag in flags]
