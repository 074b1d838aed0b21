"""Aerobat composed: the link to NATS, the judge on its counts, and the listener; nothing is decided here."""

import asyncio

import structlog
from aiohttp import web

from tailslide_aerobat.flags import Flags
from tailslide_aerobat.judge import Judge
from tailslide_aerobat.metrics import Metrics
from tailslide_aerobat.routes import Routes
from tailslide_aerobat.session import serving
from tailslide_aerobat.settings import AerobatSettings
from tailslide_aerobat.timeseries import RedisTimeSeries
from tailslide_runtime.http import listen
from tailslide_runtime.jetstream import Link

log = structlog.get_logger()


async def run(settings: AerobatSettings, stop: asyncio.Event) -> None:
    """Run until `stop` is set; raise `StartError` when the address cannot be listened on."""
    metrics = Metrics()
    flags = Flags(metrics)
    series = RedisTimeSeries(settings.redis_url.get_secret_value())
    judge = Judge(flags, series, metrics, settings.aerobat_tick_ms)
    token = None if settings.sdk_key is None else settings.sdk_key.get_secret_value()
    link = Link(settings.nats_url.get_secret_value(), "aerobat", token)
    runner = web.AppRunner(Routes(flags, judge, link.status, metrics).application(), access_log=None)
    try:
        address = await listen(runner, settings.aerobat_listen, "TAILSLIDE_AEROBAT_LISTEN")
        log.info("listening", address=str(address))
        async with asyncio.TaskGroup() as group:
            linking = group.create_task(link.run(serving(flags, judge, metrics)))
            await stop.wait()
            linking.cancel()
    finally:
        await runner.cleanup()
        await series.close()
    log.info("stopped")
