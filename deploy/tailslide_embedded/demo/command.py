"""`tailslide demo`: options, the order in which things start and stop, the exit status."""

import asyncio
import shlex
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path

import click
import orjson
from rich.console import Console

from tailslide_core.naming import FlagId
from tailslide_embedded.circuit_log import CircuitLog
from tailslide_embedded.demo.audience import Audience
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
from tailslide_runtime.errors import StartError
from tailslide_runtime.logs import LogFormat, LogLevel, configure

DEFAULT_RATE = 200
PATIENCE_S = 20.0
"""How long the story waits, on a terminal, for somebody to open the dashboard."""


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
@click.option(
    "--wait",
    "patience_s",
    type=click.FloatRange(0, 600),
    metavar="SECONDS",
    help="Wait so long for the link to be opened before the story begins.  [default: 20 on a terminal, else 0]",
)
def demo(*, as_json: bool, keep: bool, rate: int, patience_s: float | None) -> None:
    """Watch a circuit open and recover, on real servers.

    Starts NATS, Redis, PostgreSQL, Tower, Aerobat, a sidecar and two services on this machine, in a temporary folder,
    and stops them at the end. Prints a link to watch it in the dashboard; with the dashboard open, everything stays
    until Ctrl-C. Takes about a minute. Exit status 0 when the circuit opened and recovered.
    """
    configure("demo", LogLevel.ERROR, LogFormat.CONSOLE)  # the story is told on the console; the parts have logs
    console = Console(highlight=False, soft_wrap=False, stderr=as_json)
    with temporary_data_dir() as folder:
        if patience_s is None:
            patience_s = PATIENCE_S if console.is_terminal else 0.0
        outcome = asyncio.run(_until_signal(folder, console, rate, _Ending(keep=keep), patience_s))
    if outcome is None:
        console.print("Stopped.")
        raise SystemExit(130)
    if as_json:
        click.echo(orjson.dumps(outcome.as_json()).decode())
    raise SystemExit(0 if outcome.succeeded() else 1)


@dataclass
class _Ending:
    """What comes after the story: a signal that comes then is the wished-for end of a demo that has its outcome."""

    keep: bool
    """Whether everything stays even if nobody watches."""
    story_is_over: bool = False
    stop: asyncio.Event = field(default_factory=asyncio.Event)


async def _until_signal(folder: Path, console: Console, rate: int, ending: _Ending, patience_s: float) -> Report | None:
    """Return None when a signal ended it before the story did."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ending.stop.set)
    running = asyncio.create_task(_run(folder, console, rate, ending, patience_s))
    stopping = asyncio.create_task(ending.stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not ending.story_is_over:
            running.cancel()
        return await running
    except asyncio.CancelledError:
        return None
    finally:
        stopping.cancel()


async def _run(folder: Path, console: Console, rate: int, ending: _Ending, patience_s: float) -> Report:
    console.print("Starting NATS, Redis, PostgreSQL, Tower, Aerobat, a sidecar and two services …")
    async with running_services(PATH) as services, whole_loop(folder, plan(services), preferred_ports()) as loop:
        circuits = CircuitLog(loop.stack.endpoints.nats_url, FlagId(APP, FLAG))
        traffic = Traffic(f"{loop.addresses.proxy}{PATH}", rate)
        view = View(console)
        story = Story(services, traffic, circuits, view.tell)
        audience = await Audience.invited(loop)
        audience.invite(console)
        sys.stdout.flush()
        seated = audience.seated(console, patience_s)
        playing = asyncio.create_task(_play(story, traffic, circuits, view, seated))
        await until_exit_or(loop.stack, playing)
        outcome = report(circuits.verdicts, services, traffic.tally, story.started, story.ended)
        show_timeline(console, timeline(circuits.verdicts, services, story.acts, story.started), outcome)
        watched = await audience.is_there()
        if ending.keep or watched:
            ending.story_is_over = True
            if ending.keep:
                _tell_where(console, loop, services)
            else:
                console.print("\nThe dashboard stays open with what has happened.")
            console.print("\nCtrl-C stops everything and removes the data.")
            sys.stdout.flush()
            await until_exit_or(loop.stack, asyncio.create_task(ending.stop.wait()))
        return outcome


async def _play(
    story: Story, traffic: Traffic, circuits: CircuitLog, view: View, seated: Coroutine[None, None, None]
) -> None:
    try:
        await _played(story, traffic, circuits, view, seated)
    except ExceptionGroup as failures:
        told, others = failures.split(StartError)
        # What a group says of it is for programmers; an act that waited in vain has a sentence for people.
        if told is None or others is not None:
            raise
        raise told.exceptions[0] from None


async def _played(
    story: Story, traffic: Traffic, circuits: CircuitLog, view: View, seated: Coroutine[None, None, None]
) -> None:
    async with asyncio.TaskGroup() as group:
        # Calls flow already while the audience comes, so that a graph has something to show.
        background = [group.create_task(circuits.run()), group.create_task(traffic.run())]
        await seated
        background.append(group.create_task(view.run(traffic, circuits)))
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
            f"curl -X POST {services.new.url}/break; curl -X POST {services.new.url}/heal"
        ),
    }
    console.print("\n[bold]Everything stays running.[/] Try:\n")
    for title, command in commands.items():
        console.print(f"  # {title}", style="dim", markup=False)
        console.print(f"  {command}\n", markup=False, soft_wrap=True)
    console.print(f"  Logs: {shlex.quote(str(loop.stack.data.path / 'logs'))}", markup=False, soft_wrap=True)
