"""The rules of apps."""

from collections.abc import Callable
from dataclasses import replace

import structlog

from tailslide_core.naming import check_app_key
from tailslide_runtime.http import ApiError
from tailslide_tower import times
from tailslide_tower.apps.errors import app_not_found
from tailslide_tower.apps.models import App, AppChange, AppCreate
from tailslide_tower.apps.store import AppStore
from tailslide_tower.database import Database
from tailslide_tower.flags.store import FlagStore
from tailslide_tower.requests import Page
from tailslide_tower.segments.store import SegmentStore

log = structlog.get_logger()


class AppService:
    """Apps, for people: raises `ApiError` and `ContractError` on what they ask in vain. `who` is for the log.

    `on_new` is called after the commit of each new app.
    """

    def __init__(self, database: Database, on_new: Callable[[], None]) -> None:
        self._database = database
        self._on_new = on_new

    async def page(self, page: Page) -> list[App]:
        """Return the apps of a page and, if there are more, one of them."""
        async with self._database.begin() as connection:
            return await AppStore(connection).page(page)

    async def get(self, key: str) -> App:
        """Return an app."""
        async with self._database.begin() as connection:
            app = await AppStore(connection).get(key)
        if app is None:
            raise app_not_found(key)
        return app

    async def create(self, request: AppCreate, who: str) -> App:
        """Add an app."""
        now = times.now()
        app = App(check_app_key("key", request.key), request.name or request.key, now, now)
        async with self._database.begin() as connection:
            if not await AppStore(connection).add(app):
                raise ApiError(409, "APP_EXISTS", f"there is an app {app.key!r} already", "key")
        self._on_new()
        log.info("app created", who=who, app=app.key)
        return app

    async def change(self, key: str, request: AppChange, who: str) -> App:
        """Change an app; a change that says nothing new leaves it as it is."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            app = await store.lock(key)
            if app is None:
                raise app_not_found(key)
            if "name" not in request.model_fields_set or request.name == app.name:
                return app
            app = replace(app, name=request.name, updated_at=times.now())
            await store.rename(key, app.name, app.updated_at)
        log.info("app changed", who=who, app=key)
        return app

    async def delete(self, key: str, who: str) -> None:
        """Delete an app that has neither flags nor segments."""
        async with self._database.begin() as connection:
            store = AppStore(connection)
            if await store.lock(key) is None:
                raise app_not_found(key)
            count = await FlagStore(connection).count(key)
            if count:
                flags = "1 flag" if count == 1 else f"{count} flags"
                raise ApiError(409, "APP_HAS_FLAGS", f"the app {key!r} has {flags}; delete them first", "app")
            count = await SegmentStore(connection).count(key)
            if count:
                segments = "1 segment" if count == 1 else f"{count} segments"
                raise ApiError(409, "APP_HAS_SEGMENTS", f"the app {key!r} has {segments}; delete them first", "app")
            await store.delete(key)
        log.info("app deleted", who=who, app=key)
