"""The thin clients, each behind its language's driver; the protocol is in `tests/conformance/clients/README.md`."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SDKS = Path(__file__).parents[2] / "sdk-thin"
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "python": {},
    "javascript": {},
    "go": {},
    "ruby": {},
    "java": {},
    "csharp": {},
    "python-asyncio": {"TAILSLIDE_DRIVER": "async"},
}
"""Names, with what the driver's environment says besides; before a dash is the folder."""
MISSING = 69
_START_S = 120.0
_ANSWER_S = 60.0
_END_S = 10.0
_LONGEST_LINE = 1 << 25
"""An answer has the time of each call."""


class DriverError(Exception):
    """A driver does not do what it is told, or has ended."""


class MissingLanguageError(Exception):
    """A language is not installed; the text is what its driver says."""


@dataclass(frozen=True)
class Driver:
    """A running driver."""

    language: str
    process: asyncio.subprocess.Process
    log: Path

    async def ask(self, do: str, within_s: float = _ANSWER_S, **said: object) -> dict[str, Any]:
        """Say something and return the answer; raise `MissingLanguageError`, `DriverError`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                self.process.stdin.write(json.dumps({"do": do, **said}).encode() + b"\n")
                await self.process.stdin.drain()
                line = await self.process.stdout.readline()
        except TimeoutError:
            raise DriverError(f"the driver of {self.language} has not answered {do} in time{self._said()}") from None
        except ConnectionError:
            line = b""
        if not line:
            if await self.process.wait() == MISSING:
                raise MissingLanguageError(self.log.read_text(errors="replace").strip())
            raise DriverError(f"the driver of {self.language} has ended at {do}{self._said()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def open(self, url: str, **settings: object) -> None:
        """Make a client that all that follows uses."""
        answer = await self.ask("open", within_s=_START_S, url=url, **settings)
        if answer:
            raise DriverError(f"{self.language} makes no client for {url}: {answer}")

    async def end(self) -> None:
        """Close its input and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def _said(self) -> str:
        return f"; it said: {self.log.read_text(errors='replace')[-2_000:]}"


@asynccontextmanager
async def running_driver(language: str, folder: Path) -> AsyncIterator[Driver]:
    """Run a driver until the end of the block. It is built in `folder`, so that it is this checkout's."""
    log = folder / f"{language}.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_FLAGS_")}
    env |= {"TAILSLIDE_SDK_BUILD": str(folder / "build"), **LANGUAGES[language]}
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            str(SDKS / language.partition("-")[0] / "conformance" / "run"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            env=env,
            limit=_LONGEST_LINE,
        )
    driver = Driver(language, process, log)
    try:
        yield driver
    finally:
        await driver.end()


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile."""
    return sorted(values)[max(0, -int(-len(values) * percent // 100) - 1)]
