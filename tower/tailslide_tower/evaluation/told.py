"""How an answer and its explanation are shown. Pure."""

from tailslide_core.contracts import Json
from tailslide_core.evaluation import Context, Evaluation
from tailslide_core.explanation import Explanation, ToldCondition, ToldRequirement, ToldRollout, ToldRule
from tailslide_core.fields import shown

MAX_VALUES = 20
"""Of a condition, of which there may be thousands."""
MAX_VALUE = 200
"""Characters of an attribute's value."""


def answer_json(context: Context, evaluation: Evaluation, explanation: Explanation) -> Json:
    """Return one user's answer as the API shows it."""
    return {
        "targeting_key": context.targeting_key,
        "active": evaluation.active,
        "variant": evaluation.variant,
        "value": evaluation.value,
        "reason": evaluation.reason,
        "rule": evaluation.rule,
        "prerequisite": evaluation.prerequisite,
        "prerequisite_reason": evaluation.prerequisite_reason,
        "is_error": evaluation.is_error,
        "decided_by": explanation.conclusion.line,
        "explanation": _explanation(explanation),
    }


def _explanation(told: Explanation) -> Json:
    return {
        "active": told.active,
        "requires": [_requirement(each) for each in told.requires],
        "denied": told.denied,
        "allowed": told.allowed,
        "rules": [_rule(each) for each in told.rules],
        "rollout": None if told.rollout is None else _rollout(told.rollout),
    }


def _requirement(told: ToldRequirement) -> Json:
    evaluation = told.evaluation
    return {
        "flag": told.flag,
        "variants": list(told.variants),
        "met": told.met,
        "is_cycle": told.is_cycle,
        "variant": evaluation.variant,
        "active": evaluation.active,
        "reason": evaluation.reason,
    }


def _rule(told: ToldRule) -> Json:
    return {
        "name": told.name,
        "conditions": [_condition(each) for each in told.conditions],
        "matched": told.matched,
        "decides": told.decides,
        "rollout": _rollout(told.rollout),
    }


def _condition(told: ToldCondition) -> Json:
    condition = told.condition
    return {
        "attribute": condition.attribute,
        "operator": condition.operator,
        "values": list(condition.values[:MAX_VALUES]),
        "negate": condition.negate,
        "ignore_case": condition.ignore_case,
        "value": None if told.value is None else shown(told.value, MAX_VALUE),
        "outcome": told.outcome,
    }


def _rollout(told: ToldRollout) -> Json:
    return {
        "rollout": told.rollout,
        "percentage": told.percentage,
        "key": told.key,
        "bucket": told.bucket,
        "limit": round(max(told.limit, 0.0), 3),
        "is_in": told.is_in,
        "split": [{"variant": share.variant, "weight": share.weight} for share in told.split],
        "split_bucket": told.split_bucket,
        "variant": told.variant,
    }
