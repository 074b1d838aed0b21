"""`tailslide up`: the servers, Tower and Aerobat as children of this process, until Ctrl-C or until one of them ends.

What the options are called and how errors are shown is the command line's business.
"""

import asyncio
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from tailslide_embedded.addresses import PortChooser, parse_listen, reachable
from tailslide_embedded.data_dir import DataDir, default_data_dir, open_data_dir
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.stack import Endpoints, Stack, servers_on
from tailslide_runtime.errors import StartError
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.settings import ListenAddress

_READY_TIMEOUT_S = 3.0


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """What to run where. Ports of None are chosen; the listen addresses are `host:port`, port 0 for any free one."""

    data_dir: Path
    nats_port: int | None = None
    redis_port: int | None = None
    postgres_port: int | None = None
    tower_listen: str = "127.0.0.1:4142"
    aerobat_listen: str = "127.0.0.1:4143"


def run_up(options: UpOptions, environ: Mapping[str, str]) -> int:
    """Run until a signal asks to stop and return 0; raises StartError when something does not start or ends by itself.

    Everything is stopped in both cases.
    """
    return asyncio.run(_until_signal(options, environ, Console(highlight=False, soft_wrap=True)))


async def _until_signal(options: UpOptions, environ: Mapping[str, str], console: Console) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    running = asyncio.create_task(_run(options, environ, console))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            console.print("Stopping …")
            running.cancel()
        await running
    except asyncio.CancelledError:
        console.print("Stopped.")
    finally:
        stopping.cancel()
    return 0


async def _run(options: UpOptions, environ: Mapping[str, str], console: Console) -> None:
    given = {"nats": options.nats_port, "redis": options.redis_port, "postgres": options.postgres_port}
    async with open_data_dir(options.data_dir) as data:
        ports = PortChooser()
        tower = ports.listen(parse_listen(options.tower_listen, "--tower-listen"), "--tower-listen")
        aerobat = ports.listen(parse_listen(options.aerobat_listen, "--aerobat-listen"), "--aerobat-listen")
        console.print("Starting …")
        async with servers_on(data, ports, given, environ) as stack:
            token = environ.get("TAILSLIDE_API_TOKEN") or data.secret("api_token")
            settings = stack.endpoints.environment() | {"TAILSLIDE_API_TOKEN": token}
            listens = {"TAILSLIDE_TOWER_LISTEN": str(tower), "TAILSLIDE_AEROBAT_LISTEN": str(aerobat)}
            env = {**environ, **settings, **listens}
            await stack.add(
                {
                    "tower": tailslide_process("tower", tower, data, env),
                    "aerobat": tailslide_process("aerobat", aerobat, data, env),
                }
            )
            data.publish_environment(settings | {"TAILSLIDE_TOWER_URL": f"http://{reachable(tower)}"})
            try:
                _tell(console, stack, tower, aerobat)
                raise StartError(str(await stack.first_exit()))
            finally:
                data.publish_environment(None)


def tailslide_process(
    part: str, listen: ListenAddress, data: DataDir, env: Mapping[str, str], *arguments: str
) -> ProcessSpec:
    """Return `tailslide <part> [argument …]` as a child that is ready when its `/readyz` answers 200.

    `env` is its whole environment, with the setting that makes it listen on `listen`.
    """
    return ProcessSpec(
        name=part.capitalize(),
        # -P: a file of the working directory must not be taken for one of our modules.
        argv=(sys.executable, "-P", "-m", "tailslide_embedded", part, *arguments),
        env=env,
        cwd=Path.cwd(),
        log=data.log(part),
        keep_open=data.keep_open,
        address=f"http://{listen}",
        ready=lambda: _answers_ready(f"http://{reachable(listen)}/readyz"),
        start_timeout_s=60.0,
        stop_timeout_s=15.0,
    )


async def _answers_ready(url: str) -> None:
    timeout = aiohttp.ClientTimeout(total=_READY_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            status, text = response.status, await response.text()
    except (aiohttp.ClientError, OSError) as error:
        raise NotReadyError(str(error) or "no answer in time") from error
    if status != 200:
        raise NotReadyError(f"/readyz answers {status} {text[:200]}".rstrip())


def _tell(console: Console, stack: Stack, tower: ListenAddress, aerobat: ListenAddress) -> None:
    endpoints, path = stack.endpoints, stack.data.path
    places = {
        "Tower": f"http://{reachable(tower)}",
        "Aerobat": f"http://{reachable(aerobat)}",
        "NATS": _place(endpoints, "nats", NatsUrl.parse(endpoints.nats_url)),
        "Redis": _place(endpoints, "redis", RedisUrl.parse(endpoints.redis_url)),
        "PostgreSQL": _place(endpoints, "postgres", DatabaseUrl.parse(endpoints.database_url)),
        "Data": str(path),
        "Logs": str(path / "logs"),
    }
    env = "tailslide env"
    if path != default_data_dir().resolve():
        env += f" --data-dir {shlex.quote(str(path))}"
    console.print("\n[bold green]Tailslide is running.[/]\n")
    for name, place in places.items():
        console.print(f"  {name:<12}{place}", markup=False)
    console.print("\nTo start a sidecar in another terminal, with this machine's settings and API token:\n")
    console.print(f'  eval "$({env})"', markup=False)
    console.print("  tailslide sidecar --config sidecar.yaml\n", markup=False)
    console.print("Ctrl-C stops everything; the data stays.")


def _place(endpoints: Endpoints, key: str, url: NatsUrl | RedisUrl | DatabaseUrl) -> str:
    return f"{url}  ({'embedded' if key in endpoints.embedded else 'your own'})"
