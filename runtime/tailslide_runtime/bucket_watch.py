"""Watching part of a KV bucket: all current values first, changes after, in order, nothing missed unnoticed.

A named push consumer with the filter in its subject, so that NATS can grant a sidecar one app and nothing else
(`KeyValue.watch` of nats-py asks with an unfiltered subject, which cannot be limited). Consumers and their control
messages are described in NATS ADR-13, ADR-15 and ADR-17.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import nats.errors
import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from tailslide_core.naming import bucket_stream, bucket_subject
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import API_TIMEOUT_S, STEADY_S, Backoff

log = structlog.get_logger()

HEARTBEAT_S = 2.0
SILENCE_S = 2.5 * HEARTBEAT_S
"""Without any message for so long, the consumer is taken for dead."""
INACTIVE_THRESHOLD_S = 60.0
"""After so long without us the server removes the consumer."""
RETRY_S = 0.5
"""How often a bucket that is not there is looked for, at most."""
STREAM_NOT_FOUND = 10059


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a bucket, or its deletion (`value` is None). `revision` is the stream's sequence.

    `stored_ms` is when NATS stored it, Unix milliseconds by its clock; 0 where nobody has asked. It makes no difference
    between two entries.
    """

    key: str
    value: bytes | None
    revision: int
    stored_ms: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that the watched part of a bucket holds now, deletions included, by key."""

    entries: dict[str, Entry]


@dataclass(slots=True)
class WatchStatus:
    """What a watch says of itself; times are of the monotonic clock, in seconds."""

    in_step: bool = False
    """Whether all that NATS has said of the bucket was yielded; that there is no bucket is said as well."""
    heard_at: float = field(default_factory=time.monotonic)
    """When a message or a heartbeat came that found the watch in step, or else when there was none yet."""
    ever_in_step: bool = False
    """Whether it was in step at any time."""
    restarts: int = 0
    """How often something may have been missed, so that all was listed again."""
    revision: int = 0
    """The revision of the last entry that was yielded."""
    stored_ms: int = 0
    """The latest `stored_ms` of the entries that the bucket held and that were yielded; it tells revisions of a bucket
    that was made again from those of the one before."""

    def silent_for_s(self) -> float:
        """Return for how long nothing was heard of the bucket; up to a heartbeat's interval when all is well."""
        return time.monotonic() - self.heard_at

    @property
    def in_touch(self) -> bool:
        """Whether what was yielded is what the bucket holds, for all that can be known."""
        return self.in_step and self.silent_for_s() <= SILENCE_S

    def heard(self) -> None:
        """Note that NATS has spoken and that nothing it said is left to be yielded."""
        self.in_step = self.ever_in_step = True
        self.heard_at = time.monotonic()


@dataclass(frozen=True, slots=True)
class WatchAccess:
    """How a connection reaches the buckets: in the account that has them, unless told otherwise."""

    api: str = "$JS.API"
    """What the subjects of JetStream's API begin with."""
    deliveries: str | None = None
    """What delivery subjects begin with; None takes inboxes. They cross from one account to another only one by one:
    a subscription to a wildcard over them receives nothing."""

    def delivery_subject(self, client: Client) -> str:
        """Return a subject that nobody else listens to."""
        return client.new_inbox() if self.deliveries is None else f"{self.deliveries}.{secrets.token_hex(16)}"


IN_THE_SAME_ACCOUNT = WatchAccess()


class WatchGapError(Exception):
    """Something may have been missed; the watch starts again with a listing."""


async def watch_bucket(
    client: Client,
    bucket: str,
    keys: str,
    status: WatchStatus | None = None,
    access: WatchAccess = IN_THE_SAME_ACCOUNT,
) -> AsyncGenerator[Listing | Entry, None]:
    """Yield a `Listing`, then an `Entry` for each change of `keys` (a wildcard), for as long as `client` is connected.

    After a missed heartbeat or a gap in the sequence another `Listing` comes. While the bucket is not there, nothing
    comes, and the watch waits for it. Raises the errors of nats-py when the connection is gone. `status` is kept up to
    date; one may serve the watches of one connection after another.
    """
    status = WatchStatus() if status is None else status
    try:
        async with aclosing(_watch(client, bucket, keys, status, access)) as items:
            async for item in items:
                yield item
    finally:
        status.in_step = False


async def _watch(
    client: Client, bucket: str, keys: str, status: WatchStatus, access: WatchAccess
) -> AsyncGenerator[Listing | Entry, None]:
    missing = False
    backoff: Backoff | None = None
    while True:
        raise_if_cancelled()
        began = time.monotonic()
        consumer = _Consumer(client, bucket, keys, status, access)
        try:
            if not await consumer.create():
                status.heard()
                if not missing:
                    log.warning("bucket_missing", message="bucket does not exist yet", bucket=bucket)
                    missing = True
                await asyncio.sleep(RETRY_S * random.uniform(0.5, 1.0))  # noqa: S311 # jitter, no secret
                continue
            missing = False
            async with aclosing(consumer.items()) as items:
                async for item in items:
                    yield item
        except WatchGapError as gap:
            status.in_step = False
            status.restarts += 1
            log.warning("watch_restarted", bucket=bucket, why=str(gap))
        finally:
            await consumer.remove()
        # At once for the first time; a server that lets no watch live must not be asked without a pause.
        if time.monotonic() - began >= STEADY_S:
            backoff = None
        elif backoff is None:
            backoff = Backoff()
        else:
            await backoff.wait()


