"""The way into the API: who asks is known before a route is called. What they may do is checked with the route."""

from dataclasses import dataclass

from aiohttp import hdrs, web

from tailslide_runtime.http import ApiError, Handler
from tailslide_runtime.own_names import SAFE_METHODS
from tailslide_tower.api.routes import ADDRESS, PRINCIPAL, Access, operation_of
from tailslide_tower.auth.authentication import Authentication
from tailslide_tower.auth.client_address import TrustedProxies
from tailslide_tower.auth.cookies import Cookie
from tailslide_tower.auth.csrf import CSRF_HEADER, is_csrf_token, is_same_site
from tailslide_tower.auth.failures import LoginFailures
from tailslide_tower.metrics import API_TOKEN
from tailslide_tower.sessions.session import Client, Session


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the middleware needs to find out who asks."""

    authentication: Authentication
    failures: LoginFailures
    cookie: Cookie
    proxies: TrustedProxies
    public_url: str


ENTRANCE = web.AppKey("entrance", Entrance)
CLIENT = web.RequestKey("client", Client)
"""Where the request comes from."""
SESSION = web.RequestKey("session", Session)
"""The session that asks; missing where a token does."""
SESSION_SECRET = web.RequestKey("session_secret", str)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks; raise 401 when nobody does and the route is not for anybody.

    A request with a bearer token is judged by that alone. One that comes with a cookie and changes something
    needs the token of its session, and must not come from a page of somebody else's.
    """
    entrance = request.config_dict[ENTRANCE]
    client = request[CLIENT] = _client(request, entrance.proxies)
    request[ADDRESS] = client.address
    operation = operation_of(request)
    is_public = operation is not None and operation.access is Access.PUBLIC
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        await _by_token(request, entrance, token.strip())
    elif (secret := entrance.cookie.of(request)) is not None:
        await _by_cookie(request, entrance, secret)
    changes = request.method not in SAFE_METHODS
    by_token = PRINCIPAL in request and SESSION not in request
    if (changes or hdrs.UPGRADE in request.headers) and not by_token:
        _refuse_other_sites(request, entrance.public_url)
    if PRINCIPAL not in request and not is_public:
        raise _unauthorized(entrance.cookie)
    if changes and not is_public and SESSION in request:
        _refuse_without_csrf_token(request)
    answer = await handler(request)
    if not answer.prepared:
        # What is answered depends on who asks, and may have a secret in it.
        answer.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return answer


async def _by_token(request: web.Request, entrance: Entrance, token: str) -> None:
    principal = await entrance.authentication.by_token(token, request[CLIENT])
    if principal is None:
        await entrance.failures.wrong_secret(API_TOKEN, request[CLIENT])
        raise ApiError(
            401,
            "UNAUTHORIZED",
            "this API token is unknown, revoked or expired; make another one",
            "Authorization",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )
    request[PRINCIPAL] = principal


async def _by_cookie(request: web.Request, entrance: Entrance, secret: str) -> None:
    found = await entrance.authentication.by_cookie(secret)
    if found is not None:
        request[PRINCIPAL] = found.principal
        request[SESSION] = found.session
        request[SESSION_SECRET] = secret


def _refuse_other_sites(request: web.Request, public_url: str) -> None:
    if not is_same_site(
        fetch_site=request.headers.get("Sec-Fetch-Site"),
        origin=request.headers.get(hdrs.ORIGIN),
        host=request.host,
        public_url=public_url,
    ):
        raise ApiError(
            403,
            "CROSS_SITE",
            "this request comes from a page of another site; send it from Tower's own pages, or with an API token",
            "Origin",
        )


def _refuse_without_csrf_token(request: web.Request) -> None:
    if not is_csrf_token(request[SESSION_SECRET], request.headers.get(CSRF_HEADER, "")):
        raise ApiError(
            403,
            "CSRF_TOKEN_REQUIRED",
            "expected the csrf_token that GET /api/v1/session gives for this session",
            CSRF_HEADER,
        )


def _unauthorized(cookie: Cookie) -> ApiError:
    # A cookie that was sent is of a session that has ended.
    return ApiError(
        401,
        "UNAUTHORIZED",
        "expected a session, or the header Authorization: Bearer <API token>",
        "Authorization",
        headers={"WWW-Authenticate": "Bearer", "Set-Cookie": cookie.clearing},
    )


def _client(request: web.Request, proxies: TrustedProxies) -> Client:
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    # Of a unix socket the name is a text, and mostly empty.
    address = str(peer[0]) if isinstance(peer, tuple) and peer else None
    forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    return Client(proxies.client(address, forwarded), _text(request.headers.get(hdrs.USER_AGENT, "")))


def _text(header: str) -> str:
    """Return a header as text that can be stored. Bytes that are no UTF-8, which RFC 9110 allows, are replaced."""
    return header.encode(errors="surrogateescape").decode(errors="replace")
