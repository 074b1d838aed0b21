"""What the live socket asks of the rest of Tower, each as a port; the adapters are in `adapters`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tailslide_core.naming import FlagId
from tailslide_tower.auth.principal import Principal

Json = dict[str, Any]
Unsubscribe = Callable[[], None]


@dataclass(frozen=True, slots=True)
class LiveEntry:
    """What the live socket needs of an entry of the log; `shown` is what clients get of it."""

    id: int
    kind: str
    app: str | None
    key: str | None
    action: str
    shown: Json

    @property
    def flag_id(self) -> FlagId | None:
        """Return the flag that it is about; None if it is about something else."""
        if self.kind in {"flag", "circuit"} and self.app is not None and self.key is not None:
            return FlagId(self.app, self.key)
        return None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The ids of the oldest and of the newest entry of the log; 0 and 0 when it is empty."""

    oldest: int
    newest: int


class LogReader(Protocol):
    """Who reads the log. Raises `DatabaseUnavailableError`."""

    async def after(self, entry_id: int, limit: int) -> Sequence[LiveEntry]:
        """Return up to `limit` entries behind an id, oldest first."""

    async def bounds(self) -> Bounds:
        """Return how far the log reaches."""


class FlagViews(Protocol):
    """Flags as the API shows them. Raises `DatabaseUnavailableError`."""

    async def some(self, flag_ids: Collection[FlagId]) -> Mapping[FlagId, Json]:
        """Return those of the flags that exist."""

    async def page(
        self, apps: Collection[str] | None, after: FlagId | None, limit: int
    ) -> Sequence[tuple[FlagId, Json]]:
        """Return up to `limit` flags of `apps`, None being all, in the order of their ids, those behind `after`."""


class FlagNews(Protocol):
    """Who hears that flags are published or that their circuits move."""

    def subscribe(self, subscriber: Callable[[FlagId], None]) -> Unsubscribe:
        """Call `subscriber` with each flag whose state may differ now; it must not wait."""


SidecarKey = tuple[str, str]
"""An app and an instance."""


class SidecarViews(Protocol):
    """Sidecars as the API shows them."""

    def subscribe(self, subscriber: Callable[[SidecarKey], None]) -> Unsubscribe:
        """Call `subscriber` with each sidecar that differs now; it must not wait."""

    def some(self, keys: Collection[SidecarKey]) -> Mapping[SidecarKey, Json]:
        """Return those that are known."""

    def of(self, apps: Collection[str] | None) -> Mapping[SidecarKey, Json]:
        """Return all of `apps`, None being all."""


class Socket(Protocol):
    """A WebSocket that is open."""

    async def send(self, text: str) -> None:
        """Send a text message; returns when there is room for more. Raises `ConnectionError` when it is gone."""

    async def receive(self) -> str | None:
        """Return the next text message; None when the other side has ended it."""

    async def close(self, code: int, reason: str) -> None:
        """End it, within a bound."""


class Credential(Protocol):
    """What somebody has come in with."""

    async def principal(self) -> Principal | None:
        """Return who that is as of now; None when it is no longer good for anything."""
