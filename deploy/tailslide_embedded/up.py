"""`tailslide up`: the servers, Tower and Aerobat as children of this process, until Ctrl-C or until one ends too often.

What the options are called and how errors are shown is the command line's business.
"""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from tailslide_embedded.addresses import PortChooser, parse_listen, reachable
from tailslide_embedded.circuit_news import CircuitNews
from tailslide_embedded.data_dir import default_data_dir, holder_of, open_data_dir
from tailslide_embedded.environments import environment_of, published
from tailslide_embedded.parts import tailslide_process, user_of_part
from tailslide_embedded.processes import NotReadyError, ProcessSpec
from tailslide_embedded.servers import nats, postgres, redis
from tailslide_embedded.stack import Endpoints, Stack, own_url, servers_on, together
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure
from tailslide_runtime.server_urls import DatabaseUrl, NatsUrl, RedisUrl
from tailslide_runtime.settings import ListenAddress
from tailslide_tower.dashboard.built import read_built

_OWNERS: tuple[tuple[type[NatsUrl | RedisUrl | DatabaseUrl], Callable[[Any], Awaitable[Path | None]]], ...] = (
    (NatsUrl, nats.data_dir_of),
    (RedisUrl, redis.data_dir_of),
    (DatabaseUrl, postgres.data_dir_of),
)


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
    """Run until a signal asks to stop and return 0; raises StartError when something does not start or ends too often.

    Everything is stopped in both cases.
    """
    configure("up", LogLevel.ERROR, LogFormat.CONSOLE)  # what there is to say is said on the console
    return asyncio.run(_until_signal(options, environ, _Output(highlight=False, soft_wrap=True)))


class _Output(Console):
    """What `up` says. Without a reader it ends in order: rich would end the task at once, with a traceback."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise StartError; called by rich while it writes, and never again for this output."""
        self.quiet = True
        # What is left in Python's buffer would fail once more at the exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise StartError("nobody reads what tailslide up says any more: everything is stopped")


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
    if environ.get("TAILSLIDE_TLS_CERT_FILE") or environ.get("TAILSLIDE_TLS_KEY_FILE"):
        raise StartError(
            "TAILSLIDE_TLS_CERT_FILE, TAILSLIDE_TLS_KEY_FILE: expected none, since `tailslide up` serves Tower without "
            "TLS; unset them, or run `tailslide tower` on servers of your own"
        )
    await _refuse_to_join(environ)
    async with open_data_dir(options.data_dir) as data:
        ports = PortChooser()
        tower = ports.listen(parse_listen(options.tower_listen, "--tower-listen"), "--tower-listen")
        aerobat = ports.listen(parse_listen(options.aerobat_listen, "--aerobat-listen"), "--aerobat-listen")
        before = {key: data.remembered_port(key) for key in given}
        console.print("Starting …")

        def tell(text: str) -> None:
            console.print(text, markup=False)

        async with servers_on(data, ports, given, environ) as stack:
            token = environ.get("TAILSLIDE_API_TOKEN") or data.secret("api_token")
            tower_url = environ.get("TAILSLIDE_TOWER_URL") or f"http://{reachable(tower)}"
            settings = {
                "TAILSLIDE_API_TOKEN": token,
                "TAILSLIDE_TOWER_URL": tower_url,
                "TAILSLIDE_TOWER_LISTEN": str(tower),
                "TAILSLIDE_AEROBAT_LISTEN": str(aerobat),
            }
            parts: dict[str, ProcessSpec] = {}
            for part, listen in (("tower", tower), ("aerobat", aerobat)):
                user = user_of_part(data, part, tell)
                told = stack.endpoints.environment_of(part) | settings
                env = environment_of(part, told, environ, own_user=user is not None)
                parts[part] = tailslide_process(part, listen, data, env, run_as=user)
            await stack.add(parts)
            data.publish_environment(published(stack.endpoints, tower_url, token))
            try:
                _tell(console, stack, tower_url, aerobat, await _first_admin_link(stack.endpoints, tower_url))
                # Told last, since it is the one thing here to do something about.
                for line in _moved(stack, before):
                    tell(line)
                own = own_url(NatsUrl, environ)
                nats_url = own if isinstance(own, NatsUrl) else NatsUrl.parse(stack.endpoints.nats_url)
                await together(stack.keep_running(tell), CircuitNews(nats_url, tell).run())
            finally:
                data.publish_environment(None)


