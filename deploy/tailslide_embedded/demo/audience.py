"""Who watches the demo in a browser: the one-time link to the dashboard, and whether it was opened.

The story waits a moment for them, and stays on for them at its end.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from tailslide_embedded.demo.story import APP, FLAG
from tailslide_embedded.whole_loop import WholeLoop
from tailslide_tower.dashboard.built import read_built

WATCHED = f"/apps/{APP}/flags/{FLAG}/circuit?range=1m"
"""The page that shows what the terminal tells."""
LINK_LIVES_S = 3600
LOOKS_EVERY_S = 0.25


class Audience:
    """Whoever opens the demo's link. `link` is None where Tower has no dashboard; `missing` says why."""

    def __init__(self, loop: WholeLoop, link: str | None, missing: str | None) -> None:
        self._loop = loop
        self.link = link
        self.missing = missing

    @classmethod
    async def invited(cls, loop: WholeLoop) -> "Audience":
        """Make the link: read-only, of the demo's app alone, for one browser."""
        missing = read_built().missing
        if missing is not None:
            return cls(loop, None, missing)
        asked = {
            "name": "the audience of the demo",
            "app": APP,
            "path": WATCHED,
            "expires_in_s": LINK_LIVES_S,
            "session_s": LINK_LIVES_S,
        }
        made = await loop.ask_tower("POST", "/links", asked)
        return cls(loop, made["url"], None)

    async def is_there(self) -> bool:
        """Whether the link was opened."""
        if self.link is None:
            return False
        listed = await self._loop.ask_tower("GET", "/links")
        return any(link["used_at"] is not None for link in listed["links"])

    async def arrival(self) -> None:
        """Wait until the link is opened."""
        while True:
            if await self.is_there():
                return
            await asyncio.sleep(LOOKS_EVERY_S)

    def invite(self, console: Console) -> None:
        """Print the link, or why there is none."""
        if self.link is None:
            console.print(f"There is no dashboard to watch this in, because {self.missing}.", soft_wrap=True)
        else:
            console.print(
                "\nWatch it in a browser, too (read-only, for as long as the demo runs; the link works once):"
            )
            console.print(f"  {self.link}\n", markup=False, soft_wrap=True, style="bold")

    async def seated(self, console: Console, patience_s: float) -> None:
        """Wait until the link is opened, Enter is pressed, or `patience_s` is over."""
        if self.link is None or patience_s <= 0:
            return
        console.print(
            f"The story begins when you open the link or press Enter, at the latest in {patience_s:g} s.", style="dim"
        )
        arriving = asyncio.create_task(self.arrival())
        with _enter_pressed() as pressed:
            pressing = asyncio.create_task(pressed.wait())
            try:
                await asyncio.wait({arriving, pressing}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if arriving.done():
                    arriving.result()
            finally:
                for task in (arriving, pressing):
                    task.cancel()
                await asyncio.gather(arriving, pressing, return_exceptions=True)


@contextmanager
def _enter_pressed() -> Iterator[asyncio.Event]:
    """Give an event that is set when a line is typed; never, where nobody types."""
    pressed = asyncio.Event()
    if not sys.stdin.isatty():
        yield pressed
        return
    loop = asyncio.get_running_loop()

    def typed() -> None:
        sys.stdin.readline()
        pressed.set()

    loop.add_reader(sys.stdin, typed)
    try:
        yield pressed
    finally:
        loop.remove_reader(sys.stdin)
