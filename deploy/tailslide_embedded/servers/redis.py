"""The embedded Redis with the RedisTimeSeries module, and the proof that a Redis has time series.

Duplicate policies and retention belong to each series and are set by those who make them.
"""

from urllib.parse import quote

import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tailslide_embedded import wheels
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.settings import ListenAddress

_ANSWER_TIMEOUT_S = 3.0
# An append-only file, not snapshots: killed, it loses nothing; the module logs each sample with the time it got.
# A background save that fails (a full disk) must not stop the counting.
_CONFIG = """\
bind {host}
port {port}
requirepass "{password}"
databases 1
dir .
save ""
appendonly yes
appendfsync everysec
stop-writes-on-bgsave-error no
"""


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Write the configuration and return the server; raises StartError when a wheel is missing."""
    files = wheels.redis()
    address = ListenAddress(LOOPBACK, port)
    password = data.secret("redis_password")
    url = f"redis://:{quote(password, safe='')}@{address}/0"
    folder = data.folder("redis")
    data.write_private(folder / "redis.conf", _CONFIG.format(host=LOOPBACK, port=port, password=password))

    async def ready() -> None:
        await check(url)

    return EmbeddedServer(
        url,
        ProcessSpec(
            name="Redis",
            argv=(str(files.server), "redis.conf", "--loadmodule", str(files.timeseries)),
            env={"LD_LIBRARY_PATH": str(files.libraries), "LC_ALL": "C"},
            cwd=folder,
            log=data.log("redis"),
            keep_open=data.keep_open,
            address=str(address),
            ready=ready,
        ),
    )


async def check(url: str) -> None:
    """Return when a Redis lets us in there, has loaded its data and knows time series, else raise NotReadyError."""
    try:
        async with redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=_ANSWER_TIMEOUT_S,
            socket_timeout=_ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            await client.ping()
            commands = await client.command_list(module="timeseries")
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        raise NotReadyError(reason(error)) from error
    if not commands:
        raise NotReadyError("it has no RedisTimeSeries, which Redis 8 and Redis Stack have")
