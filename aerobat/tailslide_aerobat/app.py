"""Aerobat composed: the link to NATS, the judge on its counts, and the listener; nothing is decided here."""

import asyncio
import secrets
import socket
import time

import structlog

from tailslide_aerobat.flags import Flags
from tailslide_aerobat.holders import Holders, worker_id
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.leases import Leaseholder
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.routes import Routes
from tailslide_aerobat.series_rules import RedisCommands, SeriesRules
from tailslide_aerobat.session import Session
from tailslide_aerobat.settings import AerobatSettings
from tailslide_aerobat.standing import Standing
from tailslide_aerobat.timeseries import RedisTimeSeries
from tailslide_aerobat.troubles import Troubles
from tailslide_core.naming import KEYS_BUCKET
from tailslide_runtime.auth_callout.service import AuthCallout
from tailslide_runtime.guard import ListenerLimits
from tailslide_runtime.jetstream import Link
from tailslide_runtime.known_keys import KnownKeys
from tailslide_runtime.listener import HttpListener, ListenerMetrics
from tailslide_runtime.redis_users import RedisUsers, RedisUsersMetrics
from tailslide_runtime.service_manager import READY, tell
from tailslide_runtime.tracing import require_packages

log = structlog.get_logger()

SHUTDOWN_TIMEOUT_S = 2.0
LIMITS = ListenerLimits(max_connections=256, max_body_bytes=0)
"""Who asks are a few machines, and no route reads a body."""


async def run(settings: AerobatSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raise `StartError` when the address cannot be listened on."""
    if settings.traces_url is not None:
        require_packages()
    metrics = Metrics()
    flags = Flags(metrics)
    series = RedisTimeSeries(settings.redis_server)
    holders = Holders(worker_id(socket.gethostname(), secrets.token_hex(3)), time.monotonic)
    leaseholder = Leaseholder(holders, metrics, started_ms=int(time.time() * 1000))
    troubles = Troubles(metrics)
    judge = Judge(flags, series, metrics, settings.aerobat_tick_ms, holders, troubles)
    commands = RedisCommands(settings.redis_server)
    rules = SeriesRules(commands, made=metrics.series_rules.inc, refused=metrics.series_rules_refused.inc)
    keys = KnownKeys(metrics.refused_values.labels(KEYS_BUCKET).inc)
    session = Session(flags, judge, holders, leaseholder, metrics, troubles, rules, keys)
    callout_settings = settings.callout()
    callout = None if callout_settings is None else AuthCallout(callout_settings, keys, "aerobat")
    link = Link(settings.nats_server, "aerobat", settings.nats_token)
    standing = Standing(flags, judge, holders, link.status, metrics)
    listener = HttpListener(
        Routes(standing).application(),
        settings.aerobat_listen,
        "TAILSLIDE_AEROBAT_LISTEN",
        allowed_hosts=settings.allowed_hosts,
        limits=LIMITS,
        cancels=True,
    )
    metrics.follow(ListenerMetrics(listener, "tailslide_aerobat_http"))
    if callout is not None:
        metrics.follow(callout.metrics("tailslide_aerobat"))
    users = RedisUsers(settings.redis_server, keys) if settings.redis_users else None
    if users is not None:
        metrics.follow(RedisUsersMetrics(users, keys, "tailslide_aerobat"))
    tracing = None
    if settings.traces_url is not None:
        from tailslide_aerobat.tracing import trace_ticks

        tracing = trace_ticks(settings, holders.worker, metrics.follow)
    try:
        address = await listener.listen()
        log.info("listening", address=str(address), worker=holders.worker)
        tell(READY)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listener.run()), group.create_task(link.run(session.serve))]
            if callout is not None:
                tasks.append(group.create_task(callout.run()))
            if users is not None:
                tasks.append(group.create_task(users.run()))
            await stop.wait()
            for task in tasks:
                task.cancel()
    finally:
        await listener.close(SHUTDOWN_TIMEOUT_S)
        await series.close()
        await commands.close()
        if tracing is not None:
            await tracing.close()
    log.info("stopped")