async def _refuse_to_join(environ: Mapping[str, str]) -> None:
    """Raise StartError when a URL names a server of another `tailslide up`: NATS, Redis or PostgreSQL.

    With its NATS we would work on its flags with another database, with its database our Tower would take changes that
    are meant for its sidecars, and with its Redis we would judge our circuits by its calls.
    """
    joined: dict[Path, list[str]] = {}
    for kind, data_dir_of in _OWNERS:
        try:
            url = own_url(kind, environ)
            other = None if url is None else await data_dir_of(url)
        except (StartError, NotReadyError):  # told where the servers are started, with what to do
            continue
        if other is not None:
            joined.setdefault(other, []).append(kind.variable)
    for other, names in joined.items():
        raise StartError(
            f"{', '.join(names)}: this shell has the settings of the tailslide up that runs on {other} "
            f"({holder_of(other)}), and a second one would use its servers; "
            f"use what runs there, or start in a new shell (or after: unset {' '.join(names)})"
        )


async def _first_admin_link(endpoints: Endpoints, tower_url: str) -> str | None:
    """Return a link by which the first admin gets in; None where Tower has a user.

    Tower has told of one too, in its log, and only at its first start.
    """
    # Not at the top: the command line would pay for the database's driver at each start.
    from tailslide_tower.database import Database
    from tailslide_tower.setup_links.service import make_first_admin_link

    database = Database(DatabaseUrl.parse(endpoints.database_url))
    try:
        made = await make_first_admin_link(database, tower_url)
    finally:
        await database.close()
    return None if made is None else made[0]


def _tell(console: Console, stack: Stack, tower_url: str, aerobat: ListenAddress, first_admin_link: str | None) -> None:
    endpoints, path = stack.endpoints, stack.data.path
    missing = read_built().missing
    places = {
        "Dashboard": tower_url if missing is None else f"none, because {missing}",
        "API": f"{tower_url}/api/docs",
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
    if first_admin_link is not None:
        account = "Open this link to make your account, as the first admin, and to see the dashboard; it works once:"
        console.print(f"\n{account}\n\n  {first_admin_link}", markup=False)
    console.print("\nTo start a sidecar in another terminal, here of the app checkout:\n")
    console.print(f'  eval "$({env}{" --app checkout" if endpoints.sdk_keys else ""})"', markup=False)
    console.print("  tailslide sidecar --config sidecar.yaml\n", markup=False)
    console.print("To manage flags, with `tailslide status`, `tailslide flags` or the API:\n")
    console.print(f'  eval "$({env} --admin)"\n', markup=False)
    if first_admin_link is None:
        console.print("To get back in without your password, after that, through a link that works once:\n")
        console.print("  tailslide admin-link\n", markup=False)
    console.print("Ctrl-C stops everything; the data stays.")


def _moved(stack: Stack, before: Mapping[str, int | None]) -> list[str]:
    """Return what to say of servers whose port of the last run was not free, or that were given another."""
    moved = [
        f"{stack.children[key].spec.name} from {port} to {stack.data.remembered_port(key)}"
        for key, port in before.items()
        if key in stack.endpoints.embedded and port is not None and port != stack.data.remembered_port(key)
    ]
    if not moved:
        return []
    return [
        "",
        f"Ports have changed since the last run: {', '.join(moved)}. Sidecars that were started before do not find "
        f"these servers: start them again with a new tailslide env.",
    ]


def _place(endpoints: Endpoints, key: str, url: NatsUrl | RedisUrl | DatabaseUrl) -> str:
    return f"{url}  ({'embedded' if key in endpoints.embedded else 'your own'})"
