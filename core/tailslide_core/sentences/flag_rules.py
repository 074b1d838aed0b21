"""What a flag gives to whom, in one sentence: what a person wants to read before a flag is used. Pure.

It speaks of the ruleset alone; what a circuit or a prerequisite makes of it at a moment is in `flag_state`.
"""

from collections.abc import Sequence

from tailslide_core.conditions import TARGETING_KEY, Condition
from tailslide_core.fields import shown
from tailslide_core.operators import Operator
from tailslide_core.ramp import FULL
from tailslide_core.ruleset import Requirement, Rule, Ruleset
from tailslide_core.segment import Segment
from tailslide_core.sentences.numbers import counted, percent, share
from tailslide_core.variants import Split

_MAX_VALUE = 40
_MAX_VALUES = 5


def rules_in_words(ruleset: Ruleset) -> str:
    """Return the type, whether it is on, and who gets what: `boolean, on: 50% of users get on, all others off`."""
    kind, off = ruleset.type, ruleset.off_variant
    if not ruleset.active:
        return f"{kind}, off: everybody gets {off}"
    if ruleset.circuit is not None and ruleset.circuit.forced_open:
        return f"{kind}, on, but its circuit is forced open: everybody gets {off}"
    parts = [*_lists(ruleset), *(_rule(ruleset, index, rule) for index, rule in enumerate(ruleset.rules))]
    everybody = "everybody else gets" if parts else "everybody gets"
    users = "of all other users get" if parts else "of users get"
    parts.append(_rollout(ruleset.rollout, ruleset.split, off, everybody, users))
    bucketed = "" if ruleset.bucket_by is None else f"; users with the same {ruleset.bucket_by} get the same"
    return f"{kind}, on{_required(ruleset)}: {'; '.join(parts)}{bucketed}"


def segment_in_words(segment: Segment) -> str:
    """Return who is in a segment: `2 users listed, and users where country is "DE", except 1 user`."""
    parts = [f"{counted(len(segment.include), 'user')} listed"] if segment.include or not segment.when else []
    if segment.when:
        parts.append(f"users where {_joined([_condition(condition) for condition in segment.when], 'and')}")
    excluded = f", except {counted(len(segment.exclude), 'user')}" if segment.exclude else ""
    return f"{', and '.join(parts)}{excluded}"


def _lists(ruleset: Ruleset) -> list[str]:
    parts: list[str] = []
    if ruleset.deny:
        parts.append(f"{counted(len(ruleset.deny), 'user')} on the deny list get {ruleset.off_variant}")
    if ruleset.allow:
        parts.append(f"{counted(len(ruleset.allow), 'user')} on the allow list get {_variants(ruleset.split)}")
    return parts


def _rule(ruleset: Ruleset, index: int, rule: Rule) -> str:
    where = f"where {' and '.join(_condition(condition) for condition in rule.when)} (rule {ruleset.rule_name(index)})"
    split = ruleset.split if rule.split is None else rule.split
    return f"{where} {_rollout(rule.rollout, split, ruleset.off_variant, 'everybody gets', 'of users get')}"


def _rollout(rollout: float, split: Split, off: str, everybody: str, users: str) -> str:
    if rollout <= 0:
        return f"{everybody} {off}"
    if rollout >= FULL:
        return f"{everybody} {_variants(split)}"
    return f"{percent(rollout)} {users} {_variants(split)}, the others {off}"


def _variants(split: Split) -> str:
    """Return the variants of a split: `on`, `green (75%) or red (25%)`."""
    given = [each for each in split if each.weight]
    if len(given) == 1:
        return given[0].variant
    total = sum(each.weight for each in given)
    return _joined([f"{each.variant} ({share(FULL * each.weight / total)})" for each in given], "or")


_VERBS: dict[Operator, tuple[str, str]] = {
    Operator.IN: ("is", "is not"),
    Operator.EQUALS: ("is", "is not"),
    Operator.NOT_IN: ("is not", "is"),
    Operator.CONTAINS: ("contains", "does not contain"),
    Operator.STARTS_WITH: ("starts with", "does not start with"),
    Operator.ENDS_WITH: ("ends with", "does not end with"),
    Operator.MATCHES: ("matches", "does not match"),
    Operator.LT: ("is below", "is not below"),
    Operator.LE: ("is at most", "is not at most"),
    Operator.GT: ("is above", "is not above"),
    Operator.GE: ("is at least", "is not at least"),
    Operator.BEFORE: ("is before", "is not before"),
    Operator.AFTER: ("is after", "is not after"),
    Operator.IP_IN: ("is in", "is not in"),
    Operator.SEMVER_EQ: ("is version", "is not version"),
    Operator.SEMVER_LT: ("is below version", "is not below version"),
    Operator.SEMVER_LE: ("is at most version", "is not at most version"),
    Operator.SEMVER_GT: ("is above version", "is not above version"),
    Operator.SEMVER_GE: ("is at least version", "is not at least version"),
    Operator.SEMVER_IN: ("is a version in", "is no version in"),
    Operator.IN_SEGMENT: ("is in the segment", "is not in the segment"),
}
"""How each operator is said, and how its opposite; `exists` has no value to end with."""


def _condition(condition: Condition) -> str:
    subject = "the targeting key" if condition.attribute == TARGETING_KEY else condition.attribute
    if condition.operator is Operator.EXISTS:
        missing = (condition.values == (False,)) != condition.negate
        return f"{subject} is {'missing' if missing else 'there'}"
    return f"{subject} {_VERBS[condition.operator][condition.negate]} {_values(condition.values)}"


def _values(values: Sequence[object]) -> str:
    said = [shown(value, _MAX_VALUE) for value in values[:_MAX_VALUES]]
    if len(values) > _MAX_VALUES:
        said.append(f"{len(values) - _MAX_VALUES} more")
    return _joined(said, "or")


def _required(ruleset: Ruleset) -> str:
    if not ruleset.requires:
        return ""
    needs = _joined([_requirement(one) for one in ruleset.requires], "and")
    return f" where {needs}, and {ruleset.off_variant} elsewhere"


def _requirement(one: Requirement) -> str:
    wanted = "another than its off variant" if one.variants is None else _joined(sorted(one.variants), "or")
    return f"{one.flag} gives {wanted}"


def _joined(parts: Sequence[str], word: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
