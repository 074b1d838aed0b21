"""The upstream for what nginx cannot be: it reads an upload of any length and throws it away, and takes upgrades.

An upload is answered once it is there to its last byte, with the number of bytes as the body; after an upgrade every
byte is sent back. Knows of HTTP only what the benchmark sends. As a script: `own_upstream.py <port>`.
"""

import asyncio
import base64
import hashlib
import re
import signal
import sys
from typing import cast

import uvloop

_BUFFER = memoryview(bytearray(1 << 18))
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r ]+) *\r\n", re.IGNORECASE)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_for(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that belongs to a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


class Connection(asyncio.BufferedProtocol):
    """One connection. All read into one buffer, since none keeps what it reads."""

    def __init__(self) -> None:
        self._head = b""
        self._length = 0
        self._missing: int | None = None
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        if self._upgraded:
            self._transport.write(bytes(_BUFFER[:nbytes]))
        elif self._missing is not None:
            self._take(nbytes)
        else:
            self._head += _BUFFER[:nbytes]
            end = self._head.find(b"\r\n\r\n") + 4
            if end >= 4:
                head, rest = self._head[:end], len(self._head) - end
                self._head = b""
                self._begin(head, rest)

    def _begin(self, head: bytes, rest: int) -> None:
        key = _KEY.search(head)
        if key is not None:
            self._upgraded = True
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_for(key[1])
            )
            return
        length = _LENGTH.search(head)
        self._length = self._missing = 0 if length is None else int(length[1])
        self._take(rest)

    def _take(self, count: int) -> None:
        assert self._missing is not None
        self._missing -= count
        if self._missing <= 0:
            self._missing = None
            body = b"%d" % self._length
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=1024)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
