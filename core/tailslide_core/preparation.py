"""A flag prepared for many questions: everything that does not depend on the user is computed in advance.

A prepared flag is valid for one state of its ruleset, its circuit and its prerequisites; `flag_set` makes a new one
when one of these changes. Segments are looked up when they are asked for.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from tailslide_core.bucketing import limit_of
from tailslide_core.circuit import State
from tailslide_core.conditions import Condition
from tailslide_core.decisions import Decision, Reason
from tailslide_core.effective_circuit import EffectiveCircuit
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.variants import Split, only_variant

MAX_CHAIN = 20
"""How many flags may require one another in a row, the last one included; a longer chain counts as unmet."""


@dataclass(slots=True, eq=False)
class Branch:
    """What users get whom one rule matches, or no rule: a rollout, a split, and the decision for each case.

    Flags that are alike share one, so thousands of them take no more memory than one.
    """

    rollout: float
    split: Split
    limit: float
    """Users whose bucket is below it are in."""
    settled: Decision | None
    """The answer for everybody here, where it is the same whatever the bucket."""
    out: Decision
    key_missing: Decision
    given: Mapping[str, Decision]
    """By variant, for those who are in by their bucket."""
    single: Decision | None
    """The only one of these, if there is only one."""
    denied: Decision
    allowed: Mapping[str, Decision]
    """By variant, for those whom a list lets in."""


@dataclass(slots=True, eq=False)
class PreparedRequirement:
    """A prerequisite that is not known to be met for every user.

    `flag` is None if `settled` says that it is unmet for every user.
    """

    flag: "PreparedFlag | None"
    met_by: frozenset[str]
    settled: Decision | None = None
    unmet: dict[Reason, Decision] = field(default_factory=dict)
    """What follows if it is not met, by the reason of the other flag's answer."""


@dataclass(slots=True, eq=False)
class PreparedFlag:
    """A flag for which `evaluation.decide` has little left to do."""

    ruleset: Ruleset
    effective: EffectiveCircuit | None
    segments: Mapping[str, Segment]
    settled: Decision | None
    """The answer, if it is the same for every user."""
    requires: tuple[PreparedRequirement, ...]
    own: Branch
    rules: tuple[tuple[tuple[Condition, ...], Branch], ...]
    chain: int = 1
    """The length of the longest chain of flags from here, each requiring the next."""
    is_required: bool = False
    """Whether another flag requires it, so that its answer is worth keeping for the rest of a question."""


def prepare(
    ruleset: Ruleset,
    effective: EffectiveCircuit | None,
    segments: Mapping[str, Segment],
    prerequisites: Mapping[str, PreparedFlag],
    *,
    in_cycle: bool = False,
) -> PreparedFlag:
    """Prepare a flag.

    `prerequisites` has those of the required flags that exist; a missing one counts as unmet. `in_cycle` says that the
    flag requires itself, directly or through others: then all of its prerequisites count as unmet.
    """
    percentage = FULL if effective is None else effective.percentage
    off = ruleset.off_variant
    own = _branch(off, ruleset.rollout, ruleset.split, percentage, None)
    rules = tuple((rule.when, _branch_of(ruleset, index, rule, percentage)) for index, rule in enumerate(ruleset.rules))
    chain = 1 + max((prerequisite.chain for prerequisite in prerequisites.values()), default=0)
    requires = _requirements(ruleset, prerequisites, hopeless=in_cycle or chain > MAX_CHAIN)
    settled = requires[0].settled if requires else None
    if not ruleset.active:
        settled = decision_of(off, Reason.DISABLED)
    elif effective is not None and effective.state is State.OPEN:
        settled = decision_of(off, Reason.CIRCUIT_OPEN)
    elif not (requires or rules or ruleset.deny or ruleset.allow):
        settled = own.settled
    return PreparedFlag(
        ruleset=ruleset,
        effective=effective,
        segments=segments,
        settled=settled,
        requires=requires,
        own=own,
        rules=rules,
        chain=chain,
    )


