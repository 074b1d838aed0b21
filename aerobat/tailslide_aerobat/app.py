"""Aerobat composed: the link to NATS, the judge on its counts, and the listener; nothing is decided here."""

import asyncio
import secrets
import socket
import time

import structlog
from aiohttp import web

from tailslide_aerobat.flags import Flags
from tailslide_aerobat.holders import Holders, worker_id
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.leases import Leaseholder
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.routes import Routes
from tailslide_aerobat.session import Session
from tailslide_aerobat.settings import AerobatSettings
from tailslide_aerobat.standing import Standing
from tailslide_aerobat.timeseries import RedisTimeSeries
from tailslide_runtime.http import listen
from tailslide_runtime.jetstream import Link

log = structlog.get_logger()


async def run(settings: AerobatSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raise `StartError` when the address cannot be listened on."""
    metrics = Metrics()
    flags = Flags(metrics)
    series = RedisTimeSeries(settings.redis_url)
    holders = Holders(worker_id(socket.gethostname(), secrets.token_hex(3)), time.monotonic)
    leaseholder = Leaseholder(holders, metrics, started_ms=int(time.time() * 1000))
    judge = Judge(flags, series, metrics, settings.aerobat_tick_ms, holders)
    session = Session(flags, judge, holders, leaseholder, metrics)
    token = None if settings.sdk_key is None else settings.sdk_key.get_secret_value()
    link = Link(settings.nats_url, "aerobat", token)
    standing = Standing(flags, judge, holders, link.status, metrics)
    runner = web.AppRunner(Routes(standing).application(), access_log=None)
    try:
        address = await listen(runner, settings.aerobat_listen, "TAILSLIDE_AEROBAT_LISTEN")
        log.info("listening", address=str(address), worker=holders.worker)
        async with asyncio.TaskGroup() as group:
            linking = group.create_task(link.run(session.serve))
            await stop.wait()
            linking.cancel()
    finally:
        await runner.cleanup()
        await series.close()
    log.info("stopped")
