"""The rules of apps."""

from collections.abc import Callable, Collection
from dataclasses import replace

import structlog

from tailslide_core.naming import check_app_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.models import App, AppChange, AppCreate
from tailslide_tower.apps.store import AppStore
from tailslide_tower.audit.entry import LogEntry, Subject, SubjectKind
from tailslide_tower.audit.store import record
from tailslide_tower.auth.principal import Author
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Page, Precondition
from tailslide_tower.segments.store import SegmentStore

log = structlog.get_logger()


class AppService:
    """Apps, for people: raises `ApiError` and `ContractError` on what they ask in vain.

    `on_new` is called after the commit of each new app.
    """

    def __init__(self, database: Database, on_new: Callable[[], None]) -> None:
        self._database = database
        self._on_new = on_new

    async def page(self, page: Page, visible: Collection[str] | None) -> list[App]:
        """Return the apps of a page and, if there are more, one of them; `visible` are those that may be seen."""
        async with self._database.begin() as connection:
            return await AppStore(connection).page(page, visible)

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
        app = App(check_app_key("key", request.key), request.name or request.key, 1, now, now)
        async with self._database.begin() as connection:
            if not await AppStore(connection).add(app):
                raise ApiError(409, "APP_EXISTS", f"there is an app {app.key!r} already", "key")
            await record(connection, _entry("app.created", author, None, app))
        self._on_new()
        log.info("app_created", who=author.name, app=app.key)
        return app

    async def change(self, key: str, request: AppChange, precondition: Precondition, author: Author) -> App:
        """Change an app; a change that says nothing new leaves it as it is."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            before = await self._locked(store, key, precondition)
            if "name" not in request.model_fields_set or request.name == before.name:
                return before
            app = replace(before, name=request.name, version=before.version + 1, updated_at=times.now())
            await store.update(app)
            await record(connection, _entry("app.changed", author, before, app))
        log.info("app_changed", who=author.name, app=key)
        return app

    async def delete(self, key: str, precondition: Precondition, author: Author) -> None:
        """Delete an app that has neither flags nor segments."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            app = await self._locked(store, key, precondition)
            count = await FlagStore(connection).count(key)
            if count:
                flags = "1 flag" if count == 1 else f"{count} flags"
                raise ApiError(409, "APP_HAS_FLAGS", f"the app {key!r} has {flags}; delete them first", "app")
            count = await SegmentStore(connection).count(key)
            if count:
                segments = "1 segment" if count == 1 else f"{count} segments"
                raise ApiError(409, "APP_HAS_SEGMENTS", f"the app {key!r} has {segments}; delete them first", "app")
            await store.delete(key)
            await record(connection, _entry("app.deleted", author, app, None))
        log.info("app_deleted", who=author.name, app=key)

    @staticmethod
    async def _locked(store: AppStore, key: str, precondition: Precondition) -> App:
        app = await store.lock(key)
        if app is None:
            raise app_not_found(key)
        precondition.check(app.version, app.json)
        return app


def _entry(action: str, author: Author, before: App | None, after: App | None) -> LogEntry:
    app = after or before
    assert app is not None
    return LogEntry(
        action,
        Subject(SubjectKind.APP, app.key, app.key),
        author,
        None if before is None else before.json(),
        None if after is None else after.json(),
        app.version,
    )
