"""Why a flag gives a user what it gives, line by line in the order of evaluation, for people who try a flag out.

`evaluation` decides, and is made to be fast; this tells everything that it looks at, also what comes after the line
that decided. It reaches its own conclusion from the same ruleset, which is always that of `evaluation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tailslide_core.attributes import Items, text_at
from tailslide_core.bucketing import bucket_of, limit_of
from tailslide_core.circuit import State
from tailslide_core.conditions import Condition, Operator
from tailslide_core.decisions import Reason
from tailslide_core.evaluation import Context, Evaluation, evaluate
from tailslide_core.flag_set import FlagSet
from tailslide_core.preparation import MAX_CHAIN, PreparedFlag
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import Requirement, Ruleset
from tailslide_core.variants import Split, only_variant, variant_for


class Line(StrEnum):
    """A line of a flag, in the order of evaluation."""

    UNKNOWN = "unknown"
    """There is no such flag."""
    ACTIVE = "active"
    CIRCUIT = "circuit"
    REQUIRES = "requires"
    DENY = "deny"
    ALLOW = "allow"
    RULE = "rule"
    ROLLOUT = "rollout"
    """The flag's own rollout and split, where no rule matches."""


class Outcome(StrEnum):
    """What a condition came to."""

    HELD = "held"
    FAILED = "failed"
    MISSING = "missing"
    """The attribute is missing, so it is not known, and a condition that is not known does not hold."""


@dataclass(frozen=True, slots=True)
class ToldCondition:
    """A condition, the value that its attribute has, and what it came to."""

    condition: Condition
    value: object
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ToldRollout:
    """Whether a user is in by a rollout, and which variant the split gives.

    `percentage` is what a recovering circuit leaves of the rollout, 100 where none is. `key` is what users are bucketed
    by, None where it is missing, and then there are no buckets. Users are in whose `bucket` (0 to 99,999) is below
    `limit`. `split_bucket` is that of the split.
    """

    rollout: float
    percentage: float
    split: Split
    key: str | None
    bucket: int | None
    limit: float
    is_in: bool | None
    split_bucket: int | None
    variant: str | None
    """What those who are in get; None where that depends on a key that is missing."""


@dataclass(frozen=True, slots=True)
class ToldRule:
    """A rule, by its name or place. `matched`: all its conditions hold; `decides`: it is the first such one."""

    name: str
    conditions: tuple[ToldCondition, ...]
    matched: bool
    decides: bool
    rollout: ToldRollout


@dataclass(frozen=True, slots=True)
class ToldRequirement:
    """A prerequisite. `evaluation` is the other flag's answer; `met` is None where a missing key leaves it open.

    `is_cycle`: it counts as unmet since flags require each other in a circle, or too many in a row.
    """

    flag: str
    variants: tuple[str, ...]
    """Those that count."""
    evaluation: Evaluation
    met: bool | None
    is_cycle: bool


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows from the lines; as in `Evaluation`."""

    line: Line
    variant: str | None
    active: bool
    reason: Reason
    rule: str | None = None
    prerequisite: str | None = None
    prerequisite_reason: Reason | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """All lines of a flag for one user, and what follows from them. Of an unknown flag there are no lines."""

    conclusion: Conclusion
    active: bool = False
    circuit: State | None = None
    percentage: float = FULL
    requires: tuple[ToldRequirement, ...] = ()
    denied: bool = False
    allowed: bool = False
    rules: tuple[ToldRule, ...] = ()
    rollout: ToldRollout | None = None
    """The flag's own."""


def explain(flag: str, flags: FlagSet, context: Context) -> Explanation:
    """Tell what each line of a flag says of one user."""
    prepared = flags.prepared(flag)
    if prepared is None:
        conclusion = Conclusion(Line.UNKNOWN, None, active=False, reason=Reason.FLAG_NOT_FOUND, is_error=True)
        return Explanation(conclusion)
    ruleset, effective = prepared.ruleset, prepared.effective
    key = context.targeting_key or None
    percentage = FULL if effective is None else effective.percentage
    rules = _rules(prepared, context, percentage)
    told = Explanation(
        Conclusion(Line.ACTIVE, ruleset.off_variant, active=False, reason=Reason.DISABLED),
        active=ruleset.active,
        circuit=None if effective is None else effective.state,
        percentage=percentage,
        requires=_requires(prepared, flags, context),
        denied=key in ruleset.deny,
        allowed=key in ruleset.allow,
        rules=rules,
        rollout=_rollout(ruleset, ruleset.rollout, ruleset.split, percentage, context),
    )
    return replace(told, conclusion=_conclusion(told, ruleset))


def _conclusion(told: Explanation, ruleset: Ruleset) -> Conclusion:
    off = ruleset.off_variant
    if not told.active:
        return Conclusion(Line.ACTIVE, off, active=False, reason=Reason.DISABLED)
    if told.circuit is State.OPEN:
        return Conclusion(Line.CIRCUIT, off, active=False, reason=Reason.CIRCUIT_OPEN)
    for requirement in told.requires:
        if requirement.met is False:
            return Conclusion(
                Line.REQUIRES,
                off,
                active=False,
                reason=Reason.PREREQUISITE_FAILED,
                prerequisite=requirement.flag,
                prerequisite_reason=Reason.PREREQUISITE_FAILED
                if requirement.is_cycle
                else requirement.evaluation.reason,
            )
    by_itself = _by_itself(told, ruleset)
    if by_itself.active and any(requirement.met is None for requirement in told.requires):
        # Whether the prerequisite is met depends on a key that is missing; without it nobody gets the feature.
        return _key_missing(Line.REQUIRES, off, told.percentage, None)
    return by_itself


