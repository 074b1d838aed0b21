"""The rules of flags: who changes what when, one change of a flag after another, and who is told.

What a change makes of a flag is in `flag`, what flags may say of each other and of segments in `relations`. Whatever
touches that is done by one person after another in each app (`AppStore.arrange`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import Json
from tailslide_core.naming import FlagId
from tailslide_core.ruleset import Ruleset
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found, named, newer_in_bucket
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.flags import flag as flag_changes
from tailslide_tower.flags import relations
from tailslide_tower.flags.flag import Flag
from tailslide_tower.flags.models import FlagChange, FlagCreate
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Page, Precondition
from tailslide_tower.segments.store import SegmentStore

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

    def __init__(self, database: Database, publication: Publication, verdicts: Verdicts) -> None:
        self._database = database
        self._publication = publication
        self._verdicts = verdicts

    async def page(self, app: str, page: Page) -> list[ShownFlag]:
        """Return the flags of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            if await AppStore(connection).get(app) is None:
                raise app_not_found(app)
            found = await FlagStore(connection).page(app, page)
            alike = await FlagStore(connection).alike(app, [flag.flag_id.flag for flag in found])
            return [ShownFlag(flag, alike.get(flag.flag_id.flag, ())) for flag in found]

    async def get(self, flag_id: FlagId) -> ShownFlag:
        """Return a flag."""
        async with self._database.begin() as connection:
            flag = await FlagStore(connection).get(flag_id)
            if flag is None:
                raise await _not_found(AppStore(connection), flag_id)
            return await _shown(connection, flag)

    async def create(self, app: str, request: FlagCreate, author: Author) -> ShownFlag:
        """Add a flag."""
        flag = flag_changes.created(app, request, times.now())
        self._refuse_left_alone(flag.flag_id)
        is_related = bool(flag.ruleset.requires or relations.segments_named(flag.ruleset))
        async with self._database.begin() as connection:
            apps = AppStore(connection)
            if not await (apps.arrange(app) if is_related else apps.keep(app)):
                raise app_not_found(app)
            if is_related:
                await _check_requirements(connection, flag.ruleset)
                await _check_segments(connection, flag.ruleset)
            store = FlagStore(connection)
            if not await store.add(flag):
                raise ApiError(409, "FLAG_EXISTS", f"the app {app!r} has a flag {request.key!r} already", "key")
            # Asked only now: the deletion of the old flag may have been what the insertion has waited for.
            last = await store.last_of(flag.flag_id)
            made = flag if last is None else flag_changes.recreated(flag, last.version, last.reset_generation)
            made = await self._above_verdict(made)
            if made is not flag:
                flag = made
                await store.update(flag)
            shown = await _shown(connection, flag)
            await record(connection, _entry("flag.created", author, None, flag))
        self._changed("flag.created", flag, author)
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

    async def reset_circuit(self, flag_id: FlagId, precondition: Precondition, author: Author) -> ShownFlag:
        """Close the circuit of a flag, whatever Aerobat has said until now."""

        def reset(flag: Flag) -> Flag:
            if flag.ruleset.circuit is None:
                raise ApiError(409, "NO_CIRCUIT", f"the flag {flag_id.flag!r} has no circuit to reset", "circuit")
            return flag_changes.circuit_reset(flag, times.now())

        return await self._change(flag_id, reset, precondition, "circuit.reset", author)

    async def delete(self, flag_id: FlagId, precondition: Precondition, author: Author) -> None:
        """Delete a flag that no other requires."""
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            if not await AppStore(connection).arrange(flag_id.app):
                raise app_not_found(flag_id.app)
            store = FlagStore(connection)
            flag = await self._locked(store, AppStore(connection), flag_id, precondition)
            if others := await store.that_require(flag_id):
                raise _in_use(f"{named(others)} {_require(others)} the flag {flag_id.flag!r}", "flag")
            await store.delete(flag)
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
    ) -> ShownFlag:
        """Apply a change under the flag's lock; a change without effect raises no version and notifies nobody.

        `related` has the given fields in which flags refer to each other or to segments.
        """
        self._refuse_left_alone(flag_id)
        async with self._database.begin() as connection:
            if related and not await AppStore(connection).arrange(flag_id.app):
                raise app_not_found(flag_id.app)
            store = FlagStore(connection)
            before = await self._locked(store, AppStore(connection), flag_id, precondition)
            after = change(before)
            if after is before:
                return await _shown(connection, before)
            if "requires" in related:
                await _check_requirements(connection, after.ruleset)
            if "rules" in related:
                await _check_segments(connection, after.ruleset)
            if "variants" in related:
                await _refuse_to_take_away(connection, before.ruleset, after.ruleset)
            if after.reset_generation > before.reset_generation:
                after = await self._above_verdict(after)
            await store.update(after)
            shown = await _shown(connection, after)
            await record(connection, _entry(action, author, before, after))
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
    async def _locked(flags: FlagStore, apps: AppStore, flag_id: FlagId, precondition: Precondition) -> Flag:
        flag = await flags.lock(flag_id)
        if flag is None:
            raise await _not_found(apps, flag_id)
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


def _entry(action: str, author: Author, before: Flag | None, after: Flag | None) -> LogEntry:
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
    )


async def _shown(connection: AsyncConnection, flag: Flag) -> ShownFlag:
    app, key = flag.flag_id
    return ShownFlag(flag, (await FlagStore(connection).alike(app, [key])).get(key, ()))


async def _check_requirements(connection: AsyncConnection, ruleset: Ruleset) -> None:
    if ruleset.requires:
        store = FlagStore(connection)
        variants = await store.variants(ruleset.app, [requirement.flag for requirement in ruleset.requires])
        relations.check_requirements(ruleset, variants, await store.requirements(ruleset.app))


async def _check_segments(connection: AsyncConnection, ruleset: Ruleset) -> None:
    segments = relations.segments_named(ruleset)
    if segments:
        relations.check_segments(ruleset, await SegmentStore(connection).known(ruleset.app, segments))


async def _refuse_to_take_away(connection: AsyncConnection, before: Ruleset, after: Ruleset) -> None:
    """Refuse a change that removes a variant that other flags require."""
    gone = {variant.key for variant in before.variants} - {variant.key for variant in after.variants}
    if gone:
        requirements = await FlagStore(connection).requirements(after.app)
        for variant in sorted(gone):
            if others := relations.requiring(after.key, {variant}, requirements):
                raise _in_use(f"{named(others)} {_require(others)} its variant {variant!r}", "variants")


def _require(flags: Collection[str]) -> str:
    return "requires" if len(flags) == 1 else "require"


def _in_use(why: str, field: str) -> ApiError:
    return ApiError(409, "FLAG_IN_USE", f"{why}; change the field requires there first", field)


async def _not_found(apps: AppStore, flag_id: FlagId) -> ApiError:
    if await apps.get(flag_id.app) is None:
        return app_not_found(flag_id.app)
    return ApiError(404, "FLAG_NOT_FOUND", f"the app {flag_id.app!r} has no flag {flag_id.flag!r}", "flag")
