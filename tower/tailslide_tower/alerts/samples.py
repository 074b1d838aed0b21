"""The sample that tries a webhook out: an alert as it would be, marked as one that means nothing. Pure."""

from dataclasses import replace
from datetime import datetime

from tailslide_core.breach import TripReason, TripRule
from tailslide_core.circuit import Circuit, State
from tailslide_core.contracts import circuit_json
from tailslide_tower.alerts.messages import Message
from tailslide_tower.alerts.occasions import Happening, Scope
from tailslide_tower.alerts.texts import message_of

NOTE = "This is a sample, sent to try the webhook out. Nothing has happened."
SAMPLE_APP, SAMPLE_FLAG = "checkout", "new-checkout"


def sample_of(scope: Scope, now: datetime, *, tower_url: str | None) -> Message:
    """Return what a webhook of this scope would be told of a circuit that has opened just now."""
    now_ms = int(now.timestamp() * 1000)
    opened = Circuit(
        state=State.OPEN,
        percentage=0.0,
        trips=1,
        generation=1,
        since_ms=now_ms,
        next_ms=now_ms + 30_000,
        reason=TripReason(TripRule.ERROR_RATE, 62.0, 53.1, 50.0, 141, 10_000),
    )
    happening = Happening(
        entry=0,
        at=now,
        action="circuit.opened",
        app=scope.app or SAMPLE_APP,
        flag=scope.flag or SAMPLE_FLAG,
        before=circuit_json(Circuit()),
        after=circuit_json(opened),
    )
    message = message_of(happening, now, tower_url=tower_url)
    return replace(
        message,
        title=f"Sample: {message.title}",
        lines=(NOTE, *message.lines),
        facts={**message.facts, "sample": True},
    )
