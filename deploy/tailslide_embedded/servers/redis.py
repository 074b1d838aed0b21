"""The embedded Redis, which is Valkey with the RedisTimeSeries module, and the proof that a Redis has time series.

Duplicate policies and retention belong to each series and are set by those who make them. Here is one user, with a
password, for Tower and Aerobat; they make those of sidecars. Both may set users, and thus give themselves every right,
so users with fewer rights would be no limit to them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import redis.asyncio
import redis.exceptions

from tailslide_embedded import programs, wheels
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.redis_connections import connection_pool
from tailslide_runtime.server_urls import RedisUrl
from tailslide_runtime.settings import ListenAddress

_ANSWER_TIMEOUT_S = 3.0
_FOLDER = "redis"
# An append-only file, not snapshots: killed on a busy disk, it loses two seconds at most; the module logs each sample
# with the time it got.
# A background save that fails (a full disk) must not stop the counting. Data folders of earlier versions hold files of
# Redis 7.4, whose format Valkey reads when it is told to ("relaxed") and replaces at its next rewrite.
#
# Limits: what one client may send and leave unread, and all of them together; who has said nothing for ten minutes is
# disconnected, and clients connect again. Commands that would replace the data by another server's, send it there, or
# end the server have no names.
_CONFIG = """\
bind {host}
port {port}
protected-mode yes
requirepass "{password}"
databases 1
dir .
save ""
appendonly yes
appendfsync everysec
rdb-version-check relaxed
stop-writes-on-bgsave-error no
maxclients 512
timeout 600
tcp-keepalive 60
maxmemory-clients 128mb
client-query-buffer-limit 16mb
client-output-buffer-limit normal 32mb 8mb 30
client-output-buffer-limit pubsub 8mb 2mb 30
proto-max-bulk-len 8mb
enable-protected-configs no
enable-debug-command no
enable-module-command no
rename-command REPLICAOF ""
rename-command SLAVEOF ""
rename-command SYNC ""
rename-command PSYNC ""
rename-command MIGRATE ""
rename-command SHUTDOWN ""
"""


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Write the configuration and return the server; raises StartError when a wheel is missing."""
    files = wheels.redis()
    address = ListenAddress(LOOPBACK, port)
    password = data.secret("redis_password")
    url = f"redis://:{quote(password, safe='')}@{address}/0"
    run_as = data.user("redis")
    folder = data.folder(_FOLDER, run_as)
    program = programs.valkey_server(data, files, run_as)
    module = programs.timeseries_module(data, files)
    data.write_private(folder / "redis.conf", _CONFIG.format(host=LOOPBACK, port=port, password=password), run_as)

    async def ready() -> None:
        await check(RedisUrl.parse(url))

    return EmbeddedServer(
        url,
        ProcessSpec(
            name="Redis",
            argv=(str(program), "redis.conf", "--loadmodule", str(module)),
            env={"LC_ALL": "C"},
            cwd=folder,
            log=data.log("redis"),
            run_as=run_as,
            keep_open=data.keep_open,
            address=str(address),
            ready=ready,
        ),
    )


async def check(url: RedisUrl) -> None:
    """Return when a Redis lets us in there, has loaded its data and knows time series, else raise NotReadyError."""
    async with _client(url) as client:
        await client.ping()
        commands = await client.command_list(module="timeseries")
    if not commands:
        raise NotReadyError("it has no RedisTimeSeries, which Redis 8 and Redis Stack have")


async def data_dir_of(url: RedisUrl) -> Path | None:
    """Return the data folder of the `tailslide up` whose server answers there, None when it is another's server.

    A server that does not tell its folder is another's. Raises NotReadyError when none answers.
    """
    async with _client(url) as client:
        try:
            told = (await client.config_get("dir")).get("dir")
        except redis.exceptions.ResponseError:
            return None
    if not told:
        return None
    folder = Path(told)
    try:
        ours = folder.name == _FOLDER and (folder.parent / "servers.lock").exists()
    except OSError:  # a folder that only others may look into
        return None
    return folder.parent if ours else None


@asynccontextmanager
async def _client(url: RedisUrl) -> AsyncIterator[redis.asyncio.Redis]:
    """Yield a client that tries once; what goes wrong in the block raises NotReadyError with the reason."""
    try:
        pool = connection_pool(
            url,
            connect_timeout_s=_ANSWER_TIMEOUT_S,
            answer_timeout_s=_ANSWER_TIMEOUT_S,
            protocol=3,
            decode_responses=True,
        )
        async with redis.asyncio.Redis.from_pool(pool) as client:
            yield client
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        raise NotReadyError(reason(error)) from error
