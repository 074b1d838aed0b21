"""Idle WebSockets through a sidecar: by how much its memory grows, and that each is alive after all.

Only the handshake is WebSocket's (RFC 6455 §4); behind it the upstream sends back every byte.
"""

import base64
import re
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from flags_bench.live import memory_of
from flags_bench.load import Target, connect

from proxy_bench import loads
from proxy_bench.drive import receive_head
from proxy_bench.own_upstream import accept_for
from tailslide_runtime.errors import StartError

COUNT = 512
_ACCEPT = re.compile(rb"\r\nsec-websocket-accept: *([^\r ]+) *\r\n", re.IGNORECASE)
_PING = bytes.fromhex("898000000000")  # an empty masked ping (RFC 6455 §5.5.2)


@dataclass(frozen=True)
class Idle:
    """Resident memory in bytes: before, with all sockets open, and after each was used."""

    before: int
    open: int
    used: int


def idle(target: Target, count: int = COUNT) -> Idle:
    """Open so many, leave them alone, then use each; raise `StartError` when one does not work."""
    try:
        with ExitStack() as closing:
            before = memory_of(target.pid).now
            sockets = [closing.enter_context(_opened(target, number)) for number in range(count)]
            opened = memory_of(target.pid).now
            for connection in sockets:
                _check_alive(connection)
            return Idle(before, opened, memory_of(target.pid).now)
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed with {count} WebSockets: {error}") from error


def _opened(target: Target, number: int) -> socket.socket:
    connection = connect(target.address)
    try:
        _shake_hands(connection, number)
    except BaseException:
        connection.close()
        raise
    return connection


def _shake_hands(connection: socket.socket, number: int) -> None:
    key = base64.b64encode(number.to_bytes(16, "big"))
    connection.sendall(
        loads.head("GET", loads.Path.SOCKET, f"user-{number}").removesuffix(b"\r\n")
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
        % key
    )
    head, _ = receive_head(connection)
    accept = _ACCEPT.search(head)
    if not head.startswith(b"HTTP/1.1 101 ") or accept is None or accept[1] != accept_for(key):
        raise ConnectionError(f"expected 101 and the key's Sec-WebSocket-Accept, got {head[:300]!r}")


def _check_alive(connection: socket.socket) -> None:
    connection.sendall(_PING)
    data = b""
    while len(data) < len(_PING):
        part = connection.recv(len(_PING))
        if not part:
            raise ConnectionError("a WebSocket was closed while idle")
        data += part
    if data != _PING:
        raise ConnectionError(f"expected {_PING!r} back, got {data!r}")