def _by_itself(told: Explanation, ruleset: Ruleset) -> Conclusion:
    """Return what follows where all prerequisites are met."""
    off, own = ruleset.off_variant, told.rollout
    assert own is not None
    if told.denied:
        return Conclusion(Line.DENY, off, active=False, reason=Reason.TARGETING_MATCH)
    if told.allowed:
        if own.variant is None:
            return _key_missing(Line.ALLOW, off, told.percentage, None)
        return Conclusion(Line.ALLOW, own.variant, active=own.variant != off, reason=Reason.TARGETING_MATCH)
    rule = next((rule for rule in told.rules if rule.decides), None)
    if rule is None:
        return _of_rollout(own, off, Line.ROLLOUT, None)
    return _of_rollout(rule.rollout, off, Line.RULE, rule.name)


def _of_rollout(told: ToldRollout, off: str, line: Line, rule: str | None) -> Conclusion:
    only = only_variant(told.split)
    certain = Reason.STATIC if rule is None else Reason.TARGETING_MATCH
    if told.rollout == 0 or only == off:
        return Conclusion(line, off, active=False, reason=certain, rule=rule)
    if told.rollout == FULL == told.percentage and only is not None:
        return Conclusion(line, only, active=True, reason=certain, rule=rule)
    if told.is_in is None:
        return _key_missing(line, off, told.percentage, rule)
    variant = told.variant if told.is_in else off
    return Conclusion(line, variant, active=variant != off, reason=Reason.SPLIT, rule=rule)


def _key_missing(line: Line, off: str, percentage: float, rule: str | None) -> Conclusion:
    return Conclusion(
        line, off, active=False, reason=Reason.TARGETING_KEY_MISSING, rule=rule, is_error=percentage == FULL
    )


def _rollout(ruleset: Ruleset, rollout: float, split: Split, percentage: float, context: Context) -> ToldRollout:
    by, targeting_key = ruleset.bucket_by, context.targeting_key or None
    key = (targeting_key if by is None else text_at(by, context.attributes, targeting_key)) or None
    bucket = None if key is None else bucket_of(ruleset.salt, key)
    limit = limit_of(rollout, percentage)
    only = only_variant(split)
    return ToldRollout(
        rollout=rollout,
        percentage=percentage,
        split=split,
        key=key,
        bucket=bucket,
        limit=limit,
        is_in=None if bucket is None else bucket < limit,
        split_bucket=None if key is None else bucket_of(f"{ruleset.salt}:split", key),
        variant=only if only is not None or key is None else variant_for(split, ruleset.salt, key),
    )


def _rules(prepared: PreparedFlag, context: Context, percentage: float) -> tuple[ToldRule, ...]:
    ruleset, told, decided = prepared.ruleset, [], False
    for index, rule in enumerate(ruleset.rules):
        conditions = tuple(_condition(condition, prepared, context) for condition in rule.when)
        matched = all(condition.outcome is Outcome.HELD for condition in conditions)
        split = ruleset.split if rule.split is None else rule.split
        rollout = _rollout(ruleset, rule.rollout, split, percentage, context)
        told.append(ToldRule(ruleset.rule_name(index), conditions, matched, matched and not decided, rollout))
        decided = decided or matched
    return tuple(told)


def _condition(condition: Condition, prepared: PreparedFlag, context: Context) -> ToldCondition:
    targeting_key = context.targeting_key or None
    value = condition.value_in(context.attributes, targeting_key)
    if condition.holds(context.attributes, targeting_key, prepared.segments):
        outcome = Outcome.HELD
    elif value is None and condition.operator is not Operator.EXISTS:
        outcome = Outcome.MISSING
    else:
        outcome = Outcome.FAILED
    return ToldCondition(condition, list(value.values) if isinstance(value, Items) else value, outcome)


def _requires(prepared: PreparedFlag, flags: FlagSet, context: Context) -> tuple[ToldRequirement, ...]:
    ruleset = prepared.ruleset
    if not ruleset.requires:
        return ()
    is_cycle = prepared.chain > MAX_CHAIN or _requires_itself(ruleset, flags)
    return tuple(_requirement(requirement, flags, context, is_cycle=is_cycle) for requirement in ruleset.requires)


def _requirement(requirement: Requirement, flags: FlagSet, context: Context, *, is_cycle: bool) -> ToldRequirement:
    evaluation = evaluate(requirement.flag, flags, context)
    other = flags.prepared(requirement.flag)
    variants: Sequence[str] = sorted(requirement.variants or ())
    if other is not None and requirement.variants is None:
        ruleset = other.ruleset
        variants = [variant.key for variant in ruleset.variants if variant.key != ruleset.off_variant]
    if is_cycle or other is None:
        met: bool | None = False
    elif evaluation.is_error:
        met = None
    else:
        met = evaluation.variant in variants
    return ToldRequirement(requirement.flag, tuple(variants), evaluation, met, is_cycle)


def _requires_itself(ruleset: Ruleset, flags: FlagSet) -> bool:
    seen: set[str] = set()
    waiting = [requirement.flag for requirement in ruleset.requires]
    while waiting:
        flag = waiting.pop()
        if flag == ruleset.key:
            return True
        other = flags.rulesets.get(flag)
        if flag not in seen and other is not None:
            seen.add(flag)
            waiting += (requirement.flag for requirement in other.requires)
    return False
