"""Whether the sidecar can answer, and how old what it answers from may be. Pure.

Once ready it stays ready: losing NATS makes the answers older, not worse than no answers.
"""

from dataclasses import dataclass

from tailslide_sidecar.flag_store import Origin


@dataclass(frozen=True, slots=True)
class Readiness:
    """`age_ms` is the time since the last contact with NATS, or since the snapshot that all came from was saved."""

    origin: Origin
    age_ms: int
    connected: bool


def readiness(
    origin: Origin | None, *, connected: bool, away_for_s: float, snapshot_age_s: float | None
) -> Readiness | None:
    """Return what `/readyz` says, or None while no rulesets are loaded. Ages are in seconds, of the caller's clocks."""
    if origin is None:
        return None
    age_s = away_for_s if origin is Origin.JETSTREAM else snapshot_age_s or 0.0
    return Readiness(origin, max(0, round(age_s * 1000)), connected)
