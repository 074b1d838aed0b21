"""Composes the sidecar: makes the parts, starts them in order, stops them in order. Decides nothing."""

import asyncio
import time

import structlog
from aiohttp import web

from tailslide_runtime.http import listen
from tailslide_runtime.in_flight import InFlight
from tailslide_runtime.jetstream import Link
from tailslide_runtime.listening import Bound, bind
from tailslide_sidecar import flags_api, upstreams
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.calls import Calls
from tailslide_sidecar.event_stream import EventStream
from tailslide_sidecar.flag_store import FlagStore, Origin
from tailslide_sidecar.flusher import Flusher
from tailslide_sidecar.hot_path import HotListener
from tailslide_sidecar.metrics import Live, Metrics
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.proxy import Proxy
from tailslide_sidecar.readiness import Readiness, readiness
from tailslide_sidecar.reported import Reports
from tailslide_sidecar.settings import Settings
from tailslide_sidecar.snapshot import Snapshot, SnapshotFile, SnapshotWriter
from tailslide_sidecar.staleness import Staleness
from tailslide_sidecar.status import Status
from tailslide_sidecar.timeseries import RedisSeries
from tailslide_sidecar.watcher import Watcher

log = structlog.get_logger()

IDLE_S = 75.0
"""How long a connection may be silent between requests."""
DRAIN_S = 8.0
"""How long running requests may take to end after a signal; what follows fits into the rest of ten seconds."""
CUT_OFF_S = 0.5
"""How long those that do not come to an end then may take to notice."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run a sidecar until `stop` is set; raise `StartError` when it cannot start."""
    sidecar = _Sidecar(settings)
    try:
        await sidecar.listen()
        async with asyncio.TaskGroup() as group:
            await sidecar.serve(group, stop)
    finally:
        await sidecar.close()
    log.info("sidecar stopped")


