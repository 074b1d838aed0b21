"""A server in the sidecar's place that answers with the targeting key as the value: each answer says whose it is.

A real sidecar knows no such flag. Answers may be held back for a random time, so that some come after the deadline.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tailslide_embedded.addresses import LOOPBACK

_BACKLOG = 4096


@dataclass
class Echo:
    """A running one. `hold_ms` is how long an answer is held back at most; `outcomes` have arrived."""

    url: str = ""
    hold_ms: float = 0.0
    outcomes: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(1))


class _Connection(asyncio.Protocol):
    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, whole, body = bytes(self._received).partition(b"\r\n\r\n")
        if not whole:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        size = int(headers.get("content-length", "0"))
        if len(body) < size:
            return
        self._received.clear()  # clients of the contract ask one question at a time
        path, said = lines[0].split(" ")[1], json.loads(body[:size])
        if path.endswith("/outcomes"):
            self._echo.outcomes += len(said)
            self._write(202, {"accepted": len(said)})
            return
        answer = {
            "key": path.rpartition("/")[2],
            "value": said["context"]["targetingKey"],
            "reason": "STATIC",
            "variant": "on",
            "metadata": {"stale": False, "active": True, "version": 1},
        }
        if self._echo.hold_ms:
            held_s = self._echo.chance.uniform(0, self._echo.hold_ms) / 1000
            asyncio.get_running_loop().call_later(held_s, self._write, 200, answer)
        else:
            self._write(200, answer)

    def _write(self, status: int, answer: object) -> None:
        content = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(head.encode() + content)


@asynccontextmanager
async def running_echo() -> AsyncIterator[Echo]:
    """Run one until the end of the block."""
    echo = Echo()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(echo), LOOPBACK, 0, backlog=_BACKLOG)
    echo.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    try:
        yield echo
    finally:
        server.close()
