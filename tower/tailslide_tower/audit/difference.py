"""What is different between two states of a subject, as JSON: place by place, for people. Pure.

Objects are compared member by member, and lists of the same length whose items are objects item by item. Of other
lists it is said what was added and what was removed, where that says all.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import orjson

Path = tuple[str | int, ...]
"""Where something is: names of members and positions in lists, outermost first."""


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
"""Instead of a member that an object does not have, which is not the same as null."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another value at a place. `before` or `after` is `ABSENT` where there is no such member."""

    path: Path
    before: object
    after: object

    @property
    def field(self) -> str:
        """Return the place as a text."""
        return field_of(self.path)

    def json(self) -> dict[str, object]:
        """Return the change as it is shown; what is absent is left out."""
        values = {"before": self.before, "after": self.after}
        return _place(self.path) | {name: value for name, value in values.items() if value is not ABSENT}


@dataclass(frozen=True, slots=True)
class ListChange:
    """Items that a list has lost and gained. What was added stands at the end."""

    path: Path
    removed: Sequence[object]
    added: Sequence[object]

    @property
    def field(self) -> str:
        """Return the place as a text."""
        return field_of(self.path)

    def json(self) -> dict[str, object]:
        """Return the change as it is shown."""
        return _place(self.path) | {"removed": list(self.removed), "added": list(self.added)}


Difference = list[Change | ListChange]


def field_of(path: Path) -> str:
    """Return a place as a text: `rules[0].rollout`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _place(path: Path) -> dict[str, object]:
    return {"field": field_of(path), "path": list(path)}


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> Difference:
    """Return what has to be changed to get from one state to the other; `applied` does it."""
    return list(_members((), before, after))


def _members(path: Path, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Change | ListChange]:
    for name, value in before.items():
        yield from _values((*path, name), value, after.get(name, ABSENT))
    for name, value in after.items():
        if name not in before:
            yield Change((*path, name), ABSENT, value)


def _values(path: Path, before: object, after: object) -> Iterator[Change | ListChange]:
    if after is not ABSENT and _bytes(before) == _bytes(after):
        return
    match before, after:
        case Mapping(), Mapping() if before and after:
            yield from _members(path, before, after)
        case list(), list() if _are_objects(before) and _are_objects(after) and len(before) == len(after):
            for index, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from _values((*path, index), one, other)
        case list(), list():
            yield _lists(path, before, after)
        case _:
            yield Change(path, before, after)


def _are_objects(items: Sequence[object]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) for item in items)


def _lists(path: Path, before: Sequence[object], after: Sequence[object]) -> Change | ListChange:
    was, is_now = [_bytes(item) for item in before], [_bytes(item) for item in after]
    left = Counter(was) - Counter(is_now)
    came = Counter(is_now) - Counter(was)
    if not left and not came:  # only the order is another one
        return Change(path, before, after)
    # Without what was removed, first ones first, and with what was added at the end, it has to be the new list.
    removed = _taken(before, was, left)
    added = _taken(after[::-1], is_now[::-1], came)[::-1]
    change = ListChange(path, removed, added)
    return (
        change if [_bytes(item) for item in _applied_to_list(change, before)] == is_now else Change(path, before, after)
    )


def _taken(items: Sequence[object], keys: Sequence[bytes], number: "Counter[bytes]") -> list[object]:
    rest = Counter(number)
    taken = []
    for item, key in zip(items, keys, strict=True):
        if rest[key] > 0:
            rest[key] -= 1
            taken.append(item)
    return taken


def applied(changes: Sequence[Change | ListChange], before: Mapping[str, object]) -> dict[str, object]:
    """Return the state after the changes."""
    state: dict[str, object] = _copied(before)
    for change in changes:
        holder: object = state
        for part in change.path[:-1]:
            holder = holder[part]  # type: ignore[index] # a path leads through objects and lists
        last = change.path[-1]
        if isinstance(change, ListChange):
            holder[last] = _applied_to_list(change, holder[last])  # type: ignore[index]
        elif change.after is ABSENT:
            del holder[last]  # type: ignore[attr-defined]
        else:
            holder[last] = change.after  # type: ignore[index]
    return state


def _applied_to_list(change: ListChange, items: Sequence[object]) -> list[object]:
    rest = Counter(_bytes(item) for item in change.removed)
    kept = []
    for item in items:
        key = _bytes(item)
        if rest[key] > 0:
            rest[key] -= 1
        else:
            kept.append(item)
    return [*kept, *change.added]


def _copied(value: Mapping[str, object]) -> dict[str, object]:
    copied: dict[str, object] = orjson.loads(orjson.dumps(value))
    return copied


def _bytes(value: object) -> bytes:
    """Return a value as bytes, by which it is compared: to Python 1 equals true. The order of members says nothing."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
