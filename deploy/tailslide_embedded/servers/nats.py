"""The embedded NATS server with JetStream, and the proof that a NATS server serves JetStream.

One token for everybody: credentials per app are Tower's business. Not a cluster, no monitoring port.
"""

import asyncio
from urllib.parse import quote

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from tailslide_embedded import wheels
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.settings import ListenAddress

_ANSWER_TIMEOUT_S = 3.0
# Paths are relative to the working directory, so that a data folder may have any name. What JetStream acknowledges is
# with the kernel, so only a crash of the whole machine can lose the writes since the last sync.
_CONFIG = """\
listen: "{address}"
server_name: "tailslide"
authorization {{ token: "{token}" }}
jetstream {{
  store_dir: "."
  sync_interval: "10s"
  max_memory_store: 256MB
  max_file_store: 8GB
}}
"""


def server(data: DataDir, port: int) -> EmbeddedServer:
    """Write the configuration and return the server; raises StartError when its wheel is missing."""
    address = ListenAddress(LOOPBACK, port)
    token = data.secret("nats_token")
    url = f"nats://{quote(token, safe='')}@{address}"
    folder = data.folder("nats")
    data.write_private(folder / "nats.conf", _CONFIG.format(address=address, token=token))

    async def ready() -> None:
        await check(url)

    return EmbeddedServer(
        url,
        ProcessSpec(
            name="NATS",
            argv=(str(wheels.nats_server()), "--config", "nats.conf"),
            env={},
            cwd=folder,
            log=data.log("nats"),
            keep_open=data.keep_open,
            address=str(address),
            ready=ready,
        ),
    )


async def check(url: str) -> None:
    """Return when a NATS server lets us in there and serves JetStream, else raise NotReadyError with the reason."""
    last: list[Exception] = []

    async def note(error: Exception) -> None:
        last.append(error)

    client = Client()
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            await client.connect(
                **NatsUrl.parse(url).connect_options(),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=note,
            )
            await client.jetstream().account_info()
    except (nats.js.errors.ServiceUnavailableError, nats.js.errors.NoStreamResponseError) as error:
        raise NotReadyError("JetStream is not enabled there") from error
    except (nats.errors.Error, nats.js.errors.Error, OSError, ValueError) as error:
        raise NotReadyError(reason(last[-1] if last else error)) from error
    finally:
        await client.close()  # also after a refused connect, which leaves its socket open
