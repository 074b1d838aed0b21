"""Our lease in JetStream: written, renewed again and again, deleted at a clean end; and what the others do with theirs.

What leases mean, who lives and who owns which app, is in `holders`. The store is a port, JetStream behind it, and a
twin in memory for tests.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import nats.errors
import structlog
from nats.aio.client import Client
from nats.js.api import KeyValueConfig, StorageType
from nats.js.errors import BadRequestError, NoStreamResponseError

from tailslide_aerobat.holders import LIFETIME_S, Holders
from tailslide_aerobat.metrics import Metrics
from tailslide_core.contracts import Lease, decode_lease, encode_lease
from tailslide_core.errors import ContractError
from tailslide_core.naming import LEASES_BUCKET, bucket_subject, lease_key
from tailslide_runtime.bucket_watch import Entry, Listing
from tailslide_runtime.cancellation import raise_if_cancelled
from tailslide_runtime.jetstream import API_TIMEOUT_S, STREAM_NAME_IN_USE

log = structlog.get_logger()

RENEW_EVERY_S = 0.5
ANSWER_TIMEOUT_S = 1.0
"""Half of what a lease lasts: one renewal without an answer leaves time for the next."""
PATIENCE_S = LIFETIME_S
"""An Aerobat that could judge, and cannot for so long, leaves its apps to those that can."""
LOOK_EVERY_S = 0.02
"""How often one that cannot judge looks whether it can."""
MAX_AGE_S = 60.0
"""For how long the bucket has the lease of an Aerobat that died."""


class LeaseError(Exception):
    """The lease could not be written or deleted; the text says why."""


class LeaseStore(Protocol):
    """The bucket of leases."""

    async def renew(self, lease: Lease) -> None:
        """Write our lease again; raise `LeaseError` when that is not certain."""

    async def release(self, worker: str) -> None:
        """Delete our lease; raise `LeaseError` when that is not certain."""


class JetStreamLeaseStore:
    """JetStream, over one connection. Fails closed: who cannot renew its lease soon owns nothing.

    The bucket is in memory: a lease need not survive a server, and one that did would speak for an Aerobat that may
    have died with it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js = client.jetstream(timeout=ANSWER_TIMEOUT_S)

    @classmethod
    async def open(cls, client: Client) -> "JetStreamLeaseStore":
        """Make the bucket where it is missing; the errors of nats-py come out."""
        store = cls(client)
        await store._ensure_bucket()
        return store

    async def _ensure_bucket(self) -> None:
        config = KeyValueConfig(bucket=LEASES_BUCKET, history=1, ttl=MAX_AGE_S, storage=StorageType.MEMORY)
        try:
            await self._client.jetstream(timeout=API_TIMEOUT_S).create_key_value(config)
        except BadRequestError as error:
            if error.err_code != STREAM_NAME_IN_USE:
                raise

    async def renew(self, lease: Lease) -> None:
        """Put, whatever is there; a bucket that has gone is created again."""
        subject, value = bucket_subject(LEASES_BUCKET, lease_key(lease.worker)), encode_lease(lease)
        try:
            try:
                await self._js.publish(subject, value)
            except NoStreamResponseError:
                await self._ensure_bucket()
                await self._js.publish(subject, value)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise LeaseError(str(error) or type(error).__name__) from error

    async def release(self, worker: str) -> None:
        """Delete, unless the connection is gone."""
        subject = bucket_subject(LEASES_BUCKET, lease_key(worker))
        try:
            await self._js.publish(subject, headers={"KV-Operation": "DEL"})
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise LeaseError(str(error) or type(error).__name__) from error


class Leaseholder:
    """Holds the lease of this process over one connection after another."""

    def __init__(self, holders: Holders, metrics: Metrics, started_ms: int) -> None:
        """`started_ms`: when the process started, Unix milliseconds; for people to read."""
        self._holders = holders
        self._metrics = metrics
        self._lease = Lease(holders.worker, started_ms)
        self._written = False
        self._complained = False
        self._refused: set[str] = set()

    async def hold(self, store: LeaseStore, able: Callable[[], bool]) -> None:
        """Write the lease once we are `able` to judge, and renew it for as long; delete it at the end.

        A renewal that fails is tried again. Meanwhile our own clock runs, and `holders` lets go of everything no later
        than the others take it.
        """
        now = self._holders.now
        able_at = -math.inf
        try:
            while True:
                raise_if_cancelled()
                began = now()
                if able():
                    able_at = began
                if began - able_at <= PATIENCE_S:
                    await self._renew(store, began)
                elif self._written:
                    log.warning(
                        "apps_left_to_others", message="apps are left to other aerobats, since we cannot judge them"
                    )
                    await self._release(store)
                self._holders.refresh()
                pause_s = RENEW_EVERY_S if self._written else LOOK_EVERY_S
                await asyncio.sleep(max(0.0, began + pause_s - now()))
        finally:
            await self._release(store)

    async def _renew(self, store: LeaseStore, began: float) -> None:
        self._written = True  # maybe, also when no answer comes
        try:
            await store.renew(self._lease)
        except LeaseError as error:
            self._metrics.lease_errors.inc()
            if not self._complained:
                log.warning("lease_not_renewed", worker=self._lease.worker, error=str(error))
                self._complained = True
            return
        self._holders.renewed(began, self._lease.since_ms)
        if self._complained:
            log.info("lease_renewed_again", worker=self._lease.worker)
            self._complained = False

    async def _release(self, store: LeaseStore) -> None:
        """Step down, then say so. Where that does not arrive, the others wait for the lease to lapse."""
        self._holders.released()
        if not self._written:
            return
        self._written = False
        try:
            await store.release(self._lease.worker)
        except LeaseError as error:
            log.info("lease_left_to_lapse", worker=self._lease.worker, error=str(error))

    async def follow(self, items: AsyncIterator[Listing | Entry]) -> None:
        """Hear of the leases, as the watch of their bucket delivers them."""
        async for item in items:
            for entry in item.entries.values() if isinstance(item, Listing) else (item,):
                self._check(entry)
            self._holders.take(item)
            self._holders.refresh()

    def _check(self, entry: Entry) -> None:
        """Count a value that cannot be read, once for each key; its holder lives all the same."""
        if entry.value is None:
            self._refused.discard(entry.key)
            return
        try:
            decode_lease(entry.value)
        except ContractError as error:
            if entry.key not in self._refused:
                self._refused.add(entry.key)
                self._metrics.refused_values.labels(LEASES_BUCKET).inc()
                log.warning("value_refused", bucket=LEASES_BUCKET, key=entry.key, error=str(error))


class InMemoryLeaseStore:
    """The twin: `entries` are what a watch would deliver, in order; it fails while `error` is set."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.error: str | None = None

    async def renew(self, lease: Lease) -> None:
        """Put."""
        self._append(lease.worker, encode_lease(lease))

    async def release(self, worker: str) -> None:
        """Delete."""
        self._append(worker, None)

    def _append(self, worker: str, value: bytes | None) -> None:
        if self.error is not None:
            raise LeaseError(self.error)
        self.entries.append(Entry(lease_key(worker), value, len(self.entries) + 1))
