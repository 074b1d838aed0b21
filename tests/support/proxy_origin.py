"""An origin server in raw bytes: what it sends is written out here, what it receives is kept as it came.

Each path is one scenario of HTTP/1.1; any other path is answered with its own request line. It runs in threads of its
own, so that it waits for nobody but its peer. It is no server to put behind anything but tests: what is no HTTP breaks
the connection off, and is listed among its faults.
"""

import gzip
import hashlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qs

BLOCK = 65_536
PATIENCE_S = 20.0
"""How long a peer may be silent, or leave an event unacknowledged."""
EVENTS = 5
GZIP = gzip.compress(b"packed once, and not again\n" * 40, compresslevel=1, mtime=12_345)
"""With a time of its own: to unpack it and pack it again would give other bytes."""

_DATE = b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
_ODD = (
    b"X-MiXeD-cAsE: kept\r\nX-Empty:\r\nX-Inner: a \t b,,c\r\n"
    b"X-Latin: caf\xe9\r\nX-Utf8: caf\xc3\xa9\r\nX-Two: 1\r\nX-Two: 2\r\n"
)

Headers = tuple[tuple[bytes, bytes], ...]
Read = Callable[[bytes], None]


@lru_cache(maxsize=1)
def _block() -> bytes:
    return bytes((place * 167 + 13) % 251 for place in range(8, BLOCK))


