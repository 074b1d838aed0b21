"""What is asked of every proxy: requests as bytes, and the answers that have to come. No I/O.

Each request names a user in a header, so that the flagged route has a targeting key to read and the others forward the
same bytes. Sizes are decimal: 1 MB is a million bytes.
"""

import functools
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flags_bench.questions import users

SMALL = (b"The quick brown fox jumps over the lazy dog. " * 3)[:100]
POSTED = b"taken\n"
MEGABYTE = 1_000_000
GIGABYTE = 1_000_000_000
_POST_BYTES = 10_000
_POST_USERS = 500
"""Fewer than of the others, since each of these requests is held in memory whole."""
_HEADERS = b"Host: bench.example\r\nUser-Agent: tailslide-benchmark\r\nAccept: */*\r\n"
USER_HEADER = "x-user-id"


class Path(StrEnum):
    """Where the upstreams answer what."""

    SMALL = "/small"
    POST = "/post"
    MEGABYTE = "/1mb.bin"
    GIGABYTE = "/1gb.bin"
    UPLOAD = "/upload"
    SOCKET = "/socket"


class Kind(StrEnum):
    """What is asked; the value begins the load's name."""

    GET = "get"
    POST = "post"
    MEGABYTE = "1mb"


@dataclass(frozen=True)
class Load:
    """One kind of request, one at a time on each of so many keep-alive connections."""

    kind: Kind
    connections: int

    @property
    def name(self) -> str:
        """Return what the load is called on the command line and in the table."""
        return f"{self.kind}-{self.connections}"


LOADS = {load.name: load for load in itertools.starmap(Load, itertools.product(Kind, (1, 32, 512)))}
HEADLINE = LOADS["get-32"]
DOWNLOAD, UPLOAD, WEBSOCKETS = "1gb-down", "1gb-up", "websockets"
LARGE = (DOWNLOAD, UPLOAD)


@functools.cache
def megabyte() -> bytes:
    """Return the bytes of the 1 MB answer, which nothing can compress; the same in each run."""
    return random.Random(MEGABYTE).randbytes(MEGABYTE)


def expected(kind: Kind) -> bytes:
    """Return the body of the answer."""
    match kind:
        case Kind.GET:
            return SMALL
        case Kind.POST:
            return POSTED
        case Kind.MEGABYTE:
            return megabyte()


@functools.cache
def requests(kind: Kind) -> Sequence[bytes]:
    """Return the requests, a user each."""
    match kind:
        case Kind.GET:
            return [head("GET", Path.SMALL, user) for user in users()]
        case Kind.POST:
            body = random.Random(_POST_BYTES).randbytes(_POST_BYTES // 2).hex().encode()
            return [head("POST", Path.POST, user, len(body)) + body for user in users()[:_POST_USERS]]
        case Kind.MEGABYTE:
            return [head("GET", Path.MEGABYTE, user) for user in users()]


def head(method: str, path: Path, user: str, length: int | None = None) -> bytes:
    """Return the head of a request, with a Content-Length if one is given."""
    framing = b"" if length is None else b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n" % length
    return b"%b %b HTTP/1.1\r\n%b%b: %b\r\n%b\r\n" % (
        method.encode(),
        path.encode(),
        _HEADERS,
        USER_HEADER.title().encode(),
        user.encode(),
        framing,
    )
