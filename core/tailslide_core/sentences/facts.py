"""What has to be known to say a flag's state in words. What is missing is said, and never taken for zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tailslide_core.breach import TripReason
from tailslide_core.circuit import Circuit
from tailslide_core.ruleset import Ruleset
from tailslide_core.windows import WindowCounts


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person did to a flag: turned it off, made it turned off, forced its circuit open, or archived it.

    `who` None is not known; `reason` is what they gave as one. `at_ms` is Unix milliseconds.
    """

    at_ms: int
    who: str | None = None
    reason: str | None = None
    created: bool = False
    """Whether the flag has been off since it was made."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The last time that a flag's circuit opened, which is kept visible after it has closed. Unix milliseconds."""

    at_ms: int
    reason: TripReason | None
    closed_ms: int | None = None
    """When it closed again; None while it has not, and where that is not known."""


class Missing(StrEnum):
    """Why a change is not known to have arrived in a sidecar."""

    SILENT = "silent"
    """It has not been heard from for longer than the time to live of its entry."""
    BEHIND = "behind"
    """It is heard from, and still answers from before the change."""
    REFUSED = "refused"
    """It has seen the change and cannot read it."""


@dataclass(frozen=True, slots=True)
class MissingSidecar:
    """A sidecar in which a change is not known to have arrived."""

    instance: str
    why: Missing
    heard_ms: int
    """When it was last heard from, Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far the last change of a flag has come: in `arrived` of `of` sidecars of its app.

    `published` is whether it is in the bucket that sidecars read, None where that is not known; until then it has
    arrived nowhere, and `problem` may say why it is not.
    """

    arrived: int
    of: int
    missing: tuple[MissingSidecar, ...] = ()
    changed_ms: int | None = None
    published: bool | None = True
    problem: str | None = None

    @property
    def on_its_way(self) -> bool:
        """Whether it is still to be expected in sidecars that are heard from."""
        return self.published is False or any(sidecar.why is not Missing.SILENT for sidecar in self.missing)


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """A flag as it is known at one moment. Times are Unix milliseconds."""

    ruleset: Ruleset
    circuit: Circuit | None = None
    """What Aerobat has said last; None where it has said nothing."""
    circuit_known: bool = True
    """Whether `circuit` can be relied on: False while nothing has been read of circuits."""
    circuit_as_of_ms: int | None = None
    """When `circuit` was last known to be so, where NATS cannot be reached since; None while it can."""
    counts: Sequence[WindowCounts] | None = None
    """Calls of the feature over windows that end now, shortest first; None where nobody has asked for them."""
    counts_readable: bool = True
    """False where they were asked for in vain."""
    step_counts: WindowCounts | None = None
    """Calls of the present recovery step."""
    deed: Deed | None = None
    """Who turned the flag off, forced its circuit open or archived it, where it is so."""
    last_opening: Opening | None = None
    """From the log of transitions; without it, what the circuit itself remembers is said."""
    arrival: Arrival | None = None
    archived_ms: int | None = None
    """Since when the flag, or its app, is archived, so that sidecars do not get it; None while it is not."""
    as_of_ms: int | None = None
    """When all of this was last known to be so, where it is no longer kept up to date; None while it is."""