def large_body(size: int) -> Iterator[bytes]:
    """Yield `size` bytes in blocks, the last one cut off.

    A block begins with its number (8 bytes, big-endian), so that none can be lost, doubled or exchanged unnoticed;
    every other byte is its place times 167 plus 13, modulo 251. The client programs make the same.
    """
    rest = _block()
    for number in range(-(-size // BLOCK)):
        yield (number.to_bytes(8, "big") + rest)[: size - number * BLOCK]


@lru_cache(maxsize=4)
def large_body_sha256(size: int) -> str:
    """Return the SHA-256 of `large_body(size)` in hexadecimal."""
    digest = hashlib.sha256()
    for block in large_body(size):
        digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; `framing` is none, length or chunked, `length` counts the bytes of the content."""

    connection: int
    line: bytes
    headers: Headers
    framing: str
    length: int = 0
    sha256: str = ""
    trailers: Headers = ()

    @property
    def method(self) -> bytes:
        return self.line.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ", 1)[1].rpartition(b" ")[0]

    def header(self, name: bytes) -> bytes | None:
        """Return the values of a field in lower case, joined; None when it is not there."""
        values = [value for key, value in self.headers if key.lower() == name]
        return b", ".join(values) if values else None


class Origin(socketserver.ThreadingTCPServer):
    """A running origin; use `running_origin`. All attributes may be read from any thread."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.faults: list[str] = []
        """What went wrong here; a peer that leaves or sends less than it announced is no fault."""
        self.connections = 0
        self._seen: list[Seen] = []
        self._signals: dict[str, threading.Semaphore] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ends = False

    def take(self) -> list[Seen]:
        """Return the requests since the last call, in the order in which their bodies had been read."""
        with self._lock:
            taken, self._seen = self._seen, []
        return taken

    def note(self, seen: Seen) -> None:
        """Keep a request."""
        with self._lock:
            self._seen.append(seen)

    def signal(self, name: str) -> threading.Semaphore:
        """Return what one connection waits for and another one releases."""
        with self._lock:
            return self._signals.setdefault(name, threading.Semaphore(0))

    def opened(self, connection: socket.socket) -> int:
        """Register a connection and return its number."""
        with self._lock:
            if self._ends:
                raise EOFError("accepted amid the end")
            self._open.add(connection)
            self.connections += 1
            return self.connections

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection, before it is closed."""
        with self._lock:
            self._open.discard(connection)

    def break_off(self) -> None:
        """End all connections, so that their threads do."""
        with self._lock:
            self._ends = True
            for connection in self._open:
                # The peer may have been first.
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what a scenario has raised; the test looks at it."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | EOFError):
            self.faults.append(f"{type(error).__name__}: {error}")


@contextmanager
def running_origin() -> Iterator[Origin]:
    """Yield an origin that listens; at the end its connections are broken off and its threads are joined."""
    with Origin() as origin:
        accepting = threading.Thread(target=origin.serve_forever, args=(0.02,), name="origin")
        accepting.start()
        try:
            yield origin
        finally:
            origin.shutdown()
            accepting.join()
            origin.break_off()


@dataclass
class _Request:
    """A request whose head is read, and the query of its target."""

    seen: Seen
    query: dict[str, str]


class _Connection(socketserver.StreamRequestHandler):
    """One connection: requests in turn until one side closes it."""

    rbufsize = 4 * BLOCK
    disable_nagle_algorithm = True
    server: Origin

    def setup(self) -> None:
        super().setup()
        self.number = self.server.opened(self.connection)
        self.keeps_open = True

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def handle(self) -> None:
        while self.keeps_open and self._is_asked():
            line = self._line()
            fields = self._fields()
            seen = Seen(self.number, line, fields, _framing(fields))
            path, _, query = seen.target.partition(b"?")
            asked = {key: values[0] for key, values in parse_qs(query.decode("latin-1")).items()}
            _SCENARIOS.get(path, _anything)(self, _Request(seen, asked))

    def _is_asked(self) -> bool:
        """Wait for a request, for as long as it takes; false when the peer closes the connection instead."""
        self.connection.settimeout(None)
        begun = bool(self.rfile.peek(1))  # type: ignore[attr-defined] # a BufferedReader
        self.connection.settimeout(PATIENCE_S)
        return begun

    def send(self, *parts: bytes) -> None:
        """Send bytes as they are; in parts they may arrive one by one."""
        for part in parts:
            self.wfile.write(part)

    def read_body(self, request: _Request, read: Read | None = None) -> Seen:
        """Read the body to its end, hand each piece to `read`, and keep the request."""
        digest, length = hashlib.sha256(), 0
        trailers: Headers = ()

        def piece(size: int) -> int:
            nonlocal length
            content = self.rfile.read1(size)
            if not content:
                raise EOFError("the peer has left amid a body")
            digest.update(content)
            length += len(content)
            if read is not None:
                read(content)
            return len(content)

        if request.seen.framing == "length":
            rest = int(request.seen.header(b"content-length") or b"")
            while rest:
                rest -= piece(min(rest, 4 * BLOCK))
        elif request.seen.framing == "chunked":
            while rest := int(self._line().partition(b";")[0], 16):
                while rest:
                    rest -= piece(min(rest, 4 * BLOCK))
                if self._line():
                    raise ValueError("expected the end of a chunk")
            trailers = self._fields()
        seen = replace(request.seen, length=length, sha256=digest.hexdigest(), trailers=trailers)
        self.server.note(seen)
        return seen

    def _line(self) -> bytes:
        """Return a line without its end."""
        line = self.rfile.readline(BLOCK)
        if not line.endswith(b"\r\n"):
            raise EOFError("the peer has left amid a line")
        return line.removesuffix(b"\r\n")

    def _fields(self) -> Headers:
        fields = []
        while line := self._line():
            name, colon, value = line.partition(b":")
            if not colon or name != name.strip():
                raise ValueError(f"expected a header, got {line!r:.80}")
            fields.append((name, value.strip(b" \t")))
        return tuple(fields)


def _framing(headers: Headers) -> str:
    names = {name.lower(): value for name, value in headers}
    if b"transfer-encoding" in names:
        if names[b"transfer-encoding"].lower() != b"chunked" or b"content-length" in names:
            raise ValueError(f"expected a body in chunks or of a length, got {headers}")
        return "chunked"
    return "length" if b"content-length" in names else "none"


def _answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return (
        b"HTTP/1.1 %s\r\n" % status + _DATE + b"".join(headers) + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )  # fmt: skip # the order in which it is sent


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def _receipt(seen: Seen) -> bytes:
    text = f"{seen.framing} {seen.length} {seen.sha256}"
    return text.encode() + b"".join(b"\n%s: %s" % trailer for trailer in seen.trailers)


def _anything(talk: _Connection, request: _Request) -> None:
    seen = talk.read_body(request)
    talk.send(_answer(seen.line))


def _length(talk: _Connection, request: _Request) -> None:
    seen = talk.read_body(request)
    answer = _answer(b"a length\n", _ODD, b"Content-Type: text/plain\r\n", status=b"200 Very Well")
    talk.send(answer.removesuffix(b"a length\n") if seen.method == b"HEAD" else answer)


def _chunked(talk: _Connection, request: _Request) -> None:
    seen = talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Transfer-Encoding: chunked\r\n\r\n")
    if seen.method != b"HEAD":
        talk.send(*(_chunk(bytes([65 + n]) * size) for n, size in enumerate((1, 10, 70_000, 4_096))), _chunk(b""))


def _gzip(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(_answer(GZIP, b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\nETag: \"packed\"\r\n"))  # fmt: skip


def _gzip_chunked(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.send(_chunk(GZIP[:7]), _chunk(GZIP[7:]), _chunk(b""))


def _undated(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _no_content(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 204 No Content\r\n" + _DATE + b"X-Kept: yes\r\n\r\n")


def _not_modified(talk: _Connection, request: _Request) -> None:
    """The length is that of what is not sent (RFC 9110 §8.6)."""
    etag = b'ETag: "v1"\r\n'
    if talk.read_body(request).header(b"if-none-match") == b'"v1"':
        talk.send(b"HTTP/1.1 304 Not Modified\r\n" + _DATE + etag + b"Content-Length: 7\r\n\r\n")
    else:
        talk.send(_answer(b"changed", etag))


def _continue(talk: _Connection, request: _Request) -> None:
    expects = (request.seen.header(b"expect") or b"nothing").lower()
    if expects == b"100-continue":
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    talk.send(_answer(expects + b"\n" + _receipt(talk.read_body(request))))


def _refuse_continue(talk: _Connection, request: _Request) -> None:
    """Answer the head alone; whether a body follows cannot be told, so the connection ends."""
    talk.server.note(request.seen)
    talk.send(_answer(b"too much", b"Connection: close\r\n", status=b"417 Expectation Failed"))
    talk.keeps_open = False


def _trailers(talk: _Connection, request: _Request) -> None:
    seen = talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Trailer: X-Sum, X-Note\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.send(_chunk(_receipt(seen)), b"0\r\nX-Sum: 42\r\nX-Note: a  b\r\n\r\n")


def _upload(talk: _Connection, request: _Request) -> None:
    talk.send(_answer(_receipt(talk.read_body(request))))


def _download(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    size = int(request.query["bytes"])
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Content-Length: %d\r\n\r\n" % size, *large_body(size))


def _early_hints(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n")
    talk.send(_answer(b"at last"))


def _set_cookie(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(_answer(b"", b"Set-Cookie: a=1; Expires=Wed, 09 Jun 2100 10:18:14 GMT\r\nset-cookie: b=2\r\n"))


def _close(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Connection: close\r\n\r\n", b"until ", b"the end")
    talk.keeps_open = False


def _cut(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Content-Length: 100\r\n\r\nhalf")
    talk.keeps_open = False


def _cut_chunked(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Transfer-Encoding: chunked\r\n\r\n" + _chunk(b"half"))
    talk.keeps_open = False


def _events(talk: _Connection, request: _Request) -> None:
    """Send each event only when the one before has been acknowledged; one that is held back is never followed."""
    talk.read_body(request)
    acknowledged = talk.server.signal(f"acknowledged {request.query['run']}")
    talk.send(b"HTTP/1.1 200 OK\r\n" + _DATE + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(EVENTS):
        talk.send(_chunk(b"data: %d\n\n" % number))
        if not acknowledged.acquire(timeout=PATIENCE_S / 2):
            talk.server.faults.append(f"event {number} was not acknowledged within {PATIENCE_S / 2:g} s")
            talk.keeps_open = False
            return
    talk.send(_chunk(b""))


def _acknowledge(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    talk.server.signal(f"acknowledged {request.query['run']}").release()
    talk.send(_answer(b""))


def _paced_upload(talk: _Connection, request: _Request) -> None:
    """Say of each line of the body that it has come, to who asks for it at `/paced-seen`."""
    come = talk.server.signal(f"come {request.query['run']}")
    seen = talk.read_body(request, lambda content: come.release(content.count(b"\n")) if b"\n" in content else None)
    talk.send(_answer(_receipt(seen)))


def _paced_seen(talk: _Connection, request: _Request) -> None:
    talk.read_body(request)
    come = talk.server.signal(f"come {request.query['run']}").acquire(timeout=PATIENCE_S / 2)
    talk.send(_answer(b"it has come" if come else b"it has not come"))


_SCENARIOS: dict[bytes, Callable[[_Connection, _Request], None]] = {
    b"/length": _length,
    b"/chunked": _chunked,
    b"/gzip": _gzip,
    b"/gzip-chunked": _gzip_chunked,
    b"/undated": _undated,
    b"/204": _no_content,
    b"/304": _not_modified,
    b"/continue": _continue,
    b"/refuse-continue": _refuse_continue,
    b"/trailers": _trailers,
    b"/upload": _upload,
    b"/download": _download,
    b"/early-hints": _early_hints,
    b"/set-cookie": _set_cookie,
    b"/close": _close,
    b"/cut": _cut,
    b"/cut-chunked": _cut_chunked,
    b"/events": _events,
    b"/acknowledge": _acknowledge,
    b"/paced-upload": _paced_upload,
    b"/paced-seen": _paced_seen,
}
