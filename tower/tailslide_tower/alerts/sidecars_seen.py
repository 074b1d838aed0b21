"""What this Tower hears of sidecars, as the watcher asks for it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from tailslide_tower import times
from tailslide_tower.alerts.watcher import SeenSidecar
from tailslide_tower.sidecars.registry import REMEMBERED_S, Happening, SidecarNews, SidecarRegistry

MOST_REPLACED = 1000
"""So many sidecars are remembered that were replaced; a notice of one is due within seconds."""


class RegistrySidecars:
    """The sidecars of the registry, which leaves out those that stopped in the orderly way."""

    def __init__(self, registry: SidecarRegistry, now: Callable[[], datetime] = times.now) -> None:
        self._registry = registry
        self._now = now
        self._replaced: dict[tuple[str, str], None] = {}
        registry.subscribe(self._hear)

    def _hear(self, news: SidecarNews) -> None:
        name = (news.sidecar.presence.app, news.sidecar.presence.instance)
        self._replaced.pop(name, None)
        # One that the registry forgets before its time has another in its place.
        if news.happening is Happening.FORGOTTEN and self._registry.silent_for_s(news.sidecar) < REMEMBERED_S:
            self._replaced[name] = None
            if len(self._replaced) > MOST_REPLACED:
                del self._replaced[next(iter(self._replaced))]

    def replaced(self) -> Collection[tuple[str, str]]:
        """Return the sidecars, as app and instance, that are gone and have another in their place."""
        return self._replaced.keys()

    def seen(self) -> Sequence[SeenSidecar] | None:
        """Return what the registry remembers; None while Tower hears nothing of sidecars."""
        if not self._registry.listening:
            return None
        now = self._now()
        return [
            SeenSidecar(
                app=sidecar.presence.app,
                instance=sidecar.presence.instance,
                heard_at=now - timedelta(seconds=self._registry.silent_for_s(sidecar)),
                silent=sidecar.silent,
            )
            for sidecar in self._registry
        ]
