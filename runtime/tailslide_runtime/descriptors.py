"""File descriptors of this process: how many it may have, and how many it has. A connection takes one."""

import os
import resource
from pathlib import Path

_OPEN = Path("/proc/self/fd")
_RESERVE = 128
"""For everything but connections of clients: listeners, logs, NATS, Redis, the snapshot."""
_ENOUGH = 1_048_576
"""Where nothing limits them."""


def raise_limit() -> int:
    """Raise the soft limit to the hard one, as far as the system lets us; return what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS has a lower limit of its own; the soft one stays
            return soft
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def limit() -> int:
    """Return how many there may be."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def open_count() -> int | None:
    """Return how many are open; None where the system does not tell."""
    try:
        return len(os.listdir(_OPEN))  # noqa: PTH208 # a path object for each would be garbage at once
    except OSError:
        return None


def beside_others(descriptors: int, wanted: int) -> int:
    """Return how many clients a listener may have that needs no upstreams, beside one that does: at most a quarter."""
    return max(min(wanted, (descriptors - _RESERVE) // 4), 1)


def connections_for(descriptors: int) -> int:
    """Return how many clients so many descriptors are enough for, each with a connection to an upstream."""
    return max((descriptors - _RESERVE) // 2, 1)
