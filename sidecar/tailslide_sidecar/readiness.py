"""Whether the sidecar can answer, and how old what it answers from may be. Pure.

Once ready it stays ready: losing NATS makes the answers older, not worse than no answers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tailslide_sidecar.flag_store import Origin

NOT_READY = "NOT_READY"
"""The code, and the reason of a proxied call, while nothing is known of any flag."""
ENDING = "ENDING"
"""The code after SIGTERM, while calls are still answered."""
NOTHING_LOADED = "no rulesets are loaded yet, neither from JetStream nor from a snapshot"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is answered from, and how old that may be.

    `age_ms` is the time since NATS was last heard of in both buckets, up to two seconds when all is well, or since the
    snapshot that all came from was what NATS said. `connected` is false after five seconds of silence, be the
    connection open or not. Of a flags file, it is the time since the file last said what is answered, and `connected`
    is false while it does not.
    """

    origin: Origin
    age_ms: int
    connected: bool
    published: bool | None = None
    """Whether Tower has ever published the app; None while NATS has not told."""
    problem: str | None = None
    """What is amiss with the flags file as it is, so that the one before it is answered from."""


class FlagsFileState(Protocol):
    """What is known of a flags file; the fields are those of `FlagsSource`."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def problem(self) -> str | None:
        """Why it cannot be taken as it is."""

    @property
    def loaded(self) -> int:
        """How often it was taken."""

    @property
    def refused(self) -> int:
        """How often it was not."""

    @property
    def loaded_at(self) -> float:
        """When it was last taken, in seconds since the epoch."""


def readiness(
    origin: Origin | None,
    *,
    connected: bool,
    silent_for_s: float,
    snapshot_age_s: float | None,
    published: bool | None = None,
    problem: str | None = None,
) -> Readiness | None:
    """Return what `/readyz` says, or None while no rulesets are loaded. Ages are in seconds, of the caller's clocks."""
    if origin is None:
        return None
    age_s = snapshot_age_s or 0.0 if origin is Origin.SNAPSHOT else silent_for_s
    return Readiness(origin, max(0, round(age_s * 1000)), connected, published, problem)


def problem_of(app: str, published: bool | None) -> str | None:
    """Return what is amiss with an app that has no flags because nobody has made it."""
    if published is not False:
        return None
    return f"Tower has never published the app {app}: create it in Tower, or correct app in the sidecar's file"
