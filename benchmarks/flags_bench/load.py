"""The load: many keep-alive connections, one request at a time on each, over TCP and over unix sockets alike.

One thread on bare epoll, since nothing on an event loop keeps up with nginx. Every answer is read whole, and one that
is not 200 ends the benchmark. There is no pipelining, and nothing is timed for each request: of a server that is kept
busy all the time the rate says everything.
"""

import itertools
import os
import re
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

CONNECTIONS = 32
TIMEOUT_S = 10.0
_RECEIVE_BYTES = 262_144
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_Stream = tuple[Callable[[int], bytes], Callable[[bytes], None]]
"""How to receive from a connection, and how to send on it."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A server under test: its name, where it listens, and its process."""

    name: str
    address: ListenAddress
    pid: int


@dataclass(frozen=True)
class Drive:
    """What came of one go.

    `user_s` and `system_s` are the server's processor time, `load_busy` the load's own share of its core: well below 1,
    it was the server that set the pace.
    """

    answers: int
    seconds: float
    user_s: float
    system_s: float
    load_busy: float

    @property
    def rate(self) -> float:
        """Return the answers a second."""
        return self.answers / self.seconds

    @property
    def per_core_s(self) -> float:
        """Return the answers a second of the server's processor time."""
        return self.answers / (self.user_s + self.system_s)

    @property
    def server_busy(self) -> float:
        """Return the share of its core that the server used."""
        return (self.user_s + self.system_s) / self.seconds


def connect(address: ListenAddress) -> socket.socket:
    """Return a connected socket that blocks, for `TIMEOUT_S` at most; raise `OSError`."""
    if address.path is not None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(address.path))
        return connection
    connection = socket.create_connection((address.host, address.port), TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    """Send a request and return status and body of its answer; raise `OSError`."""
    connection.sendall(request)
    data = b""
    while True:
        part = connection.recv(_RECEIVE_BYTES)
        if not part:
            raise ConnectionError("the server closed the connection")
        data += part
        head_end = data.find(b"\r\n\r\n") + 4
        if head_end >= 4 and len(data) >= (end := head_end + _content_length(data[:head_end])):
            return int(data[9:12]), data[head_end:end]


def ask(address: ListenAddress, request: bytes) -> tuple[int, bytes]:
    """Make one request on a connection of its own; raise `OSError`."""
    with connect(address) as connection:
        return exchange(connection, request)


def ask_all(target: Target, requests: Iterable[bytes]) -> None:
    """Make each request once, on one connection; raise `StartError` when it is not answered 200."""
    try:
        with connect(target.address) as connection:
            for request in requests:
                status, body = exchange(connection, request)
                if status != 200:
                    raise StartError(f"{target.name} at {target.address}: expected 200, got {status} {body[:300]!r}")
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed: {error}") from error


def drive(target: Target, requests: Sequence[bytes], seconds: float, connections: int = CONNECTIONS) -> Drive:
    """Send `requests` in turn, again and again, for so long; raise `StartError` at the first wrong answer."""
    try:
        return _drive(target, requests, seconds, connections)
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed under load: {error}") from error


def _drive(target: Target, requests: Sequence[bytes], seconds: float, connections: int) -> Drive:
    sockets = [connect(target.address) for _ in range(connections)]
    try:
        by_descriptor = {sock.fileno(): (sock.recv, sock.sendall) for sock in sockets}
        with select.epoll() as poller:
            for descriptor in by_descriptor:
                poller.register(descriptor, select.EPOLLIN)
            user_s, system_s = processor_s(target.pid)
            own_s, started = time.process_time(), time.perf_counter()
            answers = _run(target, by_descriptor, poller, requests, started + seconds)
            taken_s = time.perf_counter() - started
            own_s = time.process_time() - own_s
            user_after_s, system_after_s = processor_s(target.pid)
    finally:
        for sock in sockets:
            sock.close()
    return Drive(answers, taken_s, user_after_s - user_s, system_after_s - system_s, own_s / taken_s)


def _run(
    target: Target, streams: Mapping[int, _Stream], poller: select.epoll, requests: Sequence[bytes], end: float
) -> int:
    """Keep every connection busy until `end`; return the number of answers."""
    coming = itertools.cycle(requests)
    lengths: dict[bytes, int] = {}  # of whole answers by their head, which changes with the second and little else
    incomplete: dict[int, bytes] = {}
    answers = 0
    for _, send in streams.values():
        send(next(coming))
    clock, poll = time.perf_counter, poller.poll
    while clock() < end:
        ready = poll(TIMEOUT_S)
        if not ready:
            raise TimeoutError(f"no answer within {TIMEOUT_S:g} s")
        for descriptor, _ in ready:
            receive, send = streams[descriptor]
            data = receive(_RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection")
            if incomplete and descriptor in incomplete:
                data = incomplete.pop(descriptor) + data
            head = data[: data.find(b"\r\n\r\n") + 4]
            length = lengths.get(head)
            if length is None:
                if not head:
                    incomplete[descriptor] = data
                    continue
                length = lengths[head] = _checked_length(target, head, data)
            if len(data) < length:
                incomplete[descriptor] = data
                continue
            answers += 1
            send(next(coming))
    return answers


def _checked_length(target: Target, head: bytes, data: bytes) -> int:
    if not head.startswith(b"HTTP/1.1 200 "):
        raise StartError(f"{target.name} at {target.address}: expected 200, got {data[:300]!r}")
    return len(head) + _content_length(head)


def processor_s(pid: int) -> tuple[float, float]:
    """Return the processor time that a process has used, its own and the system's for it, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S


def _content_length(head: bytes) -> int:
    found = _LENGTH.search(head)
    if found is None:
        raise ConnectionError(f"expected an answer with Content-Length, got {head[:200]!r}")
    return int(found[1])
