"""Logging in through a provider over HTTP. Both routes are for browsers, which they send on."""

from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import hdrs, web

from tailslide_runtime.http import ApiError
from tailslide_tower.api.routes import Access, Ask, Routes
from tailslide_tower.auth.cookies import Cookie
from tailslide_tower.auth.middleware import CLIENT
from tailslide_tower.oidc.models import BeginQuery, CallbackQuery
from tailslide_tower.oidc.service import PENDING_LIFE, OidcService, PendingLogin
from tailslide_tower.requests import NoFields
from tailslide_tower.sessions.answers import DESK, OIDC_PATH
from tailslide_tower.sessions.service import cookie_life


@dataclass(frozen=True, slots=True)
class OidcDoor:
    """What the routes need."""

    service: OidcService
    cookie: Cookie


OIDC = web.AppKey("oidc", OidcDoor)

routes = Routes("session")


@routes.get(
    OIDC_PATH,
    access=Access.PUBLIC,
    answer=None,
    status=303,
    summary="Log in at the provider",
    more_answers=(404, 429),
)
async def begin_oidc(ask: Ask[NoFields, BeginQuery]) -> web.Response:
    """Sends the browser to the provider, or to the log-in page while the provider cannot be reached.

    404 where none is configured. A program that does not accept `text/html` gets 503 instead of the page.
    """
    door = _door(ask.request)
    try:
        url, pending = await door.service.begin(ask.query.next)
    except ApiError as error:
        return _told(ask.request, error, ask.answer(), ask.query.next)
    answer = ask.answer()
    answer.headers[hdrs.LOCATION] = url
    door.cookie.set(answer, str(pending), PENDING_LIFE)
    return answer


@routes.get(
    f"{OIDC_PATH}/callback",
    access=Access.PUBLIC,
    answer=None,
    status=303,
    summary="Come back from the provider",
    more_answers=(403, 404, 429),
)
async def finish_oidc(ask: Ask[NoFields, CallbackQuery]) -> web.Response:
    """Sets the cookie of the session and sends the browser on to where it began.

    Somebody who does not get in is sent to the log-in page, which says why; a program that does not accept `text/html`
    gets the problem itself.
    """
    door = _door(ask.request)
    pending = PendingLogin.parse(door.cookie.of(ask.request))
    then = "/" if pending is None else pending.next
    answer = ask.answer()
    try:
        _check_let_in(ask.query)
        opened = await door.service.finish(pending, ask.query.state, ask.query.code, ask.request[CLIENT])
    except ApiError as error:
        return _told(ask.request, error, answer, then)
    answer.headers[hdrs.LOCATION] = then
    ask.request.app[DESK].cookie.set(answer, opened.secret, cookie_life(opened.session))
    answer.headers.add(hdrs.SET_COOKIE, door.cookie.clearing)
    return answer


def _check_let_in(query: CallbackQuery) -> None:
    if query.error:
        raise ApiError(403, "OIDC_REFUSED", f"the OpenID Connect provider refused the log-in: {query.error[:100]!r}")


def _told(request: web.Request, error: ApiError, answer: web.Response, then: str) -> web.Response:
    """Lead a browser back to the log-in page, which says what is wrong; raise the error for a program.

    Only a word of ours is in the URL, and the page has a sentence for each: nobody can make it say something else.
    """
    if "text/html" not in request.headers.get(hdrs.ACCEPT, ""):
        raise error
    problem = error.more.get("reason", error.code.removeprefix("OIDC_").lower())
    answer.headers[hdrs.LOCATION] = f"/login?{urlencode({'problem': problem, 'next': then})}"
    return answer


def _door(request: web.Request) -> OidcDoor:
    door = request.app.get(OIDC)
    if door is None:
        raise ApiError(
            404, "OIDC_NOT_CONFIGURED", "no OpenID Connect provider is configured; set TAILSLIDE_OIDC_ISSUER"
        )
    return door
