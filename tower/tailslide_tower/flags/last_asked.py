"""Whether anything still asks for a flag, so that archiving it would send callers to their own defaults.

Who knows that is elsewhere: evaluations are counted in RedisTimeSeries, and sidecars say of which flags their routes
are.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tailslide_runtime.http import ApiError
from tailslide_tower.times import timestamp

DAY_MS = 86_400_000
RECENT_DAYS = 7
_NAMED = 5
"""So many flags are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """When a flag was last asked for (Unix milliseconds; None: not lately), and which sidecars have a route with it."""

    at_ms: int | None = None
    routed_by: tuple[str, ...] = ()
    """Instances of sidecars."""


class LastAskedUnknownError(Exception):
    """It cannot be known now when flags were last asked for; the text says why."""


class LastAsked(Protocol):
    """Who knows when flags were last asked for."""

    async def last_asked(self, app: str, flags: Mapping[str, Collection[str]]) -> Mapping[str, Asked]:
        """Return what is known of an app's flags, given with their variants, of those that something may ask for.

        Raises `LastAskedUnknownError`.
        """


async def refuse_if_asked_for(
    last_asked: LastAsked, app: str, flags: Mapping[str, Collection[str]], now: datetime, *, code: str
) -> None:
    """Raise a 409 with `code` while something may still ask for one of an app's flags, given with their variants."""
    if not flags:
        return
    try:
        asked = await last_asked.last_asked(app, flags)
    except LastAskedUnknownError as error:
        problem = f"it is not known whether something still asks for it: {error}"
        raise ApiError(409, code, f"{problem}; {_FORCE}", "force", more={"last_asked": None}) from error
    since_ms = int(now.timestamp() * 1000) - RECENT_DAYS * DAY_MS
    recent = {
        flag: each
        for flag in sorted(flags)
        if (each := asked.get(flag)) is not None and (each.routed_by or (each.at_ms or 0) >= since_ms)
    }
    if recent:
        said = "; ".join(_said(flag, each) for flag, each in list(recent.items())[:_NAMED])
        more = f"; and {len(recent) - _NAMED} more" if len(recent) > _NAMED else ""
        moments = {flag: _moment(each.at_ms) for flag, each in recent.items()}
        raise ApiError(409, code, f"{said}{more}; {_FORCE}", "force", more={"last_asked": moments})


_FORCE = "callers would get their own defaults; set force to true to do it anyway"


def _said(flag: str, asked: Asked) -> str:
    by = f"sidecars have a route with {flag!r} ({', '.join(asked.routed_by[:3])})" if asked.routed_by else ""
    at = f"{flag!r} was last asked for at {_moment(asked.at_ms)}" if asked.at_ms is not None else ""
    return ", and ".join(part for part in (at, by) if part)


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else timestamp(datetime.fromtimestamp(at_ms / 1000, UTC))
