"""A flag's state as the API shows it, beside the flag itself."""

from typing import Literal

from pydantic import BaseModel, Field


class ReasonOut(BaseModel):
    """Why a circuit opened, in numbers: percentages 0 to 100."""

    rule: str
    observed: float
    threshold: float
    calls: int
    window_ms: int
    sentence: str


class OpeningOut(BaseModel):
    """The last time that a circuit opened. `closed_at` is null while it has not closed, or that was not seen."""

    at: str | None
    reason: ReasonOut | None
    closed_at: str | None


class CircuitStateOut(BaseModel):
    """What Aerobat has said, and what it counts as: a circuit that a person has reset or forced open differs.

    `next` is when time alone will move it on at the earliest.
    """

    state: Literal["closed", "open", "recovering"]
    percentage: float
    forced_open: bool
    since: str | None
    next: str | None
    trips: int
    reason: ReasonOut | None = Field(description="Why it last opened; forgotten once it has been closed for a while.")
    last_opening: OpeningOut | None
    as_of: str | None = Field(description="When this was last known to be so; null while it is kept up to date.")


class MissingOut(BaseModel):
    """A sidecar in which the last change is not known to have arrived."""

    instance: str
    why: Literal["silent", "behind", "refused"]
    last_heard_at: str


class ArrivedOut(BaseModel):
    """In how many sidecars of the app the last change has arrived. At most 100 missing ones are named."""

    arrived: int
    of: int
    missing: list[MissingOut]
    changed_at: str


class FlagStateOut(BaseModel):
    """What is true of a flag now. `sentence` is in UTC; `parts` has moments and ages as numbers (Unix milliseconds)."""

    state: Literal["on", "off", "open", "recovering", "held_off", "arriving", "unknown"]
    word: str
    settled: Literal["on", "off", "open", "recovering", "held_off", "unknown"]
    sentence: str
    parts: list[list[dict[str, object]]]
    circuit: CircuitStateOut | None
    arrived: ArrivedOut
    published: bool | None = Field(description="False: not yet published. Null: not known, for want of NATS.")
