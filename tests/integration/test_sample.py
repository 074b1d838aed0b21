"""`tailslide sample` as a user has it: two services that can be broken, healed and stopped."""

import asyncio
import io
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

TAILSLIDE = (sys.executable, "-P", "-m", "tailslide_embedded", "sample")


@dataclass
class Sample:
    process: asyncio.subprocess.Process
    old: str
    new: str

    async def ask(self, method: str, url: str, **options: object) -> tuple[int, object]:
        async with aiohttp.ClientSession() as session, session.request(method, url, **options) as answer:  # type: ignore[arg-type] # the options of aiohttp
            return answer.status, await answer.json()


@asynccontextmanager
async def sample(*options: str) -> AsyncIterator[Sample]:
    process = await asyncio.create_subprocess_exec(
        *TAILSLIDE,
        *("--old-port", "0", "--new-port", "0", *options),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            said = (await process.stdout.readuntil(b"Ctrl-C stops both.\n")).decode()
        old, new = (re.search(rf"{name} +(http://127\.0\.0\.1:\d+)\n", said) for name in ("old path", "new feature"))
        assert old is not None
        assert new is not None
        assert f"tailslide init --feature {new[1]} --fallback {old[1]}\n" in said
        assert f"curl -X POST {new[1]}/break" in said
        yield Sample(process, old[1], new[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_each_service_says_who_has_answered_to_every_method_and_path() -> None:
    async with sample() as running:
        user = {"x-user-id": "ada"}
        for method, url, name in (
            ("GET", f"{running.old}/checkout", "old"),
            ("POST", f"{running.new}/", "new"),
            ("DELETE", f"{running.new}/carts/1?all=1", "new"),
        ):
            answer = await running.ask(method, url, headers=user)
            assert answer == (200, {"user": "ada", "served_by": name})
        # More than fits into one read: a body that is left unread would end the connection.
        assert (await running.ask("PUT", f"{running.new}/", data=io.BytesIO(b"x" * 900_000)))[0] == 200


async def test_one_is_broken_and_healed_while_the_other_answers_well() -> None:
    async with sample() as running:
        assert await running.ask("POST", f"{running.new}/break") == (200, {"service": "new", "failing_percent": 100.0})
        assert [(await running.ask("GET", url))[0] for url in (running.new, running.old)] == [500, 200]
        assert await running.ask("POST", f"{running.new}/heal") == (200, {"service": "new", "failing_percent": 0.0})
        assert (await running.ask("GET", running.new))[0] == 200


async def test_the_new_one_breaks_by_itself_once() -> None:
    async with sample("--fail-after", "2") as running:
        assert [(await running.ask("GET", running.new))[0] for _ in range(4)] == [200, 200, 500, 500]
        await running.ask("POST", f"{running.new}/heal")
        assert [(await running.ask("GET", running.new))[0] for _ in range(4)] == [200, 200, 200, 200]


async def test_a_signal_stops_both() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        async with sample() as running:
            await running.ask("POST", f"{running.old}/break")
            running.process.send_signal(number)
            async with asyncio.timeout(20):
                said, _ = await running.process.communicate()
            assert running.process.returncode == 0
            assert re.fullmatch(r"\d\d:\d\d:\d\d  the old one fails from now on\nStopped\.\n", said.decode())


async def test_a_port_that_is_taken_is_one_sentence_that_names_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *TAILSLIDE, "--old-port", "0", "--new-port", str(port), stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            _, said = await process.communicate()
    assert process.returncode == 1
    assert re.fullmatch(rf"Error: --new-port: .*127\.0\.0\.1:{port}.*\n", said.decode())
