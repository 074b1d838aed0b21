"""Sidecars for the live socket, out of the registry of those that this Tower hears of.

A sidecar says every ten seconds that it is still there; clients are told only when something else about it has changed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tailslide_tower.live.sources import SidecarKey, Unsubscribe
from tailslide_tower.sidecars.registry import Happening, Sidecar, SidecarNews, SidecarRegistry
from tailslide_tower.sidecars.service import SidecarService

Json = dict[str, Any]

_ENDS = (Happening.LEFT, Happening.FORGOTTEN)
_VOLATILE = ("age_ms", "last_heard_at", "silent_ms")
"""What is another one each time that a sidecar is looked at."""


class RegistryViews:
    """The sidecars of a registry, as the API shows them."""

    def __init__(self, registry: SidecarRegistry, service: SidecarService) -> None:
        self._registry = registry
        self._service = service
        self._told: dict[SidecarKey, Json] = {}

    def subscribe(self, subscriber: Callable[[SidecarKey], None]) -> Unsubscribe:
        """Call `subscriber` with each sidecar that differs by more than its age."""

        def heard(news: SidecarNews) -> None:
            key = _key(news.sidecar)
            if news.happening in _ENDS:
                self._told.pop(key, None)
            else:
                shown = self._service.shown(news.sidecar)
                lasting = {name: value for name, value in shown.items() if name not in _VOLATILE}
                if self._told.get(key) == lasting:
                    return
                self._told[key] = lasting
            subscriber(key)

        return self._registry.subscribe(heard)

    def some(self, keys: Collection[SidecarKey]) -> Mapping[SidecarKey, Json]:
        """Return those that are known."""
        wanted = set(keys)
        return {key: shown for key, shown in self.of({app for app, _ in wanted}).items() if key in wanted}

    def of(self, apps: Collection[str] | None) -> Mapping[SidecarKey, Json]:
        """Return all of `apps`, None being all."""
        known = self._registry.apps() if apps is None else apps
        found = [sidecar for app in known for sidecar in self._registry.of(app)]
        return {_key(sidecar): self._service.shown(sidecar) for sidecar in found}


def _key(sidecar: Sidecar) -> SidecarKey:
    return sidecar.presence.app, sidecar.presence.instance
