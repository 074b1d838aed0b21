"""Every command of docs/local.md, in its order, as a new user types them, without any server."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from shell import Shell

from tailslide_embedded.addresses import any_free_port
from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.whole_loop import temporary_data_dir, whole_loop
from tailslide_sidecar.flags_file import read_flags_file

PAGE = Path(__file__).parents[2] / "docs" / "local.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
START = "tailslide sidecar --config sidecar.yaml --flags flags.yaml"
WAIT_S = 20.0

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE.read_text()) if found == kind]


@asynccontextmanager
async def shell_in_a_folder(environment: dict[str, str]) -> AsyncIterator[tuple[Shell, Path]]:
    """Yield a shell whose `tailslide` is this one, and the empty folder that it is in."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = folder / "bin" / "tailslide"
        command.parent.mkdir()
        pids = folder / "pids"
        command.write_text(f'#!/bin/sh\necho $$ >> {pids}\nexec {sys.executable} -m tailslide_embedded "$@"\n')
        command.chmod(0o755)
        (folder / "work").mkdir()
        shell = await Shell.start(environment, str(folder / "work"))
        try:
            await shell.run(f'PATH="{command.parent}:$PATH"')
            yield shell, folder / "work"
        finally:
            # First what a failed command may have left running, which holds on to what the shell writes to.
            for pid in pids.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            await shell.end()


async def test_every_command_of_the_page_says_what_the_page_says() -> None:
    ports = {port: str(any_free_port()) for port in ("4140", "4141", "9002")}
    text = "".join(blocks("console"))
    examples = [
        (with_ports(command, ports), with_ports(said, ports).strip()) for command, said in COMMAND.findall(text)
    ]
    assert len(examples) >= 15
    async with shell_in_a_folder({}) as (shell, folder):
        for command, said in examples:
            if command == START:
                await shell.run(f"{command} > sidecar.log 2>&1 &\nsidecar=$!")
            else:
                await until_it_says(shell, command, said)
            if command.startswith("tailslide init"):
                files = folder / "shop" / "sidecar.yaml"
                files.write_text(with_ports(files.read_text(), ports))
        log = await shell.run("kill $sidecar\nwait $sidecar\ncat sidecar.log")
    assert log.count("flags_file_refused") == 1
    assert "redis" not in log
    assert "nats" not in log


def with_ports(text: str, ports: dict[str, str]) -> str:
    """Put ports that are free on this machine in the place of the page's."""
    for port, free in ports.items():
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
    return text


async def until_it_says(shell: Shell, command: str, expected: str) -> None:
    """Run a command until it says what is expected: the sidecar starts, and takes a change, in its own time."""
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    said = await shell.run(f"{command} || true" if expected else command)
    async with asyncio.timeout(WAIT_S):
        while re.fullmatch(pattern, said.replace("\r", "").strip(), re.DOTALL) is None:
            assert command.startswith("curl"), f"{command}\n{said}"
            await asyncio.sleep(0.05)
            said = await shell.run(f"{command} || true")


def test_the_file_of_the_page_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("yaml")
    (tmp_path / "flags.yaml").write_text(text)
    file = read_flags_file(tmp_path / "flags.yaml", None)
    assert (list(file.rulesets), list(file.segments)) == (["new-checkout", "assistant"], ["beta"])


async def test_the_example_for_tests_and_ci() -> None:
    (block,) = (text for text in blocks("sh") if "TAILSLIDE_FLAGS_FILE" in text)
    async with shell_in_a_folder({}) as (shell, _):
        await shell.run("tailslide init .")
        # Without the test's own `curl`, which always succeeds: the example waits for it to.
        said = await shell.run(f"unset -f curl\n{block}\necho")
    assert '"ready":true' in said
    assert '{"flag":"button-colour","active":true,"variant":"green","value":"#00ff00"' in said


async def test_the_flags_of_a_tower_become_a_file() -> None:
    (block,) = (text for text in blocks("sh") if "TAILSLIDE_TOWER_URL" in text)
    async with running_services(PATH) as services:
        with temporary_data_dir() as data:
            async with whole_loop(data, replace(plan(services), app="checkout")) as loop:
                environment = {"TAILSLIDE_TOWER_URL": loop.addresses.tower, "TAILSLIDE_API_TOKEN": loop.api_token}
                async with shell_in_a_folder(environment) as (shell, folder):
                    said = await shell.run(block)
                    file = read_flags_file(folder / "flags.json", None)
    assert "No errors" in said
    assert file.app == "checkout"
    (flag,) = file.rulesets
    assert f"  {flag}: boolean, on: " in said
