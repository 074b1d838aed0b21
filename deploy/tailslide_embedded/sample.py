"""`tailslide sample`: an old path and a new feature to put a sidecar before, and to break, without writing any."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import datetime

import click

from tailslide_embedded.demo.services import ANY_PATH, Service, Services, listening
from tailslide_runtime.logs import LogFormat, LogLevel, configure

OLD_PORT, NEW_PORT = 9001, 9002
_PORT = click.IntRange(0, 65535)


@click.command()
@click.option(
    "--old-port",
    type=_PORT,
    default=OLD_PORT,
    show_default=True,
    metavar="PORT",
    help="Port of the old service on 127.0.0.1; 0 for any free one.",
)
@click.option(
    "--new-port",
    type=_PORT,
    default=NEW_PORT,
    show_default=True,
    metavar="PORT",
    help="Port of the new service on 127.0.0.1; 0 for any free one.",
)
@click.option(
    "--fail-after",
    type=click.IntRange(min=0),
    metavar="CALLS",
    help="Let the new service fail by itself, once it has answered so many calls.",
)
def sample(old_port: int, new_port: int, fail_after: int | None) -> None:
    """Run an old and a new service to try a sidecar with.

    Both answer every path and every method, and say which of them has answered. A POST to /break lets one of them
    answer 500 from then on, until a POST to /heal.
    """
    configure("sample", LogLevel.WARNING, LogFormat.CONSOLE)
    old = Service("old", content={}, keeps_times=False, told=_tell_switch)
    new = Service("new", content={}, keeps_times=False, told=_tell_switch, fail_after=fail_after)
    asyncio.run(_until_signal(Services(old, new), old_port, new_port))


async def _until_signal(services: Services, old_port: int, new_port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as running:
        await running.enter_async_context(listening(services.old, ANY_PATH, old_port, "--old-port"))
        await running.enter_async_context(listening(services.new, ANY_PATH, new_port, "--new-port"))
        _tell(services)
        await stop.wait()
    click.echo("Stopped.")


def _tell(services: Services) -> None:
    old, new = services.old.url, services.new.url
    click.echo(
        f"Two services answer calls, both well:\n\n"
        f"  the old path     {old}\n"
        f"  the new feature  {new}\n\n"
        f"In another terminal, put a sidecar before them:\n\n"
        f"  tailslide init --feature {new} --fallback {old}\n"
        f"  tailslide sidecar --config sidecar.yaml --flags flags.yaml\n\n"
        f"Break the new one, and heal it:\n\n"
        f"  curl -X POST {new}/break\n"
        f"  curl -X POST {new}/heal\n\n"
        f"Ctrl-C stops both."
    )


def _tell_switch(service: Service) -> None:
    does = "fails" if service.failing_percent else "answers well"
    click.echo(f"{datetime.now().astimezone():%H:%M:%S}  the {service.name} one {does} from now on")
