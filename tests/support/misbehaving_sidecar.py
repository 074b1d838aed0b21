"""A fake sidecar for thin clients: raw sockets that answer rightly, wrongly, slowly or not at all, and note outcomes.

What it can do is in `Behaviour`; the scenarios in `tests/conformance/clients` choose.
"""

import asyncio
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from tailslide_embedded.addresses import any_free_port

DRIP_S = 0.02
SILENT_S = 60.0
HUGE = 2_000_000


class Behaviour(StrEnum):
    OK = "ok"
    ECHO = "echo"
    """The value is the targeting key."""
    CHUNKED = "chunked"
    CLOSING = "closing"
    """It says `Connection: close`, and does so."""
    LEAVING = "leaving"
    """It closes after each answer, without having said so."""
    REFUSED = "refused"
    """Nothing listens."""
    SILENT = "silent"
    SLOW = "slow"
    """A byte of the answer every 20 ms."""
    HALF = "half"
    CLOSED = "closed"
    """It closes instead of answering."""
    RESET = "reset"
    GARBAGE = "garbage"
    """Not HTTP."""
    NO_JSON = "no_json"
    NO_OFREP = "no_ofrep"
    """JSON that says nothing about a flag."""
    HUGE = "huge"
    STATUS = "status"
    """`status`, perhaps with `retry_after`, and no JSON."""


TAKING = frozenset({Behaviour.OK, Behaviour.ECHO, Behaviour.CHUNKED, Behaviour.CLOSING, Behaviour.LEAVING})
"""Those that answer rightly; only then outcomes count as arrived."""
ENDING = frozenset(
    {Behaviour.CLOSED, Behaviour.RESET, Behaviour.GARBAGE, Behaviour.HALF, Behaviour.CLOSING, Behaviour.LEAVING}
)
"""Those after which the connection is closed."""


@dataclass(frozen=True)
class Reported:
    """An outcome that has arrived, when it did by Unix time, and with how many others in one request."""

    flag: str
    said: Mapping[str, Any]
    at_ms: float
    together: int


@dataclass
class MisbehavingSidecar:
    """Listens on a port of its own, the same one after each restart."""

    port: int = field(default_factory=any_free_port)
    how: Mapping[str, Any] = field(default_factory=lambda: {"do": Behaviour.OK})
    reported: list[Reported] = field(default_factory=list)
    questions: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _reporting: set[asyncio.StreamWriter] = field(default_factory=set)
    """The connections that have carried outcomes."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def behave(self, how: Mapping[str, Any]) -> None:
        """Behave like this from now on: `{"do": …}`; `restart` ends all connections and goes on as before."""
        if how["do"] == "restart":
            await self.stop()
        elif how["do"] == Behaviour.REFUSED:
            await self.stop()
            return
        else:
            Behaviour(how["do"])
            self.how = how
        await self.start()

    async def start(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)

    async def stop(self) -> None:
        """End the listener and all connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many outcomes have arrived, by flag and outcome."""
        counted = Counter((one.flag, one.said["outcome"]) for one in self.reported)
        return {
            flag: {outcome: number for (whose, outcome), number in counted.items() if whose == flag}
            for flag in {flag for flag, _ in counted}
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass  # stopped; asyncio would log it
        finally:
            self._tasks.discard(task)
            self._reporting.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request; return whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head.split("\r\n")[1:]}
        body = json.loads(await reader.readexactly(int(fields.get("content-length", "0"))) or b"null")
        how = self.how
        if path.endswith("/outcomes"):
            self._reporting.add(writer)
            content = self._take(path, body, how)
        else:
            self.questions += 1
            content = self._evaluate(path, body, how, with_outcomes=writer in self._reporting)
        return await self._write(writer, how, 202 if path.endswith("/outcomes") else 200, content)

    def _take(self, path: str, body: Any, how: Mapping[str, Any]) -> bytes:
        reports = body if isinstance(body, list) else [body]
        if how["do"] in TAKING:
            flag, now_ms = unquote(path.split("/")[3]), time.time() * 1000
            self.reported += [Reported(flag, said, now_ms, len(reports)) for said in reports]
        return json.dumps({"accepted": len(reports)}).encode()

    def _evaluate(self, path: str, body: Any, how: Mapping[str, Any], *, with_outcomes: bool) -> bytes:
        key = body["context"].get("targetingKey")
        answer = {
            "key": path.rpartition("/")[2],
            "value": key if how["do"] == Behaviour.ECHO else True,
            "reason": "STATIC",
            "variant": "on",
            "metadata": {"stale": False, "active": True, "version": 1, "over_one_with_outcomes": with_outcomes},
        }
        return json.dumps(answer).encode()

    async def _write(self, writer: asyncio.StreamWriter, how: Mapping[str, Any], status: int, content: bytes) -> bool:
        behaviour = Behaviour(how["do"])
        if behaviour is Behaviour.SILENT:
            await asyncio.sleep(SILENT_S)
        elif behaviour is Behaviour.RESET:
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif behaviour is Behaviour.SLOW:
            for byte in response(status, content):
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(DRIP_S)
        else:
            writer.write(_written(behaviour, how, status, content))
            await writer.drain()
        return behaviour not in ENDING


def _written(behaviour: Behaviour, how: Mapping[str, Any], status: int, content: bytes) -> bytes:
    """Return what is written at once."""
    match behaviour:
        case Behaviour.CLOSED:
            return b""
        case Behaviour.GARBAGE:
            return b"\x16\x03\x01 not HTTP at all\r\n\r\n"
        case Behaviour.HALF:
            return response(status, content)[: -len(content) // 2]
        case Behaviour.HUGE:
            return response(status, b'{"value": "' + b"x" * HUGE + b'"}')
        case Behaviour.NO_JSON:
            return response(status, b"<html>")
        case Behaviour.NO_OFREP:
            return response(status, b'{"flags": []}')
        case Behaviour.STATUS:
            retry = f"Retry-After: {how['retry_after']}\r\n" if "retry_after" in how else ""
            return response(how["status"], b"not JSON", retry)
        case Behaviour.CLOSING:
            return response(status, content, "Connection: close\r\n")
        case Behaviour.CHUNKED:
            third = len(content) // 3
            pieces = (content[:third], content[third : 2 * third], content[2 * third :])
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            return head.encode() + chunks + b"0\r\n\r\n"
        case _:
            return response(status, content)


def response(status: int, content: bytes, more: str = "") -> bytes:
    """Return a whole response."""
    head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{more}\r\n"
    return head.encode() + content


@asynccontextmanager
async def misbehaving_sidecar() -> AsyncIterator[MisbehavingSidecar]:
    sidecar = MisbehavingSidecar()
    await sidecar.start()
    try:
        yield sidecar
    finally:
        await sidecar.stop()
