"""The HTTP cache suite (http-cache-tests): its origin, its client, and what it says of what lies between the two.

Most cases fail without a cache, which is right: what counts is that they fail in the same words.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from suite_install import node_app

APP = Path(__file__).parents[1] / "conformance" / "http_cache"
CASES = 350
"""How many there are for a client that is no browser."""

WAIT_S = 100.0
_OF_THIS_RUN = re.compile(r"http://127\.0\.0\.1:\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Result:
    """What came of one case: `passed` or the fault in the suite's words, and the status of each of its requests.

    A status is None where there was no answer. A case ends with the first request that disappoints it.
    """

    said: str
    statuses: tuple[int | None, ...]


@asynccontextmanager
async def origin(folder: Path) -> AsyncIterator[str]:
    """Yield the URL of the suite's own server; what it warns of goes to `origin.log` in `folder`."""
    node = await asyncio.to_thread(node_app, APP)
    log_file = folder / "origin.log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            node, "server.mjs", cwd=APP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            port = await process.stdout.readline()
        assert port, log_file.read_text()
        yield f"http://127.0.0.1:{int(port)}"
        process.stdin.close()
        async with asyncio.timeout(WAIT_S):
            status = await process.wait()
        assert status == 0, log_file.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def results(url: str) -> dict[str, Result]:
    """Return what came of each case for a client that asks `url`, which leads to the origin."""
    process = await asyncio.create_subprocess_exec(
        *(await asyncio.to_thread(node_app, APP), "--no-warnings", "client.mjs", url),
        cwd=APP,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(WAIT_S):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()[-2000:]
    return {case: Result(_said(of["result"]), tuple(of["statuses"])) for case, of in json.loads(output).items()}


def _said(result: object) -> str:
    """Return a result in words, without the address and the random name that a case has in one run only."""
    if result is True:
        return "passed"
    assert isinstance(result, list), result
    return _OF_THIS_RUN.sub("…", ": ".join(result))
