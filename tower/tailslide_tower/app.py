"""Tower, put together: the HTTP application and the parts that run beside it. Decides nothing by itself."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web
from nats.aio.client import Client

from tailslide_core.naming import KEYS_BUCKET
from tailslide_runtime.auth_callout.service import AuthCallout
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import Link
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_runtime.redis_users import RedisUsers, RedisUsersMetrics
from tailslide_runtime.service_manager import READY, tell
from tailslide_runtime.tls import ServerTls
from tailslide_runtime.tracing import require_packages
from tailslide_tower import access, admission, health
from tailslide_tower.alerts import routes as alerts
from tailslide_tower.alerts.assembly import alerts_of
from tailslide_tower.alerts.sidecars_seen import RegistrySidecars
from tailslide_tower.api import description, page
from tailslide_tower.api.problems import PROBLEM_TYPE, errors_as_problems, guard_problem
from tailslide_tower.api.routes import add_routes
from tailslide_tower.apps import routes as apps
from tailslide_tower.apps.service import AppService
from tailslide_tower.audit import routes as audit
from tailslide_tower.audit.circuit_events import CircuitEvents
from tailslide_tower.audit.event_store import DatabaseEvents
from tailslide_tower.audit.feed import Feed
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.audit.retention import Retention
from tailslide_tower.audit.service import LogService
from tailslide_tower.audit.store import CHANNEL, LogStore
from tailslide_tower.auth import middleware as auth
from tailslide_tower.circuits.verdicts import Verdicts
from tailslide_tower.dashboard import routes as dashboard
from tailslide_tower.dashboard.built import read_built
from tailslide_tower.database import Database
from tailslide_tower.entry import routes as entry
from tailslide_tower.evaluation import routes as evaluations
from tailslide_tower.evaluation.service import EvaluationService
from tailslide_tower.flag_states.shown import STATES
from tailslide_tower.flag_states.standing import Standing
from tailslide_tower.flag_use import FlagUse
from tailslide_tower.flags import routes as flags
from tailslide_tower.flags.service import FlagService
from tailslide_tower.keys import routes as keys
from tailslide_tower.keys.bootstrap import bootstrap
from tailslide_tower.keys.publishing import DatabaseKeys, KeyPublisher
from tailslide_tower.keys.service import KeyService
from tailslide_tower.live import routes as live
from tailslide_tower.live.live import Live
from tailslide_tower.live.metrics import LiveMetrics
from tailslide_tower.live.sidecar_views import RegistryViews
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.preview import routes as previews
from tailslide_tower.preview.service import PreviewService
from tailslide_tower.publisher import middleware as publication
from tailslide_tower.publisher.bucket import JetStreamBucket
from tailslide_tower.publisher.claims import REMEDY
from tailslide_tower.publisher.service import Publisher
from tailslide_tower.publisher.store import DatabaseRulesets
from tailslide_tower.requests import MAX_BODY_BYTES
from tailslide_tower.segments import routes as segments
from tailslide_tower.segments.service import SegmentService
from tailslide_tower.settings import TowerSettings
from tailslide_tower.sidecars import routes as sidecars
from tailslide_tower.sidecars.metrics import SidecarMetrics
from tailslide_tower.status import routes as status
from tailslide_tower.status.models import NotPublishing
from tailslide_tower.status.service import Doings, StatusService
from tailslide_tower.timeseries import routes as graphs
from tailslide_tower.timeseries.metrics import GraphMetrics
from tailslide_tower.timeseries.series import NoSeries, RedisGraphSeries
from tailslide_tower.timeseries.service import GraphService

log = structlog.get_logger()

SHUTDOWN_TIMEOUT_S = 5.0
SUBJECTS = (
    *(apps.routes, flags.routes, evaluations.routes, segments.routes, graphs.routes, previews.routes, sidecars.routes),
    *(keys.routes, status.routes, audit.routes, alerts.routes, live.routes, *admission.SUBJECTS, description.routes),
)
"""The routes of the API under `/api/v1`, a subject after another, as the description shows them."""


class Tower:
    """The parts of one Tower, made and joined; `run` runs them."""

    def __init__(self, settings: TowerSettings, database: Database, metrics: TowerMetrics) -> None:
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self.admission = admission.Admission.of(settings, database, metrics)
        self._link = Link(
            settings.nats_server,
            name="tower",
            token=settings.nats_token,
        )
        self._publisher = Publisher(DatabaseRulesets(database), metrics)
        self._key_publisher = KeyPublisher(DatabaseKeys(database), metrics)
        self._verdicts = Verdicts()
        self._series: RedisGraphSeries | NoSeries = NoSeries()
        redis = settings.redis_server
        if redis is not None:
            self._series = RedisGraphSeries(redis)
            metrics.registry.register(GraphMetrics(self._series))
        self._graphs = GraphService(self._series)
        self._standing = Standing(database, self._publisher, self._series)
        log_metrics = LogMetrics(metrics.registry)
        self._feed = Feed(LogStore(database), partial(database.listen, CHANNEL), log_metrics)
        self._circuit_events = CircuitEvents(DatabaseEvents(database), log_metrics)
        self._live = Live(
            database,
            self._feed,
            self._graphs,
            describe=self._standing.states.describe_all,
            flag_news=self._standing.news,
            sidecars=RegistryViews(self._standing.registry, self._standing.sidecars),
        )
        metrics.registry.register(LiveMetrics(self._live.hub))
        keep = timedelta(days=settings.log_keep_days) if settings.log_keep_days else None
        self._retention = Retention(database, log_metrics, keep)
        self._alerts = alerts_of(
            database,
            self._link.status,
            self._feed,
            RegistrySidecars(self._standing.registry),
            metrics.registry,
            allowed_networks=settings.alert_allowed_networks,
            keep=timedelta(days=settings.alert_deliveries_days),
            tower_url=settings.public_url,
        )
        # The doors of NATS and of Redis, which Aerobat answers and mends as well.
        self._known_keys = KnownKeys()
        callout = settings.callout()
        self._callout = None if callout is None else AuthCallout(callout, self._known_keys, "tower")
        self._redis_users: RedisUsers | None = None
        if redis is not None and settings.redis_users:
            self._redis_users = RedisUsers(redis, self._known_keys)

    def application(self) -> web.Application:
        """Return the HTTP application."""
        database, publisher = self._database, self._publisher
        use = FlagUse(self._series, self._standing.registry)
        api = web.Application(middlewares=[auth.authenticate, publication.refuse_unpublishable])
        self.admission.install(api)
        api[publication.PUBLICATION] = publication.Publication(publisher, self._link.status)
        api[apps.APPS] = AppService(database, publisher, use)
        api[flags.FLAGS] = FlagService(database, publisher, self._verdicts, use)
        api[evaluations.EVALUATIONS] = EvaluationService(database, self._standing.news)
        api[segments.SEGMENTS] = SegmentService(database, publisher)
        api[keys.KEYS] = KeyService(database, self._key_publisher.changed)
        api[graphs.GRAPHS] = self._graphs
        api[previews.PREVIEWS] = PreviewService(self._series)
        api[audit.LOG] = LogService(database)
        api[live.HUB] = self._live.hub
        api[alerts.WEBHOOKS] = self._alerts.webhooks
        api[STATES] = self._standing.states
        api[sidecars.SIDECARS] = self._standing.sidecars
        api[status.STATUS] = StatusService(
            database,
            self._standing.states,
            Doings(
                circuits_not_closed=self._standing.news.circuits.not_closed,
                nats_connected=lambda: self._link.status.connected,
                not_publishing=partial(_not_publishing, publisher),
                judging_silent_s=self._alerts.leases.silent_for_s,
                lost_sidecars=self._standing.registry.lost,
            ),
        )
        add_routes(api, SUBJECTS)

        app = web.Application(
            middlewares=[access.record, access.observe, errors_as_problems, access.answer_for_database],
            client_max_size=MAX_BODY_BYTES,
        )
        app[access.METRICS] = self._metrics
        app[health.PARTS] = health.Parts(database, self._link.status, publisher)
        app.add_routes([*health.routes, *page.routes, *entry.routes])
        app.add_subapp("/api/v1", api)
        dashboard.provide(app, read_built())
        return app

    def tell_metrics(self, listener: HttpListener) -> None:
        """Let the metrics follow what the parts know of themselves."""
        registry, publisher = self._metrics.registry, self._publisher
        self._metrics.follow(
            pending=lambda: publisher.pending,
            nats_connected=lambda: float(self._link.status.connected),
            newer=lambda: len(publisher.newer),
            unknown=lambda: len(publisher.unknown),
        )
        registry.register(ListenerMetrics(listener, "tailslide_tower_http"))
        registry.register(SidecarMetrics(self._standing.sidecars))
        if self._callout is not None:
            registry.register(self._callout.metrics("tailslide_tower"))
        if self._redis_users is not None:
            registry.register(RedisUsersMetrics(self._redis_users, self._known_keys, "tailslide_tower"))

    async def run(self) -> None:
        """Run what runs beside the listener, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for part in (
                *(self._feed, self._standing, self._live, self._alerts, self.admission),
                *(self._callout, self._redis_users),
            ):
                if part is not None:
                    group.create_task(part.run())
            group.create_task(self._key_publisher.follow_log(self._feed))
            group.create_task(self._link.run(self._connected))

    async def _connected(self, client: Client) -> None:
        """Serve one connection to NATS."""
        self._metrics.connected()
        rulesets = JetStreamBucket(client)
        with self._verdicts.connected(client):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publisher.serve(rulesets))
                group.create_task(self._key_publisher.serve(JetStreamBucket(client, KEYS_BUCKET), rulesets))
                group.create_task(self._known_keys.follow(client))
                group.create_task(self._standing.serve(client))
                group.create_task(self._circuit_events.serve(client))
                group.create_task(self._alerts.follow(client))

    async def close(self) -> None:
        """Close what is open."""
        await self._series.close()


