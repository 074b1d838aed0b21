"""Sidecars over HTTP: nothing can be changed about them."""

from collections.abc import Collection

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.apps.routes import APPS
from tailslide_tower.auth.principal import Role
from tailslide_tower.requests import NoFields
from tailslide_tower.sidecars.models import SidecarList, SidecarQuery, Status
from tailslide_tower.sidecars.service import SidecarService

SIDECARS = web.AppKey("sidecars", SidecarService)

routes = Routes("sidecars")


def _page(ask: Ask[NoFields, SidecarQuery], apps: Collection[str] | None) -> web.Response:
    page, status = ask.query.page, ask.query.status
    found = ask.request.app[SIDECARS].page(
        apps, page.after, page.limit, status=None if status is None else Status(status)
    )
    return ask.answer(found.json())


@routes.get("/sidecars", access=Access.VIEW, answer=SidecarList, summary="List all sidecars")
async def list_sidecars(ask: Ask[NoFields, SidecarQuery]) -> web.Response:
    """Those of the apps that the one who asks may see, in the order of app and instance; silent ones for a day."""
    return _page(ask, ask.principal.apps_with(Role.VIEWER))


@routes.get("/apps/{app}/sidecars", access=Access.VIEW, answer=SidecarList, summary="List an app's sidecars")
async def list_app_sidecars(ask: Ask[NoFields, SidecarQuery]) -> web.Response:
    """Where a flag's `state` says that a change has not arrived, this says what those sidecars answer from."""
    await ask.request.app[APPS].get(ask.app)
    return _page(ask, [ask.app])
