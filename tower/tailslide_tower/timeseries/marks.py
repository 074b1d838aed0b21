"""Marks in the graph of a flag: entries of the log about it and its circuit, as the graph shows them. Pure."""

from datetime import UTC, datetime
from typing import Any

from tailslide_tower.audit.entry import LogRow
from tailslide_tower.audit.sentences import differences_of, sentence_of
from tailslide_tower.times import timestamp

MAX_MARKS = 500
_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999, the last one that a calendar has here."""


def moment(at_ms: int) -> datetime:
    """Return a time of a graph, Unix milliseconds, as the log has it."""
    return datetime.fromtimestamp(min(at_ms, _LAST_MS) / 1000, UTC)


def mark_json(row: LogRow) -> dict[str, Any]:
    """Return an entry as a mark."""
    after = row.after if row.subject.kind == "circuit" and row.after is not None else {}
    state, percentage = after.get("state"), after.get("percentage")
    return {
        "id": row.id,
        "at": timestamp(row.at),
        "kind": row.subject.kind,
        "action": row.action,
        "actor": row.actor,
        "sentence": sentence_of(row, differences_of(row)),
        # A reset by a person has the whole flag before and after.
        "state": state if isinstance(state, str) else None,
        "percentage": percentage if isinstance(percentage, int | float) else None,
    }
