"""The commands of docs/operations.md: a backup is restored, and a circuit that opened is looked into, on real parts."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import orjson
import pytest
from shell import Shell

from tailslide_embedded.demo.services import running_services
from tailslide_embedded.demo.story import PATH, plan
from tailslide_embedded.wheels import postgres
from tailslide_embedded.whole_loop import WholeLoop, temporary_data_dir, whole_loop

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
SECTION = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAG = "/api/v1/apps/checkout/flags/new-checkout"
WAIT_S = 30.0

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def blocks(section: str) -> list[str]:
    """Return the commands of a section of the page, those of the sections below it not included."""
    parts = SECTION.split(PAGE.read_text())
    return BLOCK.findall(dict(zip(parts[1::2], parts[2::2], strict=True))[section])


@asynccontextmanager
async def running_loop() -> AsyncIterator[tuple[WholeLoop, Shell]]:
    """Run everything, with the flag of the page, and a shell of an operator who has PostgreSQL's own programs."""
    async with running_services(PATH) as services:
        settings = {"active": True, "circuit": {"error_threshold": 20, "recovery": None}}
        wanted = replace(plan(services), app="checkout", flag="new-checkout", flag_settings=settings)
        with temporary_data_dir() as folder:
            async with whole_loop(folder, wanted) as loop:
                services.new.break_down()
                shell = await operator(loop, folder_of_programs(folder.parent / "operator"))
                try:
                    yield loop, shell
                finally:
                    await shell.end()


def folder_of_programs(folder: Path) -> Path:
    """Make a folder with a `tailslide` that is this one; return it."""
    folder.mkdir()
    command = folder / "tailslide"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m tailslide_embedded "$@"\n')
    command.chmod(0o755)
    return folder


async def operator(loop: WholeLoop, folder: Path) -> Shell:
    """Start a shell with the variables of `tailslide env --admin`, in a folder that has a `tailslide`."""
    environment = loop.stack.endpoints.environment_of("tower") | {
        "TAILSLIDE_TOWER_URL": loop.addresses.tower,
        "TAILSLIDE_API_TOKEN": loop.api_token,
    }
    shell = await Shell.start(environment, str(folder))
    await shell.run(f'PATH="{folder}:{postgres().install / "bin"}:$PATH"')
    return shell


async def until_ready(loop: WholeLoop, cause: str | None = None) -> None:
    """Wait until Tower publishes, or says that it does not for this cause."""
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{loop.addresses.tower}/readyz") as answer:
                told = orjson.loads(await answer.read())
            if told["published"] if cause is None else (told["not_publishing"] or {}).get("cause") == cause:
                return
            await asyncio.sleep(0.05)


async def test_a_backup_of_the_database_is_made_and_restored() -> None:
    (dump,) = blocks("Backing up PostgreSQL")
    restore, readyz, look, adopt = blocks("Restoring PostgreSQL")
    async with running_loop() as (loop, shell):
        tower = loop.stack.children["tower"]
        await until_ready(loop)
        await shell.run(dump)
        await loop.change_flag({"rollout": 7})
        # With each start the database is compared with the bucket, which is what tells the copy from it.
        for _ in range(2):
            await tower.stop()
            await tower.start()
            await until_ready(loop)

        await tower.stop()
        await shell.run(restore)
        await tower.start()
        await until_ready(loop, "older_database")
        assert '"cause":"older_database"' in await shell.run(readyz)
        told = await shell.run(look)
        assert "1 flag would be overwritten: checkout.new-checkout." in told
        assert '"cause":"older_database"' in await shell.run(readyz), "looking has changed nothing"

        await shell.run(adopt)
        await until_ready(loop)
        assert (await loop.ask_tower("GET", FLAG.removeprefix("/api/v1")))["rollout"] == 100.0
        await until_sidecar_has(loop, "version", (await loop.ask_tower("GET", FLAG.removeprefix("/api/v1")))["version"])


async def test_an_open_circuit_is_looked_into_and_closed() -> None:
    status, graph, log, sidecar_and_aerobat, hold, reset = blocks("My circuit opened, what now")
    async with running_loop() as (loop, shell):
        await call_until_open(loop)
        told = await shell.run(status)
        assert "checkout.new-checkout  [Open]" in told
        assert "It stays open until a person resets it." in told
        async with asyncio.timeout(WAIT_S):  # Tower writes the transition to its log in its own time
            while "opened" not in (said := await shell.run(log)):
                await asyncio.sleep(0.05)
        assert "calls failed" in said
        points = orjson.loads((await shell.run(graph)).strip())
        assert points["feature"]["counted"] is True
        ready, whole, circuits = (
            orjson.loads(line) for line in (await shell.run(of_this_loop(loop, sidecar_and_aerobat))).splitlines()
        )
        assert ready["ready"] is True
        assert whole["flags"]["new-checkout"]["circuit"] == "open"
        (circuit,) = circuits["circuits"]
        assert (circuit["state"], circuit["reason"]["rule"]) == ("open", "error_rate")

        assert "Held off by" in await shell.run(hold)
        assert "On for all users." in await shell.run(reset)

        exported = await metrics(loop)
        assert [name for name in named_metrics() if name not in exported] == []


def named_metrics() -> list[str]:
    """Return the metrics that the page names."""
    return sorted(set(re.findall(r"`(tailslide_[a-z_]+)", PAGE.read_text())))


async def metrics(loop: WholeLoop) -> set[str]:
    """Return the names of all metrics that Tower, Aerobat and the sidecar export."""
    found: set[str] = set()
    async with aiohttp.ClientSession() as session:
        for url in (loop.addresses.tower, loop.addresses.aerobat, loop.addresses.flags):
            async with session.get(f"{url}/metrics") as answer:
                found |= set(re.findall(r"^# HELP (\S+)", await answer.text(), re.MULTILINE))
    return found


def of_this_loop(loop: WholeLoop, text: str) -> str:
    """Put the addresses of the loop in the place of the default ones."""
    return text.replace("http://127.0.0.1:4141", loop.addresses.flags).replace(
        "http://127.0.0.1:4143", loop.addresses.aerobat
    )


async def call_until_open(loop: WholeLoop) -> None:
    """Call the feature, which fails, until its circuit is open."""
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{loop.addresses.proxy}{PATH}", headers={"x-user-id": "user-1"}) as answer:
                if "circuit=open" in answer.headers["x-tailslide"]:
                    return


async def until_sidecar_has(loop: WholeLoop, field: str, value: object) -> None:
    """Wait until a field of the sidecar's answer is this."""
    url = f"{loop.addresses.flags}/v1/flags/new-checkout?targeting_key=user-1"
    async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as answer:
                if orjson.loads(await answer.read())[field] == value:
                    return
            await asyncio.sleep(0.05)
