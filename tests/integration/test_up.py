"""`tailslide up` as a user has it: one process to start, to ask, to stop, to kill."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from real_servers import processes_on, temporary_folder

TAILSLIDE = (sys.executable, "-P", "-m", "tailslide_embedded")
STARTED_HERE = 5  # NATS, Redis, PostgreSQL, Tower, Aerobat


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def tailslide(*words: str) -> tuple[int, str, str]:
    """Run a command to its end; return its exit status and both outputs."""
    process = await asyncio.create_subprocess_exec(
        *TAILSLIDE, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `tailslide up` until the end of the block; it is ready when the block begins."""
    words = ("up", "--data-dir", str(folder), "--tower-listen", "127.0.0.1:0", "--aerobat-listen", "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        *TAILSLIDE, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while (line := await process.stdout.readline()) != b"Ctrl-C stops everything; the data stays.\n":
                assert line, (await process.communicate())[1].decode()
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def settings(folder: Path) -> dict[str, str]:
    status, out, err = await tailslide("env", "--data-dir", str(folder))
    assert status == 0, err
    return dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_tells_where_everything_is_and_stops_when_asked(folder: Path, number: signal.Signals) -> None:
    async with up(folder) as process:
        told = await settings(folder)
        assert {name for name in told if name.endswith("_URL")} == {
            "TAILSLIDE_NATS_URL",
            "TAILSLIDE_REDIS_URL",
            "TAILSLIDE_DATABASE_URL",
            "TAILSLIDE_TOWER_URL",
        }
        headers = {"Authorization": f"Bearer {told['TAILSLIDE_API_TOKEN']}"}
        async with (
            aiohttp.ClientSession(told["TAILSLIDE_TOWER_URL"], headers=headers) as session,
            session.get("/api/v1/apps") as response,
        ):
            assert response.status == 200
        process.send_signal(number)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert out.endswith(b"Stopping \xe2\x80\xa6\nStopped.\n")
        assert processes_on(folder) == set()
    status, _, err_text = await tailslide("env", "--data-dir", str(folder))
    assert status == 1
    assert err_text.startswith(f"Error: nothing runs on {folder}: start it with tailslide up")


async def test_the_end_of_one_part_is_reported_by_name_and_ends_the_run(folder: Path) -> None:
    async with up(folder) as process:
        (aerobat,) = (pid for pid in processes_on(folder) if "\0aerobat\0" in command_line(pid))
        os.kill(aerobat, signal.SIGKILL)
        async with asyncio.timeout(30):
            _, err = await process.communicate()
        assert process.returncode == 1
        assert err.decode().startswith("Error: Aerobat ended unexpectedly: killed by SIGKILL")
        assert "Traceback" not in err.decode()
        assert processes_on(folder) == set()


async def test_a_second_one_on_the_same_folder_is_refused(folder: Path) -> None:
    async with up(folder) as process:
        status, _, err = await tailslide("up", "--data-dir", str(folder))
        assert (status, err.count("\n")) == (1, 1)
        assert err.startswith(f"Error: --data-dir: {folder} is in use by process {process.pid};")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
async def test_kill_9_leaves_nothing(folder: Path) -> None:
    async with up(folder) as process:
        assert len(processes_on(folder)) > STARTED_HERE  # PostgreSQL has children of its own
        process.kill()
        await process.wait()
        await until(lambda: processes_on(folder) == set())
        assert (await tailslide("env", "--data-dir", str(folder)))[0] == 1


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
