"""The load: requests one at a time on each of many keep-alive connections, every answer checked and timed.

One thread on bare epoll, in the manner of `flags_bench.load`, and for answers of any size. A go ends by letting every
request that is under way finish, so that the server's processor time is that of exactly the answers that are counted.
An answer's latency is from before its request is sent until its last byte is read; with many connections much of that
is waiting for the load itself, which shares its core with the upstream.
"""

import itertools
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from flags_bench.load import TIMEOUT_S, Drive, Target, connect, processor_s

from proxy_bench import loads
from proxy_bench.loads import Load
from tailslide_runtime.errors import StartError
from tailslide_runtime.settings import ListenAddress

MOST_ANSWERS = 1_000_000
"""Of one go, however long it is told to take."""
_HEAD_BYTES = 16_384
_BODY_BYTES = 1 << 18
_SEND_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True)
class TimedDrive(Drive):
    """What came of one go; latencies in seconds."""

    p50_s: float
    p99_s: float


@dataclass(frozen=True)
class Answer:
    """An answer as it came; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Head:
    """What an answer's head says: its status, its headers, and the number of bytes up to the end of its body."""

    status: int
    headers: dict[str, str]
    whole_bytes: int


def read_head(head: bytes) -> Head:
    """Read a head up to and including its empty line; raise `ConnectionError` without a usable Content-Length."""
    first, _, rest = head[:-4].decode("latin-1").partition("\r\n")
    pairs = (line.partition(":") for line in rest.split("\r\n"))
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status, length = first[9:12], headers.get("content-length", "")
    if not first.startswith("HTTP/1.1 ") or not status.isdigit() or not length.isdigit():
        raise ConnectionError(f"expected an HTTP/1.1 answer with Content-Length, got {head[:200]!r}")
    return Head(int(status), headers, len(head) + int(length))


