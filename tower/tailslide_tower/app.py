"""Tower, put together: the HTTP application and the parts that run beside it. Decides nothing by itself."""

import asyncio

import structlog
from aiohttp import web
from nats.aio.client import Client

from tailslide_core.naming import KEYS_BUCKET
from tailslide_runtime.auth_callout.service import AuthCallout
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import Link
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_tower import access, health
from tailslide_tower.api import description, page
from tailslide_tower.api.problems import PROBLEM_TYPE, errors_as_problems, guard_problem
from tailslide_tower.api.routes import add_routes
from tailslide_tower.apps import routes as apps
from tailslide_tower.apps.service import AppService
from tailslide_tower.auth import middleware as auth
from tailslide_tower.auth.service import TokenService
from tailslide_tower.auth.store import TokenStore
from tailslide_tower.circuits.verdicts import Verdicts
from tailslide_tower.database import Database
from tailslide_tower.flags import routes as flags
from tailslide_tower.flags.service import FlagService
from tailslide_tower.keys import routes as keys
from tailslide_tower.keys.bootstrap import bootstrap
from tailslide_tower.keys.publishing import DatabaseKeys, KeyPublisher
from tailslide_tower.keys.service import KeyService
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
SUBJECTS = (apps.routes, flags.routes, segments.routes, keys.routes, description.routes)
"""The routes of the API under `/api/v1`, a subject after another, as the description shows them."""


def build(
    parts: health.Parts,
    metrics: TowerMetrics,
    tokens: TokenService,
    verdicts: Verdicts,
    key_publisher: KeyPublisher,
) -> web.Application:
    """Return the HTTP application."""
    api = web.Application(middlewares=[auth.authenticate, publication.refuse_unpublishable])
    api[auth.TOKENS] = tokens
    api[publication.PUBLICATION] = publication.Publication(parts.publisher, parts.nats)
    api[apps.APPS] = AppService(parts.database, parts.publisher.app_added)
    api[flags.FLAGS] = FlagService(parts.database, parts.publisher, verdicts)
    api[segments.SEGMENTS] = SegmentService(parts.database, parts.publisher)
    api[keys.KEYS] = KeyService(parts.database, key_publisher.changed)
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
        if (first_key := settings.bootstrap_key()) is not None:
            await bootstrap(database, first_key)
        metrics = TowerMetrics()
        publisher = Publisher(DatabaseRulesets(database), metrics)
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
        key_publisher = KeyPublisher(DatabaseKeys(database), metrics)
        callout_settings, known_keys = settings.callout(), KnownKeys()
        callout = None if callout_settings is None else AuthCallout(callout_settings, known_keys, "tower")

        async def publish(client: Client) -> None:
            metrics.connected()
            async with asyncio.TaskGroup() as group:
                group.create_task(known_keys.follow(client))
                rulesets = JetStreamBucket(client)
                group.create_task(key_publisher.serve(JetStreamBucket(client, KEYS_BUCKET), rulesets))
                with verdicts.connected(client):
                    await publisher.serve(rulesets)

        listener = HttpListener(
            build(health.Parts(database, link.status, publisher), metrics, tokens, verdicts, key_publisher),
            settings.tower_listen,
            "TAILSLIDE_TOWER_LISTEN",
            allowed_hosts=settings.allowed_hosts,
            limits=ListenerLimits(max_body_bytes=MAX_BODY_BYTES),
            error_body=guard_problem,
            error_type=PROBLEM_TYPE.encode(),
        )
        metrics.registry.register(ListenerMetrics(listener, "tailslide_tower_http"))
        if callout is not None:
            metrics.registry.register(callout.metrics("tailslide_tower"))
        try:
            address = await listener.listen()
            log.info("tower listens", address=str(address), database=database.address)
            async with asyncio.TaskGroup() as group:
                group.create_task(listener.run())
                group.create_task(link.run(publish))
                if callout is not None:
                    group.create_task(callout.run())
        finally:
            await listener.close(SHUTDOWN_TIMEOUT_S)
    finally:
        await database.close()
