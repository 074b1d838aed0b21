"""Change notices as server-sent events, as OFREP has them (ADR-0008): one message says "evaluate again".

What has changed is not said; whoever listens asks for all flags, with the ETag that it has. Messages that come within
a moment are one.
"""

import asyncio
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


class EventStream:
    """The listeners of one sidecar."""

    def __init__(self, revision: Callable[[], int], *, token: str | None = None, most: int = MAX_LISTENERS) -> None:
        """`revision` names the present state of all flags; `most` is how many may listen at once."""
        self._revision = revision
        self._most = most
        self._listeners: set[asyncio.Event] = set()
        self._closing = False
        self.path = PATH
        # A browser's EventSource sends no headers. What it is given here opens this stream and nothing else.
        self.key = None if token is None else sha256(f"events:{token}".encode()).hexdigest()[:32]
        self.request_uri = PATH if self.key is None else f"{PATH}?key={self.key}"

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def changed(self) -> None:
        """Tell all."""
        for changed in self._listeners:
            changed.set()

    def close(self) -> None:
        """Let all streams end."""
        self._closing = True
        self.changed()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Stream to one listener until it goes away or the sidecar ends."""
        if len(self._listeners) >= self._most:
            error = ApiError(503, "TOO_MANY_LISTENERS", f"{self._most} clients listen already; poll instead")
            raise error
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            await self._stream(response, changed)
        except ConnectionError:
            pass  # the listener is gone, which is how a stream usually ends
        finally:
            self._listeners.discard(changed)
        return response

    async def _stream(self, response: web.StreamResponse, changed: asyncio.Event) -> None:
        while not self._closing:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    await changed.wait()
            except TimeoutError:
                await response.write(b": keep-alive\n\n")
                continue
            if not self._closing:
                await asyncio.sleep(COALESCE_S)
                changed.clear()
                await response.write(self._message())

    def _message(self) -> bytes:
        revision = self._revision()
        data = orjson.dumps({"type": "refetchEvaluation", "etag": f'"{revision}"'})
        return b"id: %d\nevent: message\ndata: %b\n\n" % (revision, data)
