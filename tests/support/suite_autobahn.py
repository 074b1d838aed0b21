"""The Autobahn WebSocket suite as a client, and the server that it is made for: one that echoes.

Groups 1 to 7: framing, pings, reserved bits, opcodes, fragmentation, UTF-8 and closing. The others, limits and
compression, are about how fast a peer is and what it negotiates, and a proxy has no part in either.
"""

import asyncio
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from aiohttp import WSMsgType, web
from suite_install import Python2, python2_with

REQUIREMENTS = Path(__file__).parents[1] / "conformance" / "websocket" / "requirements.txt"
GROUPS = range(1, 8)
CASES = 246
"""How many there are in these groups."""

PASSED = ("OK", "NON-STRICT", "INFORMATIONAL")
"""The behaviours that the suite itself counts as conforming."""

WAIT_S = 150.0
_PEER = "peer"
_START = "from autobahntestsuite.wstest import run; run()"


@dataclass(frozen=True)
class Verdict:
    """What the suite says of one case, of the messages and of the close.

    The code in the close frame is not here: a server that closes while bytes still come in may lose its last words to
    a TCP reset, with no proxy at all. The suite too takes a missing code for a right one.
    """

    behavior: str
    close: str


def autobahn() -> Python2:
    """Return the Python 2.7 that has the suite, or skip the test."""
    return python2_with(REQUIREMENTS)


async def echo(request: web.Request) -> web.StreamResponse:
    """Send every message back as it came."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def verdicts(python: Python2, url: str, folder: Path) -> dict[str, Verdict]:
    """Return the verdict on each case against the server at `url`; `folder` is made, for spec and reports."""
    spec = _spec(url, folder)
    log_file = folder / "log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(python.program, "-c", _START, "--mode=fuzzingclient", f"--spec={spec}"),
            cwd=folder,
            env=python.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        async with asyncio.timeout(WAIT_S):
            status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert status == 0, log_file.read_text()[-2000:]
    found = json.loads((folder / "index.json").read_text())[_PEER]
    return {case: Verdict(of["behavior"], of["behaviorClose"]) for case, of in found.items()}


def _spec(url: str, folder: Path) -> Path:
    """Write what the suite is to do; its reports go into the same folder."""
    folder.mkdir()
    spec = {
        "outdir": str(folder),
        "servers": [{"agent": _PEER, "url": f"ws{url.removeprefix('http')}/"}],
        "cases": [f"{group}.*" for group in GROUPS],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    file = folder / "spec.json"
    file.write_text(json.dumps(spec))
    return file
