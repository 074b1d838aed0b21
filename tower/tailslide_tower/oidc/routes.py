"""Logging in through a provider over HTTP. Both routes are for browsers, which they send on."""

from dataclasses import dataclass

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
    """Sends the browser to the provider; 404 where none is configured, 503 while it cannot be reached."""
    door = _door(ask.request)
    url, pending = await door.service.begin(ask.query.next)
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
    """Sets the cookie of the session and sends the browser on to where it began."""
    door = _door(ask.request)
    pending = PendingLogin.parse(door.cookie.of(ask.request))
    if ask.query.error:
        raise ApiError(
            403, "OIDC_REFUSED", f"the OpenID Connect provider refused the log-in: {ask.query.error[:100]!r}"
        )
    opened = await door.service.finish(pending, ask.query.state, ask.query.code, ask.request[CLIENT])
    answer = ask.answer()
    answer.headers[hdrs.LOCATION] = "/" if pending is None else pending.next
    ask.request.app[DESK].cookie.set(answer, opened.secret, cookie_life(opened.session))
    answer.headers.add(hdrs.SET_COOKIE, door.cookie.clearing)
    return answer


def _door(request: web.Request) -> OidcDoor:
    door = request.app.get(OIDC)
    if door is None:
        raise ApiError(
            404, "OIDC_NOT_CONFIGURED", "no OpenID Connect provider is configured; set TAILSLIDE_OIDC_ISSUER"
        )
    return door
