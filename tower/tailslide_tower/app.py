"""Tower, put together: the HTTP application and the parts that run beside it. Decides nothing by itself."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import structlog
from aiohttp import web
from nats.aio.client import Client

from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import Link
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_tower import access, admission, health
from tailslide_tower.api import description, page
from tailslide_tower.api.problems import PROBLEM_TYPE, errors_as_problems, guard_problem
from tailslide_tower.api.routes import add_routes
from tailslide_tower.apps import routes as apps
from tailslide_tower.apps.service import AppService
from tailslide_tower.auth import middleware as auth
from tailslide_tower.circuits.verdicts import Verdicts
from tailslide_tower.database import Database
from tailslide_tower.entry import routes as entry
from tailslide_tower.flags import routes as flags
from tailslide_tower.flags.service import FlagService
from tailslide_tower.metrics import TowerMetrics
from tailslide_tower.publisher import middleware as publication
from tailslide_tower.publisher.bucket import JetStreamBucket
from tailslide_tower.publisher.service import Publisher
from tailslide_tower.publisher.store import DatabaseRulesets
from tailslide_tower.requests import MAX_BODY_BYTES
from tailslide_tower.segments import routes as segments
from tailslide_tower.segments.service import SegmentService
from tailslide_tower.settings import TowerSettings

log = structlog.get_logger()

SHUTDOWN_TIMEOUT_S = 5.0
SUBJECTS = (apps.routes, flags.routes, segments.routes, *admission.SUBJECTS, description.routes)
"""The routes of the API under `/api/v1`, a subject after another, as the description shows them."""


def build(
    parts: health.Parts, metrics: TowerMetrics, admitted: admission.Admission, verdicts: Verdicts
) -> web.Application:
    """Return the HTTP application."""
    api = web.Application(middlewares=[auth.authenticate, publication.refuse_unpublishable])
    admitted.install(api)
    api[publication.PUBLICATION] = publication.Publication(parts.publisher, parts.nats)
    api[apps.APPS] = AppService(parts.database, parts.publisher.app_added)
    api[flags.FLAGS] = FlagService(parts.database, parts.publisher, verdicts)
    api[segments.SEGMENTS] = SegmentService(parts.database, parts.publisher)
    add_routes(api, SUBJECTS)

    app = web.Application(
        middlewares=[access.observe, errors_as_problems, access.answer_for_database], client_max_size=MAX_BODY_BYTES
    )
    app[access.METRICS] = metrics
    app[health.PARTS] = parts
    app.add_routes([*health.routes, *page.routes, *entry.routes])
    app.add_subapp("/api/v1", api)
    return app


async def serve(settings: TowerSettings, announce: Callable[[str], None]) -> None:
    """Run Tower until cancelled; raise `StartError` when it cannot start. Everything is closed at the end.

    `announce` is handed what only the one who starts Tower is to see: the link by which the first admin is made.
    """
    database = Database(settings.database_url)
    ending = AsyncExitStack()
    try:
        await database.prepare()
        metrics = TowerMetrics()
        admitted = admission.Admission.of(settings, database, metrics)
        ending.push_async_callback(admitted.close)
        await admitted.prepare(announce)
        publisher = Publisher(DatabaseRulesets(database), metrics)
        link = Link(
            settings.nats_url,
            name="tower",
            token=settings.sdk_key.get_secret_value() if settings.sdk_key else None,
        )
        metrics.follow(
            pending=lambda: publisher.pending,
            nats_connected=lambda: float(link.status.connected),
            newer=lambda: len(publisher.newer),
            unknown=lambda: len(publisher.unknown),
        )
        verdicts = Verdicts()

        async def publish(client: Client) -> None:
            metrics.connected()
            with verdicts.connected(client):
                await publisher.serve(JetStreamBucket(client))

        listener = HttpListener(
            build(health.Parts(database, link.status, publisher), metrics, admitted, verdicts),
            settings.tower_listen,
            "TAILSLIDE_TOWER_LISTEN",
            allowed_hosts=settings.hosts,
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
                group.create_task(link.run(publish))
                group.create_task(admitted.run())
        finally:
            await listener.close(SHUTDOWN_TIMEOUT_S)
    finally:
        await ending.aclose()
        await database.close()
