"""Changes of a subject in words: `rollout 25% → 50%; 2 users added to the allow list`. Pure."""

from collections.abc import Iterable, Sequence

from tailslide_core.sentences.numbers import counted, exact_span, percent
from tailslide_core.sentences.quoted import named
from tailslide_tower.audit.difference import Change, Difference, ListChange, Path

MAX_PARTS = 4
"""So many changes are said; of the others only how many they are."""
_MAX_VALUE = 40
_BOOKKEEPING = frozenset({"schema", "version", "created_at", "updated_at", "warnings"})
"""What changes with every change, or is said elsewhere."""
_PERCENTAGES = frozenset({"rollout", "error_threshold", "slow_threshold", "initial", "increment", "percentage"})
_USERS = {"allow": "the allow list", "deny": "the deny list", "include": "the members", "exclude": "the exceptions"}
_ITEMS = {"rules": "rule", "requires": "prerequisite", "split": "share", "tags": "tag", "when": "condition"}
_OUTER = frozenset({"circuit", "recovery"})
"""Objects that need not be named with what is in them, except for what would be unclear."""
_NAMES: dict[Path, str] = {
    ("circuit", "recovery", "delay_ms"): "recovery delay",
    ("circuit", "recovery", "max_delay_ms"): "longest recovery delay",
    ("circuit", "recovery", "initial"): "first recovery step",
    ("circuit", "recovery", "increment"): "recovery increment",
    ("circuit", "recovery", "interval_ms"): "recovery interval",
    ("circuit", "recovery", "profile"): "recovery profile",
    ("circuit", "slow_call_ms"): "slow-call limit",
    ("circuit", "slow_threshold"): "slow-call threshold",
    ("off_variant",): "off variant",
    ("bucket_by",): "bucketing attribute",
}


def for_people(changes: Difference) -> Difference:
    """Return the changes without those that say nothing: versions, times."""
    return [
        change
        for change in changes
        if change.path[0] not in _BOOKKEEPING and change.path != ("circuit", "reset_generation")
    ]


def changes_in_words(changes: Difference) -> str:
    """Return changes in words, the most of them; empty where there are none."""
    parts = [part for change in changes for part in _in_words(change)]
    said, rest = parts[:MAX_PARTS], len(parts) - MAX_PARTS
    if rest > 0:
        said.append(counted(rest, "more change"))
    return "; ".join(said)


def _in_words(change: Change | ListChange) -> Iterable[str]:
    if isinstance(change, ListChange):
        yield from _list_in_words(change)
        return
    match change.path:
        case ("active",):
            yield "turned on" if change.after is True else "turned off"
        case ("circuit", "forced_open"):
            yield "held off (forced open)" if change.after is True else "no longer held off"
        case _:
            name = _name(change.path)
            before, after = _value(change.path, change.before), _value(change.path, change.after)
            yield f"{name} changed" if before is None or after is None else f"{name} {before} → {after}"


def _list_in_words(change: ListChange) -> Iterable[str]:
    last = change.path[-1]
    for items, verb, preposition in ((change.added, "added", "to"), (change.removed, "removed", "from")):
        if not items:
            continue
        if len(change.path) == 1 and last in _USERS:
            yield f"{counted(len(items), 'user')} {verb} {preposition} {_USERS[str(last)]}"
        elif last == "tags":
            yield f"{'tag' if len(items) == 1 else 'tags'} {_listed(items)} {verb}"
        elif last in _ITEMS:
            yield f"{counted(len(items), _ITEMS[str(last)])} {verb}"
        else:
            yield f"{counted(len(items), 'value')} {verb} {preposition} {_name(change.path)}"


def _listed(items: Sequence[object]) -> str:
    return ", ".join(f"“{named(str(item), _MAX_VALUE)}”" for item in items[:MAX_PARTS])


def _name(path: Path) -> str:
    """Return what people call a place: `error threshold`, `rollout of rule 2`."""
    known = _NAMES.get(path)
    if known is not None:
        return known
    match path:
        case ("rules", int(index), *rest) if rest:
            return f"{_name(tuple(rest))} of rule {index + 1}"
        case ("when", int(index), *rest) if rest:
            return f"{_name(tuple(rest))} of condition {index + 1}"
        case (str(outer), *rest) if outer in _OUTER and rest:
            return _name(tuple(rest))
        case (("variants" | "metadata") as outer, str(name)):
            return f"{'variant' if outer == 'variants' else 'metadata'} {named(name, _MAX_VALUE)}"
    words = [f"{part + 1}" if isinstance(part, int) else _words(part) for part in path]
    return " ".join(words)


def _words(part: str) -> str:
    return named(part.removesuffix("_ms").replace("_", " "), _MAX_VALUE)


def _value(path: Path, value: object) -> str | None:
    """Return a value as it may stand in a sentence; None where it is too long, or there is none."""
    last = str(path[-1])
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | float() if last in _PERCENTAGES:
            return percent(float(value))
        case int() if last.endswith("_ms"):
            return exact_span(value)
        case int() | float():
            return f"{value:,}" if isinstance(value, int) else f"{value:g}"
        case str() if 0 < len(value) <= _MAX_VALUE and named(value, _MAX_VALUE) == value:
            return value
        case _:
            return None
