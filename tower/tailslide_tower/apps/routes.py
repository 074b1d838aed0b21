"""Apps over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.apps.models import AppChange, AppCreate, AppList, AppOut
from tailslide_tower.apps.service import AppService
from tailslide_tower.auth.principal import Role
from tailslide_tower.requests import NoFields, NoQuery, PageQuery

APPS = web.AppKey("apps", AppService)

routes = Routes("apps")


@routes.get("/apps", access=Access.VIEW, answer=AppList, summary="List apps")
async def list_apps(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Only those that the one who asks may see, in the order of their keys."""
    page = ask.query.page
    found = await ask.request.app[APPS].page(page, ask.principal.apps_with(Role.VIEWER))
    shown = found[: page.limit]
    more = len(found) > page.limit
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


@routes.delete("/apps/{app}", access=Access.ADMIN, summary="Delete an app", conditional=True, published=True)
async def delete_app(ask: Plain) -> web.Response:
    """Refused while it has flags or segments."""
    await ask.request.app[APPS].delete(ask.app, ask.precondition, ask.author)
    return ask.answer()
