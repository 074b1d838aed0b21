"""The answer to "what does this flag give this user?": a pure function of rulesets, circuits, segments and context."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from tailslide_core.attributes import Attributes, text_at
from tailslide_core.bucketing import bucket_of
from tailslide_core.circuit import State
from tailslide_core.decisions import Decision, Reason
from tailslide_core.flag_set import FlagSet
from tailslide_core.preparation import Branch, PreparedFlag, unmet
from tailslide_core.ruleset import Metadata
from tailslide_core.variants import Value, only_variant, value_of, variant_for


class Context(NamedTuple):
    """Who asks. An empty targeting key counts as a missing one.

    A tuple: one is made for every question, and that costs a third of a frozen dataclass.
    """

    targeting_key: str | None = None
    attributes: Attributes = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The answer for one flag and one user.

    `variant` and `value` are None for an unknown flag. `circuit` is the state that applied, None for a flag without a
    circuit; `version` is the ruleset's. The rest is as in `Decision`.
    """

    flag: str
    active: bool
    reason: Reason
    variant: str | None = None
    value: Value | None = None
    circuit: State | None = None
    version: int | None = None
    rule: str | None = None
    prerequisite: str | None = None
    prerequisite_reason: Reason | None = None
    is_error: bool = False
    metadata: Metadata = ()


def evaluation_of(flag: PreparedFlag, decision: Decision) -> Evaluation:
    """Return a decision with everything that an answer carries."""
    ruleset, effective = flag.ruleset, flag.effective
    return Evaluation(
        flag=ruleset.key,
        active=decision.active,
        reason=decision.reason,
        variant=decision.variant,
        value=value_of(ruleset.variants, decision.variant),
        circuit=None if effective is None else effective.state,
        version=ruleset.version,
        rule=decision.rule,
        prerequisite=decision.prerequisite,
        prerequisite_reason=decision.prerequisite_reason,
        is_error=decision.is_error,
        metadata=ruleset.metadata,
    )


def evaluate(flag: str, flags: FlagSet, context: Context) -> Evaluation:
    """Answer for one flag and one user."""
    prepared = flags.prepared(flag)
    if prepared is None:
        return Evaluation(flag, active=False, reason=Reason.FLAG_NOT_FOUND, is_error=True)
    return evaluation_of(prepared, decide(prepared, context.targeting_key, context.attributes))


Known = dict[PreparedFlag, Decision]
"""Decisions of flags that others require, for one question."""


def decide(
    flag: PreparedFlag, targeting_key: str | None, attributes: Attributes, known: Known | None = None
) -> Decision:
    """Decide for one user; the first of the design's rules that applies answers.

    `known` is what has been decided already for the same question, which this adds to. Returns one of the flag's own
    decisions, the same object each time, so that what follows from it can be looked up.
    """
    settled = flag.settled
    if settled is not None:
        return settled
    if known and flag in known:
        return known[flag]
    decision = _decide(flag, targeting_key or None, attributes, known)
    if known is not None and flag.is_required:
        known[flag] = decision
    return decision


def _decide(flag: PreparedFlag, targeting_key: str | None, attributes: Attributes, known: Known | None) -> Decision:
    if not flag.requires:
        return _decide_by_itself(flag, targeting_key, attributes)
    failed = _unmet(flag, targeting_key, attributes, {} if known is None else known)
    if failed is None or failed.reason is not Reason.TARGETING_KEY_MISSING:
        return failed or _decide_by_itself(flag, targeting_key, attributes)
    # It is off either way, and an error would let in callers whose default is "on".
    decision = _decide_by_itself(flag, targeting_key, attributes)
    return failed if decision.active else decision


def _decide_by_itself(flag: PreparedFlag, targeting_key: str | None, attributes: Attributes) -> Decision:
    """Decide as if all prerequisites were met."""
    ruleset = flag.ruleset
    if targeting_key is not None:
        if targeting_key in ruleset.deny:
            return flag.own.denied
        if targeting_key in ruleset.allow:
            return _allow(flag, targeting_key, attributes)
    branch = _branch_for(flag, targeting_key, attributes) if flag.rules else flag.own
    if branch.settled is not None:
        return branch.settled
    by = ruleset.bucket_by
    key = targeting_key if by is None else text_at(by, attributes, targeting_key)
    if not key:
        return branch.key_missing
    if not bucket_of(ruleset.salt, key) < branch.limit:
        return branch.out
    return branch.single or branch.given[variant_for(branch.split, ruleset.salt, key)]


def _branch_for(flag: PreparedFlag, targeting_key: str | None, attributes: Attributes) -> Branch:
    segments = flag.segments
    for when, branch in flag.rules:
        for condition in when:
            if not condition.holds(attributes, targeting_key, segments):
                break
        else:
            return branch
    return flag.own


def _allow(flag: PreparedFlag, targeting_key: str, attributes: Attributes) -> Decision:
    ruleset = flag.ruleset
    only = only_variant(ruleset.split)
    if only is not None:
        return flag.own.allowed[only]
    by = ruleset.bucket_by
    key = targeting_key if by is None else text_at(by, attributes, targeting_key)
    return flag.own.allowed[variant_for(ruleset.split, ruleset.salt, key)] if key else flag.own.key_missing


def _unmet(flag: PreparedFlag, targeting_key: str | None, attributes: Attributes, known: Known) -> Decision | None:
    """Return the answer that follows from an unmet prerequisite; None if all are met."""
    undecided = None
    for requirement in flag.requires:
        prerequisite = requirement.flag
        if prerequisite is None:
            return requirement.settled
        decision = decide(prerequisite, targeting_key, attributes, known)
        if decision.is_error:
            undecided = flag.own.key_missing  # without a key it is unknown whether this one is met
        elif decision.variant not in requirement.met_by:
            return unmet(flag, requirement, prerequisite, decision.reason)
    return undecided
