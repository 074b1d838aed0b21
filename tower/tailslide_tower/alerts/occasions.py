"""On which occasions webhooks are told of which entries of the log. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Occasion(StrEnum):
    """What a webhook may be told of."""

    OPENED = "opened"
    RECOVERING = "recovering"
    CLOSED = "closed"
    REOPENED = "reopened"
    RESET = "reset"
    TOGGLED = "toggled"
    CHANGED = "changed"
    NOTHING_JUDGED = "nothing_judged"
    """No Aerobat judges circuits, or NATS cannot be reached; and that this is over."""
    SIDECAR_LOST = "sidecar_lost"
    """A sidecar has not been heard from though it did not stop cleanly; and that it is back."""


DEFAULT_OCCASIONS = (Occasion.OPENED, Occasion.REOPENED, Occasion.CLOSED, Occasion.NOTHING_JUDGED)

ACTIONS: Mapping[str, Occasion] = {
    "circuit.opened": Occasion.OPENED,
    "circuit.recovering": Occasion.RECOVERING,
    "circuit.closed": Occasion.CLOSED,
    "circuit.reopened": Occasion.REOPENED,
    "circuit.reset": Occasion.RESET,
    "flag.toggled": Occasion.TOGGLED,
    "flag.changed": Occasion.CHANGED,
    "flag.rolled_back": Occasion.CHANGED,
    "flag.archived": Occasion.CHANGED,
    "flag.restored": Occasion.CHANGED,
    "flag.deleted": Occasion.CHANGED,
    "notice.nothing_judged": Occasion.NOTHING_JUDGED,
    "notice.judged_again": Occasion.NOTHING_JUDGED,
    "notice.sidecar_lost": Occasion.SIDECAR_LOST,
    "notice.sidecar_back": Occasion.SIDECAR_LOST,
}
"""By action of the log. All other actions concern no webhook."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An entry of the log, as far as alerts look at it."""

    entry: int
    at: datetime
    action: str
    app: str | None = None
    flag: str | None = None
    author: str | None = None
    """Who did it, for people; None where nobody did."""
    reason: str | None = None
    before: Mapping[str, Any] | None = field(default=None, hash=False)
    after: Mapping[str, Any] | None = field(default=None, hash=False)
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sentence: str = ""
    """What the log says of it in words, where somebody has read it to tell it."""

    @property
    def occasion(self) -> Occasion | None:
        """Return on which occasion webhooks hear of this; None when none does.

        A circuit is said to recover once, when its first users come back, and not with each step. That a person asked
        for a reset is in the log as well as the transition that it led to; the transition is what is told, and only
        where the circuit was not closed already. A flag may also be turned on or off by a change of its fields, or by
        going back to an earlier version.
        """
        occasion, state = ACTIONS.get(self.action), (self.before or {}).get("state")
        if occasion is Occasion.RECOVERING and state == "recovering":
            return None
        if occasion is Occasion.RESET and state not in ("open", "recovering"):
            return None
        if occasion is Occasion.CHANGED and self._switched:
            return Occasion.TOGGLED
        return occasion

    @property
    def _switched(self) -> bool:
        before, after = (self.before or {}).get("active"), (self.after or {}).get("active")
        return isinstance(before, bool) and isinstance(after, bool) and before is not after

    @property
    def moved_users(self) -> bool:
        """Whether this is a transition after which other users got the flag than before."""
        before, after = self.before or {}, self.after or {}
        return before.get("state") != after.get("state") or before.get("percentage") != after.get("percentage")

    @property
    def occasions(self) -> frozenset[Occasion]:
        """Return the occasions on which webhooks hear of this.

        A circuit that a person reset has closed, too, and a change that turned the flag on or off is a change.
        """
        occasion = self.occasion
        if occasion is None:
            return frozenset()
        if occasion is Occasion.RESET:
            return frozenset({occasion, Occasion.CLOSED})
        return frozenset({occasion, ACTIONS[self.action]})


@dataclass(frozen=True, slots=True)
class Scope:
    """What a webhook is about: one flag, one app (`flag` is None), or everything (`app` is None, too)."""

    app: str | None = None
    flag: str | None = None

    def covers(self, happening: Happening) -> bool:
        """Whether something concerns what the webhook is about.

        What concerns all apps concerns each of them, and what concerns an app each of its flags: where nothing is
        judged, this flag is not either.
        """
        if self.app is None or happening.app is None:
            return True
        if self.app != happening.app:
            return False
        return self.flag is None or happening.flag is None or self.flag == happening.flag
