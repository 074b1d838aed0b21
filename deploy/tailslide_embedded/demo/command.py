"""`tailslide demo`: options, the order in which things start and stop, the exit status."""

import asyncio
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
from rich.console import Console

from tailslide_core.naming import FlagId
from tailslide_embedded.circuit_log import CircuitLog
from tailslide_embedded.demo.report import Report, report, timeline
from tailslide_embedded.demo.services import Services, running_services
from tailslide_embedded.demo.story import APP, FLAG, PATH, Story, plan
from tailslide_embedded.demo.traffic import Traffic
from tailslide_embedded.demo.view import View, show_timeline
from tailslide_embedded.whole_loop import (
    WholeLoop,
    preferred_ports,
    temporary_data_dir,
    until_exit_or,
    whole_loop,
)
from tailslide_runtime.logs import LogFormat, LogLevel, configure

DEFAULT_RATE = 200


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, on the last line, instead of pictures.")
@click.option("--keep", is_flag=True, help="Stay running after the story, and print where everything answers.")
@click.option(
    "--rate",
    type=click.IntRange(20, 1000),
    default=DEFAULT_RATE,
    show_default=True,
    metavar="CALLS",
    help="Calls a second, 20 to 1000.",
)
def demo(*, as_json: bool, keep: bool, rate: int) -> None:
    """Watch a circuit open and recover, on real servers.

    Starts NATS, Redis, PostgreSQL, Tower, Aerobat, a sidecar and two services on this machine, in a temporary folder,
    and stops them at the end. Takes about a minute. Exit status 0 when the circuit opened and recovered.
    """
    configure("demo", LogLevel.ERROR, LogFormat.CONSOLE)  # the story is told on the console; the parts have logs
    console = Console(highlight=False, soft_wrap=False, stderr=as_json)
    with temporary_data_dir() as folder:
        outcome = asyncio.run(_until_signal(folder, console, rate, keep=keep))
    if outcome is None:
        console.print("Stopped.")
        raise SystemExit(130)
    if as_json:
        click.echo(orjson.dumps(outcome.as_json()).decode())
    raise SystemExit(0 if outcome.succeeded() else 1)


async def _until_signal(folder: Path, console: Console, rate: int, *, keep: bool) -> Report | None:
    """Return None when a signal ended it before the story did."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    keeping = _Keeping(stop) if keep else None
    running = asyncio.create_task(_run(folder, console, rate, keeping))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not (keeping and keeping.story_is_over):
            running.cancel()
        return await running
    except asyncio.CancelledError:
        return None
    finally:
        stopping.cancel()


@dataclass
class _Keeping:
    """Staying after the story: a signal that comes then is the wished-for end of a demo that has its outcome."""

    stop: asyncio.Event
    story_is_over: bool = False


async def _run(folder: Path, console: Console, rate: int, keeping: _Keeping | None) -> Report:
    console.print("Starting NATS, Redis, PostgreSQL, Tower, Aerobat, a sidecar and two services …")
    async with running_services(PATH) as services, whole_loop(folder, plan(services), preferred_ports()) as loop:
        circuits = CircuitLog(loop.stack.endpoints.nats_url, FlagId(APP, FLAG))
        traffic = Traffic(f"{loop.addresses.proxy}{PATH}", rate)
        view = View(console)
        story = Story(services, traffic, circuits, view.tell)
        playing = asyncio.create_task(_play(story, traffic, circuits, view))
        await until_exit_or(loop.stack, playing)
        outcome = report(circuits.verdicts, services, traffic.tally, story.started, story.ended)
        show_timeline(console, timeline(circuits.verdicts, services, story.acts, story.started), outcome)
        if keeping is not None:
            keeping.story_is_over = True
            _tell_where(console, loop, services)
            await until_exit_or(loop.stack, asyncio.create_task(keeping.stop.wait()))
        return outcome


async def _play(story: Story, traffic: Traffic, circuits: CircuitLog, view: View) -> None:
    async with asyncio.TaskGroup() as group:
        background = [
            group.create_task(circuits.run()),
            group.create_task(traffic.run()),
            group.create_task(view.run(traffic, circuits)),
        ]
        await story.play()
        for task in background:
            task.cancel()


def _tell_where(console: Console, loop: WholeLoop, services: Services) -> None:
    addresses, token = loop.addresses, loop.api_token
    flag = f"{addresses.tower}/api/v1/apps/{APP}/flags/{FLAG}"
    commands = {
        "Is the flag on for this user?": f"curl '{addresses.flags}/v1/flags/{FLAG}?targeting_key=user-1'",
        "The same by OpenFeature's remote evaluation protocol": (
            f"curl -X POST {addresses.flags}/ofrep/v1/evaluate/flags/{FLAG} -H 'content-type: application/json' "
            f"""-d '{{"context": {{"targetingKey": "user-1"}}}}'"""
        ),
        "A call through the proxy": f"curl -i {addresses.proxy}{PATH} -H 'x-user-id: user-1'",
        "How the sidecar is": f"curl {addresses.flags}/readyz; curl {addresses.flags}/metrics",
        "What Aerobat thinks": f"curl {addresses.aerobat}/v1/status",
        "The flag in Tower": f"curl {flag} -H 'authorization: Bearer {token}'",
        "Turn it off": (
            f"curl -X POST {flag}/toggle -H 'authorization: Bearer {token}' "
            f"-H 'if-match: *' -H 'content-type: application/json' -d '{{\"active\": false}}'"
        ),
        "Let the new service fail, and heal": (
            f"curl -X POST {services.new.url}/demo/break; curl -X POST {services.new.url}/demo/heal"
        ),
    }
    console.print("\n[bold]Everything stays running.[/] Try:\n")
    for title, command in commands.items():
        console.print(f"  # {title}", style="dim", markup=False)
        console.print(f"  {command}\n", markup=False, soft_wrap=True)
    console.print(f"  Logs: {shlex.quote(str(loop.stack.data.path / 'logs'))}", markup=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything and removes the data.")
    sys.stdout.flush()
