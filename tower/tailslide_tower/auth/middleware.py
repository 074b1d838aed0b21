"""The door of the API: who asks is known before a route is called. What they may do is checked with the route."""

from aiohttp import web

from tailslide_runtime.http import ApiError, Handler
from tailslide_tower.api.routes import ADDRESS, PRINCIPAL, Access, operation_of
from tailslide_tower.auth.service import TokenService

TOKENS = web.AppKey("tokens", TokenService)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks by the bearer token (RFC 6750); raise 401 unless the route is for anybody."""
    if request.remote:
        request[ADDRESS] = request.remote
    operation = operation_of(request)
    if operation is not None and operation.access is Access.PUBLIC:
        return await handler(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise _refusal("expected the header Authorization: Bearer <API token>", "Bearer")
    principal = await request.config_dict[TOKENS].principal_of(token)
    if principal is None:
        raise _refusal("expected a known API token in Authorization", 'Bearer error="invalid_token"')
    request[PRINCIPAL] = principal
    return await handler(request)


def _refusal(message: str, challenge: str) -> ApiError:
    return ApiError(401, "UNAUTHORIZED", message, "Authorization", headers={"WWW-Authenticate": challenge})
