"""What the demo shows: a live picture in a terminal, plain lines elsewhere, a timeline at the end."""

import asyncio
from collections import deque

from rich import box
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tailslide_core.circuit import Circuit, State
from tailslide_embedded.circuit_log import CircuitLog
from tailslide_embedded.demo.report import Moment, Report
from tailslide_embedded.demo.story import ERROR_THRESHOLD
from tailslide_embedded.demo.traffic import Traffic

FRAME_S = 0.125
_COLOUR = {State.CLOSED: "green", State.OPEN: "red", State.RECOVERING: "yellow"}
_ON = {State.CLOSED: "white", State.OPEN: "white", State.RECOVERING: "black"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_BARS = 30
_HISTORY = 50
_TOLD = 5


class View:
    """The live picture: where users are, how they fare, what the circuit says."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: deque[Moment] = deque(maxlen=_TOLD)
        self._errors: deque[float] = deque(maxlen=_HISTORY)
        self._shares: deque[float] = deque(maxlen=_HISTORY)
        self._frames = 0

    def tell(self, moment: Moment) -> None:
        """Show a line of the story; without a terminal, print it."""
        self._told.append(moment)
        if not self._console.is_terminal:
            self._console.print(_line(moment), soft_wrap=True)

    async def run(self, traffic: Traffic, circuits: CircuitLog) -> None:
        """Redraw until cancelled; without a terminal, do nothing until cancelled."""
        if not self._console.is_terminal:
            await asyncio.Event().wait()
        with Live(console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                live.update(self._picture(traffic, circuits.circuit), refresh=True)
                await asyncio.sleep(FRAME_S)

    def _picture(self, traffic: Traffic, circuit: Circuit) -> RenderableType:
        tally = traffic.tally
        errors, share = tally.recent_error_rate(), tally.recent_share_of("new")
        if self._frames % 4 == 0:
            self._errors.append(errors)
            self._shares.append(share)
        self._frames += 1
        state = circuit.state.upper()
        if circuit.state is State.RECOVERING:
            state = f"RECOVERING at {circuit.percentage:g} %"
        colour = _COLOUR[circuit.state]
        over = "red" if errors > ERROR_THRESHOLD else "green"
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(width=_BARS)
        table.add_column(no_wrap=True)
        table.add_row("circuit", Text.assemble((f" {state} ", f"bold {_ON[circuit.state]} on {colour}")), "")
        table.add_row("on the new service", _bar(share, colour), f"{share:5.1f} %")
        table.add_row("failed calls, last 2 s", _bar(errors, over), f"{errors:5.1f} %, threshold {ERROR_THRESHOLD:g} %")
        table.add_row("calls", f"{tally.total:,}, of which {tally.failed:,} failed", "")
        history = Table.grid(padding=(0, 2, 0, 0))
        history.add_row(Text("on the new service", "dim"), Text(_spark(self._shares), "cyan"))
        history.add_row(Text("failing", "dim"), Text(_spark(self._errors), "red"))
        story = Table.grid(padding=(0, 2, 0, 0))
        story.add_column(justify="right", no_wrap=True)
        story.add_column()
        for moment in self._told:
            style = "" if moment is self._told[-1] else "dim"
            story.add_row(Text(f"{moment.at:.2f} s", style), Text(moment.text, style))
        return Panel(
            Group(table, Text(), history, Text(), story), title="tailslide demo", box=box.ROUNDED, padding=(1, 2)
        )


def _bar(percent: float, colour: str) -> Bar:
    return Bar(100, 0, percent, width=_BARS, color=colour, bgcolor="grey23")


def _spark(values: deque[float]) -> str:
    return "".join(_BLOCKS[round(min(max(value, 0), 100) / 100 * (len(_BLOCKS) - 1))] for value in values)


def _line(moment: Moment) -> str:
    return f"{moment.at:6.2f} s  {moment.text}"


def show_timeline(console: Console, moments: list[Moment], report: Report) -> None:
    """Print what happened when, and the sum of it."""
    table = Table(title="What happened", box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for moment in moments:
        table.add_row(f"{moment.at:.2f}", moment.text)
    console.print(table)
    tripped = "never" if report.tripped_after_ms is None else f"{report.tripped_after_ms:.0f} ms"
    console.print(f"The circuit opened [bold]{tripped}[/] after the first failing answer.")
    console.print(
        f"{report.calls_failed_at_users:,} of {report.total_calls:,} calls failed at a user; "
        f"{report.calls_to_feature_while_open:,} reached the failing service while the circuit was open.",
        soft_wrap=True,
    )