@lru_cache(maxsize=4096)
def decision_of(variant: str, reason: Reason, *, active: bool = False, rule: str | None = None) -> Decision:
    """Return a decision, where possible the same one for the same arguments."""
    return Decision(variant, active, reason, rule)


def _branch_of(ruleset: Ruleset, index: int, rule: Rule, percentage: float) -> Branch:
    split = ruleset.split if rule.split is None else rule.split
    return _branch(ruleset.off_variant, rule.rollout, split, percentage, ruleset.rule_name(index))


@lru_cache(maxsize=4096)
def _branch(off: str, rollout: float, split: Split, percentage: float, rule: str | None) -> Branch:
    only = only_variant(split)
    certain = Reason.STATIC if rule is None else Reason.TARGETING_MATCH
    settled = None
    if rollout == 0 or only == off:
        settled = decision_of(off, certain, rule=rule)
    elif rollout == FULL == percentage and only is not None:
        settled = decision_of(only, certain, active=True, rule=rule)
    given = _given(off, split, Reason.SPLIT, rule)
    return Branch(
        rollout=rollout,
        split=split,
        limit=limit_of(rollout, percentage),
        settled=settled,
        out=decision_of(off, Reason.SPLIT, rule=rule),
        key_missing=Decision(off, False, Reason.TARGETING_KEY_MISSING, rule, is_error=percentage == FULL),
        given=given,
        single=None if only is None else given[only],
        denied=decision_of(off, Reason.TARGETING_MATCH),
        allowed=_given(off, split, Reason.TARGETING_MATCH, None),
    )


def _given(off: str, split: Split, reason: Reason, rule: str | None) -> dict[str, Decision]:
    return {
        share.variant: decision_of(share.variant, reason, active=share.variant != off, rule=rule) for share in split
    }


def _requirements(
    ruleset: Ruleset, prerequisites: Mapping[str, PreparedFlag], *, hopeless: bool
) -> tuple[PreparedRequirement, ...]:
    """Return the prerequisites that have to be checked for each user, up to the first that is unmet for every user."""
    left: list[PreparedRequirement] = []
    for requirement in ruleset.requires:
        prerequisite = prerequisites.get(requirement.flag)
        if hopeless or prerequisite is None:
            reason = Reason.PREREQUISITE_FAILED if hopeless else Reason.FLAG_NOT_FOUND
            return (*left, _unmeetable(ruleset, requirement, reason))
        met_by = requirement.variants
        if met_by is None:
            other = prerequisite.ruleset
            met_by = frozenset(variant.key for variant in other.variants if variant.key != other.off_variant)
        decision = prerequisite.settled
        if decision is None:
            left.append(PreparedRequirement(prerequisite, met_by))
        elif decision.variant not in met_by:
            return (*left, _unmeetable(ruleset, requirement, decision.reason))
    return tuple(left)


def _unmeetable(ruleset: Ruleset, requirement: Requirement, reason: Reason) -> PreparedRequirement:
    return PreparedRequirement(None, frozenset(), settled=_unmet(ruleset, requirement.flag, reason))


def _unmet(ruleset: Ruleset, flag: str, reason: Reason) -> Decision:
    return Decision(
        ruleset.off_variant,
        active=False,
        reason=Reason.PREREQUISITE_FAILED,
        prerequisite=flag,
        prerequisite_reason=reason,
    )


def required_by(flag: PreparedFlag) -> Collection[PreparedFlag]:
    """Return the flags whose answers may decide a flag's answer, each once, however they require each other."""
    found: dict[PreparedFlag, None] = {}
    waiting = [flag]
    while waiting:
        for requirement in waiting.pop().requires:
            other = requirement.flag
            if other is not None and other not in found:
                found[other] = None
                waiting.append(other)
    return found.keys()


def unmet(flag: PreparedFlag, requirement: PreparedRequirement, by: PreparedFlag, reason: Reason) -> Decision:
    """Return the answer of a flag whose prerequisite `by` is not met for a user; the same one for the same reason."""
    decision = requirement.unmet.get(reason)
    if decision is None:
        decision = requirement.unmet[reason] = _unmet(flag.ruleset, by.ruleset.key, reason)
    return decision