class _Sidecar:
    """The parts, in the order in which they need each other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = FlagStore(settings.app)
        self._file = None if settings.snapshot is None else SnapshotFile(settings.snapshot, settings.app)
        self._restored = self._restore()
        self._buffer = OutcomeBuffer()
        self._link = Link(settings.nats_url, f"sidecar {settings.app}", settings.sdk_key)
        self._watcher = Watcher(
            self._link,
            self._store,
            settings.routes,
            changed=self._changed,
            refused=lambda bucket: self._metrics.refused_values.labels(bucket).inc(),
        )
        self._metrics = Metrics(
            Live(
                self._store,
                self._buffer,
                self._link.status,
                self._watcher.watches,
                lambda: self._watcher.connected,
                lambda: self._flusher.connected,
                self._readiness,
                lambda: self._events.listeners,
            )
        )
        self._events = EventStream(lambda: self._store.revision, token=settings.flags_token)
        self._staleness = Staleness(self._readiness, settings.stale_after_ms, self._store.forget_answers)
        self._answers = Answers(
            self._store,
            self._metrics.evaluations,
            is_stale=lambda: self._staleness.stale,
            event_stream=self._events.request_uri,
        )
        self._flusher = Flusher(
            self._buffer,
            RedisSeries(settings.redis_url, settings.app),
            settings.flush_interval_ms / 1000,
            written=self._metrics.outcomes_written.inc,
        )
        self._snapshots = (
            None
            if self._file is None
            else SnapshotWriter(
                self._file,
                self._store.content,
                count=lambda result: self._metrics.snapshot_writes.labels(result).inc(),
                age_s=self._watcher.silent_for_s,
            )
        )
        self._session = upstreams.new_session()
        self._status = Status(
            settings,
            self._store,
            self._buffer,
            self._readiness,
            self._link.status,
            self._watcher.watches,
            lambda: self._flusher.connected,
        )
        self._in_flight = InFlight()
        self._runners: list[web.BaseRunner] = []
        self._hot: HotListener | None = None
        self._bound: Bound | None = None

    def _changed(self) -> None:
        self._events.changed()
        if self._snapshots is not None:
            self._snapshots.changed()

    def _restore(self) -> Snapshot | None:
        if self._file is None:
            return None
        self._file.check()
        snapshot = self._file.read()
        if snapshot is not None:
            self._store.restore(snapshot.content)
            log.info("snapshot loaded", flags=len(snapshot.content.rulesets), saved_at=snapshot.saved_at)
        return snapshot

    def _readiness(self) -> Readiness | None:
        return readiness(
            self._store.origin,
            connected=self._watcher.connected,
            silent_for_s=self._watcher.silent_for_s(),
            snapshot_age_s=None if self._restored is None else time.time() - self._restored.saved_at,
        )

    async def listen(self) -> None:
        """Open both listeners."""
        settings, metrics = self._settings, self._metrics
        api = flags_api.FlagsApi(
            self._answers,
            Reports(self._store, self._buffer, metrics.outcomes_stale.inc),
            self._events,
            metrics,
            self._readiness,
            self._status.report,
            settings.flags_token,
            self._in_flight,
        )
        calls = Calls(self._store, self._buffer, metrics.evaluations, metrics.outcomes_stale.inc)
        proxy = Proxy(self._settings.routes, calls, self._metrics, self._session)
        flags_runner = web.AppRunner(
            flags_api.build(api), access_log=None, shutdown_timeout=CUT_OFF_S, keepalive_timeout=IDLE_S
        )
        proxy_runner = web.ServerRunner(
            web.Server(
                lambda request: self._in_flight.answer(request, proxy.handle),
                handler_cancellation=True,
                access_log=None,
                auto_decompress=False,
                max_line_size=upstreams.MAX_HEADER_BYTES,
                max_field_size=upstreams.MAX_HEADER_BYTES,
                keepalive_timeout=IDLE_S,
            ),
            shutdown_timeout=CUT_OFF_S,
        )
        self._runners = [flags_runner, proxy_runner]
        await flags_runner.setup()
        assert flags_runner.server is not None
        self._hot = HotListener(
            self._answers,
            flags_runner.server,
            idle_timeout_s=IDLE_S,
            token=settings.flags_token,
            observe=metrics.answer_seconds.observe,
        )
        mode = settings.socket_mode
        self._bound = await bind(self._hot.protocol, settings.flags_listen, "flags_listen", socket_mode=mode)
        self._status.flags_listen = self._bound.address
        self._status.proxy_listen = await listen(proxy_runner, settings.proxy_listen, "proxy_listen", socket_mode=mode)

    async def serve(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Run the tasks until `stop` is set, then end in order."""
        flushed = asyncio.Event()
        assert self._hot is not None
        tasks = [
            group.create_task(self._watcher.run()),
            group.create_task(self._hot.run()),
            group.create_task(self._staleness.run()),
        ]
        if self._snapshots is not None:
            tasks.append(group.create_task(self._snapshots.run()))
        group.create_task(self._flusher.run(flushed))
        log.info(
            "sidecar ready",
            app=self._settings.app,
            flags=str(self._status.flags_listen),
            proxy=str(self._status.proxy_listen),
        )
        await stop.wait()
        await self._close_listeners()
        for task in tasks:
            task.cancel()
        flushed.set()

    async def close(self) -> None:
        """Write what is left, and let go of everything."""
        await self._close_listeners()
        await self._session.close()
        await self._flusher.finish()
        # What came from the snapshot alone is in it already, and older than another sidecar's.
        if self._snapshots is not None and self._store.origin is Origin.JETSTREAM:
            await self._snapshots.write()

    async def _close_listeners(self) -> None:
        runners, self._runners = self._runners, []
        self._events.close()
        if self._bound is not None:
            self._bound.close()
        if self._hot is not None:
            self._hot.close()
        for site in [site for runner in runners for site in runner.sites]:
            await site.stop()
        until_s = time.monotonic() + DRAIN_S
        if self._hot is not None:
            await self._hot.drained(DRAIN_S)
        await self._in_flight.ended(until_s - time.monotonic())
        await asyncio.gather(*(runner.cleanup() for runner in runners))
