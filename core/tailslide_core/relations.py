"""How a flag refers to other flags of its app and to the app's segments, and whether that is allowed. Pure.

A sidecar tolerates everything: a prerequisite that is missing or in a cycle is unmet, and a condition on a missing
segment does not hold. Tower, and the reader of a flags file, refuse what a person cannot have meant.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping

from tailslide_core.errors import ContractError
from tailslide_core.fields import shown
from tailslide_core.preparation import MAX_CHAIN
from tailslide_core.ruleset import Ruleset

Requirements = Mapping[str, Mapping[str, Collection[str] | None]]
"""By flag: the flags that it requires, each with the variants that count; None is any but that flag's off variant."""


def segments_named(ruleset: Ruleset) -> frozenset[str]:
    """Return the segments that a flag's rules ask for."""
    return frozenset(segment for _, segment in _segments(ruleset))


def check_segments(ruleset: Ruleset, known: Collection[str]) -> None:
    """Raise `ContractError` unless the app has all segments that the flag names; `known` has the app's segments."""
    for field, segment in _segments(ruleset):
        if segment not in known:
            raise ContractError(field, f"expected a segment of the app, got {shown(segment, 120)}")


def _segments(ruleset: Ruleset) -> Iterator[tuple[str, str]]:
    for i, rule in enumerate(ruleset.rules):
        for j, condition in enumerate(rule.when):
            if condition.operator == "in_segment":
                for k, value in enumerate(condition.values):
                    yield f"rules[{i}].when[{j}].values[{k}]", str(value)


def check_requirements(ruleset: Ruleset, variants: Mapping[str, Collection[str]], requirements: Requirements) -> None:
    """Raise `ContractError` unless a flag can require what it does.

    `variants` has the variants of those required flags that exist. `requirements` has what all flags of the app
    require, this one as it was before the change.
    """
    now = {**requirements, ruleset.key: _requirements(ruleset)}
    _check_requirements(ruleset, variants, now, _reversed(now))


def check_each(rulesets: Mapping[str, Ruleset]) -> Callable[[Ruleset], None]:
    """Return `check_requirements` for flags of an app that are all given, by key.

    For many of them it costs much less: what requires what is gathered once.
    """
    variants = {key: {variant.key for variant in ruleset.variants} for key, ruleset in rulesets.items()}
    now = {key: _requirements(ruleset) for key, ruleset in rulesets.items()}
    required_by = _reversed(now)
    return lambda ruleset: _check_requirements(ruleset, variants, now, required_by)


def _requirements(ruleset: Ruleset) -> Mapping[str, Collection[str] | None]:
    return {requirement.flag: requirement.variants for requirement in ruleset.requires}


def _check_requirements(
    ruleset: Ruleset,
    variants: Mapping[str, Collection[str]],
    now: Requirements,
    required_by: Mapping[str, Collection[str]],
) -> None:
    for index, requirement in enumerate(ruleset.requires):
        field = f"requires[{index}]"
        if path := _path(requirement.flag, ruleset.key, now):
            raise ContractError(f"{field}.flag", f"expected no cycle, got {' → '.join((ruleset.key, *path))}")
        if requirement.flag not in variants:
            raise ContractError(f"{field}.flag", f"expected a flag of the app, got {shown(requirement.flag, 120)}")
        there = variants[requirement.flag]
        for variant in sorted(requirement.variants or ()):
            if variant not in there:
                known = ", ".join(sorted(there)[:10])
                raise ContractError(
                    f"{field}.variants",
                    f"expected variants of {shown(requirement.flag, 120)} ({known}), got {shown(variant, 120)}",
                )
    in_a_row = _longest(ruleset.key, now) + _longest(ruleset.key, required_by) - 1
    if in_a_row > MAX_CHAIN:
        raise ContractError(
            "requires", f"expected at most {MAX_CHAIN} flags in a row of which each requires the next, got {in_a_row}"
        )


def requiring(flag: str, variants: Collection[str], requirements: Requirements) -> list[str]:
    """Return the flags that require one of these variants of a flag by name, sorted."""
    return sorted(
        other for other, required in requirements.items() if not set(variants).isdisjoint(required.get(flag) or ())
    )


def _path(start: str, end: str, requirements: Requirements) -> list[str]:
    """Return a shortest way from a flag to another, both included; nothing where there is none."""
    came_from = {start: start}
    waiting = deque([start])
    while waiting and end not in came_from:
        flag = waiting.popleft()
        for other in requirements.get(flag, {}):
            if other not in came_from:
                came_from[other] = flag
                waiting.append(other)
    if end not in came_from:
        return []
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]


def _longest(flag: str, requirements: Mapping[str, Collection[str]]) -> int:
    """Return how many flags are in the longest chain from here; counts to one more than is allowed.

    Continues from all flags that chains of the same length lead to at once, so a cycle among others does no harm.
    """
    length, last = 0, {flag}
    while last and length <= MAX_CHAIN:
        length += 1
        last = {other for one in last for other in requirements.get(one, ())}
    return length


def _reversed(requirements: Requirements) -> Mapping[str, Collection[str]]:
    required_by: dict[str, set[str]] = {}
    for flag, required in requirements.items():
        for other in required:
            required_by.setdefault(other, set()).add(flag)
    return required_by
