"""The marks by which Aerobat knows which flags to read: two sets for each app, as `naming` has them. Pure.

Only the command is here; when each mark is written is `timeseries`. Reading marks, and dating them, is Aerobat's. Why
there are any: `docs/decisions/0011` and `0024`.
"""

from collections.abc import Iterable

Command = tuple[str | int, ...]

NEEDS = "SADD on keys ts:{<app>}:*"
"""What a user of Redis has to be allowed for it."""


def mark(key: str, flags: Iterable[str]) -> Command:
    """Return the command that notes flags in a set."""
    return ("SADD", key, *sorted(flags))
