"""Composes the sidecar: makes the parts, starts them in order, stops them in order. Decides nothing."""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from tailslide_core.naming import SidecarId
from tailslide_runtime import descriptors
from tailslide_runtime.bucket_watch import WatchStatus
from tailslide_runtime.jetstream import LinkStatus
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_runtime.listening import Bound, bind
from tailslide_runtime.process import Stop
from tailslide_runtime.service_manager import READY, Inherited, tell
from tailslide_runtime.tracing import require_packages
from tailslide_sidecar import flags_api
from tailslide_sidecar.answers import Answers
from tailslide_sidecar.calls import Calls
from tailslide_sidecar.circuit_news import CircuitNews
from tailslide_sidecar.evaluation_series import EvaluationSeries
from tailslide_sidecar.event_stream import EventStream, most_listeners
from tailslide_sidecar.flag_store import FlagStore, Origin
from tailslide_sidecar.flags_file import FlagsFile
from tailslide_sidecar.flags_source import FlagsSource
from tailslide_sidecar.flusher import Flusher
from tailslide_sidecar.guarded_flags import GuardedFlags
from tailslide_sidecar.hot_path import HotListener
from tailslide_sidecar.metrics import Live, Metrics
from tailslide_sidecar.nats_access import access
from tailslide_sidecar.outcome_buffer import OutcomeBuffer
from tailslide_sidecar.presence import PresenceWriter, new_instance
from tailslide_sidecar.proxy.accounts import Accounts
from tailslide_sidecar.proxy.listener import ProxyListener
from tailslide_sidecar.proxy.metrics import ProxyMetrics
from tailslide_sidecar.proxy.routes import RouteTable
from tailslide_sidecar.readiness import Readiness, readiness
from tailslide_sidecar.reload import Changeable, RouteReloader
from tailslide_sidecar.reported import Reports
from tailslide_sidecar.settings import Settings
from tailslide_sidecar.snapshot_file import Reading, SnapshotFile, SnapshotWriter
from tailslide_sidecar.staleness import Staleness
from tailslide_sidecar.status import Status
from tailslide_sidecar.timeseries import RedisSeries
from tailslide_sidecar.unwritten_counts import UnwrittenCounts
from tailslide_sidecar.watcher import Watcher

if TYPE_CHECKING:  # needs the extra `tracing`
    from tailslide_runtime.tracing.pipeline import Tracing

log = structlog.get_logger()


SOCKETS = ("flags", "proxy")
"""What sockets are called that a service manager hands over."""


async def run(settings: Settings, stop: Stop, sockets: Mapping[str, Inherited] | None = None) -> None:
    """Run a sidecar until `stop` is set; raise `StartError` when it cannot start.

    `sockets`, of the names `SOCKETS`, take the place of the addresses of the settings.
    """
    sidecar = _Sidecar(settings, sockets or {})
    try:
        await sidecar.listen()
        async with asyncio.TaskGroup() as group:
            await sidecar.serve(group, stop)
    finally:
        await sidecar.close()
    log.info("sidecar_stopped")


def _tracing(settings: Settings, instance: str, proxy: ProxyListener, metrics: Metrics) -> "Tracing":
    require_packages()
    from tailslide_sidecar.tracing import trace_calls

    return trace_calls(settings, instance, proxy, metrics.registry)


