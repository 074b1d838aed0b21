"""The sidecars that this Tower has heard from within a day, by its own clock. In memory, and not kept across restarts.

A sidecar writes its entry every ten seconds; the bucket forgets it after thirty, of which a watcher is not told. So
age is judged here: by how long ago an entry came, as far as Tower was listening itself. While Tower hears nothing of
NATS, no sidecar becomes silent; and a connection made anew gives each of them the same thirty seconds again.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

import structlog

from tailslide_core.errors import ContractError
from tailslide_core.naming import SidecarId
from tailslide_core.presence import PRESENCE_TTL_MS, Presence, decode_presence
from tailslide_runtime.bucket_watch import Entry, Listing

log = structlog.get_logger()

REMEMBERED_S = 86_400.0
SILENT_AFTER_S = PRESENCE_TTL_MS / 1000
MAX_SIDECARS_OF_APP = 5_000
"""More are not remembered; those that were silent for the longest are forgotten first."""


class Happening(StrEnum):
    """What can be told of a sidecar."""

    APPEARED = "appeared"
    CHANGED = "changed"
    """It has said something new, if only that it is still there."""
    SILENT = "silent"
    """It has not been heard from for thirty seconds."""
    BACK = "back"
    """It was silent, and was heard from again."""
    LEFT = "left"
    """It has stopped in order."""
    FORGOTTEN = "forgotten"
    """It was silent for a day, or another has taken its place."""


@dataclass(slots=True)
class Sidecar:
    """A sidecar as it was last heard from. `heard_at` is in seconds of the registry's clock."""

    presence: Presence
    revision: int
    """Of its entry in the bucket. Together with the instance it names what was last heard, at every Tower alike."""
    heard_at: float
    silent: bool = False


@dataclass(frozen=True, slots=True)
class SidecarNews:
    """What has happened to a sidecar; `sidecar` is as it was last heard from."""

    happening: Happening
    sidecar: Sidecar


_Place = tuple[str, str, tuple[str, ...]]


def _place(sidecar: Sidecar) -> _Place:
    presence = sidecar.presence
    return presence.app, presence.host, presence.listeners


Subscriber = Callable[[SidecarNews], None]


