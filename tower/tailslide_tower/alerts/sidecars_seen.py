"""What this Tower hears of sidecars, as the watcher asks for it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tailslide_tower import times
from tailslide_tower.alerts.watcher import SeenSidecar
from tailslide_tower.sidecars.registry import SidecarRegistry


class RegistrySidecars:
    """The sidecars of the registry, which leaves out those that stopped in the orderly way."""

    def __init__(self, registry: SidecarRegistry, now: Callable[[], datetime] = times.now) -> None:
        self._registry = registry
        self._now = now

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
