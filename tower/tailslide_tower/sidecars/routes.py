"""Sidecars over HTTP: nothing can be changed about them."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.apps.routes import APPS
from tailslide_tower.auth.principal import Role
from tailslide_tower.requests import NoFields, PageQuery
from tailslide_tower.sidecars.models import SidecarList
from tailslide_tower.sidecars.service import SidecarService

SIDECARS = web.AppKey("sidecars", SidecarService)

routes = Routes("sidecars")


@routes.get("/sidecars", access=Access.VIEW, answer=SidecarList, summary="List all sidecars")
async def list_sidecars(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Those of the apps that the one who asks may see, in the order of app and instance; silent ones for a day."""
    page = ask.query.page
    found = ask.request.app[SIDECARS].page(ask.principal.apps_with(Role.VIEWER), page.after, page.limit)
    return ask.answer(found.json())


@routes.get("/apps/{app}/sidecars", access=Access.VIEW, answer=SidecarList, summary="List an app's sidecars")
async def list_app_sidecars(ask: Ask[NoFields, PageQuery]) -> web.Response:
    """Where a flag's `state` says that a change has not arrived, this says what those sidecars answer from."""
    page = ask.query.page
    await ask.request.app[APPS].get(ask.app)
    return ask.answer(ask.request.app[SIDECARS].page([ask.app], page.after, page.limit).json())
