"""The rules of apps."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from tailslide_core.contracts import Json
from tailslide_core.errors import ContractError
from tailslide_core.naming import FlagId, SegmentId, check_app_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.models import App, AppChange, AppCreate, AppQuery
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.flags.checks import check_segments
from tailslide_tower.flags.flag import check_defaults
from tailslide_tower.flags.last_asked import LastAsked, refuse_if_asked_for
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Precondition
from tailslide_tower.segments.store import SegmentStore

log = structlog.get_logger()


class Publication(Protocol):
    """Who publishes changes."""

    def app_added(self) -> None:
        """Note, after the commit, that there is another app."""

    def changed(self, name: FlagId | SegmentId, /) -> None:
        """Note, after the commit, that a flag or a segment is another one now, or is not to be published."""


class AppService:
    """Apps, for people: raises `ApiError` and `ContractError` on what they ask in vain."""

    def __init__(self, database: Database, publication: Publication, last_asked: LastAsked) -> None:
        self._database = database
        self._publication = publication
        self._last_asked = last_asked

    async def page(self, filters: AppQuery, visible: Collection[str] | None) -> list[App]:
        """Return the apps of a page and, if there are more, one of them; `visible` are those that may be seen."""
        page = filters.page
        async with self._database.begin() as connection:
            return await AppStore(connection).page(page, filters, visible)

    async def get(self, key: str) -> App:
        """Return an app."""
        async with self._database.begin() as connection:
            app = await AppStore(connection).get(key)
        if app is None:
            raise app_not_found(key)
        return app

    async def create(self, request: AppCreate, author: Author) -> App:
        """Add an app."""
        now = times.now()
        key = check_app_key("key", request.key)
        app = _changed(App(key, key, 1, now, now), request)
        async with self._database.begin() as connection:
            if not await AppStore(connection).add(app):
                raise ApiError(409, "APP_EXISTS", f"the app {app.key!r} already exists", "key")
            await _check_defaults(connection, app)
            await record(connection, _entry("app.created", author, None, app))
        self._publication.app_added()
        log.info("app_created", who=author.name, app=app.key)
        return app

    async def change(self, key: str, request: AppChange, precondition: Precondition, author: Author) -> App:
        """Change an app; a change that says nothing new leaves it as it is."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            before = await self._locked(store, key, precondition)
            app = _changed(before, request)
            if app.json() == before.json():
                return before
            if before.archived_at is not None:
                raise ApiError(409, "APP_ARCHIVED", f"the app {key!r} is archived; restore it first", "app")
            if "defaults" in request.model_fields_set:
                await _check_defaults(connection, app)
            app = _stamped(app)
            await store.update(app)
            await record(connection, _entry("app.changed", author, before, app))
        log.info("app_changed", who=author.name, app=key)
        return app

    async def archive(self, key: str, precondition: Precondition, author: Author, *, force: bool = False) -> App:
        """Take all of an app away from sidecars, and keep it; refused while something asks for it, unless forced."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            before = await self._locked(store, key, precondition)
            if before.archived_at is not None:
                return before
            now = times.now()
            if not force:
                flags = await FlagStore(connection).variants(key)
                await refuse_if_asked_for(self._last_asked, key, flags, now, code="APP_IN_USE_RECENTLY")
            app = _stamped(replace(before, archived_at=now))
            await store.update(app)
            names = await _names(connection, key)
            await record(connection, _entry("app.archived", author, before, app, {"forced": True} if force else None))
        self._all_changed(names)
        log.info("app_archived", who=author.name, app=key)
        return app

    async def restore(self, key: str, precondition: Precondition, author: Author) -> App:
        """Give an archived app back to sidecars, with all flags and segments as they were."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            before = await self._locked(store, key, precondition)
            if before.archived_at is None:
                return before
            app = _stamped(replace(before, archived_at=None))
            await store.update(app)
            names = await _names(connection, key)
            await record(connection, _entry("app.restored", author, before, app))
        self._all_changed(names)
        log.info("app_restored", who=author.name, app=key)
        return app

    async def delete(self, key: str, precondition: Precondition, author: Author) -> None:
        """Delete an app for good: one without flags and segments, or an archived one with all that it has."""
        details: dict[str, object] = {}
        async with self._database.begin() as connection:
            store = AppStore(connection)
            app = await self._locked(store, key, precondition)
            if app.archived_at is None:
                await _refuse_with_flags(connection, key)
            else:
                details["flags"] = await FlagStore(connection).delete_all(key)
                details["segments"] = await SegmentStore(connection).delete_all(key)
            await store.delete(key)
            await record(connection, _entry("app.deleted", author, app, None, details))
        log.info("app_deleted", who=author.name, app=key)

    def _all_changed(self, names: Iterable[FlagId | SegmentId]) -> None:
        for name in names:
            self._publication.changed(name)

    @staticmethod
    async def _locked(store: AppStore, key: str, precondition: Precondition) -> App:
        app = await store.lock(key)
        if app is None:
            raise app_not_found(key)
        precondition.check(app.version, app.json)
        return app


async def _names(connection: AsyncConnection, app: str) -> list[FlagId | SegmentId]:
    """Return all that an app has which is published unless the app is archived."""
    flags, segments = await FlagStore(connection).keys(app), await SegmentStore(connection).keys(app)
    return [*(FlagId(app, key) for key in flags), *(SegmentId(app, key) for key in segments)]


async def _check_defaults(connection: AsyncConnection, app: App) -> None:
    """Raise `ContractError` unless a new flag of the app can be as its defaults have it."""
    try:
        await check_segments(connection, check_defaults(app.key, app.defaults, app.updated_at))
    except ContractError as error:
        raise error if error.field.startswith("defaults") else error.within("defaults") from None


async def _refuse_with_flags(connection: AsyncConnection, key: str) -> None:
    for store, code, what in (
        (FlagStore(connection), "APP_HAS_FLAGS", "flag"),
        (SegmentStore(connection), "APP_HAS_SEGMENTS", "segment"),
    ):
        count = await store.count(key)
        if count:
            some = f"1 {what}" if count == 1 else f"{count} {what}s"
            raise ApiError(409, code, f"the app {key!r} has {some}; archive the app first, with all that it has", "app")


def _changed(app: App, request: AppCreate | AppChange) -> App:
    """Return the app with the given fields."""
    given = {name: getattr(request, name) for name in request.model_fields_set if name in _FIELDS}
    if "name" in given:
        given["name"] = given["name"] or app.key
    if "defaults" in given:
        given["defaults"] = {} if request.defaults is None else request.defaults.model_dump(exclude_unset=True)
    return replace(app, **given)


_FIELDS = frozenset({"name", "description", "service", "environment", "defaults", "requires_reason"})


def _stamped(app: App) -> App:
    return replace(app, version=app.version + 1, updated_at=times.now())


def _entry(action: str, author: Author, before: App | None, after: App | None, details: Json | None = None) -> LogEntry:
    app = after or before
    assert app is not None
    return LogEntry(
        action,
        Subject(SubjectKind.APP, app.key, app.key),
        author,
        None if before is None else before.json(),
        None if after is None else after.json(),
        app.version,
        details or {},
    )
