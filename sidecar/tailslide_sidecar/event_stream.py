"""Change notices as server-sent events, as OFREP has them (ADR-0008): one message says "evaluate again".

What has changed is not said; whoever listens asks for all flags, with the ETag that it has. Messages that come within
a moment are one. Who connects is told at once, unless its Last-Event-ID is the present state: what has changed since
it last asked, with or without a connection, is never missed.
"""

import asyncio
import secrets
from collections.abc import Callable
from hashlib import sha256

import orjson
from aiohttp import web

from tailslide_runtime.http import ApiError

PATH = "/ofrep/v1/events"
KEEP_ALIVE_S = 15.0
COALESCE_S = 0.05
RETRY_MS = 1000
MAX_LISTENERS = 256


_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def most_listeners(connections: int) -> int:
    """Return how many may listen where the flags listener allows so many connections.

    A stream is never closed to make room, so that streams alone must not fill the listener.
    """
    return max(min(MAX_LISTENERS, connections // 2), 1)


class EventStream:
    """The listeners of one sidecar."""

    def __init__(
        self,
        revision: Callable[[], int],
        *,
        token: str | None = None,
        most: int = MAX_LISTENERS,
        keep_alive_s: float = KEEP_ALIVE_S,
        coalesce_s: float = COALESCE_S,
    ) -> None:
        """`revision` names the present state of all flags; `most` is how many may listen at once.

        After `keep_alive_s` without a message there is a sign of life; changes within `coalesce_s` are one message.
        """
        self._revision = revision
        self._most = most
        self._keep_alive_s = keep_alive_s
        self._coalesce_s = coalesce_s
        self._listeners: set[asyncio.Event] = set()
        self._closing = False
        self._life = secrets.token_hex(4)  # revisions start over when the sidecar is restarted
        self.path = PATH
        # A browser's EventSource sends no headers. What it is given here opens this stream and nothing else.
        self.key = None if token is None else sha256(f"events:{token}".encode()).hexdigest()[:32]
        self.request_uri = PATH if self.key is None else f"{PATH}?key={self.key}"

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def state(self) -> str:
        """The name of the present state of all flags, which is the id of its message."""
        return f"{self._life}-{self._revision()}"

    def changed(self) -> None:
        """Tell all."""
        for changed in self._listeners:
            changed.set()

    def close(self) -> None:
        """Let all streams end."""
        self._closing = True
        self.changed()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Stream to one listener until it goes away, which cancels this, or the sidecar ends."""
        if len(self._listeners) >= self._most:
            error = ApiError(503, "TOO_MANY_LISTENERS", f"{self._most} clients listen already; poll instead")
            raise error
        if request.method == "HEAD":
            return web.Response(headers=_HEADERS)
        response = web.StreamResponse(headers=_HEADERS)
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            if request.headers.get("Last-Event-ID") != self.state:
                await response.write(self._message())
            await self._stream(response, changed)
        except ConnectionError:
            pass  # the listener is gone, which is how a stream usually ends
        finally:
            self._listeners.discard(changed)
        return response

    async def _stream(self, response: web.StreamResponse, changed: asyncio.Event) -> None:
        while not self._closing:
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    await changed.wait()
            except TimeoutError:
                await response.write(b": keep-alive\n\n")
                continue
            if not self._closing:
                await asyncio.sleep(self._coalesce_s)
                changed.clear()
                await response.write(self._message())

    def _message(self) -> bytes:
        state = self.state
        data = orjson.dumps({"type": "refetchEvaluation", "etag": f'"{state}"'})
        return b"id: %b\nevent: message\ndata: %b\n\n" % (state.encode(), data)