def receive_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return a head from a socket that blocks, and what came behind it; raise `OSError`."""
    data = b""
    while (end := data.find(b"\r\n\r\n") + 4) < 4:
        part = connection.recv(_HEAD_BYTES)
        if not part:
            raise ConnectionError(f"the connection was closed amid the head of an answer, behind {data[:200]!r}")
        data += part
    return data[:end], data[end:]


def exchange(connection: socket.socket, request: bytes) -> Answer:
    """Send a request on a socket that blocks and return the answer; raise `OSError`."""
    connection.sendall(request)
    raw, rest = receive_head(connection)
    head = read_head(raw)
    parts, missing = [rest], head.whole_bytes - len(raw) - len(rest)
    while missing > 0:
        part = connection.recv(_BODY_BYTES)
        if not part:
            raise ConnectionError(f"the connection was closed {missing} bytes before the end of an answer")
        parts.append(part)
        missing -= len(part)
    return Answer(head.status, head.headers, b"".join(parts))


def ask(address: ListenAddress, request: bytes) -> Answer:
    """Make one request on a connection of its own; raise `OSError`."""
    with connect(address) as connection:
        return exchange(connection, request)


def drive(target: Target, load: Load, seconds: float) -> TimedDrive:
    """Put the load on a server for so long; raise `StartError` at the first answer that is not as it should be."""
    try:
        sockets = [_connected(target.address) for _ in range(load.connections)]
        try:
            return _drive(target, load, sockets, seconds)
        finally:
            for sock in sockets:
                sock.close()
    except OSError as error:
        raise StartError(f"{target.name} at {target.address} failed under {load.name}: {error}") from error


def _connected(address: ListenAddress) -> socket.socket:
    connection = connect(address)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    connection.setblocking(False)  # a timeout would cost a poll at each call
    return connection


def _drive(target: Target, load: Load, sockets: Sequence[socket.socket], seconds: float) -> TimedDrive:
    exchanges = _Exchanges(load, sockets)
    user_s, system_s = processor_s(target.pid)
    own_s, started = time.process_time(), time.perf_counter()
    exchanges.run(started + seconds)
    taken_s = time.perf_counter() - started
    own_s = time.process_time() - own_s
    user_after_s, system_after_s = processor_s(target.pid)
    latencies = sorted(exchanges.latencies)
    return TimedDrive(
        len(latencies),
        taken_s,
        user_after_s - user_s,
        system_after_s - system_s,
        own_s / taken_s,
        p50_s=latencies[len(latencies) // 2],
        p99_s=latencies[len(latencies) * 99 // 100],
    )


class _Exchanges:
    """The requests and answers of one go."""

    def __init__(self, load: Load, sockets: Sequence[socket.socket]) -> None:
        self._sockets = {sock.fileno(): sock for sock in sockets}
        self._requests = itertools.cycle(loads.requests(load.kind))
        self._body_bytes = len(loads.expected(load.kind))
        self._sizes: dict[bytes, int] = {}  # of whole answers by their head, which changes with the second, hardly more
        self.latencies: list[float] = []

    def run(self, end: float) -> None:
        """Keep every connection busy until `end`, then let it finish."""
        with select.epoll() as poller:
            for descriptor in self._sockets:
                poller.register(descriptor, select.EPOLLIN)
            self._run(poller, end)

    def _run(self, poller: select.epoll, end: float) -> None:
        receive = {descriptor: sock.recv for descriptor, sock in self._sockets.items()}
        receive_into = {descriptor: sock.recv_into for descriptor, sock in self._sockets.items()}
        send = {descriptor: sock.send for descriptor, sock in self._sockets.items()}
        missing: dict[int, int] = {}  # of bodies that are under way
        heads: dict[int, bytes] = {}  # that are incomplete
        buffer = bytearray(_BODY_BYTES)
        requests, sizes, latencies = self._requests, self._sizes, self.latencies
        clock, poll = time.perf_counter, poller.poll
        began = {}
        for descriptor, send_there in send.items():
            began[descriptor] = clock()
            request = next(requests)
            _all_taken(send_there(request), request)
        busy = len(began)
        while busy:
            ready = poll(TIMEOUT_S)
            if not ready:
                raise TimeoutError(f"no answer within {TIMEOUT_S:g} s on {busy} connections")
            for descriptor, _ in ready:
                if descriptor in missing:
                    count = receive_into[descriptor](buffer)
                    left = missing[descriptor] - count
                    if left > 0 and count:
                        missing[descriptor] = left
                        continue
                    _check_end(left, count)
                    del missing[descriptor]
                else:
                    data = receive[descriptor](_HEAD_BYTES)
                    if heads and descriptor in heads:
                        data = heads.pop(descriptor) + data
                    head = data[: data.find(b"\r\n\r\n") + 4]
                    size = sizes.get(head)
                    if size is None:
                        if data and not head:
                            heads[descriptor] = data
                            continue
                        size = self._size(head)
                    if (left := size - len(data)) > 0:
                        missing[descriptor] = left
                        continue
                    _check_end(left, len(data))
                now = clock()
                latencies.append(now - began[descriptor])
                if now < end and len(latencies) < MOST_ANSWERS:
                    began[descriptor] = now
                    request = next(requests)
                    _all_taken(send[descriptor](request), request)
                else:
                    busy -= 1
                    poller.unregister(descriptor)

    def _size(self, raw: bytes) -> int:
        """Return the size of the whole answer that has this head, once that is seen to be as it should."""
        if not raw:
            raise ConnectionError("the connection was closed before an answer")
        head = read_head(raw)
        body_bytes = head.whole_bytes - len(raw)
        if head.status != 200 or body_bytes != self._body_bytes:
            raise ConnectionError(f"expected 200 with {self._body_bytes} bytes, got {head.status} with {body_bytes}")
        self._sizes[raw] = head.whole_bytes
        return head.whole_bytes


def _check_end(left: int, count: int) -> None:
    if not count:
        raise ConnectionError(f"the connection was closed {left} bytes before the end of an answer")
    if left:
        raise ConnectionError(f"{-left} bytes came behind the end of an answer")


def _all_taken(sent: int, request: bytes) -> None:
    if sent != len(request):
        raise ConnectionError(f"the system took only {sent} bytes of a request of {len(request)}")
