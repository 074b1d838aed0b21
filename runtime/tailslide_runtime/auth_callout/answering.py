"""Answers NATS's auth callout, as one of a queue group of all Towers and Aerobats.

Fails closed and open, as is right for each: whom nobody answers about is not let in after the server's own time limit,
and who is connected stays so. Keys are those of `KnownKeys`, so neither PostgreSQL nor the bucket is needed to answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from tailslide_core.errors import ContractError
from tailslide_core.sidecar_access import SIDECARS_ACCOUNT, permissions
from tailslide_runtime.auth_callout.claims import ConnectRequest, Issuer, decode_request
from tailslide_runtime.known_keys import KnownKeys

log = structlog.get_logger()

SUBJECT = "$SYS.REQ.USER.AUTH"
QUEUE = "tailslide-callout"
UNKNOWN_KEY = "unknown SDK key"
LOG_REFUSED_EVERY_S = 1.0
"""Who is turned away comes again and again; the metric counts them all."""


class Answering:
    """Lets in who presents a good key, and turns everybody else away."""

    def __init__(self, issuer: Issuer, keys: KnownKeys, clock: Callable[[], float] = time.time) -> None:
        self._issuer = issuer
        self._keys = keys
        self._clock = clock
        self._told_at = 0.0
        self.answers: Counter[str] = Counter({"let_in": 0, "refused": 0, "unreadable": 0})
        """How many requests ended how."""

    async def serve(self, client: Client) -> None:
        """Answer until cancelled. Without any keys yet others of the queue group know better, so it waits for them."""
        while not self._keys.listed:
            await self._keys.changed_since(self._keys.changes)
        await client.subscribe(SUBJECT, queue=QUEUE, cb=self._on_request)
        await client.flush()
        log.info("auth_callout_answered", keys=len(self._keys.records))
        await asyncio.Event().wait()

    async def _on_request(self, message: Msg) -> None:
        answer = self.answer(message.data)
        if answer is not None:
            await message.respond(answer)

    def answer(self, data: bytes) -> bytes | None:
        """Return the response to a request; None when it cannot be read, so that there is nobody to answer."""
        try:
            request = decode_request(data)
        except ContractError as error:
            self.answers["unreadable"] += 1
            log.warning("auth_callout_unreadable", error=str(error))
            return None
        now_s = self._clock()
        record = self._keys.recognise(request.token)
        if record is None:
            self.answers["refused"] += 1
            self._tell_refused(request, now_s)
            return self._issuer.refuse(request, UNKNOWN_KEY, at_s=int(now_s))
        self.answers["let_in"] += 1
        log.debug("sidecar_let_in", app=record.app, key_id=record.key_id, instance=request.name, host=request.host)
        granted = permissions(record.app, record.key_id, request.name)
        return self._issuer.let_in(request, record.name, granted, at_s=int(now_s), account=SIDECARS_ACCOUNT)

    def _tell_refused(self, request: ConnectRequest, now_s: float) -> None:
        if now_s - self._told_at >= LOG_REFUSED_EVERY_S:
            self._told_at = now_s
            log.warning("connection_refused", host=request.host, name=request.name[:100], reason=UNKNOWN_KEY)
