"""Logging in and out over HTTP."""

from aiohttp import web

from tailslide_tower.api.routes import Access, Ask, Plain, Routes
from tailslide_tower.auth.middleware import CLIENT, SESSION
from tailslide_tower.requests import NoQuery
from tailslide_tower.sessions.answers import DESK, answer_opened, shown
from tailslide_tower.sessions.models import LogIn, SessionOut

routes = Routes("session")


@routes.get("/session", access=Access.PUBLIC, answer=SessionOut, summary="Show who asks")
async def show_session(ask: Plain) -> web.Response:
    """Also says how one may log in; without a session `principal` is null."""
    return ask.answer(shown(ask.request))


@routes.post(
    "/session",
    access=Access.PUBLIC,
    answer=SessionOut,
    status=201,
    summary="Log in with a password",
    more_answers=(401, 403, 429),
)
async def log_in(ask: Ask[LogIn, NoQuery]) -> web.Response:
    """Sets the cookie of the session. 429 after too many wrong passwords, with Retry-After."""
    service = ask.request.app[DESK].service
    opened = await service.log_in(ask.body.email, ask.body.password, ask.request[CLIENT])
    return answer_opened(ask, opened)


@routes.delete("/session", access=Access.KNOWN, summary="Log out")
async def log_out(ask: Plain) -> web.Response:
    """Ends the session that asks; an API token goes on."""
    session = ask.request.get(SESSION)
    desk = ask.request.app[DESK]
    if session is not None:
        await desk.service.end(session.id, ask.author)
    answer = ask.answer()
    answer.headers["Set-Cookie"] = desk.cookie.clearing
    return answer
