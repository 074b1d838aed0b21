"""The README from its first command to its last, as an ordinary user who has nothing but Python and curl.

Each terminal of the page is a shell of its own. Ports of the page are replaced by free ones.
"""

import asyncio
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ordinary_user import OrdinaryUser, ordinary_user
from shell import Shell

from tailslide_embedded.addresses import any_free_port

README = Path(__file__).parents[2] / "README.md"
PART = re.compile(r"^\*\*Terminal (\d)\*\*|^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {
    "make demo": "tests/e2e/test_demo.py runs it, and it would take the minutes that this test has",
    "make test": "it runs this test",
}
RUNS_ON = {
    "tailslide up": "Ctrl-C stops everything",
    "tailslide sample": "Ctrl-C stops both",
    "tailslide sidecar --config ~/checkout/sidecar.yaml": '"event": "sidecar_ready"',
}
"""What stays in the foreground of its terminal, and what it says once it is ready."""
CHECKED = (
    ("curl '{flags}/v1/flags/new-checkout?targeting_key=user-1'", '"active":true'),
    ("curl {proxy}/checkout -H 'x-user-id: user-1'", '"served_by":"new"'),
    ("curl {proxy}/checkout -H 'x-user-id: user-3'", '"served_by":"old"'),
    ("curl -X POST {new}/break", '"failing_percent":100.0'),
    ("tailslide status", r"checkout\.new-checkout  \[(Open|Recovering)"),
    ("curl -i {proxy}/checkout -H 'x-user-id: user-1'", r'circuit=(open|recovering)(?s:.*)"served_by":"old"'),
    ("curl -X POST {new}/heal", '"failing_percent":0.0'),
    ("tailslide sidecar --config ~/checkout/sidecar.yaml --check", "No errors"),
)
"""What commands say on the way, in this order; each is run until it says so, since changes take their moment."""
PORTS = ("4140", "4141", "4142", "4143", "9001", "9002")
INSTALL_S = 240.0
WAIT_S = 30.0


@dataclass
class Terminals:
    """The shells of the page, by their number; 0 is the one in which Tailslide is installed."""

    user: OrdinaryUser
    ports: dict[str, int]
    shells: dict[int, Shell] = field(default_factory=dict)
    running: list[tuple[Shell, str]] = field(default_factory=list)
    checked: int = 0

    async def run(self, number: int, command: str) -> None:
        shell = await self._shell(number)
        ready = RUNS_ON.get(command)
        if ready is not None:
            await self._start(shell, command, ready)
            return
        text = self.with_free_ports(command)
        wanted = self._wanted()
        if wanted is None or text != wanted[0]:
            await shell.run(text, INSTALL_S)
        else:
            await self._until(shell, text, wanted[1])
            self.checked += 1
        if command.startswith("tailslide init"):
            file = self.user.home / "checkout" / "sidecar.yaml"
            file.write_text(self.with_free_ports(file.read_text()))

    async def end(self) -> None:
        """Stop what runs on, last first: each has to end well."""
        try:
            for shell, name in reversed(self.running):
                await shell.run(f"kill ${name}\nwait ${name}")
        finally:
            for shell in self.shells.values():
                await shell.end()

    def with_free_ports(self, text: str) -> str:
        for port, free in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
        return text

    async def _shell(self, number: int) -> Shell:
        if number not in self.shells:
            # The dashboard is built with npm, which is shown elsewhere and takes a minute.
            listen = {"TAILSLIDE_TOWER_LISTEN": "4142", "TAILSLIDE_AEROBAT_LISTEN": "4143"}
            addresses = {name: self.with_free_ports(f"127.0.0.1:{port}") for name, port in listen.items()}
            own = {0: {"TAILSLIDE_DASHBOARD": "skip"}, 1: addresses}.get(number, {})
            self.shells[number] = await self.user.shell(**own)
        return self.shells[number]

    async def _start(self, shell: Shell, command: str, ready: str) -> None:
        name = command.split()[1]
        log = self.user.home / f"{name}.log"
        if name == "sample":
            command += f" --old-port {self.ports['9001']} --new-port {self.ports['9002']}"
        await shell.run(f"touch {log}")
        await shell.run(f"PYTHONUNBUFFERED=1 {command} > {log} 2>&1 &\n{name}=$!")
        self.running.append((shell, name))
        async with asyncio.timeout(2 * WAIT_S):
            while ready not in log.read_text():
                await shell.run(f"kill -0 ${name} || {{ cat {log}; false; }}")
                await asyncio.sleep(0.1)

    def _wanted(self) -> tuple[str, str] | None:
        if self.checked == len(CHECKED):
            return None
        command, said = CHECKED[self.checked]
        addresses = {
            name: f"http://127.0.0.1:{self.ports[port]}"
            for name, port in (("flags", "4141"), ("proxy", "4140"), ("new", "9002"))
        }
        return command.format(**addresses), said

    async def _until(self, shell: Shell, command: str, pattern: str) -> None:
        said = ""
        try:
            async with asyncio.timeout(WAIT_S):
                while re.search(pattern, said) is None:
                    said = await shell.run(f"{command} || true")
        except TimeoutError:
            raise AssertionError(f"{command}\nsays: {said}\nexpected: {pattern}") from None


def commands() -> list[tuple[int, str]]:
    """Return the commands of the page in their order, each with the number of its terminal."""
    terminal, found = 0, []
    for match in PART.finditer(README.read_text()):
        if match.group(1) is not None:
            terminal = int(match.group(1))
        else:
            found += [(terminal, line) for line in match.group(2).splitlines()]
    return found


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_every_command_of_the_readme_in_its_order_as_an_ordinary_user() -> None:
    page = commands()
    assert {line for _, line in page} >= {*NOT_RUN, *RUNS_ON}
    with ordinary_user() as user:
        terminals = Terminals(
            user, {port: any_free_port() for port in ("4140", "4141", "4142", "4143", "9001", "9002")}
        )
        try:
            for number, command in page:
                if command not in NOT_RUN:
                    await terminals.run(number, command)
            assert terminals.checked == len(CHECKED)
        finally:
            await terminals.end()