class SidecarRegistry:
    """What is known of all sidecars. Subscribers are called at once, and must not wait for anything."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, silent_after_s: float = SILENT_AFTER_S) -> None:
        """`clock` gives seconds that only grow."""
        self._clock = clock
        self._silent_after_s = silent_after_s
        self._apps: dict[str, dict[str, Sidecar]] = {}
        self._subscribers: list[Subscriber] = []
        self._listening_since: float | None = None
        self._refused: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<SidecarRegistry {sum(map(len, self._apps.values()))} sidecars, listening={self.listening}>"

    @property
    def listening(self) -> bool:
        """Whether Tower hears of sidecars now."""
        return self._listening_since is not None

    def listens(self, listening: bool) -> None:
        """Note whether entries would be heard from now on."""
        if not listening:
            self._listening_since = None
        elif self._listening_since is None:
            self._listening_since = self._clock()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with all that happens, until what is returned is called."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def take(self, item: Listing | Entry) -> None:
        """Take in what the watch of the bucket has seen. What a listing lacks has expired, and is judged by its age."""
        for entry in item.entries.values() if isinstance(item, Listing) else (item,):
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        try:
            sidecar_id = SidecarId.parse(entry.key)
            if entry.value is None:
                self._remove(sidecar_id, Happening.LEFT)
                return
            presence = _entry_of(sidecar_id, entry.value)
        except ContractError as error:
            if self._refused.get(entry.key) != entry.revision:
                self._refused = {entry.key: entry.revision}
                log.debug("sidecar_entry_refused", key=entry.key[:200], error=str(error))
            return
        self._heard(sidecar_id, presence, entry.revision)

    def _heard(self, sidecar_id: SidecarId, presence: Presence, revision: int) -> None:
        sidecars = self._apps.setdefault(sidecar_id.app, {})
        known = sidecars.get(sidecar_id.instance)
        if known is None:
            self._make_room(sidecars)
            sidecar = sidecars[sidecar_id.instance] = Sidecar(presence, revision, self._clock())
            self._tell(Happening.APPEARED, sidecar)
            return
        if known.revision == revision and known.presence == presence:
            return  # a listing repeats what was heard
        happening = Happening.BACK if known.silent else Happening.CHANGED
        known.presence, known.revision, known.heard_at, known.silent = presence, revision, self._clock(), False
        self._tell(happening, known)

    def _make_room(self, sidecars: dict[str, Sidecar]) -> None:
        while len(sidecars) >= MAX_SIDECARS_OF_APP:
            oldest = min(sidecars.values(), key=lambda sidecar: sidecar.heard_at)
            self._remove(oldest.presence.sidecar_id, Happening.FORGOTTEN)

    def look(self) -> None:
        """Find out which sidecars have become silent, and forget those that were for a day. To be called every second.

        A silent one is forgotten as soon as another process of the app listens where it did.
        """
        now = self._clock()
        successors = self._successors()
        for sidecar in list(self):
            became_silent = not sidecar.silent and self._is_silent(sidecar, now)
            sidecar.silent = sidecar.silent or became_silent
            replaced = sidecar.silent and successors.get(_place(sidecar), 0) > sidecar.presence.started_ms
            if replaced or now - sidecar.heard_at > REMEMBERED_S:
                self._remove(sidecar.presence.sidecar_id, Happening.FORGOTTEN)
            elif became_silent:
                self._tell(Happening.SILENT, sidecar)

    def _successors(self) -> dict[_Place, int]:
        """Return where sidecars listen that are heard from, and when the youngest there has started."""
        found: dict[_Place, int] = {}
        for sidecar in self:
            if not sidecar.silent:
                found[_place(sidecar)] = max(found.get(_place(sidecar), 0), sidecar.presence.started_ms)
        return found

    def _is_silent(self, sidecar: Sidecar, now: float) -> bool:
        if self._listening_since is None:
            return False
        return now - max(sidecar.heard_at, self._listening_since) > self._silent_after_s

    def _remove(self, sidecar_id: SidecarId, happening: Happening) -> None:
        sidecars = self._apps.get(sidecar_id.app, {})
        sidecar = sidecars.pop(sidecar_id.instance, None)
        if not sidecars:
            self._apps.pop(sidecar_id.app, None)
        if sidecar is not None:
            self._tell(happening, sidecar)

    def _tell(self, happening: Happening, sidecar: Sidecar) -> None:
        news = SidecarNews(happening, sidecar)
        for subscriber in list(self._subscribers):
            subscriber(news)

    def __iter__(self) -> Iterator[Sidecar]:
        """Return all sidecars, in no order."""
        for sidecars in self._apps.values():
            yield from sidecars.values()

    def of(self, app: str) -> list[Sidecar]:
        """Return the sidecars of an app, by their instances."""
        return [sidecar for _, sidecar in sorted(self._apps.get(app, {}).items())]

    def apps(self) -> list[str]:
        """Return the apps that have any, sorted."""
        return sorted(self._apps)

    def lost(self, apps: Collection[str] | None) -> int:
        """Return how many sidecars of these apps (None: of all) are not heard from any more without having said so."""
        return sum(each.silent for each in self if apps is None or each.presence.app in apps)

    def silent_for_s(self, sidecar: Sidecar) -> float:
        """Return how long ago a sidecar was last heard from, in seconds."""
        return max(0.0, self._clock() - sidecar.heard_at)


def _entry_of(sidecar_id: SidecarId, value: bytes) -> Presence:
    presence = decode_presence(value)
    if presence.sidecar_id != sidecar_id:
        raise ContractError("instance", f"expected the entry of {sidecar_id}, got that of {presence.sidecar_id}")
    return presence
