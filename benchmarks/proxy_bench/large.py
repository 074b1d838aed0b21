"""One gigabyte through a proxy, down or up, once on one connection: how fast, at what cost, and with how much memory.

Bytes are counted, not compared: that they are the right ones is checked on the 1 MB answer.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flags_bench.live import memory_of
from flags_bench.load import Target, connect, processor_s

from proxy_bench import loads
from proxy_bench.drive import read_head, receive_head
from tailslide_runtime.errors import StartError

_BUFFER_BYTES = 1 << 20
_TIMEOUT_S = 60.0
"""Without a byte; a proxy may take in the whole of an upload before it sends any of it on."""
_USER = "user-of-a-large-body"


@dataclass(frozen=True)
class Transfer:
    """What came of it. Memory is resident, in bytes: just before, and at its highest."""

    seconds: float
    user_s: float
    system_s: float
    before: int
    peak: int


def transfer(target: Target, which: str, file: Path) -> Transfer:
    """Download or upload the gigabyte that is in `file`; raise `StartError` when that does not go as it should."""
    move = _download if which == loads.DOWNLOAD else lambda connection: _upload(connection, file)
    try:
        with connect(target.address) as connection:
            connection.settimeout(_TIMEOUT_S)
            return _measured(target, move, connection)
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed in {which}: {error}") from error


def read_once(file: Path) -> None:
    """Have the system hold a file in memory, which would else be at the cost of who asks for it first."""
    buffer = bytearray(_BUFFER_BYTES)
    with file.open("rb", buffering=0) as content:
        while content.readinto(buffer):
            pass


def _measured(target: Target, move: Callable[[socket.socket], None], connection: socket.socket) -> Transfer:
    Path(f"/proc/{target.pid}/clear_refs").write_text("5")  # the peak counts from here (proc_pid_clear_refs(5))
    before = memory_of(target.pid).now
    user_s, system_s = processor_s(target.pid)
    started = time.perf_counter()
    move(connection)
    seconds = time.perf_counter() - started
    user_after_s, system_after_s = processor_s(target.pid)
    return Transfer(seconds, user_after_s - user_s, system_after_s - system_s, before, memory_of(target.pid).peak)


def _download(connection: socket.socket) -> None:
    connection.sendall(loads.head("GET", loads.Path.GIGABYTE, _USER))
    raw, rest = receive_head(connection)
    head = read_head(raw)
    if (head.status, head.whole_bytes - len(raw)) != (200, loads.GIGABYTE):
        raise ConnectionError(f"expected 200 with {loads.GIGABYTE} bytes, got {raw[:300]!r}")
    missing = loads.GIGABYTE - len(rest)
    buffer = bytearray(_BUFFER_BYTES)
    while missing > 0:
        count = connection.recv_into(buffer)
        if not count:
            raise ConnectionError(f"the connection was closed {missing} bytes before the end of the answer")
        missing -= count


def _upload(connection: socket.socket, file: Path) -> None:
    connection.sendall(loads.head("POST", loads.Path.UPLOAD, _USER, loads.GIGABYTE))
    with file.open("rb") as content:
        connection.sendfile(content)
    raw, body = receive_head(connection)
    head = read_head(raw)
    while len(body) < head.whole_bytes - len(raw) and (part := connection.recv(_BUFFER_BYTES)):
        body += part
    if head.status != 200 or body != b"%d" % loads.GIGABYTE:
        raise ConnectionError(f"expected 200 and the number of bytes, got {raw[:300] + body[:100]!r}")
