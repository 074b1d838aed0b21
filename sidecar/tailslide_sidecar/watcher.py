"""Keeps the flag store equal to the two buckets, for as long as the sidecar lives.

Fails open: without NATS the store keeps what it holds, and readiness says how old that is. What a value means is the
store's to decide.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import structlog
from nats.aio.client import Client

from tailslide_core.naming import CIRCUITS_BUCKET, RULESETS_BUCKET, app_keys
from tailslide_runtime.bucket_watch import IN_THE_SAME_ACCOUNT, Entry, Listing, WatchAccess, WatchStatus, watch_bucket
from tailslide_runtime.jetstream import Link
from tailslide_sidecar.flag_store import Applied, FlagStore
from tailslide_sidecar.missing_names import MissingNames
from tailslide_sidecar.proxy.routes import Route
from tailslide_sidecar.readiness import problem_of

log = structlog.get_logger()

CIRCUITS_FIRST_S = 0.5
"""How long rulesets wait for the circuits, lest a circuit that is open let users in for a moment after a start."""


class Watcher:
    """Reads both buckets into the store."""

    def __init__(
        self,
        link: Link,
        store: FlagStore,
        routes: Sequence[Route],
        *,
        changed: Callable[[], None],
        refused: Callable[[str], None],
        access: WatchAccess = IN_THE_SAME_ACCOUNT,
        seen: Callable[[], None] = lambda: None,
        news: Callable[[Iterable[str] | None], None] = lambda _: None,
        beside: Callable[[Client], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """`changed` is called after each change of the store, `refused` with the bucket of each refused value.

        `seen` is called after everything that is read of rulesets, changed or not; `news` with the flags of which
        something has come, None for all. `beside` runs with each connection
        for as long as it lasts.
        """
        self._link = link
        self._access = access
        self._store = store
        self._missing = MissingNames(store, routes)
        self._changed = changed
        self._refused = refused
        self._seen = seen
        self._news = news
        self._beside = beside
        self._kept: tuple[str, ...] = ()
        self.watches: Mapping[str, WatchStatus] = {
            bucket: WatchStatus() for bucket in (CIRCUITS_BUCKET, RULESETS_BUCKET)
        }
        """What the watch of each bucket says of itself."""

    @property
    def connected(self) -> bool:
        """Whether the store holds what both buckets hold, for all that can be known: NATS speaks every two seconds."""
        return self._link.status.connected and all(watch.in_touch for watch in self.watches.values())

    def silent_for_s(self) -> float:
        """Return for how long, in seconds, NATS has said nothing of one of the buckets."""
        return max(watch.silent_for_s() for watch in self.watches.values())

    def use(self, routes: Sequence[Route]) -> None:
        """Look after the flags of other routes."""
        self._missing.use(routes)

    async def run(self) -> None:
        """Watch until cancelled."""
        self._missing.warn()
        await self._link.run(self._serve)

    async def _serve(self, client: Client) -> None:
        circuits_listed = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch_circuits(client, circuits_listed))
                group.create_task(self._watch_rulesets(client, circuits_listed))
                if self._beside is not None:
                    group.create_task(self._beside(client))
        except ExceptionGroup as failures:
            # The link tells a lost server from a defect by the exception itself, not by a group of them.
            raise failures.exceptions[0] from failures

    async def _watch_circuits(self, client: Client, listed: asyncio.Event) -> None:
        keys, status = app_keys(self._store.app), self.watches[CIRCUITS_BUCKET]
        async with aclosing(watch_bucket(client, CIRCUITS_BUCKET, keys, status, self._access)) as items:
            async for item in items:
                self._took(CIRCUITS_BUCKET, self._store.apply(CIRCUITS_BUCKET, item))
                self._news(_flags(item))
                listed.set()

    async def _watch_rulesets(self, client: Client, circuits_listed: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(CIRCUITS_FIRST_S):
                await circuits_listed.wait()
        except TimeoutError:
            log.debug("circuits_not_listed", message="no circuits yet")
        keys, status = app_keys(self._store.app), self.watches[RULESETS_BUCKET]
        async with aclosing(watch_bucket(client, RULESETS_BUCKET, keys, status, self._access)) as items:
            async for item in items:
                applied = self._store.apply(RULESETS_BUCKET, item)
                self._took(RULESETS_BUCKET, applied)
                self._news(_flags(item))
                self._seen()
                if isinstance(item, Listing):
                    self._tell_listed(applied)
                self._missing.warn()

    def _tell_listed(self, listed: Applied) -> None:
        log.info("rulesets_loaded", flags=len(self._store.flags()), segments=len(self._store.segments()))
        if listed.kept and listed.kept != self._kept:
            log.warning(
                "flags_missing_from_bucket",
                message=(
                    "flags or segments are missing from the bucket without having been deleted; "
                    "their last good values stay until tower has published again"
                ),
                keys=list(listed.kept),
            )
        self._kept = listed.kept
        if self._store.is_published is False:
            log.warning("app_never_published", app=self._store.app, problem=problem_of(self._store.app, False))

    def _took(self, bucket: str, applied: Applied) -> None:
        for refusal in applied.refused:
            self._refused(bucket)
            log.warning(
                "value_refused",
                message="a value is refused and the last good one stays",
                bucket=bucket,
                key=refusal.key,
                revision=refusal.revision,
                problem=refusal.problem,
                exc_info=refusal.unforeseen,
            )
        if applied.dropped:
            log.warning(
                "kept_flags_dropped",
                message="tower has published again without flags that were kept; they are gone",
                flags=applied.dropped,
            )
        # Circuits alone are nothing to start from.
        if applied.changed and self._store.origin is not None:
            self._changed()


def _flags(item: Listing | Entry) -> tuple[str] | None:
    return None if isinstance(item, Listing) else (item.key.partition(".")[2],)
