"""What a listener answers by itself, because a request cannot or may not be served. Pure."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import orjson


class Asked(Protocol):
    """What an answer has to know of its request."""

    method: str
    version_1_0: bool


JSON_TYPE = b"application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of our own; `code` is for programs, `message` one sentence for people.

    `closes` says that nobody can tell where the next request begins, or that the client is to come back on a new
    connection. `field` names what is at fault, where that is more than the message says.
    """

    status: int
    code: str
    message: str
    closes: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    field: str | None = None

    def block(self, content_type: bytes = JSON_TYPE) -> bytes:
        """Return its headers, each line beginning with CR LF."""
        lines = b"".join(b"\r\n%b: %b" % header for header in self.headers)
        return b"\r\nContent-Type: %b" % content_type + lines if self.code else lines

    def body(self) -> bytes:
        """Return the error in the one shape that all of Tailslide has."""
        error = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return orjson.dumps({"error": error})


def status_line(status: int, reason: bytes | None = None) -> bytes:
    """Return the first line of an answer, without its end."""
    if reason is None:
        reason = _REASONS.get(status, b"")
    return b"HTTP/1.1 %d %b" % (status, reason)


_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {413: b"Content Too Large"}


def own_answer(status: int, body: bytes, headers: bytes, date: bytes, *, request: Asked | None, closes: bool) -> bytes:
    """Return an answer that a listener gives by itself, in whole; without a body to HEAD. `headers` is a block."""
    bodiless = status in {204, 304}
    head = status_line(status) + headers + date
    if not bodiless:
        head += b"\r\nContent-Length: %d" % len(body)
    if closes:
        head += b"\r\nConnection: close"
    elif request is not None and request.version_1_0:
        head += b"\r\nConnection: keep-alive"
    sent = b"" if bodiless or (request is not None and request.method == "HEAD") else body
    return head + b"\r\n\r\n" + sent


def bad_request(message: str) -> Refusal:
    """Refuse a request that is not valid HTTP/1.1 (RFC 9112): it is unknown where the next one begins."""
    return Refusal(400, "BAD_REQUEST", message, closes=True)


BODY_TOO_LARGE = "BODY_TOO_LARGE"
SLOW_HEAD = Refusal(408, "REQUEST_TIMEOUT", "timed out reading the request headers", closes=True)
SLOW_BODY = Refusal(408, "REQUEST_TIMEOUT", "timed out reading the request body", closes=True)
TOO_MANY_CONNECTIONS = Refusal(
    503, "TOO_MANY_CONNECTIONS", "connection limit reached", closes=True, headers=((b"Retry-After", b"1"),)
)


def too_large(limit: int) -> Refusal:
    """Refuse a body; `limit` is in bytes, 0 where none is taken."""
    expected = f"expected a body of at most {limit} bytes" if limit else "expected no body"
    return Refusal(413, BODY_TOO_LARGE, expected, closes=True)
