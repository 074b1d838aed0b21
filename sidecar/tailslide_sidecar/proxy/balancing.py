"""Which of several servers that do the same gets the next call. Pure; connections are `pool`'s.

The one with the fewest calls under way; one that refuses connections is left out for a while, longer each time. When
all are left out, the one whose time ends first is tried: better a doubtful server than none.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

EJECTED_S = 1.0
LONGEST_EJECTED_S = 30.0


class Load(Protocol):
    """What the choice looks at."""

    outstanding: int
    ejected_until_s: float
    refusals: int


Server = TypeVar("Server", bound=Load)


def choose(servers: Sequence[Server], now_s: float, start: int = 0) -> Server:
    """Return the server for the next call; of equals, the first from `start` on, so that callers can take turns."""
    count = len(servers)
    best: Server | None = None
    for offset in range(count):
        server = servers[(start + offset) % count]
        if server.ejected_until_s <= now_s and (best is None or server.outstanding < best.outstanding):
            best = server
    return min(servers, key=lambda server: server.ejected_until_s) if best is None else best


def refused(server: Load, now_s: float) -> None:
    """Leave a server out: for a second, doubled with each refusal in a row, up to half a minute."""
    server.ejected_until_s = now_s + min(EJECTED_S * 2.0 ** min(server.refusals, 10), LONGEST_EJECTED_S)
    server.refusals += 1


def accepted(server: Load) -> None:
    """Let a server in again."""
    server.refusals = 0
    server.ejected_until_s = 0.0