class _Consumer:
    """One push consumer, from its making to its end."""

    def __init__(self, client: Client, bucket: str, keys: str, status: WatchStatus, access: WatchAccess) -> None:
        self._client = client
        self._status = status
        self._access = access
        self._bucket = bucket
        self._stream = bucket_stream(bucket)
        self._filter = bucket_subject(bucket, keys)
        self._name = f"watch_{secrets.token_hex(8)}"
        self._subscription: Subscription | None = None
        self._pending = 0
        self._delivered = 0

    async def create(self) -> bool:
        """Make the consumer; False when the bucket does not exist."""
        inbox = self._access.delivery_subject(self._client)
        self._subscription = await self._client.subscribe(inbox)
        answer = await self._request(
            f"CONSUMER.CREATE.{self._stream}.{self._name}.{self._filter}",
            {
                "stream_name": self._stream,
                "config": {
                    "name": self._name,
                    "deliver_subject": inbox,
                    "deliver_policy": "last_per_subject",
                    "ack_policy": "none",
                    "max_deliver": 1,
                    "filter_subject": self._filter,
                    "flow_control": True,
                    "idle_heartbeat": int(HEARTBEAT_S * 1e9),
                    "inactive_threshold": int(INACTIVE_THRESHOLD_S * 1e9),
                    "mem_storage": True,
                    "num_replicas": 1,
                },
            },
        )
        error = answer.get("error")
        if isinstance(error, dict):
            if error.get("err_code") == STREAM_NOT_FOUND:
                return False
            raise nats.errors.Error(f"cannot watch bucket {self._bucket}: {error.get('description')}")
        pending = answer.get("num_pending", 0)
        self._pending = pending if isinstance(pending, int) else 0
        return True

    async def items(self) -> AsyncGenerator[Listing | Entry, None]:
        listed: dict[str, Entry] | None = {}
        if self._pending == 0:
            yield self._whole({})
            listed = None
        while True:
            raise_if_cancelled()
            message = await self._next()
            if await self._is_control(message):
                # The server has nothing more for us, though it announced more: the rest was purged in between.
                if listed is not None and _is_idle(message):
                    yield self._whole(listed)
                    listed = None
                elif listed is None:
                    self._status.heard()
                continue
            entry, pending = self._read(message)
            if listed is None:
                self._status.revision = entry.revision
                self._status.stored_ms = max(self._status.stored_ms, entry.stored_ms)
                self._status.heard()
                yield entry
                continue
            listed[entry.key] = entry
            if pending == 0:
                yield self._whole(listed)
                listed = None

    def _whole(self, entries: dict[str, Entry]) -> Listing:
        # Not the highest so far: a new bucket of the same name starts over.
        self._status.revision = max((entry.revision for entry in entries.values()), default=0)
        self._status.stored_ms = max((entry.stored_ms for entry in entries.values()), default=0)
        self._status.heard()
        return Listing(entries)

    async def _next(self) -> Msg:
        assert self._subscription is not None
        try:
            return await self._subscription.next_msg(timeout=SILENCE_S)
        except nats.errors.TimeoutError:
            raise WatchGapError(f"no heartbeat for {SILENCE_S:g} s") from None

    async def _is_control(self, message: Msg) -> bool:
        """Answer flow control; check that a heartbeat knows of no message that did not arrive.

        A message of the bucket is none of these, whatever its headers say.
        """
        headers = message.headers or {}
        if headers.get("Status") is None or message.subject.startswith(bucket_subject(self._bucket, "")):
            return False
        if headers["Status"] != "100":
            raise WatchGapError(f"the server ended the consumer: {headers.get('Description', headers['Status'])}")
        answer_to = message.reply or headers.get("Nats-Consumer-Stalled")
        if answer_to:
            await self._client.publish(answer_to)
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != self._delivered:
            raise WatchGapError(f"{int(last) - self._delivered} messages did not arrive")
        return True

    def _read(self, message: Msg) -> tuple[Entry, int]:
        """Return the entry of a message and how many more are to come; raise `WatchGapError` when one is missing."""
        metadata = message.metadata
        self._delivered += 1
        if metadata.sequence.consumer != self._delivered:
            raise WatchGapError(f"expected message {self._delivered}, got {metadata.sequence.consumer}")
        key = message.subject.removeprefix(bucket_subject(self._bucket, ""))
        value = None if is_deletion(message.headers) else message.data
        stored_ms = round(metadata.timestamp.timestamp() * 1000)
        return Entry(key, value, metadata.sequence.stream, stored_ms), metadata.num_pending

    async def _request(self, subject: str, body: dict[str, object]) -> dict[str, object]:
        answer = await self._client.request(f"{self._access.api}.{subject}", orjson.dumps(body), timeout=API_TIMEOUT_S)
        decoded: dict[str, object] = orjson.loads(answer.data)
        return decoded

    async def remove(self) -> None:
        """Stop receiving; the server removes the consumer when it finds nobody listening."""
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()


def is_deletion(headers: Mapping[str, str] | None) -> bool:
    """Whether the headers of a message in a bucket say that its key was deleted (NATS ADR-8)."""
    # What is no ASCII comes out of nats-py as an object that cannot be looked up in a set.
    return str((headers or {}).get("KV-Operation", "")) in {"DEL", "PURGE"}


def _is_idle(control: Msg) -> bool:
    """Whether a heartbeat says that there was nothing to send, and not that flow control held it back."""
    headers = control.headers or {}
    return "Nats-Last-Consumer" in headers and "Nats-Consumer-Stalled" not in headers
