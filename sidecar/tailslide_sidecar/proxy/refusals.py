"""What the proxy answers by itself, because it cannot or may not send a request on. Pure."""

from dataclasses import dataclass
from http import HTTPStatus

import orjson


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of our own; `code` is for programs, `message` one sentence for people.

    `closes` says that nobody can tell where the next request begins, or that the client is to come back on a new
    connection.
    """

    status: int
    code: str
    message: str
    closes: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def block(self) -> bytes:
        """Return its headers, each line beginning with CR LF."""
        lines = b"".join(b"\r\n%b: %b" % header for header in self.headers)
        return b"\r\nContent-Type: application/json; charset=utf-8" + lines if self.code else lines

    def body(self) -> bytes:
        """Return the error in the one shape that all of Tailslide has."""
        return orjson.dumps({"error": {"code": self.code, "message": self.message}})


def status_line(status: int, reason: bytes | None = None) -> bytes:
    """Return the first line of an answer, without its end."""
    if reason is None:
        reason = _REASONS.get(status, b"")
    return b"HTTP/1.1 %d %b" % (status, reason)


_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus} | {413: b"Content Too Large"}


def bad_request(message: str) -> Refusal:
    """Refuse what is no valid HTTP/1.1 (RFC 9112): nobody can tell what follows."""
    return Refusal(400, "BAD_REQUEST", message, closes=True)


BODY_TOO_LARGE = "BODY_TOO_LARGE"
SLOW_HEAD = Refusal(408, "REQUEST_TIMEOUT", "the request did not come in whole in time", closes=True)
SLOW_BODY = Refusal(408, "REQUEST_TIMEOUT", "nothing more came of the request's body for too long", closes=True)
SLOW_CLIENT = Refusal(408, "REQUEST_TIMEOUT", "the client took all of the time that the call may take", closes=True)
TOO_MANY_CONNECTIONS = Refusal(
    503,
    "TOO_MANY_CONNECTIONS",
    "there are as many connections as the sidecar's limits allow",
    closes=True,
    headers=((b"Retry-After", b"1"),),
)


def too_large(limit: int) -> Refusal:
    """Refuse a body."""
    return Refusal(413, BODY_TOO_LARGE, f"expected a body of at most {limit} bytes", closes=True)


def no_capacity(route: str, limit: int) -> Refusal:
    """Refuse a call, since enough of its route are running."""
    return Refusal(
        503, "NO_CAPACITY", f"{limit} calls of the route {route} are running", headers=((b"Retry-After", b"1"),)
    )
