"""An answer of the flags listener and its bytes, the same whoever sends it. Pure."""

from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus

SERVER = "tailslide"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and further headers. What is sent is `before_date`, the date (RFC 9110 §5.6.7), `after_date`."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    before_date: bytes = field(init=False, repr=False, compare=False)
    after_date: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        head = _before_date if self.headers else _shared_before_date
        object.__setattr__(self, "before_date", head(self.status, self.headers, len(self.body)))
        object.__setattr__(self, "after_date", _AFTER_DATE + self.body)


_AFTER_DATE = f"\r\nServer: {SERVER}\r\n\r\n".encode()


def _before_date(status: int, headers: tuple[tuple[str, str], ...], length: int) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if status != HTTPStatus.NOT_MODIFIED:
        lines += [f"Content-Type: {JSON}", f"Content-Length: {length}"]
    return ("\r\n".join(lines) + "\r\nDate: ").encode()


_shared_before_date = lru_cache(maxsize=256)(_before_date)
"""Gives the same object for the same head: of thousands of answers that are kept, most have one of a few."""
