"""Thin clients of all languages, each behind its driver (`tests/conformance/clients/README.md`)."""

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite_install import without

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "tests" / "conformance" / "clients"
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "python": {},
    "python-asyncio": {"TAILSLIDE_DRIVER": "async"},
    "javascript": {},
    "go": {},
    "ruby": {},
    "java": {},
    "csharp": {},
}
"""Names, with the environment of their driver; before a dash is the folder."""
WITHOUT: Mapping[str, frozenset[str]] = {
    "unix": frozenset({"java", "csharp"}),
    "integers": frozenset({"javascript"}),
}
"""Languages that cannot: Java 11 and .NET Standard 2.0 have no unix sockets, JavaScript has one type of number."""
MISSING = 69
START_S = 90.0
"""The first answer: a driver may have to be compiled."""
ANSWER_S = 30.0


class DriverError(AssertionError):
    """A driver has not answered."""


@dataclass
class Driver:
    """A running driver."""

    language: str
    process: asyncio.subprocess.Process
    log: Path
    _timeout_s: float = START_S
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, **said: object) -> dict[str, Any]:
        """Say something and return the answer; skip the test if the language is not installed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        async with self._turn:
            try:
                self.process.stdin.write(json.dumps(said).encode() + b"\n")
                await self.process.stdin.drain()
                line = await asyncio.wait_for(self.process.stdout.readline(), self._timeout_s)
            except (TimeoutError, ConnectionError) as error:
                line = b""
                if isinstance(error, TimeoutError):
                    raise DriverError(f"{self.language} does not answer {said}: {self.said()}") from None
        self._timeout_s = ANSWER_S
        if not line and await self.process.wait() == MISSING:
            without(self.said().strip())
        if not line:
            raise DriverError(f"{self.language} has ended at {said}: {self.said()}")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-2_000:]

    async def end(self) -> None:
        """Close its input, wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), ANSWER_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise DriverError(f"{self.language} does not end with its input: {self.said()}") from None


@dataclass
class Drivers:
    """Drivers that have been started, one for each language."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tailslide-sdk-")))
    running: dict[str, Driver] = field(default_factory=dict)

    async def of(self, language: str) -> Driver:
        """Return the driver of a language; start it if need be, skip the test if there is none."""
        driver = self.running.get(language)
        if driver is not None and driver.process.returncode is None:
            return driver
        run = ROOT / "sdk-thin" / language.partition("-")[0] / "conformance" / "run"
        if not run.exists():
            without(f"there is no client for {language} yet")
        build = os.environ.get("TAILSLIDE_SDK_BUILD") or str(Path(tempfile.gettempdir()) / "tailslide-sdk-build")
        log = self.folder / f"{language}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                str(run),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env={**environment(), "TAILSLIDE_SDK_BUILD": build, **LANGUAGES[language]},
                limit=2**24,
            )
        driver = self.running[language] = Driver(language, process, log)
        return driver

    async def end(self) -> None:
        await asyncio.gather(*(driver.end() for driver in self.running.values() if driver.process.returncode is None))


def environment() -> dict[str, str]:
    """Return the environment without what would be a setting of the clients."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TAILSLIDE_FLAGS_")}


def scenarios(file: str) -> list[dict[str, Any]]:
    """Return the scenarios of a file."""
    found: list[dict[str, Any]] = json.loads((SCENARIOS / file).read_text(encoding="utf-8"))["scenarios"]
    names = [one["name"] for one in found]
    assert len(set(names)) == len(names), "each scenario has a name of its own"
    return found


def differences(expected: object, found: object, where: str = "") -> list[str]:
    """Return in words what of the expected part is otherwise.

    `{"from": 1, "below": 9}` expects a number between; both may be left out. `{"any_text": true}` expects a text that
    is not empty.
    """
    if isinstance(expected, dict) and expected and expected.keys() <= {"from", "below"}:
        number = isinstance(found, int | float) and not isinstance(found, bool)
        if number and expected.get("from", found) <= found and not found >= expected.get("below", float("inf")):
            return []
        return [f"{where}: expected {expected}, got {found!r}"]
    if expected == "" and found is None:
        return []  # either is natural in some languages
    if expected == {"any_text": True}:
        return [] if isinstance(found, str) and found else [f"{where}: expected a text, got {found!r}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            one
            for name, value in expected.items()
            for one in differences(value, found.get(name, "nothing at all"), f"{where}.{name}".strip("."))
        ]
    same = found == expected and isinstance(found, bool) == isinstance(expected, bool)
    return [] if same else [f"{where}: expected {expected!r}, got {found!r}"]
