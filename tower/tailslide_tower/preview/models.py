"""What is asked of a preview, and what it says."""

from typing import Literal, get_args

from pydantic import BaseModel, Field

from tailslide_tower.flags.models import CircuitFields
from tailslide_tower.requests import RequestBody
from tailslide_tower.timeseries.models import Points

PreviewRange = Literal["1h", "24h"]
PREVIEW_RANGES: dict[str, tuple[int, int]] = {"1h": (3_600_000, 250), "24h": (86_400_000, 10_000)}
"""How far back, and the width of buckets, in milliseconds: as fine as circuits are judged, or as is kept of a day."""
assert set(get_args(PreviewRange)) == set(PREVIEW_RANGES), "the names are there twice since OpenAPI takes literals only"


class PreviewAsked(RequestBody):
    """Settings of the flag's circuit, as in a change of it: what is not given stays as it is."""

    circuit: CircuitFields = CircuitFields()
    range: PreviewRange = "1h"


class TripReasonOut(BaseModel):
    """Why a circuit opened: percentages over `calls` calls of the last `window_ms`."""

    rule: str
    observed: float
    lower_bound: float
    threshold: float
    calls: int
    window_ms: int


class SimulatedTransitionOut(BaseModel):
    """One move of the simulated circuit; `reason` with those that opened it. `lasted_ms`: to the next, or the end."""

    at_ms: int
    signal: str
    state: str
    percentage: float
    lasted_ms: int
    reason: TripReasonOut | None


class AvoidedOut(BaseModel):
    """Calls that would not have reached the feature, an estimate: failed ones, and good ones that went with them."""

    failures: float
    successes: float
    estimate: Literal[True] = True


class LimitOut(BaseModel):
    """What the preview does not know: a code for programs, a sentence for people."""

    code: str
    message: str


class PreviewOut(BaseModel):
    """What the settings would have done."""

    app: str
    flag: str
    points: Points
    settings: dict[str, object] = Field(description="The settings of the circuit that were tried, in full.")
    counted: bool = Field(description="Whether calls of the flag are counted at all.")
    calls: int
    failures: int
    opened: int = Field(description="How often it would have opened.")
    open_ms: int
    recovering_ms: int
    state: str = Field(description="The state at the end.")
    transitions: list[SimulatedTransitionOut]
    omitted_transitions: int = Field(description="Transitions before those that are listed.")
    avoided: AvoidedOut
    limits: list[LimitOut]
