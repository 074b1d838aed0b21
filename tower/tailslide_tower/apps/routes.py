"""Apps over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.apps.models import AppChange, AppCreate, AppList, AppOut, AppQuery
from tailslide_tower.apps.service import AppService
from tailslide_tower.auth.principal import Role
from tailslide_tower.flags.models import Archive
from tailslide_tower.requests import NoFields, NoQuery

APPS = web.AppKey("apps", AppService)

routes = Routes("apps")


@routes.get("/apps", access=Access.VIEW, answer=AppList, summary="List apps")
async def list_apps(ask: Ask[NoFields, AppQuery]) -> web.Response:
    """Only those that the one who asks may see, in the order of their keys; archived ones where they are asked for."""
    limit = ask.query.limit
    found = await ask.request.app[APPS].page(ask.query, ask.principal.apps_with(Role.VIEWER))
    shown = found[:limit]
    more = len(found) > limit
    return ask.answer({"apps": [app.json() for app in shown], "next": shown[-1].key if more else None})


@routes.post("/apps", access=Access.ADMIN, answer=AppOut, status=201, summary="Make an app", published=True)
async def create_app(ask: Ask[AppCreate, NoQuery]) -> web.Response:
    """Without a name it is called as its key."""
    app = await ask.request.app[APPS].create(ask.body, ask.author)
    return ask.answer(app.json(), etag=app.version, location=app.key)


@routes.get("/apps/{app}", access=Access.VIEW, answer=AppOut, summary="Show an app")
async def get_app(ask: Plain) -> web.Response:
    """Show one app."""
    app = await ask.request.app[APPS].get(ask.app)
    return ask.answer(app.json(), etag=app.version)


@routes.patch(
    "/apps/{app}", access=Access.ADMIN, answer=AppOut, summary="Change an app", conditional=True, published=True
)
async def change_app(ask: Ask[AppChange, NoQuery]) -> web.Response:
    """What is not given stays; a change without effect makes no new version."""
    app = await ask.request.app[APPS].change(ask.app, ask.body, ask.precondition, ask.author)
    return ask.answer(app.json(), etag=app.version)


@routes.post(
    "/apps/{app}/archive",
    access=Access.ADMIN,
    answer=AppOut,
    summary="Archive an app",
    conditional=True,
    published=True,
)
async def archive_app(ask: Ask[Archive, NoQuery]) -> web.Response:
    """Sidecars do not get its flags any more, so that callers fall to their own defaults; nothing of it can be changed.

    Refused while something has asked for one of its flags in the last 7 days, or that is not known, unless forced.
    """
    app = await ask.request.app[APPS].archive(ask.app, ask.precondition, ask.author, force=ask.body.force)
    return ask.answer(app.json(), etag=app.version)


@routes.post(
    "/apps/{app}/restore",
    access=Access.ADMIN,
    answer=AppOut,
    summary="Restore an archived app",
    conditional=True,
    published=True,
)
async def restore_app(ask: Plain) -> web.Response:
    """With its flags and segments as they were; those that were archived by themselves stay so."""
    app = await ask.request.app[APPS].restore(ask.app, ask.precondition, ask.author)
    return ask.answer(app.json(), etag=app.version)


@routes.delete("/apps/{app}", access=Access.ADMIN, summary="Delete an app for good", conditional=True, published=True)
async def delete_app(ask: Plain) -> web.Response:
    """Refused while it has flags or segments, unless it is archived: then they are deleted with it."""
    await ask.request.app[APPS].delete(ask.app, ask.precondition, ask.author)
    return ask.answer()
