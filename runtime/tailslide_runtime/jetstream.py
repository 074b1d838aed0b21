"""The link to NATS JetStream: connected for as long as the process lives, whatever happens to the server.

When NATS is down the link fails open: nobody waits for it, work that needs a connection simply does not run, and
`LinkStatus` says so. There is no queue of unsent messages here: every user of the link is level-triggered and starts
again from the current state with each connection.

A URL of `tls://` or `wss://` is never served in plain: a server that offers no TLS is refused before anything is said
to it, the credentials above all.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import KeyValueConfig, StorageType, StreamConfig
from nats.js.errors import BadRequestError

from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.errors import leaves
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.tls import tls_client

log = structlog.get_logger()

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0
STEADY_S = 5.0
"""A connection that has lasted so long was a good one."""
CONNECT_TIMEOUT_S = 3
PING_INTERVAL_S = 2
MAX_OUTSTANDING_PINGS = 2
"""A server that hangs leaves its connections open. After this many pings without an answer, some six seconds, the
connection is given up."""
CLOSE_TIMEOUT_S = 2.0
FAILED_CLOSE_TIMEOUT_S = 0.2
"""For a connection that never was one: nothing is left to be sent."""
_TLS_REMEDY = "compare the server's certificate with the name in the URL and with the CA file: docs/tls.md"
API_TIMEOUT_S = 5.0


@dataclass(slots=True)
class LinkStatus:
    """What the link says of itself."""

    connected: bool = False
    connects: int = 0
    refused: bool = False
    """Whether the server did not let us in at the last attempt."""


class Backoff:
    """Ever longer pauses, with jitter, so that many clients do not come back at the same moment."""

    def __init__(self) -> None:
        self.failures = 0

    async def wait(self) -> None:
        """Pause, for longer each time."""
        longest_s = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2**self.failures)
        self.failures = min(self.failures + 1, 16)
        await asyncio.sleep(longest_s * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, no secret


class NoTlsError(nats.errors.Error):
    """TLS cannot be spoken with a server; the text says what is missing."""


class SturdyClient(Client):
    """A client that one message cannot end, and that speaks TLS where its URL demands it.

    nats-py goes on in plain when a server does not ask for TLS, password and all. Here a server that offers TLS gets
    it, and any other is refused.

    A server takes any bytes as a subject or as headers. nats-py stops reading at the first that are no UTF-8, for good,
    and after a reconnection at the same message again. Here such a subject is read with U+FFFD in it, so that it is no
    key of anything, and such headers as none.
    """

    has_certificate = False
    """Whether there is one to show."""

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return self.msg_class(
            subject=subject.decode(errors="replace"),
            reply=reply.decode(errors="replace"),
            data=data,
            headers=headers,
            _client=self,
            _sid=sid,
        )

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        assert self._current_server is not None
        if initial_connection and self._current_server.uri.scheme == "tls":
            if not (info.get("tls_required") or info.get("tls_available")):
                raise NoTlsError("the server offers no TLS, which the URL demands")
            if info.get("tls_verify") and not self.has_certificate:
                # It would end the connection, mostly without a word.
                raise NoTlsError("the server asks its clients for a certificate, and none is set")
            info["tls_required"] = True  # which nats-py looks at next
        await super()._process_info(info, initial_connection)

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (ValueError, IndexError):  # UnicodeDecodeError is a ValueError
            return None


class Link:
    """A connection that is made again whenever it is lost, with backoff and jitter, for as long as `run` runs."""

    def __init__(
        self,
        url: NatsUrl,
        name: str,
        token: str | None = None,
        *,
        inbox_prefix: str = "_INBOX",
        remedy: str = "check user, password or token in the URL",
    ) -> None:
        """`token` goes before the credentials of the URL. `remedy` says what to do when the server refuses them.

        Raises `TlsFileError` for files that cannot be used.
        """
        self._url = url
        self._tls = None if url.tls is None else tls_client(url.tls)
        self._name = name
        self._token = token
        self._inbox_prefix = inbox_prefix
        self._remedy = remedy
        self._told_of_tls: str | None = None
        self.status = LinkStatus()

    async def run(self, serve: Callable[[Client], Awaitable[None]]) -> None:
        """Call `serve` with each connection in turn; it is cancelled when the connection is lost.

        `serve` returning ends the connection and `run` as well; its exceptions come out, except for those that say
        that the server went away or did not answer in time, after which a new connection is made.
        """
        backoff = Backoff()
        while True:
            raise_if_cancelled()
            try:
                client, lost = await self._connect()
            except (OSError, TimeoutError, nats.errors.Error) as error:
                self._tell_failed(error, first=backoff.failures == 0)
                await backoff.wait()
                continue
            self.status.refused = False
            self._told_of_tls = None
            log.info("nats_connected", url=str(self._url))
            connected_at = time.monotonic()
            self.status.connected = True
            self.status.connects += 1
            try:
                raise_if_cancelled()
                if await self._serve_until_lost(serve, client, lost):
                    return
            finally:
                self.status.connected = False
                await close(client)
            log.warning("nats_connection_lost", url=str(self._url))
            if time.monotonic() - connected_at >= STEADY_S:
                backoff = Backoff()
            else:  # a server that lets us in and then serves nothing must not be asked ten times a second
                await backoff.wait()

    def _tell_failed(self, error: Exception, *, first: bool) -> None:
        """Log that there is no connection: once, and once more when it turns out to be for our credentials."""
        refused = isinstance(error, nats.errors.AuthorizationError) or any(
            sign in str(error).lower() for sign in ("authorization violation", "authentication")
        )
        if refused and (first or not self.status.refused):
            log.error("nats_access_refused", url=str(self._url), error=_text(error), remedy=self._remedy)
        elif isinstance(error, ssl.SSLError | NoTlsError):
            # Also when the server was merely away before, and comes back with another certificate.
            if (text := _text(error)) != self._told_of_tls:
                log.error("nats_tls_failed", url=str(self._url), error=text, remedy=_TLS_REMEDY)
                self._told_of_tls = text
        elif first:
            log.warning("nats_unreachable", url=str(self._url), error=_text(error))
        self.status.refused = refused

    async def _connect(self) -> tuple[Client, asyncio.Event]:
        lost = asyncio.Event()
        last_error: Exception | None = None

        async def on_closed() -> None:
            lost.set()

        async def on_error(error: Exception) -> None:
            nonlocal last_error
            last_error = error

        client = SturdyClient()
        client.has_certificate = self._url.files.own is not None
        try:
            await client.connect(
                **self._url.connect_options(self._token),
                tls=None if self._tls is None else self._tls.context(),
                name=self._name,
                inbox_prefix=self._inbox_prefix,
                allow_reconnect=False,
                # The client would retry by itself, without backoff or end; one retry at once is all we let it have.
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_TIMEOUT_S,
                ping_interval=PING_INTERVAL_S,
                max_outstanding_pings=MAX_OUTSTANDING_PINGS,
                error_cb=on_error,
                closed_cb=on_closed,
                disconnected_cb=on_closed,
            )
        except nats.errors.NoServersError as error:
            await close(client, FAILED_CLOSE_TIMEOUT_S)
            raise last_error or error from error
        except BaseException:
            # After a handshake of TLS that failed, nats-py waits for the end of a connection that has ended already.
            await close(client, FAILED_CLOSE_TIMEOUT_S)
            raise
        return client, lost

    @staticmethod
    async def _serve_until_lost(
        serve: Callable[[Client], Awaitable[None]], client: Client, lost: asyncio.Event
    ) -> bool:
        """Return True when `serve` came to its end, False when the connection did."""
        failed = False
        serving = asyncio.ensure_future(serve(client))
        losing = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait({serving, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                return False
            try:
                await serving
            except* (nats.errors.Error, TimeoutError, ConnectionError) as group:
                log.warning(
                    "nats_silent", message="nats did not answer", errors=[_text(error) for error in leaves(group)]
                )
                failed = True
            return not failed
        finally:
            for task in (serving, losing):
                task.cancel()
            await asyncio.gather(serving, losing, return_exceptions=True)


async def close(client: Client, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
    """Close; a server that hangs takes nothing any more, so what is still to be sent must not hold us up."""
    try:
        async with asyncio.timeout(timeout_s):
            await client.close()
    except TimeoutError:
        log.debug("nats_flush_failed", message="nats did not take what was left to send")


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def ensure_bucket(client: Client, bucket: str) -> None:
    """Make a KV bucket that keeps the last value of each key on disk, unless it is there."""
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        await js.create_key_value(KeyValueConfig(bucket=bucket, history=1, storage=StorageType.FILE))
    except BadRequestError as error:
        if error.err_code != STREAM_NAME_IN_USE:
            raise


async def ensure_stream(client: Client, stream: str, subjects: list[str], *, max_age_s: float) -> None:
    """Make a stream that keeps messages on disk for `max_age_s` seconds, unless it is there."""
    js = client.jetstream(timeout=API_TIMEOUT_S)
    try:
        await js.add_stream(StreamConfig(name=stream, subjects=subjects, max_age=max_age_s, storage=StorageType.FILE))
    except BadRequestError as error:
        if error.err_code != STREAM_NAME_IN_USE:
            raise


STREAM_NAME_IN_USE = 10058
"""JetStream's error code for a stream that is there with other settings, which a person may have chosen."""

WRONG_LAST_SEQUENCE: frozenset[int] = frozenset({10071, 10164})
"""JetStream's error codes for a write that expected another last message: somebody else has written meanwhile.

10071 (JSStreamWrongLastSequenceErrF) names the sequence; 10164 (JSStreamWrongLastSequenceConstantErr) comes from a
replicated stream that has another write of the subject in flight. Source: `errors.json` of the NATS server.
"""