class _Sidecar:
    """The parts, in the order in which they need each other."""

    def __init__(self, settings: Settings, sockets: Mapping[str, Inherited]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._store = FlagStore(settings.app)
        self._file = None if settings.snapshot_used is None else SnapshotFile(settings.snapshot_used, settings.app)
        self._reading = self._restore()
        self._restored = None if self._reading is None else self._reading.snapshot
        self._buffer = OutcomeBuffer()
        self._guards = GuardedFlags(self._store)
        self._presence = PresenceWriter(
            SidecarId(settings.app, new_instance()), lambda: self._status.presence(self._presence.sidecar_id)
        )
        self._link_status, self._watches = LinkStatus(), dict[str, WatchStatus]()
        self._flags_source: FlagsSource | None = None
        self._source: Watcher | FlagsSource = (
            self._watcher() if settings.flags is None else self._of_file(settings.flags)
        )
        self._metrics = Metrics(
            Live(
                self._store,
                self._buffer,
                self._link_status,
                self._watches,
                lambda: self._source.connected,
                lambda: self._flusher.connected,
                self._readiness,
                lambda: self._events.listeners,
                self._flags_source,
            )
        )
        self._metrics.registry.register(self._guards)
        if self._reading is not None:
            self._metrics.count_reading(self._reading)
        self._descriptors = descriptors.raise_limit()
        most = descriptors.beside_others(self._descriptors, settings.flags_limits.max_connections)
        self._flags_limits = replace(settings.flags_limits, max_connections=most)
        self._events = EventStream(lambda: self._store.revision, token=settings.flags_token, most=most_listeners(most))
        self._staleness = Staleness(self._readiness, settings.stale_after_ms, self._store.forget_answers)
        self._answers = Answers(
            self._store,
            self._metrics.evaluations,
            is_stale=lambda: self._staleness.stale,
            event_stream=self._events.request_uri,
        )
        self._flusher: Flusher | UnwrittenCounts = (
            self._redis_flusher() if settings.flags is None else UnwrittenCounts(self._buffer)
        )
        self._snapshots = (
            None
            if self._file is None
            else SnapshotWriter(
                self._file,
                self._store.content,
                count=lambda result: self._metrics.snapshot_writes.labels(result).inc(),
                age_s=self._source.silent_for_s,
            )
        )
        self._reloader = RouteReloader(settings, self._apply)
        self._status = Status(
            settings,
            self._store,
            self._buffer,
            self._guards,
            self._readiness,
            self._link_status,
            self._watches,
            lambda: self._flusher.connected,
            lambda: self._flusher.problem,
            self._reloader,
            self._presence.sidecar_id.instance,
            self._flags_source,
        )
        self._flags: HttpListener | None = None
        self._hot: HotListener | None = None
        self._proxy: ProxyListener | None = None
        self._tracing: Tracing | None = None
        self._bound: list[Bound] = []
        self._ending = False

    def _watcher(self) -> Watcher:
        settings = self._settings
        nats = access(settings.nats_url, self._presence.sidecar_id, settings.sdk_key)
        watcher = Watcher(
            nats.link,
            self._store,
            settings.routes,
            changed=self._changed,
            refused=lambda bucket: self._metrics.refused_values.labels(bucket).inc(),
            access=nats.watch,
            seen=self._presence.changed,
            news=CircuitNews(self._store).look,
            beside=self._presence.serve,
        )
        self._link_status, self._watches = nats.link.status, dict(watcher.watches)
        return watcher

    def _of_file(self, file: FlagsFile) -> FlagsSource:
        self._flags_source = FlagsSource(file, self._store, self._settings.routes, changed=self._changed)
        return self._flags_source

    def _redis_flusher(self) -> Flusher:
        settings = self._settings
        series = RedisSeries(settings.redis_login, settings.app)
        return Flusher(
            self._buffer,
            series,
            settings.flush_interval_ms / 1000,
            EvaluationSeries(self._metrics.evaluations, series, dropped=self._metrics.evaluations_dropped.inc),
            written=self._metrics.outcomes_written.inc,
            unconfirmed=self._metrics.outcomes_unconfirmed.inc,
        )

    def _apply(self, changed: Changeable) -> None:
        assert self._proxy is not None
        self._proxy.change(RouteTable(changed.routes, changed.forward_allow), changed.proxy)
        self._source.use(changed.routes)
        self._presence.changed()

    def _reload(self) -> None:
        if self._flags_source is not None:
            self._flags_source.reload()
        if self._flags_source is None or self._settings.config_path is not None:
            self._reloader.reload()

    def _changed(self) -> None:
        self._guards.look()
        self._events.changed()
        if self._snapshots is not None:
            self._snapshots.changed()

    def _restore(self) -> Reading | None:
        if self._file is None:
            return None
        self._file.check()
        reading = self._file.read()
        if (snapshot := reading.snapshot) is not None:
            self._store.restore(snapshot.content)
            log.info("snapshot_loaded", flags=len(snapshot.content.rulesets), saved_at=snapshot.saved_at)
        return reading

    def _readiness(self) -> Readiness | None:
        return readiness(
            self._store.origin,
            connected=self._source.connected,
            silent_for_s=self._source.silent_for_s(),
            snapshot_age_s=None if self._restored is None else time.time() - self._restored.saved_at,
            published=self._store.is_published,
            problem=None if self._flags_source is None else self._flags_source.problem,
        )

    async def listen(self) -> None:
        """Open both listeners."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        settings, metrics = self._settings, self._metrics
        api = flags_api.FlagsApi(
            settings.app,
            self._answers,
            Reports(
                self._store,
                self._buffer,
                metrics.outcomes,
                metrics.outcomes_stale.inc,
                accepts=settings.reported_outcomes,
                calls_per_s=settings.reported_calls_per_s,
                refused=metrics.reported_calls_refused.inc,
            ),
            self._events,
            metrics,
            self._readiness,
            self._status.report,
            settings.flags_token,
            is_ending=lambda: self._ending,
        )
        calls = Calls(
            self._store,
            self._buffer,
            metrics.evaluations,
            metrics.outcomes,
            self._guards,
            metrics.outcomes_stale.inc,
        )
        self._flags = listener = HttpListener(
            flags_api.build(api),
            settings.flags_listen,
            "flags_listen",
            allowed_hosts=settings.allowed_hosts,
            limits=self._flags_limits,
            error_body=flags_api.error_body,
            cancels=True,
            inherited=self._sockets.get("flags"),
        )
        self._hot = HotListener(
            self._answers,
            listener.guard,
            token=settings.flags_token,
            observe=metrics.answer_seconds.observe,
        )
        accounts = Accounts()
        self._proxy = proxy = ProxyListener(
            RouteTable(settings.routes, settings.forward_allow),
            calls,
            accounts,
            settings.proxy,
            descriptors=self._descriptors - self._flags_limits.max_connections,
        )
        metrics.registry.register(ProxyMetrics(accounts, proxy.pool, self._reloader))
        metrics.registry.register(ListenerMetrics(listener, "tailslide_sidecar_flags"))
        if settings.traces_url is not None:
            self._tracing = _tracing(settings, self._presence.sidecar_id.instance, proxy, metrics)
        mode = settings.socket_mode
        flags_address = await listener.listen(self._hot.protocol, socket_mode=mode)
        inherited = self._sockets.get("proxy")
        proxied = await bind(
            proxy.protocol, settings.proxy_listen, "proxy_listen", socket_mode=mode, inherited=inherited
        )
        self._bound.append(proxied)
        proxy.listens_on(proxied.address)
        self._status.flags_listen, self._status.proxy_listen = flags_address, proxied.address

    async def serve(self, group: asyncio.TaskGroup, stop: Stop) -> None:
        """Run the tasks until `stop` is set, then end in order."""
        flushed = asyncio.Event()
        assert self._flags is not None
        assert self._hot is not None
        assert self._proxy is not None
        tasks = [
            group.create_task(self._source.run()),
            group.create_task(self._flags.run()),
            group.create_task(self._hot.run()),
            group.create_task(self._proxy.run()),
            group.create_task(self._staleness.run()),
            group.create_task(self._guards.run()),
            group.create_task(self._reloader.run()),
        ]
        if self._snapshots is not None:
            tasks.append(group.create_task(self._snapshots.run()))
        group.create_task(self._flusher.run(flushed))
        log.info(
            "sidecar_ready",
            app=self._settings.app,
            flags=str(self._status.flags_listen),
            proxy=str(self._status.proxy_listen),
            flags_from=self._settings.flags_from,
        )
        tell(READY)
        await stop.wait()
        await self._grace(stop)
        await self._close_listeners()
        self._presence.leave()
        for task in tasks:
            task.cancel()
        flushed.set()

    async def _grace(self, stop: Stop) -> None:
        """Go on answering new calls for a while: who sends them learns of the end later than we do."""
        self._ending = True
        self._hand_over()
        grace_ms = self._settings.drain_grace_ms
        if grace_ms == 0 or stop.at_once.is_set():
            return
        log.info("sidecar_ending", grace_ms=grace_ms)
        assert self._proxy is not None
        assert self._flags is not None
        self._proxy.end_with_answers()
        self._flags.connections.end_with_answers()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.at_once.wait(), grace_ms / 1000)

    def _hand_over(self) -> None:
        """Leave inherited sockets to the next process: new connections wait in them for it, and none is refused."""
        if "proxy" in self._sockets:
            for each in self._bound:
                each.close()
        if "flags" in self._sockets and self._flags is not None:
            self._flags.stop_accepting()

    async def close(self) -> None:
        """Write what is left, and let go of everything."""
        await self._close_listeners()
        await self._flusher.finish()
        if self._tracing is not None:
            await self._tracing.close()
        # What came from the snapshot alone is in it already, and older than another sidecar's.
        if self._snapshots is not None and self._store.origin is Origin.JETSTREAM:
            await self._snapshots.write()

    async def _close_listeners(self) -> None:
        flags, self._flags = self._flags, None
        bound, self._bound = self._bound, []
        proxy, self._proxy = self._proxy, None
        self._events.close()
        for each in bound:
            each.close()
        if flags is not None:
            flags.stop()
        if proxy is not None:
            proxy.close()
        drain_s = self._settings.proxy.limits.drain_ms / 1000
        until_s = time.monotonic() + drain_s
        if proxy is not None:
            await proxy.drained(drain_s)
        if flags is not None:
            await flags.close(until_s - time.monotonic())
