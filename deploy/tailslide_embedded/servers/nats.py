"""The embedded NATS server with JetStream, and the proof that a NATS server serves JetStream.

One token for everybody: credentials per app are Tower's business. Not a cluster, no monitoring port.
"""

import asyncio
from pathlib import Path
from urllib.parse import quote, unquote

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from tailslide_embedded import programs
from tailslide_embedded.addresses import LOOPBACK
from tailslide_embedded.data_dir import DataDir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import EmbeddedServer, reason
from tailslide_runtime.server_urls import NatsUrl
from tailslide_runtime.settings import ListenAddress

_ANSWER_TIMEOUT_S = 3.0
_NAME = "tailslide-up:"
# Paths are relative to the working directory, so that a data folder may have any name. What JetStream acknowledges is
# with the kernel, so only a crash of the whole machine can lose the writes since the last sync. The server's name tells
# a second `tailslide up` whose server it was about to use.
# Limits: who has not shown the token within two seconds is disconnected, and who leaves more than 32 MB unread.
_CONFIG = """\
listen: "{address}"
server_name: "{name}"
authorization {{ token: "{token}", timeout: 2 }}
max_connections: 1024
max_payload: 1MB
max_pending: 32MB
max_control_line: 4KB
max_subscriptions: 10000
write_deadline: "5s"
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
    run_as = data.user("nats")
    folder = data.folder("nats", run_as)
    program = programs.nats_server(data, run_as)
    name = f"{_NAME}{quote(str(data.path))}"
    data.write_private(folder / "nats.conf", _CONFIG.format(address=address, token=token, name=name), run_as)

    async def ready() -> None:
        await check(url)

    return EmbeddedServer(
        url,
        ProcessSpec(
            name="NATS",
            argv=(str(program), "--config", "nats.conf"),
            env={},
            cwd=folder,
            log=data.log("nats"),
            run_as=run_as,
            keep_open=data.keep_open,
            address=str(address),
            ready=ready,
        ),
    )


async def check(url: str) -> None:
    """Return when a NATS server lets us in there and serves JetStream, else raise NotReadyError with the reason."""
    await _name(url)


async def data_dir_of(url: str) -> Path | None:
    """Return the data folder of the `tailslide up` whose server answers there, None when it is another's server.

    Raises NotReadyError as `check` does.
    """
    name = await _name(url)
    return Path(unquote(name.removeprefix(_NAME))) if name.startswith(_NAME) else None


async def _name(url: str) -> str:
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
            return str(client._server_info.get("server_name", ""))  # noqa: SLF001  the client has no other word for it
    except (nats.js.errors.ServiceUnavailableError, nats.js.errors.NoStreamResponseError) as error:
        raise NotReadyError("JetStream is not enabled there") from error
    except (nats.errors.Error, nats.js.errors.Error, OSError, ValueError) as error:
        raise NotReadyError(reason(last[-1] if last else error)) from error
    finally:
        await client.close()  # also after a refused connect, which leaves its socket open
