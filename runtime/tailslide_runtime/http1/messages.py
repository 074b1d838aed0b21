"""What requests and answers have in common: how bodies end, and the events that bytes amount to. Pure."""

from enum import Enum, auto
from typing import Final, TypeVar, cast

Event = TypeVar("Event")

NO_LENGTH = -1


class Framing(Enum):
    """How the end of a body is told (RFC 9112 §6.3)."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()
    """Answers only."""


class End:
    """The end of a message, with the lines of its trailers that may go on."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: list[bytes]) -> None:
        self.trailers = trailers


END: Final = End([])

MANY_PARTS = 16
"""From so many events on it is worth looking whether most of them are parts of one body."""


def joined(events: list[Event]) -> list[Event]:
    """Return events with the parts of a body that follow each other made one.

    Chunks may be a byte long, and each would be written, counted and framed by itself; where chunks end means nothing
    (RFC 9112 §7.1).
    """
    found: list[Event] = []
    parts: list[bytes] = []
    for event in events:
        if isinstance(event, bytes):
            parts.append(event)
            continue
        if parts:
            found.append(cast(Event, b"".join(parts)))
            parts = []
        found.append(event)
    if parts:
        found.append(cast(Event, b"".join(parts)))
    return found
