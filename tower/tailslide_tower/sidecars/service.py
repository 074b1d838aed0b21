"""Sidecars for the API: pages of them, each with what follows from what it says and from its silence."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from tailslide_core.contracts import Json
from tailslide_core.presence import Presence, presence_json
from tailslide_tower.sidecars.models import Status
from tailslide_tower.sidecars.registry import Sidecar, SidecarRegistry
from tailslide_tower.times import timestamp


class Positioned(Protocol):
    """A place in the bucket of rulesets."""

    def is_seen_by(self, presence: Presence, /) -> bool:
        """Whether a sidecar has taken in what is stored here."""


Latest = Callable[[str], Positioned | None]
"""Returns the last place in the bucket of rulesets that belongs to an app; None where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class SidecarPage:
    """A page of sidecars as JSON, and where to go on."""

    sidecars: list[Json]
    following: str | None
    counts: Counter[Status]
    listening: bool

    def json(self) -> Json:
        """Return the page as the API shows it."""
        return {
            "sidecars": self.sidecars,
            "next": self.following,
            "listening": self.listening,
            "counts": {status.value: self.counts[status] for status in Status},
        }


class SidecarService:
    """What people may know of sidecars."""

    def __init__(self, registry: SidecarRegistry, latest: Latest, *, now_ms: Callable[[], int]) -> None:
        self._registry = registry
        self._latest = latest
        self._now_ms = now_ms

    def status(self, sidecar: Sidecar) -> Status:
        """Return whether a sidecar is heard from, and up to date."""
        if sidecar.silent:
            return Status.SILENT
        latest = self._latest(sidecar.presence.app)
        return Status.CURRENT if latest is None or latest.is_seen_by(sidecar.presence) else Status.BEHIND

    def counts(self) -> Counter[Status]:
        """Return how many sidecars are in each state."""
        return Counter(self.status(sidecar) for sidecar in self._registry)

    def page(self, apps: Iterable[str] | None, after: str, limit: int, *, status: Status | None = None) -> SidecarPage:
        """Return up to `limit` sidecars of `apps`, None being all, whose `<app>.<instance>` come behind `after`.

        With a `status` only those in that state; the counts are of all states.
        """
        known = self._registry.apps()
        wanted = known if apps is None else sorted(set(apps) & set(known))
        found = [sidecar for app in wanted for sidecar in self._registry.of(app)]
        behind = [
            sidecar
            for sidecar in found
            if str(sidecar.presence.sidecar_id) > after and (status is None or self.status(sidecar) is status)
        ]
        # By the text, as `after` compares, and not by app and instance: `a-b.x` comes before `a.x`.
        behind.sort(key=lambda sidecar: str(sidecar.presence.sidecar_id))
        shown = behind[:limit]
        return SidecarPage(
            [self.shown(sidecar) for sidecar in shown],
            str(shown[-1].presence.sidecar_id) if len(behind) > limit else None,
            Counter(self.status(sidecar) for sidecar in found),
            self._registry.listening,
        )

    def shown(self, sidecar: Sidecar) -> Json:
        """Return a sidecar as the API shows it."""
        presence = sidecar.presence
        said = presence_json(presence)
        del said["started_ms"], said["revision_ms"]
        silent_ms = round(self._registry.silent_for_s(sidecar) * 1000)
        return {
            "app": presence.app,
            "instance": presence.instance,
            "status": self.status(sidecar),
            **said,
            "started_at": _moment(presence.started_ms),
            "last_heard_at": _moment(self._now_ms() - silent_ms),
            "silent_ms": silent_ms,
        }


_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, the last one that a calendar has here."""


def _moment(at_ms: int) -> str:
    return timestamp(datetime.fromtimestamp(min(at_ms, _LAST_MS) / 1000, UTC))
