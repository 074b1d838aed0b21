"""What people ask when they try a flag out, and what they are told."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from tailslide_core.circuit import State
from tailslide_core.decisions import Reason
from tailslide_core.explanation import Line, Outcome
from tailslide_tower.flags.models import FlagChange, ShareFields, says
from tailslide_tower.requests import RequestBody

MAX_CONTEXTS = 100
MAX_KEYS = 1_000
MAX_KEY_CHARACTERS = 1_024
"""As many as a sidecar takes."""

AskedKey = Annotated[str, Field(max_length=MAX_KEY_CHARACTERS)]


class AskedContext(RequestBody):
    """One user; without a targeting key, as of a call that does not say whose it is."""

    targeting_key: Annotated[AskedKey | None, says("Who asks.")] = None
    attributes: Annotated[dict[str, object], says("What rules may ask for, as sidecars get it.")] = Field(
        default_factory=dict
    )


class EvaluateFlag(RequestBody):
    """For whom a flag is tried out: either `contexts` or `targeting_keys`."""

    contexts: Annotated[
        list[AskedContext] | None, says("Users with attributes.", minItems=1, maxItems=MAX_CONTEXTS)
    ] = None
    targeting_keys: Annotated[
        list[AskedKey] | None, says("Users of whom only the key matters.", minItems=1, maxItems=MAX_KEYS)
    ] = None
    flag: Annotated[
        FlagChange | None, says("A change of the flag that is tried out and not saved; null is the flag as it is.")
    ] = None


class ToldConditionOut(BaseModel):
    """A condition, and what it came to."""

    attribute: str
    operator: str
    values: list[Any] = Field(description="At most 20 of them.")
    negate: bool
    ignore_case: bool
    value: str | None = Field(description="The attribute's value as JSON, cut off where it is long; null: missing.")
    outcome: Outcome


class ToldRolloutOut(BaseModel):
    """Whether the user is in by a rollout, and what the split gives."""

    rollout: float
    percentage: float = Field(description="What a recovering circuit leaves of the rollout; else 100.")
    key: str | None = Field(description="What users are bucketed by; null: missing.")
    bucket: int | None = Field(description="The user's, from 0 to 99,999.")
    limit: float = Field(description="Users are in whose bucket is below it.")
    is_in: bool | None = Field(description="null: the key is missing.")
    split: list[ShareFields]
    split_bucket: int | None
    variant: str | None = Field(description="What the split gives this user if in.")


class ToldRuleOut(BaseModel):
    """A rule, and each of its conditions."""

    name: str
    conditions: list[ToldConditionOut]
    matched: bool = Field(description="Whether all conditions hold.")
    decides: bool = Field(description="Whether it is the first that matches.")
    rollout: ToldRolloutOut


class ToldRequirementOut(BaseModel):
    """A prerequisite, and the other flag's answer."""

    flag: str
    variants: list[str] = Field(description="Those that count.")
    met: bool | None = Field(description="null: it depends on the targeting key, which is missing.")
    is_cycle: bool = Field(description="Whether it is unmet since flags require each other, or too many in a row.")
    variant: str | None
    active: bool
    reason: Reason


class ExplanationOut(BaseModel):
    """Every line of the flag, in the order of evaluation, also those after the one that decided."""

    active: bool
    requires: list[ToldRequirementOut]
    denied: bool
    allowed: bool
    rules: list[ToldRuleOut]
    rollout: ToldRolloutOut | None = Field(description="The flag's own; null for a flag that sidecars do not get.")


class AnswerOut(BaseModel):
    """What the flag gives one user."""

    targeting_key: str | None
    active: bool = Field(description="Whether it is another than the off variant.")
    variant: str | None
    value: Any
    reason: Reason
    rule: str | None
    prerequisite: str | None
    prerequisite_reason: Reason | None
    is_error: bool = Field(description="Whether OpenFeature's clients get an error, and use their defaults.")
    decided_by: Line
    explanation: ExplanationOut


class EvaluationOut(BaseModel):
    """What a flag gives to whom, in the order in which they were asked for."""

    app: str
    key: str
    version: int
    is_draft: bool = Field(description="Whether a change was tried out that is not saved.")
    archived: bool = Field(description="Whether sidecars do not get it, so that nobody gets an answer.")
    circuit: State | None = Field(description="As of now; null for a flag without one.")
    percentage: float = Field(description="Percent of the rollout that the circuit lets in.")
    circuits_known: bool = Field(description="Whether circuits are known; if not, all count as closed here.")
    variants: dict[str, int] = Field(description="How many of those asked for get each variant.")
    answers: list[AnswerOut]
