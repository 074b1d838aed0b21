"""What needs attention, over HTTP."""

from aiohttp import web

from tailslide_core.naming import check_app_key
from tailslide_tower.api.routes import Access, Ask, Routes, check_role
from tailslide_tower.auth.principal import Role
from tailslide_tower.requests import NoFields
from tailslide_tower.status.models import StatusOut, StatusQuery
from tailslide_tower.status.service import StatusService

STATUS = web.AppKey("status", StatusService)

routes = Routes("status")


@routes.get("/status", access=Access.VIEW, answer=StatusOut, summary="Say what needs attention", more_answers=(404,))
async def show_status(ask: Ask[NoFields, StatusQuery]) -> web.Response:
    """What is open, since when, why, and what comes next; and what keeps Tailslide from its work.

    Of all apps that the one who asks may see, or of one.
    """
    apps, app = ask.principal.apps_with(Role.VIEWER), ask.query.app or None
    if app is not None:
        check_app_key("app", app)
        check_role(ask.principal, Role.VIEWER, app)
        apps = frozenset({app})
    return ask.answer(await ask.request.app[STATUS].status(apps, app))
