"""Clients of Tower's live socket, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from tower_bench import TOKEN, Tower

Json = dict[str, Any]
WAIT_S = 20.0


class LiveClient:
    """An open socket, and all that came over it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.got: list[Json] = []

    async def subscribe(self, since: str | None = None, **wanted: Any) -> None:
        await self.socket.send_json({"subscribe": wanted} | ({} if since is None else {"since": since}))

    async def next(self, holds: Callable[[Json], bool] = lambda _: True) -> Json:
        """Return the next message for which something holds; those before it are in `got`."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, (message, self.got[-3:])
                found: Json = orjson.loads(message.data)
                self.got.append(found)
                if holds(found):
                    return found

    async def until(self, kind: str) -> Json:
        """Return the next message of a type."""
        return await self.next(lambda message: message["type"] == kind)

    async def flag(self, key: str, holds: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return a flag as it comes next and holds."""
        message = await self.next(
            lambda message: message["type"] == "flag" and message["key"] == key and holds(message["flag"])
        )
        return message["flag"]

    async def code(self) -> int | None:
        """Wait until the other side has ended it; return the code."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.got.append(orjson.loads(message.data))
                else:
                    return self.socket.close_code

    @property
    def cursor(self) -> str:
        """Return the last cursor that came."""
        return str(next(message["cursor"] for message in reversed(self.got) if "cursor" in message))


@asynccontextmanager
async def live_client(
    tower: Tower, *, token: str = TOKEN, headers: Mapping[str, str] | None = None
) -> AsyncIterator[LiveClient]:
    """Open a socket, greet, and close it at the end. A header that is given empty is left out."""
    sent = {"Authorization": f"Bearer {token}"} | dict(headers or {})
    sent = {name: value for name, value in sent.items() if value}
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tower.socket))) as session,
        session.ws_connect("http://tower/api/v1/live", headers=sent) as socket,
    ):
        client = LiveClient(socket)
        await client.until("hello")
        yield client
