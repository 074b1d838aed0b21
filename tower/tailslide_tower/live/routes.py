"""The live socket over HTTP: who may open it, and how it is spoken over aiohttp's WebSocket."""

import asyncio

import structlog
from aiohttp import WSMsgType, hdrs, web

from tailslide_runtime.http import ApiError
from tailslide_tower.api.routes import PRINCIPAL, Access, Plain, Routes
from tailslide_tower.auth.middleware import authenticate
from tailslide_tower.auth.principal import Principal
from tailslide_tower.live.hub import Hub, Refused
from tailslide_tower.live.messages import MAX_CLIENT_BYTES, ClientMessage, ServerMessage

log = structlog.get_logger()

LIVE_PATH = "/api/v1/live"
HEARTBEAT_S = 25.0
"""How often the client is pinged; it has half of that to answer."""
CLOSE_S = 1.0
"""How long the client may take to agree to the end."""

HUB = web.AppKey("hub", Hub)

routes = Routes("live")


@routes.get(
    "/live",
    access=Access.VIEW,
    answer=None,
    status=101,
    summary="Follow changes over a WebSocket",
    more_answers=(426, 429),
    messages={"client": ClientMessage, "server": ServerMessage},
)
async def follow_live(ask: Plain) -> web.StreamResponse:
    """A WebSocket (RFC 6455) of JSON texts, described in docs/live.md.

    It is opened with the same credentials as any request, by pages of Tower's own only, and ended once these are no
    longer good. 426 for a request that is none for a WebSocket.
    """
    request, hub, principal = ask.request, ask.request.app[HUB], ask.principal
    try:
        hub.refuse_without_place(principal)
    except Refused as refused:
        raise ApiError(429, "TOO_MANY_LIVE_CONNECTIONS", str(refused), headers={"Retry-After": "5"}) from refused
    response = web.WebSocketResponse(
        timeout=CLOSE_S, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=MAX_CLIENT_BYTES
    )
    if not response.can_prepare(request).ok:
        raise ApiError(
            426,
            "UPGRADE_REQUIRED",
            "expected a request for a WebSocket of version 13 (RFC 6455)",
            hdrs.UPGRADE,
            headers={hdrs.UPGRADE: "websocket", hdrs.SEC_WEBSOCKET_VERSION: "13"},
        )
    await response.prepare(request)
    socket = _AiohttpSocket(request, response)
    try:
        await hub.serve(socket, principal, _RequestCredential(request))
    except Exception:  # the answer has begun, so no other can be given
        log.exception("live_socket_failed", who=principal.name)
    finally:
        await socket.close(1000, "")
    return response


class _AiohttpSocket:
    """A WebSocket of aiohttp's."""

    def __init__(self, request: web.Request, response: web.WebSocketResponse) -> None:
        self._request = request
        self._response = response

    async def send(self, text: str) -> None:
        if self._response.closed:
            raise ConnectionResetError("the socket is closed")
        await self._response.send_str(text)

    async def receive(self) -> str | None:
        message = await self._response.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            return "(binary)"  # no JSON, and refused as such
        return None

    async def close(self, code: int, reason: str) -> None:
        """Agree on the end; with who does not read, the connection is cut off."""
        if self._response.closed:
            return
        try:
            async with asyncio.timeout(2 * CLOSE_S):
                await self._response.close(code=code, message=reason.encode()[:120])
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()


class _RequestCredential:
    """The credentials of the request that has opened the socket, asked anew: the same that any other request has."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    async def principal(self) -> Principal | None:
        """Return who asks as of now; None when the credentials are no longer good."""
        found: list[Principal] = []

        async def note(request: web.Request) -> web.StreamResponse:
            found.append(request[PRINCIPAL])
            return web.Response()

        request = self._request
        if PRINCIPAL in request:
            del request[PRINCIPAL]  # who it was the last time
        try:
            await authenticate(request, note)
        except ApiError as error:
            if error.status in {401, 403}:
                return None
            raise
        return found[0]