async def serve(settings: TowerSettings, announce: Callable[[str], None]) -> None:
    """Run Tower until cancelled; raise `StartError` when it cannot start. Everything is closed at the end.

    `announce` is handed what only the one who starts Tower is to see: the link by which the first admin is made.
    """
    database = Database(settings.database_url)
    ending = AsyncExitStack()
    try:
        await database.prepare()
        metrics = TowerMetrics()
        if settings.traces_url is not None:
            require_packages()
            from tailslide_tower.tracing import trace_tower

            ending.push_async_callback(trace_tower(settings, database, metrics.registry).close)
        tower = Tower(settings, database, metrics)
        ending.push_async_callback(tower.admission.close)
        await tower.admission.prepare(announce)
        if (first_key := settings.bootstrap_key()) is not None:
            await bootstrap(database, first_key)
        listener = HttpListener(
            tower.application(),
            settings.tower_listen,
            "TAILSLIDE_TOWER_LISTEN",
            allowed_hosts=settings.hosts,
            limits=ListenerLimits(max_body_bytes=MAX_BODY_BYTES),
            error_body=guard_problem,
            error_type=PROBLEM_TYPE.encode(),
            websockets=[live.LIVE_PATH],
            tls=None if settings.tls is None else ServerTls(settings.tls),
        )
        tower.tell_metrics(listener)
        try:
            address = await listener.listen()
            log.info("tower_listens", address=str(address), database=database.address)
            tell(READY)
            async with asyncio.TaskGroup() as group:
                group.create_task(listener.run())
                group.create_task(tower.run())
        finally:
            await listener.close(SHUTDOWN_TIMEOUT_S)
            await tower.close()
    finally:
        await ending.aclose()
        await database.close()


def _not_publishing(publisher: Publisher) -> NotPublishing | None:
    refusal = publisher.refusal
    if refusal is None:
        return None
    return NotPublishing(cause=refusal.cause, problem=refusal.problem, remedy=REMEDY)
