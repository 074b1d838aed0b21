"""An answer of the flags listener and its bytes, the same whoever sends it. Pure."""

from dataclasses import dataclass, field
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
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status != HTTPStatus.NOT_MODIFIED:
            lines += [f"Content-Type: {JSON}", f"Content-Length: {len(self.body)}"]
        object.__setattr__(self, "before_date", ("\r\n".join(lines) + "\r\nDate: ").encode())
        object.__setattr__(self, "after_date", f"\r\nServer: {SERVER}\r\n\r\n".encode() + self.body)
