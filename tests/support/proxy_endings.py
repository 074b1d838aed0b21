"""An upstream process that ends calls in every way there is, and addresses at which nobody answers.

Run as a program, `proxy_endings.py PORT`, it is the upstream: the path of a request says how the call is to end.
"""

import asyncio
import contextlib
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import cast

from tailslide_embedded.addresses import any_free_port

WAIT_S = 20.0
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: the end of the connection is a reset."""


class OriginConnection(asyncio.Protocol):
    """Answers `/answered` and `/failing`, and breaks the promise of all other paths in the way that they name."""

    def __init__(self) -> None:
        self._received = b""
        self._tunnel = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        if self._tunnel:
            self._transport.write(data)
            return
        self._received += data
        while (request := self._take()) and not self._transport.is_closing():
            self._answer(request.split(b" ", 2)[1])

    def _take(self) -> bytes:
        """Return the head of a request whose body is there as well; nothing while there is none."""
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return b""
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            _, last, rest = (b"\r\n" + rest).partition(b"\r\n0\r\n\r\n")
            if not last:
                return b""
        else:
            length = int(fields.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            if len(rest) < length:
                return b""
            rest = rest[length:]
        self._received = rest
        return head

    def _answer(self, path: bytes) -> None:
        write, kind = self._transport.write, path.partition(b"?")[0].rpartition(b"/")[2]
        if kind == b"answered":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nanswered")
        elif kind == b"failing":
            write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno")
        elif kind == b"chunks":
            write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        elif kind == b"reset":
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        elif kind == b"left":
            self._transport.close()
        elif kind == b"cut-off":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\nhalf a body")
            self._transport.close()
        elif kind == b"cut-off-chunks":
            write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            self._transport.close()
        elif kind == b"half":
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\nhalf a body")
        elif kind == b"nonsense":
            write(b"what?\r\n\r\n")
        elif kind == b"upgraded":
            write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self._tunnel = True
        else:
            assert kind == b"silent", path


@dataclass
class Origin:
    """The upstream as a process that may be killed, frozen and started again, always at the same address."""

    port: int = field(default_factory=any_free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it, and return when it can be connected to."""
        self.process = await asyncio.create_subprocess_exec(sys.executable, __file__, str(self.port))
        async with asyncio.timeout(WAIT_S):
            while not await self._listens():
                assert self.process.returncode is None
                await asyncio.sleep(0.02)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def kill(self) -> None:
        """End it at once, and return when it has ended."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the kernel accept its connections for the length of the block, and nobody answer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running_origin() -> AsyncIterator[Origin]:
    origin = Origin()
    try:
        await origin.start()
        yield origin
    finally:
        await origin.kill()


@contextmanager
def refusing_address() -> Iterator[str]:
    """Yield a URL at which connections are refused for as long as the block lasts, and somebody may listen after it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", any_free_port()))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def silent_address() -> Iterator[str]:
    """Yield a URL at which connections are neither accepted nor refused: the listener's queue is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(OriginConnection, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1])))
