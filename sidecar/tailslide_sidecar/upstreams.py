"""The way to upstreams over aiohttp's client: one request there, the head of its answer back.

Nothing is decided here: what an end means is said by `CallEnd`, and what follows from it is the proxy's.
"""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tailslide_core.outcomes import CallEnd
from tailslide_sidecar.routes import Upstream
from tailslide_sidecar.turns import Turns

# Shorter than any server usually keeps an idle connection, so that hardly a request meets one that is being closed.
KEEPALIVE_S = 1.5
MAX_HEADER_BYTES = 65_536
CLIENT_SILENCE_S = 60.0
"""How long a client may send nothing of a body that it has announced, before it is taken for gone."""
_SKIP_AUTO_HEADERS = frozenset({"Accept", "Accept-Encoding", "Content-Type", "User-Agent"})


class UpstreamFailedError(Exception):
    """There is no answer, or no more of it; `end` says how it came to that."""

    def __init__(self, end: CallEnd, message: str) -> None:
        super().__init__(message)
        self.end = end


class ClientGoneError(Exception):
    """The client went away or sent what is no HTTP, while it was waited for."""


def new_session() -> aiohttp.ClientSession:
    """Return a session that sends and hands back messages as they are; its owner closes it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    )


class RequestBody:
    """The body of a client's request on its way, read no faster than the upstream takes it."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.asked = request.headers.get("Expect", "").lower() != "100-continue"
        """Whether the client sends it by itself or has been told to; else it may never come."""
        self.started = False
        """Whether any of it may have been read, so that it cannot be sent again."""
        self.failed = False
        """Whether the client broke off or sent nonsense."""
        self._idle = asyncio.Event()
        self._idle.set()

    async def let_go(self) -> None:
        """Return when nobody reads it any more, so that the server may read what is left."""
        await self._idle.wait()

    async def chunks(self, turns: Turns) -> AsyncIterator[bytes]:
        """Yield it as it comes. Asks a client that expects 100 Continue for it only now, with the upstream there."""
        self.started = True
        if not self._request.content.total_bytes:
            # Lets the head go ahead, which aiohttp would hold back for the first bytes to go with it.
            yield b""
        while True:
            turns.client_begins()
            self._idle.clear()
            try:
                if not self.asked:
                    self.asked = True
                    await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    self._request.writer.output_size = 0
                async with asyncio.timeout(CLIENT_SILENCE_S):
                    chunk = await self._request.content.readany()
            except Exception:
                self.failed = True
                raise
            finally:
                self._idle.set()
                turns.client_ends()
            if not chunk:
                return
            yield chunk


class _NotAgainError(aiohttp.ClientError):
    """The connection broke while a request with a body was under way."""


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from trying a request a second time, for which it would send what is left of a body as the whole."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent, and it is not tried again
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _NotAgainError from error


async def send(
    session: aiohttp.ClientSession,
    upstream: Upstream,
    method: str,
    origin: str,
    headers: CIMultiDict[str],
    body: RequestBody | None,
    turns: Turns,
) -> aiohttp.ClientResponse:
    """Send a request and return when the head of its answer is there; the caller closes the answer.

    `origin` goes on the request line as it is. Raises `UpstreamFailedError` and `ClientGoneError`.
    """
    # yarl writes the path as it is given, and would lose a lone question mark at the end of it otherwise.
    url = URL.build(scheme=upstream.scheme, host=upstream.host, port=upstream.port, path=origin, encoded=True)
    try:
        async with asyncio.timeout(None) as deadline:
            turns.arm(deadline)
            try:
                return await session.request(
                    method,
                    url,
                    headers=headers,
                    skip_auto_headers=_SKIP_AUTO_HEADERS,
                    data=None if body is None else body.chunks(turns),
                    allow_redirects=False,
                    middlewares=() if body is None else (_once,),
                )
            finally:
                turns.disarm()
    except TimeoutError as error:
        if body is not None and body.failed:
            raise ClientGoneError from error
        raise UpstreamFailedError(CallEnd.TIMED_OUT, f"{upstream} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise UpstreamFailedError(CallEnd.REFUSED, f"{upstream} cannot be connected to") from error
    except (aiohttp.ClientError, OSError) as error:
        if body is not None and body.failed:
            raise ClientGoneError from error
        raise UpstreamFailedError(CallEnd.BROKEN, f"{upstream} broke off before it answered") from error


async def next_chunk(answer: aiohttp.ClientResponse) -> bytes:
    """Return the next bytes of an answer as they came, empty at its end; raise `UpstreamFailedError` when cut off."""
    try:
        return await answer.content.readany()
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamFailedError(CallEnd.BROKEN, "the answer was cut off") from error
