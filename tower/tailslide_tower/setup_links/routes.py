"""Set-up links over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.auth.middleware import CLIENT
from tailslide_tower.requests import NoQuery
from tailslide_tower.sessions.answers import answer_opened
from tailslide_tower.sessions.models import SessionOut
from tailslide_tower.setup_links.models import SetUp
from tailslide_tower.setup_links.service import SetupService

SETUP = web.AppKey("setup", SetupService)

routes = Routes("session")


@routes.post(
    "/session/setup",
    access=Access.PUBLIC,
    answer=SessionOut,
    status=201,
    summary="Become an admin by a set-up link",
    more_answers=(401, 403, 429),
)
async def use_setup_link(ask: Ask[SetUp, NoQuery]) -> web.Response:
    """For the link that the first start prints, and for those of `tailslide admin-link`; each works once."""
    return answer_opened(ask, await ask.request.app[SETUP].use(ask.body, ask.request[CLIENT]))
