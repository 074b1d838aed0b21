"""The door of the API: every request under it needs a bearer token (RFC 6750)."""

from aiohttp import web

from tailslide_runtime.http import Handler, error_response
from tailslide_tower.auth.service import TokenService

TOKENS = web.AppKey("tokens", TokenService)
TOKEN_NAME = web.RequestKey("token_name", str)
"""Who asks, for the log."""


@web.middleware
async def require_token(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 401 unless the request carries a token that is known."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return _refusal("expected the header Authorization: Bearer <API token>", "Bearer")
    name = await request.config_dict[TOKENS].name_of(token)
    if name is None:
        return _refusal("expected a known API token in Authorization", 'Bearer error="invalid_token"')
    request[TOKEN_NAME] = name
    return await handler(request)


def _refusal(message: str, challenge: str) -> web.Response:
    answer = error_response(401, "UNAUTHORIZED", message, "Authorization")
    answer.headers["WWW-Authenticate"] = challenge
    return answer
