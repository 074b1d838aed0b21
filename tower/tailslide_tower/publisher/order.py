"""In which order keys are written: segments, then flags, then deletions of segments. Pure.

So a sidecar never has a flag without the segments that the flag uses. Apps do not depend on each other.
"""

import heapq
from collections.abc import Collection, Mapping
from enum import IntEnum

from tailslide_core.naming import segment_of

Values = Mapping[str, bytes | None]
"""What is to be written under keys of the bucket; None deletes."""


class Turn(IntEnum):
    """When a key is written, the lowest first."""

    SEGMENT = 0
    FLAG = 1
    SEGMENT_DELETION = 2


def turn_of(key: str, value: bytes | None) -> Turn:
    """Return when a value is written; a key that is neither a flag's nor a segment's goes with the flags."""
    if segment_of(key) is None:
        return Turn.FLAG
    return Turn.SEGMENT_DELETION if value is None else Turn.SEGMENT


def in_turns(values: Values) -> list[Values]:
    """Return the values in the groups in which they are written."""
    turns: dict[Turn, dict[str, bytes | None]] = {turn: {} for turn in Turn}
    for key, value in values.items():
        turns[turn_of(key, value)][key] = value
    return [turn for turn in turns.values() if turn]


def app_of(key: str) -> str:
    """Return the app of a key of the bucket."""
    return key.partition(".")[0]


def apps_with(pending: Collection[str], *, segments: bool) -> frozenset[str]:
    """Return the apps that still have segments, or flags, to be written."""
    return frozenset(app_of(key) for key in pending if (segment_of(key) is not None) == segments)


def next_batch(pending: Collection[str], postponed: Collection[str], limit: int) -> set[str]:
    """Return which of the changed keys are looked at next: segments first, what was postponed last."""
    return set(heapq.nsmallest(limit, pending, key=lambda key: (key in postponed, segment_of(key) is None)))
