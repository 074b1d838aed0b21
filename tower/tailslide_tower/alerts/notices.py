"""Notices: what nobody would notice otherwise, as it stands in the log. Pure; what leads to them is in `watcher`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tailslide_tower.times import timestamp

NO_NATS = "nats_unreachable"
NO_AEROBAT = "no_aerobat"

MOST_KEPT = 100
"""So many instances are named in one notice."""


@dataclass(frozen=True, slots=True)
class NothingJudged:
    """No circuit is judged, or is again: since when it was not, and as far as known why."""

    cause: str | None
    since: datetime | None

    def json(self) -> dict[str, object]:
        """Return what the log keeps."""
        return {"cause": self.cause, "since": None if self.since is None else timestamp(self.since)}

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "NothingJudged":
        """Read what the log kept, as far as it can be read."""
        cause = kept.get("cause")
        return cls(cause if isinstance(cause, str) else None, _moment(kept.get("since")))


@dataclass(frozen=True, slots=True)
class LostSidecars:
    """Sidecars of one app that were lost, or are back: their number, the first of them by name, since when."""

    count: int
    instances: tuple[str, ...]
    since: datetime | None

    def json(self) -> dict[str, object]:
        """Return what the log keeps."""
        return {
            "count": self.count,
            "instances": list(self.instances[:MOST_KEPT]),
            "since": None if self.since is None else timestamp(self.since),
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "LostSidecars":
        """Read what the log kept, as far as it can be read."""
        names = kept.get("instances")
        instances = tuple(str(name) for name in names) if isinstance(names, list) else ()
        count = kept.get("count")
        return cls(count if isinstance(count, int) else len(instances), instances, _moment(kept.get("since")))


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
