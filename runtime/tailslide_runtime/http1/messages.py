"""What requests and answers have in common: how bodies end, and the events that bytes amount to. Pure."""

from enum import Enum, auto
from typing import Final

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
