"""One request to a receiver, and what came of it. When to send what is decided elsewhere.

Every bound is here: times, how much of an answer is read, no redirects, no cookies, no proxies of the environment.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp
import structlog
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from tailslide_runtime.tracing.context import PROPAGATOR, failed, recorded
from tailslide_tower import times
from tailslide_tower.alerts.addresses import AddressRules, WebhookUrl
from tailslide_tower.alerts.connections import CheckedAddresses, Names, RefusedAddressError, connector
from tailslide_tower.alerts.messages import Message
from tailslide_tower.alerts.retries import read_retry_after
from tailslide_tower.alerts.signatures import signed_headers
from tailslide_tower.alerts.webhook import Webhook

log = structlog.get_logger()
_tracer = trace.get_tracer("tailslide.tower")

TIMEOUT_S = 15.0
SAMPLE_TIMEOUT_S = 8.0
"""A person waits for it, with a client that may give up after ten seconds."""
CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER = 4096
"""So many bytes of an answer are read and kept; it is for people."""

GONE = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `error` is None exactly when the receiver has taken the message."""

    status: int | None = None
    answer: str | None = None
    """The beginning of the answer's body; None where none came, and where it is kept from people (see `Sender`)."""
    error: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver has said that it wants nothing any more (Standard Webhooks, 410 Gone)."""
        return self.status == GONE


class Sender:
    """Sends requests to receivers. Never raises for what a receiver or the way to it does.

    The body of an answer from an address that is not public, and is reached only since the configuration allows it, is
    not kept: whoever may make a webhook could otherwise read what services inside the network answer.
    """

    def __init__(self, names: Names, rules: AddressRules, now: Callable[[], datetime] = times.now) -> None:
        self._names = names
        self._rules = rules
        self._now = now

    async def tell(
        self, webhook: Webhook, message: Message, message_id: str, *, timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        """Send a message in the form of the webhook, signed where it has a secret."""
        body, now = message.body(webhook.kind), self._now()
        keys = webhook.secrets_at(now)
        headers = signed_headers(message_id, now, body, keys) if keys else {}
        with recorded(_tracer, "deliver alert"):
            return await self.send(WebhookUrl(webhook.url), body, headers, timeout_s=timeout_s)

    async def send(
        self, url: WebhookUrl, body: bytes, headers: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
    ) -> Outcome:
        """Post a JSON body and return what came of it."""
        addresses = CheckedAddresses(self._names, self._rules)
        # A session for each request: nothing of one receiver's connection, cookies or trouble is left for another's.
        async with aiohttp.ClientSession(
            connector=connector(addresses),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
        ) as session:
            try:
                return await self._exchange(session, url, body, headers, addresses)
            except Exception as error:  # whatever a receiver provokes ends this attempt, and nothing else
                if not isinstance(error, aiohttp.ClientError | OSError | ValueError):  # TimeoutError is an OSError
                    log.exception("webhook_attempt_failed", host=url.host)
                return Outcome(error=_reason(error, timeout_s))

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        url: WebhookUrl,
        body: bytes,
        headers: Mapping[str, str],
        addresses: CheckedAddresses,
    ) -> Outcome:
        sent = {**_HEADERS, **headers}
        # The host alone, and no texts of errors: the path of a webhook is often its secret.
        named = {"http.request.method": "POST", "server.address": url.host}
        with recorded(_tracer, "POST", kind=SpanKind.CLIENT, attributes=named) as span:
            PROPAGATOR.inject(sent)
            async with session.post(url.text, data=body, headers=sent, allow_redirects=False) as response:
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    failed(span, str(response.status))
                answer = await _beginning(response)
                retry_after = read_retry_after(response.headers.get("Retry-After"), self._now())
                return Outcome(
                    status=response.status,
                    answer=_text(answer) if addresses.all_public else None,
                    error=_refusal(response.status),
                    retry_after=retry_after,
                )


_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Tailslide",
    "Accept-Encoding": "identity",
}


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """Return the first bytes of a body. What is wrong further on does not undo that an answer came."""
    read = bytearray()
    try:
        while len(read) < MAX_ANSWER and (chunk := await response.content.read(MAX_ANSWER - len(read))):
            read += chunk
    except (aiohttp.ClientPayloadError, TimeoutError, ConnectionError):
        return bytes(read)
    return bytes(read)


def _text(data: bytes) -> str:
    # PostgreSQL has no U+0000 in a text.
    return data.decode(errors="replace").replace("\0", "\ufffd")


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"the receiver answered {status}, and redirects are not followed: give the URL that it leads to"
    if status == GONE:
        return "the receiver answered 410: it wants nothing any more, so the webhook was disabled"
    return f"the receiver answered {status}"


def _reason(error: Exception, timeout_s: float) -> str:
    """Return why no answer came. Never repeats the URL, as texts of the client do."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"could not connect to {error.host}: its certificate is not valid: {error.certificate_error}"
        case aiohttp.ClientConnectorError(os_error=RefusedAddressError() as refused):
            return str(refused)
        case aiohttp.ClientConnectorDNSError():
            return f"could not resolve {error.host}: {_os_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"could not connect to {error.host}: {_os_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the receiver closed the connection without an answer"
        case TimeoutError():
            return f"the receiver did not answer within {timeout_s:g} s"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "what the receiver answered is not HTTP"
        case _:
            return f"could not send: {type(error).__name__}"


def _os_reason(error: OSError) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "no answer in time"
    return error.strerror or str(error) or type(error).__name__
