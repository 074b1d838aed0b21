"""Tower, put together: the HTTP application and the parts that run beside it. Decides nothing by itself."""

import asyncio
from functools import partial
from datetime import timedelta

import structlog
from aiohttp import web
from nats.aio.client import Client

from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import Link
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_tower import access, health
from tailslide_tower.alerts import routes as alerts
from tailslide_tower.alerts.assembly import alerts_of
from tailslide_tower.alerts.service import WebhookService
from tailslide_tower.api import description, page
from tailslide_tower.api.problems import PROBLEM_TYPE, errors_as_problems, guard_problem
from tailslide_tower.api.routes import add_routes
from tailslide_tower.apps import routes as apps
from tailslide_tower.apps.service import AppService
from tailslide_tower.audit.circuit_events import CircuitEvents
from tailslide_tower.audit.event_store import DatabaseEvents
from tailslide_tower.audit.feed import Feed
from tailslide_tower.audit.metrics import LogMetrics
from tailslide_tower.audit.store import CHANNEL, LogStore
from tailslide_tower.auth import middleware as auth
from tailslide_tower.auth.service import TokenService
from tailslide_tower.auth.store import TokenStore
from tailslide_tower.circuits.verdicts import Verdicts
from tailslide_tower.database import Database
from tailslide_tower.flags import routes as flags
from tailslide_tower.flags.last_asked import NobodyKnows
from tailslide_tower.flags.service import FlagService
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.preview import routes as previews
from tailslide_tower.preview.service import PreviewService
from tailslide_tower.publisher import middleware as publication
from tailslide_tower.publisher.bucket import JetStreamBucket
from tailslide_tower.publisher.service import Publisher
from tailslide_tower.publisher.store import DatabaseRulesets
from tailslide_tower.requests import MAX_BODY_BYTES
from tailslide_tower.segments import routes as segments
from tailslide_tower.segments.service import SegmentService
from tailslide_tower.settings import TowerSettings
from tailslide_tower.timeseries import routes as graphs
from tailslide_tower.timeseries.series import GraphSeries, NoSeries, RedisGraphSeries
from tailslide_tower.timeseries.service import GraphService

log = structlog.get_logger()

SHUTDOWN_TIMEOUT_S = 5.0
SUBJECTS = (apps.routes, flags.routes, segments.routes, graphs.routes, previews.routes, description.routes)
SUBJECTS = (apps.routes, flags.routes, segments.routes, alerts.routes, description.routes)
"""The routes of the API under `/api/v1`, a subject after another, as the description shows them."""


def build(
    parts: health.Parts, metrics: TowerMetrics, tokens: TokenService, verdicts: Verdicts, series: GraphSeries
    parts: health.Parts, metrics: TowerMetrics, tokens: TokenService, verdicts: Verdicts, webhooks: WebhookService
) -> web.Application:
    """Return the HTTP application."""
    api = web.Application(middlewares=[auth.authenticate, publication.refuse_unpublishable])
    api[auth.TOKENS] = tokens
    api[publication.PUBLICATION] = publication.Publication(parts.publisher, parts.nats)
    api[apps.APPS] = AppService(parts.database, parts.publisher, NobodyKnows())
    api[flags.FLAGS] = FlagService(parts.database, parts.publisher, verdicts, NobodyKnows())
    api[segments.SEGMENTS] = SegmentService(parts.database, parts.publisher)
    api[graphs.GRAPHS] = GraphService(series)
    api[previews.PREVIEWS] = PreviewService(series)
    api[alerts.WEBHOOKS] = webhooks
    add_routes(api, SUBJECTS)

    app = web.Application(
        middlewares=[access.observe, errors_as_problems, access.answer_for_database], client_max_size=MAX_BODY_BYTES
    )
    app[access.METRICS] = metrics
    app[health.PARTS] = parts
    app.add_routes([*health.routes, *page.routes])
    app.add_subapp("/api/v1", api)
    return app


async def serve(settings: TowerSettings) -> None:
    """Run Tower until cancelled; raise `StartError` when it cannot start. Everything is closed at the end."""
    database = Database(settings.database_url)
    try:
        await database.prepare()
        tokens = TokenService(
            TokenStore(database), settings.api_token.get_secret_value() if settings.api_token else None
        )
        await tokens.ensure_any()
        metrics = TowerMetrics()
        series = RedisGraphSeries(settings.redis_url) if settings.redis_url else NoSeries()
        publisher = Publisher(DatabaseRulesets(database), metrics)
        log_metrics = LogMetrics(metrics.registry)
        feed = Feed(LogStore(database), partial(database.listen, CHANNEL), log_metrics)
        circuit_events = CircuitEvents(DatabaseEvents(database), log_metrics)
        link = Link(
            settings.nats_url,
            name="tower",
            token=settings.nats_token,
        )
        metrics.follow(
            pending=lambda: publisher.pending,
            nats_connected=lambda: float(link.status.connected),
            newer=lambda: len(publisher.newer),
            unknown=lambda: len(publisher.unknown),
        )
        verdicts = Verdicts()

        async def serve_connected(client: Client) -> None:
        alerting = alerts_of(
            database,
            link.status,
            metrics.registry,
            allowed_networks=settings.alert_allowed_networks,
            keep=timedelta(days=settings.alert_deliveries_days),
            tower_url=None,
        )

        async def use(client: Client) -> None:
            metrics.connected()
            with verdicts.connected(client):
                async with asyncio.TaskGroup() as group:
                    group.create_task(publisher.serve(JetStreamBucket(client)))
                    group.create_task(circuit_events.serve(client))

        listener = HttpListener(
            build(health.Parts(database, link.status, publisher), metrics, tokens, verdicts, series),
                    group.create_task(alerting.follow(client))
            build(health.Parts(database, link.status, publisher), metrics, tokens, verdicts, alerting.webhooks),
            settings.tower_listen,
            "TAILSLIDE_TOWER_LISTEN",
            allowed_hosts=settings.allowed_hosts,
            limits=ListenerLimits(max_body_bytes=MAX_BODY_BYTES),
            error_body=guard_problem,
            error_type=PROBLEM_TYPE.encode(),
        )
        metrics.registry.register(ListenerMetrics(listener, "tailslide_tower_http"))
        try:
            address = await listener.listen()
            log.info("tower listens", address=str(address), database=database.address)
            async with asyncio.TaskGroup() as group:
                group.create_task(listener.run())
                group.create_task(feed.run())
                group.create_task(link.run(serve_connected))
                group.create_task(link.run(use))
                group.create_task(alerting.run())
        finally:
            await listener.close(SHUTDOWN_TIMEOUT_S)
            await series.close()
    finally:
        await database.close()
